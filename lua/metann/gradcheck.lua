--- Checking derivatives against central differences.
-- Higher orders as in autograd's test_util (Maclaurin, Duvenaud, Adams, 2015): the gradient along a random direction is
-- a function whose gradient is checked in turn.
local autograd = require 'metann.autograd'
local binding = require 'metann.binding'
local ops = require 'metann.tensor.ops'
local errors, handle = binding.errors, binding.handle
local raise, describe, is_tensor = errors.raise, errors.describe, handle.is_tensor

local OPTIONS = { 'order', 'eps', 'atol', 'rtol' }

--- A direction that depends on the position alone, away from 0.
local function direction(like, salt)
  local n, values = like:numel(), {}
  for i = 1, n do
    local v = math.sin(12.9898 * i + 78.233 * salt) * 43758.5453
    v = v - math.floor(v)
    values[i] = (v < 0.5 and -1 or 1) * (0.5 + v)
  end
  if n == 0 then return ops.zeros_like(like) end
  return like:new_tensor(values, { dtype = 'float64' }):reshape(like.shape)
end

--- The function's outputs that require grad; of a gradient all, as one that lost its history is wrong.
local function outputs_of(fn, inputs, all)
  local results = { fn(unpack(inputs)) }
  local list = {}
  for i = 1, #results do
    if is_tensor(results[i]) and (all or results[i].requires_grad) then list[#list + 1] = results[i] end
  end
  return list
end

--- The sum of the outputs' products with fixed directions: a 0-dim function of the inputs, or nil.
local function project(fn, inputs, all)
  local outputs = outputs_of(fn, inputs, all)
  local total
  for i, y in ipairs(outputs) do
    local part = (y * direction(y, i)):sum()
    total = total and total + part or part
  end
  return total
end

local function leaves(inputs)
  local list = {}
  for i, x in ipairs(inputs) do
    list[i] = x
    if is_tensor(x) and x.requires_grad then list[i] = x:detach():clone():requires_grad_(true) end
  end
  return list
end

local function differentiable(inputs)
  local list, positions = {}, {}
  for i, x in ipairs(inputs) do
    if is_tensor(x) and x.requires_grad then list[#list + 1], positions[#positions + 1] = x, i end
  end
  return list, positions
end

--- Values of the projection with element k of input x moved by delta.
local function value_at(fn, inputs, x, values, k, delta, all)
  local kept = values[k]
  values[k] = kept + delta
  autograd.no_grad(function() x:copy_(x:new_tensor(values, { dtype = 'float64' }):reshape(x.shape)) end)
  values[k] = kept
  local v = project(fn, inputs, all)
  return v and v:item() or 0
end

--- Element k, counted row by row, as a text: "5", or "5 (at 2, 1)" where there are several dims.
local function place(k, shape)
  if #shape < 2 then return tostring(k) end
  local at, rest = {}, k - 1
  for d = #shape, 1, -1 do
    at[d] = rest % shape[d] + 1
    rest = math.floor(rest / shape[d])
  end
  return ('%d (at %s)'):format(k, table.concat(at, ', '))
end

local function check_input(fn, inputs, x, position, g, o)
  local flat = x:detach():reshape(-1):to_table()
  local got = g and g:detach():reshape(-1):to_table() or {}
  local all = o.current > 1
  for k = 1, #flat do
    local eps = o.eps * math.max(1, math.abs(flat[k]))
    local want = (value_at(fn, inputs, x, flat, k, eps, all)
      - value_at(fn, inputs, x, flat, k, -eps, all)) / (2 * eps)
    local have = got[k] or 0
    local near = math.abs(have - want) <= o.atol + o.rtol * math.abs(want) -- false for NaN
    if not near then
      value_at(fn, inputs, x, flat, k, 0)
      raise('gradcheck: derivative of order %d, input %d, element %s: autograd gives %.12g, differences give %.12g',
        o.current, position, place(k, x.shape), have, want)
    end
  end
  value_at(fn, inputs, x, flat, 1, 0)
end

local function check(fn, inputs, o)
  inputs = leaves(inputs)
  local xs, positions = differentiable(inputs)
  local total = project(fn, inputs, o.current > 1)
  if not total then
    if o.current == 1 then raise('gradcheck: no output of the function requires grad') end
    return -- the gradient is zero everywhere
  end
  local grads = total.requires_grad and autograd.grad(total, xs, { allow_unused = true }) or {}
  for i, x in ipairs(xs) do
    if x:numel() > 0 then check_input(fn, inputs, x, positions[i], grads[i], o) end
  end
end

--- The gradients of fn's projection, as a function of the same inputs.
local function gradient_of(fn)
  return function(...)
    local inputs = { ... }
    local total = project(fn, inputs)
    if not total or not total.requires_grad then return end
    local grads, list = autograd.grad(total, differentiable(inputs), { create_graph = true, allow_unused = true }), {}
    for _, g in ipairs(grads) do
      if g then list[#list + 1] = g end
    end
    return unpack(list)
  end
end

--- A number out of the options: at least 0 where zero is set, else above 0.
local function number(options, name, default, zero)
  local x = options[name]
  if x == nil then return default end
  if type(x) ~= 'number' or not (x > 0 or (zero and x == 0)) or x == math.huge then
    raise("gradcheck: '%s' must be a number %s, got %s", name, zero and 'from 0 on' or 'above 0', describe(x))
  end
  return x
end

--- Compares fn's derivatives with central differences.
-- @param fn a function of tensors that returns tensors
-- @param inputs a list of its arguments; those that require grad are checked, and must be float64
-- @param options order=1 (also checks the orders below), eps=1e-5 (relative step), atol=1e-6, rtol=1e-5
-- @return true; an error says which order, input and element disagrees, and both numbers
return function(fn, inputs, options)
  options = options or {}
  if is_tensor(inputs) then inputs = { inputs } end
  if type(inputs) ~= 'table' then raise('gradcheck: inputs must be a list of tensors, got %s', describe(inputs)) end
  if type(options) ~= 'table' then raise('gradcheck: options must be a table, got %s', describe(options)) end
  errors.check_options('gradcheck', options, OPTIONS)
  local xs, positions = differentiable(inputs)
  if #xs == 0 then raise('gradcheck: no input requires grad') end
  for i, x in ipairs(xs) do
    if x.dtype ~= 'float64' then
      raise('gradcheck: input %d is %s, but differences need float64', positions[i], x.dtype)
    end
  end
  if not binding.scope.is_callable(fn) then raise('gradcheck: expected a function, got %s', describe(fn)) end
  local o = { eps = number(options, 'eps', 1e-5), atol = number(options, 'atol', 1e-6, true),
    rtol = number(options, 'rtol', 1e-5, true) }
  local orders = number(options, 'order', 1)
  if orders % 1 ~= 0 then raise("gradcheck: 'order' must be a whole number, got %s", describe(orders)) end
  for order = 1, orders do
    o.current = order
    check(fn, inputs, o)
    fn = gradient_of(fn)
  end
  return true
end
