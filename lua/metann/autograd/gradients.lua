--- Gradients of lists of tensors: what metann.grad and backward do once their arguments are read, for those who have
-- such lists at hand, such as learners. Errors name the function that was called. Internal.
local binding = require 'metann.binding'
local walk = require 'metann.autograd.walk'
local handle, raise, describe = binding.handle, binding.errors.raise, binding.errors.describe
local ffi, array, is_tensor, NONE = handle.ffi, handle.array, handle.is_tensor, handle.NONE

local gradients = {}

local CREATE_GRAPH, RETAIN_GRAPH, ACCUMULATE = walk.CREATE_GRAPH, walk.RETAIN_GRAPH, walk.ACCUMULATE

local pointers = ffi.typeof('mn_tensor *[?]')

local function start(op, outputs, cotangents, inputs, flags)
  local n, m = #outputs, #inputs
  local out, cot, into = pointers(n + 1), pointers(n + 1), pointers(m + 1)
  for i = 1, n do
    local t, g = outputs[i], cotangents[i]
    array(t)
    out[i - 1] = t.p
    if is_tensor(g) then
      array(g)
      cot[i - 1] = g.p
    elseif g == nil or g == false then
      cot[i - 1] = NONE
      if array(t).ndim > 0 and array(t).numel ~= 1 then
        raise('%s: output %d is not a scalar (size %s): give its gradient', op, i, table.concat(t.shape, 'x'))
      end
    else
      raise('%s: the gradient of output %d must be a tensor, got %s', op, i, describe(g))
    end
  end
  for i = 1, m do
    array(inputs[i])
    into[i - 1] = inputs[i].p
  end
  return walk.new(n, out, cot, m, into, flags, outputs, 0)
end

local function results(w, n, allow_unused)
  local grads = {}
  for i = 1, n do
    local g = walk.result(w, i - 1)
    if not g and not allow_unused then
      walk.free(w)
      raise('grad: input %d was not used to compute the outputs (with {allow_unused=true} its gradient is false)', i)
    end
    grads[i] = g
  end
  walk.free(w)
  return grads
end

local function flags_of(create, retain)
  return (create and CREATE_GRAPH or 0) + (retain and RETAIN_GRAPH or 0)
end

--- Those of outputs with respect to inputs, a list; false for an input that they don't depend on, or an error.
-- @param cotangents list of tensors, false or nothing for a scalar
function gradients.of(outputs, inputs, cotangents, retain_graph, create_graph, allow_unused)
  local w = start('grad', outputs, cotangents, inputs, flags_of(create_graph, retain_graph))
  walk.run(w, outputs, create_graph)
  return results(w, #inputs, allow_unused)
end

--- Adds those of outputs with respect to all leaves to their .grad.
function gradients.accumulate(outputs, cotangents, retain_graph)
  local w = start('backward', outputs, cotangents, {}, ACCUMULATE + flags_of(false, retain_graph))
  walk.run(w, outputs, false)
  walk.free(w)
end

return gradients
