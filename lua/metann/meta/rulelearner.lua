--- RuleLearner: what the learners have in common that run an update rule of metann.optim. Not a public name.
local nn = require 'metann.nn'
local rules = require 'metann.meta.ruleoptions'
local Learner = require 'metann.meta.learner'
local MultiModel = require 'metann.meta.multimodel'
local inner = require 'metann.meta.inner'
local call = require 'metann.meta.call'
local inplace = require 'metann.meta.inplacetraining'
local rates = require 'metann.meta.rates'
local arguments = require 'metann.arguments'

local RuleLearner = nn.class('RuleLearner', Learner)

--- Sets a learner up; called by the constructors.
-- @param what the constructor's name
-- @param o `rule` (of metann.optim), its `options` without lr, `steps` or nil, `lr`, `create_graph`,
-- `evaluator`, `detach`: true where what it gives are leaves
function RuleLearner:set_up(what, o)
  if o.steps ~= nil then arguments.count(what, 'steps', o.steps, 0) end
  arguments.boolean(what, 'create_graph', o.create_graph)
  arguments.boolean(what, 'allow_unused', o.allow_unused)
  arguments.callable(what, 'evaluator', o.evaluator)
  self.lr = rates.new(what, o.lr)
  if o.steps then rates.check_steps(what, self.lr, o.steps) end
  self.what, self.steps, self.create_graph, self.evaluator = what, o.steps, o.create_graph, o.evaluator
  self.rule, self.allow_unused, self.options = o.rule, o.allow_unused, rules.options(what, o.rule, o.options, o.lr)
  self.detach = o.detach
end

--- What inner.adapt wants to know.
function RuleLearner:spec()
  return {
    what = self.what, rule = self.rule.update, prepare = self.rule.prepare, options = self.options,
    lr = rates.current(self.what, self.lr), steps = self.steps,
    create_graph = self.create_graph, evaluator = self.evaluator, allow_unused = self.allow_unused,
  }
end

--- Adapts a view of the model and returns it, or with the option `mimo` a MultiModel.
function RuleLearner:forward_pure(model, data, options)
  local of_call = call.learner(self.what, options)
  of_call.detach = self.detach
  local state, history = inner.adapt(self:spec(), model, data, of_call)
  if history then return MultiModel.of(state, history) end
  return state.root
end

--- Trains the model itself and returns it.
function RuleLearner:forward_inplace(model, data, options)
  return inplace.train(self:spec(), self.rule, model, data, call.learner(self.what, options))
end

function RuleLearner:extra_repr()
  local parts = {}
  if self.steps then parts[1] = 'steps=' .. self.steps end
  if type(self.lr) == 'number' then parts[#parts + 1] = 'lr=' .. self.lr end
  parts[#parts + 1] = 'create_graph=' .. tostring(self.create_graph)
  return table.concat(parts, ', ')
end

return RuleLearner
