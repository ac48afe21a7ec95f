--- Reptile: gradient descent on the same data, after which the model is drawn towards the adapted one. No derivative
-- goes through the steps, so it takes no more memory for many of them.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local RuleLearner = require 'metann.meta.rulelearner'
local evaluators = require 'metann.meta.evaluators'
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local class_of = require('metann.nn.machinery.class').class_of
local ops = support.ops

local signature = arguments.signature('Reptile', {
  { 'steps', required = true }, { 'lr', required = true, table = true },
  { 'evaluator', default = evaluators.default_evaluator_classification },
  { 'allow_unused', default = false, named = true },
})

--- `Reptile(steps, lr, evaluator=default_evaluator_classification)`: w <- w - lr * g; the adapted model's weights are
-- leaves. `reptile:distance(model, adapted)` is what an optimizer of the model makes smaller.
-- Source: Nichol, Achiam and Schulman, "On first-order meta-learning algorithms", 2018.
-- @param steps number of steps; 0 gives a view of the initial weights
-- @param lr as GDLearner's
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param allow_unused by name, false: true lets a step go by in which no weight gets a gradient
-- @function Reptile
local Reptile = nn.class('Reptile', RuleLearner)

function Reptile:init(...)
  local o = arguments.read(signature, ...)
  o.rule, o.options, o.create_graph, o.detach = optim.rules.SGD, {}, false, true
  self:set_up('Reptile', o)
end

local function check(name, model)
  if not class_of(model) then
    support.raise("Reptile:distance: '%s' must be a module, got %s", name, support.describe(model))
  end
end

--- Half the squared distance of a model's parameters to the adapted ones, a 0-dim tensor: its gradient is the
-- difference of the two, which the paper hands to the outer optimizer.
-- @param model what was adapted
-- @param adapted what the learner gave for it
function Reptile.distance(_, model, adapted)
  check('model', model)
  check('adapted', adapted)
  local target, sum = {}, nil
  for name, weight in adapted:named_parameters() do target[name] = ops.detach(weight) end
  for name, weight in model:named_parameters() do
    if support.requires_grad(weight) and target[name] then
      local part = ops.sum(ops.square(ops.sub(weight, target[name])))
      sum = sum and ops.add(sum, part) or part
    end
  end
  if not sum then support.raise('Reptile:distance: the two have no parameter in common that requires a gradient') end
  return ops.mul(sum, 0.5)
end

return Reptile
