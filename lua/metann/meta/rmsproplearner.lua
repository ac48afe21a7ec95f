--- RMSPropLearner: RMSProp as the inner rule.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local RuleLearner = require 'metann.meta.rulelearner'
local evaluators = require 'metann.meta.evaluators'
local arguments = require 'metann.arguments'
local kinds = arguments.kinds

local signature = arguments.signature('RMSPropLearner', {
  { 'lr', default = 0.01, table = true }, { 'alpha', default = 0.99 }, { 'eps', default = 1e-8 },
  { 'centered', kinds.boolean, false }, { 'create_graph', default = true },
  { 'evaluator', default = evaluators.default_evaluator_classification }, { 'steps' },
  { 'allow_unused', default = false, named = true },
})

--- `RMSPropLearner(lr=0.01, alpha=0.99, eps=1e-8, centered=false, create_graph=true, evaluator, steps=nil)`: the rule
-- of optim.RMSprop, eps outside the root; the meta-gradient is finite where a gradient is exactly zero.
-- With `steps` the same data is used at each of them, else the data is a list or an iterator of batches, one a step.
-- Source: Tieleman and Hinton, "Lecture 6.5 - rmsprop", 2012.
-- @param lr as GDLearner's
-- @param alpha how much of the mean of squares is kept
-- @param eps added to the root
-- @param centered true: the gradient's mean is taken off
-- @param create_graph false: inner gradients are constants
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param steps number of steps or nil
-- @param allow_unused by name, false: true lets a step go by in which no weight gets a gradient
-- @function RMSPropLearner
local RMSPropLearner = nn.class('RMSPropLearner', RuleLearner)

function RMSPropLearner:init(...)
  local o = arguments.read(signature, ...)
  o.rule, o.options = optim.rules.RMSprop, { alpha = o.alpha, eps = o.eps, centered = o.centered }
  self:set_up('RMSPropLearner', o)
end

return RMSPropLearner
