--- MAML and MAMLpp: a model and the learner that adapts it, differentiated through the adaptation.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local class_of = require('metann.nn.machinery.class').class_of
local errors = require 'metann.binding.errors'
local arguments = require 'metann.arguments'
local proto = require 'metann.views.proto'
local MultiModel = require 'metann.meta.multimodel'
local evaluators = require 'metann.meta.evaluators'
local inner = require 'metann.meta.inner'
local rules = require 'metann.meta.ruleoptions'
local rates = require 'metann.meta.rates'
local call = require 'metann.meta.call'
local raise, describe = errors.raise, errors.describe

local function constructor(what)
  return arguments.signature(what, {
    { 'model', required = true, opaque = true }, { 'steps_train', required = true }, { 'steps_eval', required = true },
    { 'lr', required = true, table = true }, { 'evaluator', default = evaluators.default_evaluator_classification },
    { 'first_order', default = false }, { 'allow_unused', default = false, named = true },
  })
end

local function set_up(self, what, signature, ...)
  local o = arguments.read(signature, ...)
  if not class_of(o.model) then raise('%s: model must be a module, got %s', what, describe(o.model)) end
  arguments.count(what, 'steps_train', o.steps_train, 0)
  arguments.count(what, 'steps_eval', o.steps_eval, 0)
  arguments.callable(what, 'evaluator', o.evaluator)
  arguments.boolean(what, 'first_order', o.first_order)
  arguments.boolean(what, 'allow_unused', o.allow_unused)
  self.model = class_of(o.model)._held and o.model or proto.ProtoModule(o.model)
  self.lr = rates.new(what, o.lr)
  rates.check_steps(what, self.lr, math.max(o.steps_train, o.steps_eval))
  self.steps_train, self.steps_eval = o.steps_train, o.steps_eval
  self.evaluator, self.first_order, self.allow_unused = o.evaluator, o.first_order, o.allow_unused
  self.options = rules.options('MAML', optim.rules.SGD, {}, o.lr)
end

--- What inner.adapt wants to know of a call.
-- @param signature of call.of_data
-- @param mimo whether the models after each step are wanted
-- @return the data, the learner's part, and the call's
local function read_call(self, signature, mimo, data, options, ...)
  if options ~= nil and class_of(data) then
    raise('%s: is called with data and options, as it holds its model already; got a module as data', signature.what)
  elseif options ~= nil and type(options) ~= 'table' then
    raise('%s: options must be a table, got %s', signature.what, describe(options))
  end
  local short = options == nil and select('#', ...) == 0
  local o = short and call.defaults() or call.read(signature, data, options, ...)
  local create_graph = arguments.boolean(signature.what, 'create_graph', o.create_graph, self.training)
  o.mimo, o.detach = mimo, not self.training and not create_graph
  return data, {
    what = signature.what, rule = optim.rules.SGD.update, options = self.options,
    lr = rates.current(signature.what, self.lr), create_graph = create_graph and not self.first_order,
    evaluator = self.evaluator, steps = self.training and self.steps_train or self.steps_eval,
    allow_unused = self.allow_unused,
  }, o
end

local function repr(self)
  local lr = type(self.lr) == 'number' and ', lr=' .. self.lr or ''
  return ('steps_train=%d, steps_eval=%d%s, first_order=%s'):format(self.steps_train, self.steps_eval, lr,
    tostring(self.first_order))
end

--- `MAML(model, steps_train, steps_eval, lr, evaluator=default_evaluator_classification, first_order=false)`.
-- `maml(data)` gives the adapted model: after `steps_train` steps in train mode; in eval mode after `steps_eval`, with
-- detached leaves as weights unless called as `maml(data, {create_graph=true})`. Gradients of what is computed with it
-- reach the model's parameters and lr. `first_order` takes the inner gradients for constants.
-- Options of the call: `create_graph`, `evaluator`, `buffers`, `training`, `allow_unused`, as a learner's.
-- Source: Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017.
-- @param model a module or ProtoModule
-- @param steps_train steps in train mode
-- @param steps_eval steps in eval mode
-- @param lr as GDLearner's
-- @param evaluator function(model, data) that returns a 0-dim loss
-- @param first_order true: inner gradients are constants
-- @param allow_unused by name, false: true lets a step go by in which no weight gets a gradient
-- @function MAML
local MAML = nn.class('MAML')

local maml_signature = constructor('MAML')

function MAML:init(...) set_up(self, 'MAML', maml_signature, ...) end

local maml_call = call.of_data 'MAML'

function MAML:forward(...)
  local data, spec, of_call = read_call(self, maml_call, false, ...)
  local state = inner.adapt(spec, self.model, data, of_call)
  return state.root
end

MAML.extra_repr = repr

--- `MAMLpp(model, steps_train, steps_eval, lr, evaluator, first_order=false)`, arguments as MAML's: in train mode it
-- gives the models after each step, a MultiModel of steps_train + 1, for mamlpp_evaluator; in eval mode one adapted
-- model.
-- Source: Antoniou, Edwards and Storkey, "How to train your MAML", ICLR 2019.
-- @function MAMLpp
local MAMLpp = nn.class('MAMLpp')

local mamlpp_signature = constructor('MAMLpp')

function MAMLpp:init(...) set_up(self, 'MAMLpp', mamlpp_signature, ...) end

local mamlpp_call = call.of_data 'MAMLpp'

function MAMLpp:forward(...)
  local data, spec, of_call = read_call(self, mamlpp_call, self.training, ...)
  local state, history = inner.adapt(spec, self.model, data, of_call)
  return history and MultiModel.of(state, history) or state.root
end

MAMLpp.extra_repr = repr

return { MAML = MAML, MAMLpp = MAMLpp }
