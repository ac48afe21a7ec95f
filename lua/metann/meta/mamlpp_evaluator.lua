--- The loss of MAML++ over the models after each step, and active_indices.
local errors = require 'metann.binding.errors'
local class = require 'metann.nn.machinery.class'
local support = require 'metann.support'
local MultiModel = require 'metann.meta.multimodel'
local inner = require 'metann.meta.inner'
local arguments = require 'metann.arguments'
local raise, describe = errors.raise, errors.describe

local functions = {}

local signature = arguments.signature('mamlpp_evaluator', {
  { 'mimo', required = true, opaque = true }, { 'data', opaque = true }, { 'steps', required = true },
  { 'evaluator', required = true }, { 'gamma', default = 0.6 },
})

--- The sum of gamma^(steps + 1 - i) * loss(mm[i]) over i = 1..steps + 1; and, as second value, the last of the losses.
-- @param mimo a MultiModel
-- @param data for the evaluator
-- @param steps `mimo:len() - 1`; anything else is an error
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param[opt=0.6] gamma a number or a 0-dim tensor
-- @return two 0-dim tensors
function functions.mamlpp_evaluator(...)
  local o = arguments.read(signature, ...)
  local mimo, steps, gamma = o.mimo, o.steps, o.gamma
  if not class.class_of(mimo) or not class.is(mimo, MultiModel) then
    raise('mamlpp_evaluator: mimo must be a MultiModel, got %s', describe(mimo))
  end
  arguments.callable('mamlpp_evaluator', 'evaluator', o.evaluator)
  if steps ~= mimo:len() - 1 then
    raise('mamlpp_evaluator: steps must be %d, one less than the models of the MultiModel, got %s', mimo:len() - 1,
      describe(steps))
  end
  if type(gamma) ~= 'number' and not (support.is_tensor(gamma) and support.ndim(gamma) == 0) then
    raise("mamlpp_evaluator: 'gamma' must be a number or a 0-dim tensor, got %s", describe(gamma))
  end
  local total, loss
  for i = 1, steps + 1 do
    loss = o.evaluator(mimo[i], o.data)
    inner.check_loss('mamlpp_evaluator', loss)
    local term = i == steps + 1 and loss or loss * gamma ^ (steps + 1 - i)
    total = total and total + term or term
  end
  return total, loss
end

--- The 1-based positions of the tensors in a list whose gaps are false.
-- @param list a list of tensors and false, such as metann.grad gives with allow_unused
-- @return list of numbers
function functions.active_indices(list)
  list = support.to_list(list, 'active_indices')
  local indices = {}
  for i = 1, #list do
    local entry = list[i]
    if support.is_tensor(entry) then
      indices[#indices + 1] = i
    elseif entry then
      raise('active_indices: entry %d must be a tensor or false, got %s', i, describe(entry))
    end
  end
  return indices
end

return functions
