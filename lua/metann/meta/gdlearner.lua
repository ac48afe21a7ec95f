--- GDLearner: gradient descent on the same data at each step.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local RuleLearner = require 'metann.meta.rulelearner'
local evaluators = require 'metann.meta.evaluators'
local arguments = require 'metann.arguments'

local signature = arguments.signature('GDLearner', {
  { 'steps', required = true }, { 'lr', required = true, table = true }, { 'create_graph', default = true },
  { 'evaluator', default = evaluators.default_evaluator_classification },
  { 'allow_unused', default = false, named = true },
})

--- `GDLearner(steps, lr, create_graph=true, evaluator=default_evaluator_classification)`: w <- w - lr * g.
-- Source: Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017.
-- @param steps number of steps; 0 gives a view of the initial weights
-- @param lr number, 0-dim tensor or parameter, a table of these by parameter name, or a list of any of them, one per
-- step; what requires gradients gets them
-- @param create_graph false: inner gradients are constants
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param allow_unused by name, false: true lets a step go by in which no weight gets a gradient
-- @function GDLearner
local GDLearner = nn.class('GDLearner', RuleLearner)

function GDLearner:init(...)
  local o = arguments.read(signature, ...)
  o.rule, o.options = optim.rules.SGD, {}
  self:set_up('GDLearner', o)
end

return GDLearner
