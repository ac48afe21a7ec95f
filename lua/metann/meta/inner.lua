--- The inner loop: a model's weights go through update steps, in a view of the model.
-- Owns which weights are adapted, what is recorded, and the loop itself; learners and meta-learners only say which
-- rule, how many steps and on what data. The hot path makes per step one call of the evaluator, one of gradients.of and
-- one of the rule per parameter.
local pairs = require('metann.binding.traversal').pairs
local metann = require 'metann'
local support = require 'metann.support'
local errors = require 'metann.binding.errors'
local rates = require 'metann.meta.rates'
local arguments = require 'metann.arguments'
local view = require 'metann.views.view'
local gradients = require 'metann.autograd.gradients'
local raise, describe = errors.raise, errors.describe
local is_tensor, requires_grad, ndim = support.is_tensor, support.requires_grad, support.ndim

local inner = {}

local NO_STATE, NO_COTANGENTS = {}, {}

local function copy(list)
  local result = {}
  for i = 1, #list do result[i] = list[i] end
  return result
end

--- A leaf with a weight's values, from which a graph starts.
local function leaf_of(weight) return weight:detach():requires_grad_(true) end

--- Fills run.inputs with the weights that are adapted and run.active with their places.
local function collect(run)
  local state, weights = run.state, run.weights
  local active, inputs, changed = {}, {}, false
  local adapted, needy = view.adaptable(state, weights)
  for i = 1, #weights do
    local weight = weights[i]
    if adapted[i] then
      if not run.recording or not needy[i] then
        weight = leaf_of(weight)
        weights[i], changed = weight, true
      end
      local k = #active + 1
      active[k], inputs[k] = i, weight
    elseif not run.recording and weight and not support.is_leaf(weight) then
      weights[i], changed = weight:detach(), true
    end
  end
  run.active, run.inputs = active, inputs
  if changed then view.assign(state, weights) end
end

--- The names of the weights that are adapted.
local function names_of(run)
  local names = run.names
  if not names then
    names = {}
    for k, i in ipairs(run.active) do names[k] = run.state.plan.names[i] end
    run.names = names
  end
  return names
end

--- The rule's options at a step: one table for all parameters, or nil and one for each.
local function options_at(run, step)
  local base = run.options
  local lr, list = run.lr, nil
  if type(lr) == 'table' then lr, list = rates.at(lr, step, names_of(run), run.state.plan.by_name) end
  if not list then
    if base.lr == lr then return base end
    local options = {}
    for key, value in pairs(base) do options[key] = value end
    options.lr = lr
    run.options = options
    return options
  end
  local each = {}
  for k = 1, #list do
    local options = {}
    for key, value in pairs(base) do options[key] = value end
    options.lr = list[k]
    each[k] = options
  end
  return nil, each
end

--- What the rule prepares for all weights that have made equally many steps: they have one count then, as rules are
-- pure. Rates that are learned get their derivatives weight by weight, so that sums are made in one order.
local function shares_numbers(run, options)
  return run.prepare and options and not (is_tensor(options.lr) and requires_grad(options.lr))
end

local function prepared(made, prepare, state, options)
  local key = state.step or false
  made[key] = made[key] or prepare(state, options)
  return made[key]
end

--- Runs the rule on every parameter that has a gradient.
local function update(run, grads, options, each)
  local inputs, states, active, weights, rule = run.inputs, run.states, run.active, run.weights, run.rule
  local recording, made = run.recording, shares_numbers(run, options) and {}
  run.reached = false
  for k = 1, #inputs do
    local g = grads[k]
    if g then
      run.reached = true
      local state, weight = states[k] or NO_STATE
      local numbers = made and prepared(made, run.prepare, state, options)
      weight, states[k] = rule(inputs[k], g, state, options or each[k], numbers)
      if not recording then weight:requires_grad_(true) end
      inputs[k] = weight
      weights[active[k]] = weight
    end
  end
end

function inner.check_loss(what, loss)
  if not is_tensor(loss) then raise('%s: the evaluator must return a 0-dim loss, got %s', what, describe(loss)) end
  if ndim(loss) ~= 0 then
    raise('%s: the evaluator must return a 0-dim loss, got a tensor with %d dims', what, ndim(loss))
  end
end

--- Whether the weights may be left alone by a loss: as the call says, or the learner.
function inner.allows_unused(spec, call)
  if call.allow_unused ~= nil then return call.allow_unused end
  return spec.allow_unused == true
end

--- Raises that a step was made in which no weight got a gradient.
function inner.raise_unused(what)
  raise("%s: no weight got a gradient: the loss doesn't depend on the model that the evaluator was given (where that "
    .. 'is wanted, allow_unused=true)', what)
end

--- One inner step on `data`.
local function step(run, index, data)
  local evaluator, loss = run.evaluator
  if run.recording then
    loss = evaluator(run.root, data)
  else
    loss = metann.enable_grad(evaluator, run.root, data)
  end
  inner.check_loss(run.what, loss)
  if #run.inputs == 0 then return end
  if not requires_grad(loss) then return run.allow_unused or inner.raise_unused(run.what) end
  local grads = gradients.of({ loss }, run.inputs, NO_COTANGENTS, false, run.graph, true)
  local options, each = options_at(run, index)
  local noted = run.state.noted
  if noted then run.weights = copy(run.weights) end -- the old list stays the old view's
  if run.recording then
    update(run, grads, options, each)
  else
    metann.no_grad(update, run, grads, options, each)
  end
  if not run.reached and not run.allow_unused then inner.raise_unused(run.what) end
  if noted then
    run.state = view.renewed(run.state, run.weights)
    run.root = run.state.root
  else
    view.assign(run.state, run.weights)
  end
end

local function noted_step(run, index, data)
  step(run, index, data)
  if run.history then run.history[index + 1] = copy(run.weights) end
end

--- One batch of what an iterator gave: a value, or number, value.
local function one_batch(what, a, b, ...)
  if b == nil then return a end
  if type(a) ~= 'number' or select('#', ...) > 0 then
    raise('%s: the iterator of batches must give one value a step, such as a table {x, y}', what)
  end
  return b
end

--- An iterator over what a learner that takes one batch a step was given: a list, or something to iterate with.
local function batches(what, data)
  if type(data) == 'table' and getmetatable(data) and data.iter then data = data:iter() end
  if arguments.is_callable(data) then return function() return one_batch(what, data()) end end
  if type(data) ~= 'table' then
    raise('%s: data must be a list or an iterator of batches, one a step, got %s', what, describe(data))
  end
  local i, n = 0, #data
  return function()
    i = i + 1
    if i <= n then return data[i] end
  end
end

--- Calls fn(run, i, batch) for each step that a learner makes on what it was given.
function inner.each_step(spec, data, fn, run)
  if spec.steps then
    for i = 1, spec.steps do fn(run, i, data) end
    return
  end
  local i = 0
  for batch in batches(spec.what, data) do
    i = i + 1
    fn(run, i, batch)
  end
end

--- The leaves that detached models get for weights that no step has changed: not the base's own storage.
-- @param run of an adaptation
-- @param lists of weights, run.weights and with `mimo` those of each step
local function separate(run, lists)
  for k, place in ipairs(run.active) do
    local initial, own = run.initial[k], nil
    for _, weights in ipairs(lists) do
      if weights[place] == initial then
        own = own or initial:detach():clone():requires_grad_(true)
        weights[place] = own
      end
    end
  end
  view.assign(run.state, run.weights)
end

--- Adapts a view of `model` and returns it, or with `mimo` the plan's state and the weights after each step.
-- @param spec `what` (for messages), `rule` (pure: parameter, gradient, state, options -> parameter, state), `prepare`
-- and `options` of the rule, `lr` (from rates.new), `steps` (nil: one batch of data a step), `create_graph`,
-- `evaluator`, `allow_unused`
-- @param model module, ProtoModule, DependentModule or view
-- @param data for the evaluator; a list or iterator of such without `steps`
-- @param call options of the call: `evaluator`, `mimo`, `buffers`, `training`, `allow_unused`; `detach` gives detached
-- leaves
-- @return view's state (its `root` is the model), and with `call.mimo` the list of lists of weights
function inner.adapt(spec, model, data, call)
  local state = view.open(spec.what, model, call.buffers, call.training)
  local recording = metann.is_grad_enabled() and not call.detach
  local run = {
    what = spec.what, state = state, root = state.root, weights = state.weights, recording = recording,
    graph = recording and spec.create_graph, evaluator = call.evaluator or spec.evaluator, rule = spec.rule,
    prepare = spec.prepare, options = spec.options, lr = spec.lr, states = {},
    allow_unused = inner.allows_unused(spec, call), reached = false,
  }
  collect(run)
  if not recording then run.initial = copy(run.inputs) end
  run.history = call.mimo and { copy(run.weights) }
  inner.each_step(spec, data, noted_step, run)
  if not recording then separate(run, { run.weights, unpack(run.history or {}) }) end
  return run.state, run.history or nil
end

return inner
