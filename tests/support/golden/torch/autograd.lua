--- grad as the programs of kind `high` use it, torch.autograd, and torch.no_grad.
local metann = require 'metann'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'
local plain, is_tensor, None = registry.plain, registry.is_tensor, values.None

local autograd = {}

local function list_of(v)
  if is_tensor(v) then return { v } end
  return plain(v)
end

--- Gradients that can be differentiated again; zeros where there is none.
function autograd.grad(outputs, inputs, cotangents)
  local live, seeds = {}, {}
  for i, y in ipairs(outputs) do
    if y.requires_grad then
      live[#live + 1] = y
      seeds[#live] = cotangents and cotangents[i] or false
    end
  end
  local grads = {}
  if #live > 0 then
    grads = metann.grad(live, inputs, { grad_outputs = seeds, create_graph = true, allow_unused = true })
  end
  local result = {}
  for i, x in ipairs(inputs) do result[i] = grads[i] or metann.zeros_like(x) end
  return result
end

local grad = select(2, registry.function_of([[grad(outputs: value, inputs: value, grad_outputs: value=None,
  retain_graph=None, create_graph=True, only_inputs=True, allow_unused=True, is_grads_batched=False)]], function(a)
  local seeds = a.grad_outputs ~= None and list_of(a.grad_outputs) or nil
  return autograd.grad(list_of(a.outputs), list_of(a.inputs), seeds)
end))
autograd.call = grad

-- ---- torch.autograd.functional: all by reverse mode ----

--- Calls a Python function on leaves made of its inputs.
local function evaluate(call, fn, inputs)
  local leaves, list = {}, list_of(inputs)
  for i, x in ipairs(list) do
    leaves[i] = x.requires_grad and x:view_as(x) or x:detach():clone():requires_grad_(true)
  end
  local out = call(fn, { n = #leaves, unpack(leaves) })
  return leaves, out
end

local function like(inputs, list)
  if is_tensor(inputs) then return list[1] end
  return list
end

local function rows(y, x)
  local flat, out = y:reshape{ -1 }, {}
  for i = 1, flat:numel() do out[i] = autograd.grad({ flat[i] }, { x })[1] end
  local shape = y.shape
  for _, s in ipairs(x.shape) do shape[#shape + 1] = s end
  return metann.stack(out, 1):reshape(shape)
end

local function dot(a, b)
  local total
  for i = 1, #a do
    local term = (a[i] * b[i]):sum()
    total = total and total + term or term
  end
  return total
end

--- (dy/dx) v by differentiating the vector-Jacobian product with respect to its cotangent.
local function forward_product(y, leaves, v)
  local q = metann.zeros_like(y):requires_grad_(true)
  return autograd.grad({ dot(autograd.grad({ y }, leaves, { q }), v) }, { q })[1]
end

--- Functions that call a Python function; `call` is the evaluator's.
function autograd.functional(call)
  local set = registry.set()
  local tail = ', create_graph=False, strict=False)'
  set.define('jacobian(func: value, inputs: value' .. tail, function(a)
    local leaves, y = evaluate(call, a.func, a.inputs)
    local list = {}
    for i, x in ipairs(leaves) do list[i] = rows(y, x) end
    return like(a.inputs, list)
  end)
  set.define('hessian(func: value, inputs: value' .. tail, function(a)
    local leaves, y = evaluate(call, a.func, a.inputs)
    local out = {}
    for i, g in ipairs(autograd.grad({ y }, leaves)) do
      local line = {}
      for k, x in ipairs(leaves) do line[k] = rows(g, x) end
      out[i] = like(a.inputs, line)
    end
    return like(a.inputs, out)
  end)
  set.define('vjp(func: value, inputs: value, v: value=None' .. tail, function(a)
    local leaves, y = evaluate(call, a.func, a.inputs)
    local seed = a.v ~= None and list_of(a.v) or { metann.ones_like(y) }
    return y, like(a.inputs, autograd.grad({ y }, leaves, seed))
  end)
  set.define('jvp(func: value, inputs: value, v: value=None' .. tail, function(a)
    local leaves, y = evaluate(call, a.func, a.inputs)
    return y, forward_product(y, leaves, a.v ~= None and list_of(a.v) or { metann.ones_like(leaves[1]) })
  end)
  for _, name in ipairs{ 'hvp', 'vhp' } do
    set.define(name .. '(func: value, inputs: value, v: value=None' .. tail, function(a)
      local leaves, y = evaluate(call, a.func, a.inputs)
      local v = a.v ~= None and list_of(a.v) or { metann.ones_like(leaves[1]) }
      local product = dot(autograd.grad({ y }, leaves), v)
      return y, like(a.inputs, autograd.grad({ product }, leaves))
    end)
  end
  return set
end

--- torch.no_grad() and torch.enable_grad(), as contexts.
function autograd.mode(name)
  return values.callable(name, function()
    local context = values.namespace(name, function() return nil end)
    function context.around(body) metann[name](body) end
    return context
  end)
end

return autograd
