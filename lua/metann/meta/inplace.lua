--- Learners' in-place variant: the model itself is trained, with `.grad` and the optimizer.
local errors = require 'metann.binding.errors'
local support = require 'metann.nn.support'
local optim = require 'metann.optim'
local inner = require 'metann.meta.inner'
local rates = require 'metann.meta.rates'
local raise = errors.raise
local is_tensor = support.is_tensor

local inplace = {}

--- What is trained: parameters and dependents of the model that require gradients, with their names.
local function trainable(what, model)
  local list, names, seen = {}, {}, {}
  local function take(name, tensor)
    if not tensor or not support.requires_grad(tensor) or seen[support.id(tensor)] then return end
    if not support.is_leaf(tensor) then
      raise("%s: '%s' has a history, so it can't be trained in place: adapt a copy, model:deepcopy()", what, name)
    end
    seen[support.id(tensor)] = true
    list[#list + 1], names[#names + 1] = tensor, name
  end
  for name, p in model:named_parameters() do take(name, p) end
  for module_name, module in model:named_modules() do
    local named = rawget(module, '_dependents') and module.named_dependents
    for name, tensor in (named and named(module, module_name, false) or function() end) do take(name, tensor) end
  end
  return list, names
end

local function number(rate) return is_tensor(rate) and rate:item() or rate end

local function set_rates(optimizer, lr, step, names)
  local one, each = rates.at(lr, step, names)
  for i, group in ipairs(optimizer.param_groups) do group.lr = number(one or each[i]) end
end

--- Trains `model` on `data` and returns it.
-- @param spec as inner.adapt takes it
-- @param rule a rule of metann.optim
function inplace.train(spec, rule, model, data, call)
  local list, names = trainable(spec.what, model)
  local evaluator = call.evaluator or spec.evaluator
  local optimizer
  local function step(i, batch)
    if not optimizer and #list > 0 then
      local groups = {}
      for k, p in ipairs(list) do groups[k] = { params = { p } } end
      local options = {}
      for key, value in pairs(spec.options) do options[key] = value end
      options.lr = number(rates.at(spec.lr, 1, names)) or 0
      optimizer = optim[rule.name](groups, options)
    end
    for _, p in ipairs(list) do support.zero_grad(p) end
    local loss = support.enable_grad(evaluator, model, batch)
    inner.check_loss(spec.what, loss)
    if not optimizer or not loss.requires_grad then return end
    loss:backward()
    set_rates(optimizer, spec.lr, i, names)
    optimizer:step()
  end
  if spec.steps then
    for i = 1, spec.steps do step(i, data) end
  else
    local i = 0
    for batch in inner.batches(spec.what, data) do
      i = i + 1
      step(i, batch)
    end
  end
  return model
end

return inplace
