--- LBFGS (Liu and Nocedal 1989, "On the limited memory BFGS method for large scale optimization"), as PyTorch has it:
-- the direction comes of the last changes of weights and gradients. It calls its closure as often as it needs, so it is
-- no rule and can't run in a learner. A step that fails leaves weights and state as they were.
local arguments = require 'metann.arguments'
local Optimizer = require 'metann.optim.optimizer'
local wolfe = require 'metann.optim.wolfe'
local support = require 'metann.support'
local ops, keep, raise, is_tensor = support.ops, support.keep, support.raise, support.is_tensor
local kinds = arguments.kinds
local add, mul, functions = ops.add, ops.mul, support.functions

-- ---- vectors ----

local function number(t) return is_tensor(t) and t:item() or t end
local function product(a, b) return functions.dot(a, b):item() end
local function largest(v) return ops.amax(ops.abs(v)):item() end

--- All gradients as one vector; zeros where there is none.
local function gradient(params)
  local list = {}
  for i, p in ipairs(params) do
    local g = support.grad(p)
    list[i] = support.reshape(g or functions.zeros_like(p), { -1 })
  end
  return functions.cat(list, 1)
end

--- Writes weights + t * direction into the parameters.
local function move(run, weights, t, direction)
  local moved, at = {}, 1
  for i, w in ipairs(weights) do
    local n = support.numel(w)
    moved[i] = add(w, support.reshape(ops.slice(direction, 1, at, n), support.shape(w)), t)
    at = at + n
  end
  support.write_all('LBFGS:step', run.params, moved)
end

local function copies(params)
  local list = {}
  for i, p in ipairs(params) do list[i] = ops.clone(p) end
  return list
end

--- Calls the closure: the loss as a number, the gradient (of what is to fall), and what it returned.
local function evaluate(run)
  local returned = support.enable_grad(run.closure)
  local one = type(returned) == 'number' or is_tensor(returned) and support.numel(returned) == 1
  if not one then
    raise("LBFGS:step: 'closure' must return the loss, a number or a tensor of one element, got %s",
      support.describe(returned))
  end
  run.evals, run.state.func_evals = run.evals + 1, run.state.func_evals + 1
  local loss, grad = number(returned), gradient(run.params)
  if run.group.maximize then return -loss, ops.neg(grad), returned end
  return loss, grad, returned
end

-- ---- the direction ----

--- Remembers the last changes, of the weights and of the gradient, where the curvature between them is positive.
local function remember(state, grad, history_size)
  local change, moved = ops.sub(grad, state.prev_flat_grad), mul(state.d, state.t)
  local curvature = product(change, moved)
  if not (curvature > 1e-10) then return end
  if #state.old_dirs >= history_size then
    for _, name in ipairs{ 'old_dirs', 'old_stps', 'ro' } do table.remove(state[name], 1) end
  end
  local n = #state.old_dirs + 1
  state.old_dirs[n], state.old_stps[n], state.ro[n] = change, moved, 1 / curvature
  state.H_diag = curvature / product(change, change)
end

--- Minus the gradient, times the estimate of the inverse Hessian: two loops over what is remembered.
local function direction(state, grad)
  local d, n, part = ops.neg(grad), #state.old_dirs, {}
  for i = n, 1, -1 do
    part[i] = product(state.old_stps[i], d) * state.ro[i]
    d = add(d, state.old_dirs[i], -part[i])
  end
  d = mul(d, state.H_diag)
  for i = 1, n do
    local back = product(state.old_dirs[i], d) * state.ro[i]
    d = add(d, state.old_stps[i], part[i] - back)
  end
  return d
end

-- ---- steps ----

--- One iteration from where loss and gradient are known: those of where it ends, nil where nothing is left to do.
local function iterate(run, loss, grad, last)
  local o, state = run.group, run.state
  state.n_iter = state.n_iter + 1
  local lr, first = number(o.lr), state.n_iter == 1
  if first then
    state.old_dirs, state.old_stps, state.ro, state.H_diag = {}, {}, {}, 1
    state.d = ops.neg(grad)
    state.t = math.min(1, 1 / ops.sum(ops.abs(grad)):item()) * lr
  else
    remember(state, grad, o.history_size)
    state.d = direction(state, grad)
    state.t = lr
  end
  state.prev_flat_grad, state.prev_loss = grad, loss
  local d, slope = state.d, product(grad, state.d)
  if slope > -o.tolerance_change then return nil end
  local weights = copies(run.params)
  if o.line_search_fn then
    local point = wolfe.search(function(t)
      move(run, weights, t, d)
      local value, g = evaluate(run)
      return { t = t, loss = value, grad = g, slope = product(g, d) }
    end, { t = 0, loss = loss, grad = grad, slope = slope }, state.t, largest(d))
    state.t, loss, grad = point.t, point.loss, point.grad
    move(run, weights, state.t, d)
  else
    move(run, weights, state.t, d)
    if not last then loss, grad = evaluate(run) end
  end
  return loss, grad
end

local function minimise(run)
  local o, state = run.group, run.state
  local loss, grad, returned = evaluate(run)
  if largest(grad) <= o.tolerance_grad then return returned end
  for n = 1, o.max_iter do
    local before = loss
    loss, grad = iterate(run, loss, grad, n == o.max_iter)
    if not loss or run.evals >= o.max_eval or largest(grad) <= o.tolerance_grad then break end
    if largest(mul(state.d, state.t)) <= o.tolerance_change then break end
    if math.abs(loss - before) < o.tolerance_change then break end
  end
  return returned
end

--- A state whose lists are its own; tensors are never written to.
local function copy_of(state)
  local copy = { func_evals = 0, n_iter = 0 }
  for _, name in ipairs{ 'func_evals', 'n_iter', 'd', 't', 'H_diag', 'prev_flat_grad', 'prev_loss' } do
    copy[name] = state[name] or copy[name]
  end
  for _, name in ipairs{ 'old_dirs', 'old_stps', 'ro' } do
    copy[name] = state[name] and { unpack(state[name]) }
  end
  return copy
end

--- Keeps a state's tensors beyond the scope around.
local function keep_state(state)
  for _, list in ipairs{ { state.d, state.prev_flat_grad }, state.old_dirs or {}, state.old_stps or {} } do
    for _, t in ipairs(list) do keep(t) end
  end
  return state
end

local function step(self, closure)
  local group, key = self.param_groups[1], support.id(self.param_groups[1].params[1])
  local run = {
    group = group, params = group.params, closure = closure, evals = 0, state = copy_of(self.state[key] or {}),
  }
  local weights = copies(run.params)
  local ok, returned = pcall(minimise, run)
  if not ok then
    support.write_all('LBFGS:step', run.params, weights)
    error(returned, 0)
  end
  self.state[key] = keep_state(run.state)
  return returned
end

-- ---- the class ----

local methods = {}

local read_step = arguments.signature('LBFGS:step', { { 'closure', kinds.callable } })

--- Makes up to max_iter iterations and returns what the closure returned first.
-- @function LBFGS:step
-- @param closure function that clears the gradients, computes them anew and returns the loss
function methods:step(...)
  return support.no_grad(step, self, arguments.read(read_step, ...).closure)
end

--- The tensors that the optimizer keeps from step to step, a list.
function methods:state_tensors()
  local state, list = self.state[support.id(self.param_groups[1].params[1])] or {}, {}
  for _, name in ipairs{ 'd', 'prev_flat_grad' } do list[#list + 1] = state[name] end
  for _, name in ipairs{ 'old_dirs', 'old_stps' } do
    for _, t in ipairs(state[name] or {}) do list[#list + 1] = t end
  end
  return list
end

local function is_vector(v, n) return is_tensor(v) and support.ndim(v) == 1 and support.numel(v) == n end

--- Raises unless a state may be that of n weights.
local function check_state(state, n)
  local function need(fits, name, expected)
    if not fits then
      raise("LBFGS:load_state_dict: '%s' must be %s, got %s", name, expected, support.describe(state[name]))
    end
  end
  for _, name in ipairs{ 'func_evals', 'n_iter' } do need(kinds.whole(state[name]), name, 'a whole number') end
  if state.n_iter == 0 then return end
  local vector = ('a tensor of %d elements'):format(n)
  for _, name in ipairs{ 'd', 'prev_flat_grad' } do need(is_vector(state[name], n), name, vector) end
  for _, name in ipairs{ 't', 'H_diag', 'prev_loss' } do need(kinds.number(state[name]), name, 'a number') end
  for _, name in ipairs{ 'old_dirs', 'old_stps', 'ro' } do
    local list = state[name]
    local fits = type(list) == 'table' and type(state.ro) == 'table' and #list == #state.ro
    for i = 1, fits and #list or 0 do
      fits = fits and (name == 'ro' and kinds.number(list[i]) or is_vector(list[i], n))
    end
    need(fits, name, 'a list with ' .. (name == 'ro' and 'a number' or vector) .. ' for each change remembered')
  end
end

--- A state that state_dict gave, checked, of tensors of its own on the device of the first parameter p, in its dtype; it
-- is that of all parameters.
local function load(_, state, _, p, params)
  if type(state) ~= 'table' then
    raise('LBFGS:load_state_dict: the state must be a table, got %s', support.describe(state))
  end
  local n = 0
  for _, each in ipairs(params) do n = n + support.numel(each) end
  check_state(state, n)
  local own = copy_of(state)
  local function fresh(t) return ops.cast(ops.clone(ops.detach(t)):to(p.device), support.dtype(p)) end
  for _, name in ipairs{ 'd', 'prev_flat_grad' } do own[name] = own[name] and fresh(own[name]) end
  for _, name in ipairs{ 'old_dirs', 'old_stps' } do
    for i, t in ipairs(own[name] or {}) do own[name][i] = fresh(t) end
  end
  return keep_state(own)
end

local function search_fn(v)
  if v == false or v == 'strong_wolfe' then return v end
  return nil, "'strong_wolfe', or left out"
end

local function count_or_none(v)
  if v == false then return v end
  return kinds.count(v)
end

return Optimizer.class({
  name = 'LBFGS',
  state = {},
  positions = {
    'lr', 'max_iter', 'max_eval', 'tolerance_grad', 'tolerance_change', 'history_size', 'line_search_fn',
  },
  defaults = {
    lr = 1, max_iter = 20, max_eval = false, tolerance_grad = 1e-7, tolerance_change = 1e-9, history_size = 100,
    line_search_fn = false, maximize = false,
  },
  kinds = { max_iter = kinds.count, max_eval = count_or_none, history_size = kinds.count, line_search_fn = search_fn },
  check = function(_, o) o.max_eval = o.max_eval or math.floor(o.max_iter * 5 / 4) end,
  one_group = true,
  load = load,
}, methods)
