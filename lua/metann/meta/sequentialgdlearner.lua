--- SequentialGDLearner: gradient descent with momentum, one batch a step.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local RuleLearner = require 'metann.meta.rulelearner'
local evaluators = require 'metann.meta.evaluators'
local arguments = require 'metann.arguments'

local signature = arguments.signature('SequentialGDLearner', {
  { 'lr', required = true, table = true }, { 'momentum', default = 0.5 }, { 'create_graph', default = true },
  { 'evaluator', default = evaluators.default_evaluator_classification },
  { 'allow_unused', default = false, named = true },
})

--- `SequentialGDLearner(lr, momentum=0.5, create_graph=true, evaluator=default_evaluator_classification)`:
-- v <- g + momentum * v, w <- w - lr * v. The data is a list or an iterator of batches; there are as many steps.
-- @param lr as GDLearner's
-- @param momentum number, 0.5
-- @param create_graph false: inner gradients are constants
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param allow_unused by name, false: true lets a step go by in which no weight gets a gradient
-- @function SequentialGDLearner
local SequentialGDLearner = nn.class('SequentialGDLearner', RuleLearner)

function SequentialGDLearner:init(...)
  local o = arguments.read(signature, ...)
  o.rule, o.options = optim.rules.SGD, { momentum = o.momentum }
  self:set_up('SequentialGDLearner', o)
end

return SequentialGDLearner
