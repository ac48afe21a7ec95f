--- Differentiation: grad and backward over the core's walk, and the modes.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local binding = require 'metann.binding'
local lists = require 'metann.tensor.compose.lists'
local gradients = require 'metann.autograd.gradients'
local handle, errors, scope = binding.handle, binding.errors, binding.scope
local C, ctx, is_tensor = handle.C, handle.ctx, handle.is_tensor
local raise, describe, kinds = errors.raise, errors.describe, arguments.kinds

local autograd = {}

--- The cotangents of n outputs as a list, out of the option grad_outputs.
local function cotangents_of(given, n)
  if given == nil then return {} end
  if is_tensor(given) then given = { given } end
  if type(given) ~= 'table' then
    raise("grad: 'grad_outputs' must be a tensor or a list of tensors, got %s", describe(given))
  end
  for k in pairs(given) do
    if type(k) ~= 'number' or k % 1 ~= 0 or k < 1 or k > n then
      raise("grad: 'grad_outputs' has an entry %s, but the outputs are a list of %d", tostring(k), n)
    end
  end
  return given
end

local function by_name(names, list)
  local named = {}
  for i, name in ipairs(names) do named[name] = list[i] end
  return named
end

local function grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
  local outs = lists.tensors(outputs, 'grad: outputs')
  local ins, names = lists.tensors(inputs, 'grad: inputs')
  local cotangents = cotangents_of(grad_outputs, #outs)
  if #ins == 0 then return {} end
  local grads = gradients.of(outs, ins, cotangents, retain_graph, create_graph, allow_unused)
  if is_tensor(inputs) then return grads[1] end
  if names and type(inputs) == 'table' then return by_name(names, grads) end
  return grads
end

--- Gradients of outputs with respect to inputs.
-- @function grad
-- @param outputs a tensor, a list, a table by name or an iterator; each a scalar unless grad_outputs gives its cotangent
-- @param inputs a tensor, a list, a table by name, or an iterator such as net:parameters()
-- @param grad_outputs cotangents of the outputs, a tensor or a list
-- @param retain_graph=create_graph the graph can be walked again
-- @param create_graph=false the gradients can be differentiated again (and the graph be walked again)
-- @param allow_unused=false an input that the outputs don't depend on gets false instead of being an error
-- @return one tensor for one input, a table by name for such a table, else a list
autograd.grad = arguments.compiled(arguments.define('grad', {
  { 'outputs', required = true, data = true }, { 'inputs', required = true, data = true },
  { 'grad_outputs', optional = true }, { 'retain_graph', kinds.boolean, optional = true },
  { 'create_graph', kinds.boolean, false }, { 'allow_unused', kinds.boolean, false },
}, grad))

local function backward(t, gradient, retain_graph)
  local outputs = { t }
  gradients.accumulate(outputs, { gradient }, retain_graph)
end

--- Adds the gradients of a tensor with respect to all leaves to their .grad. Never records a graph.
-- @function backward
-- @param input what is differentiated
-- @param gradient its cotangent, needed unless it has one element
-- @param retain_graph=false true keeps the graph for another walk
autograd.backward = arguments.compiled(arguments.define('backward', {
  { 'input', kinds.tensor }, { 'gradient', kinds.tensor, optional = true }, { 'retain_graph', kinds.boolean, false },
}, backward))
handle.methods.backward = autograd.backward

--- Calls fn(...) without recording and returns its results. The mode is put back on return, error and yield.
function autograd.no_grad(fn, ...) return scope.with_grad(false, 'no_grad', fn, ...) end

--- Calls fn(...) with recording, also inside no_grad.
function autograd.enable_grad(fn, ...) return scope.with_grad(true, 'enable_grad', fn, ...) end

function autograd.is_grad_enabled() return C.mn_grad_enabled(ctx) ~= 0 end

autograd.scope = scope.run
autograd.keep = scope.move

local PARTS = {
  Function = 'metann.autograd.function', checkpoint = 'metann.autograd.checkpoint',
  detect_anomaly = 'metann.autograd.anomaly', gradcheck = 'metann.gradcheck',
}

--- Calls fn(gradient) in every walk that reaches t, a tensor that requires grad, once its gradient is complete.
-- What fn returns, unless nil, replaces the gradient for whatever lies behind. Hooks of a tensor run in the order in
-- which they were registered; with create_graph what they do is differentiable. A hook stays until it is removed, or
-- the node that made t (of a leaf: t itself) is gone; fn should not refer to t, which would keep both for ever.
-- @param t a tensor that requires grad
-- @param fn takes the gradient, returns a tensor of its size or nil
-- @return an object whose method remove() takes the hook away
function handle.methods.register_hook(t, fn)
  if not scope.is_callable(fn) then raise('register_hook: expected a function, got %s', describe(fn)) end
  return binding.derivatives.hook(t, fn)
end

return setmetatable(autograd, {
  __index = function(self, name)
    local value = PARTS[name] and require(PARTS[name])
    rawset(self, name, value)
    return value
  end,
})
