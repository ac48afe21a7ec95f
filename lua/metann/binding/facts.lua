--- What a tensor is, read off its handle: sizes, dtype, and what it is to derivatives. Everybody above asks here, so
-- that the way to the core is one step. Arguments are tensors, and anything else is an error.
local dtypes = require 'metann.binding.dtypes'
local handle = require 'metann.binding.handle'
local C, ctx, array, fail, NONE = handle.C, handle.ctx, handle.array, handle.fail, handle.NONE

local facts = {}

-- ---- sizes and dtype ----

--- Number of dims, number of elements.
function facts.ndim(t) return array(t).ndim end
function facts.numel(t) return tonumber(array(t).numel) end

--- Size of dim d, counted from 1; negative: from the end. The dim must exist.
function facts.side(t, d)
  local a = array(t)
  if d < 0 then d = a.ndim + 1 + d end
  return tonumber(a.size[d - 1])
end

--- The sizes, a fresh list.
function facts.sizes(t)
  local a, sizes = array(t), {}
  for d = 1, a.ndim do sizes[d] = tonumber(a.size[d - 1]) end
  return sizes
end

--- True when the elements lie row by row without gaps.
function facts.is_contiguous(t) return array(t).contiguous ~= 0 end

--- True when both have the same sizes.
function facts.same_size(t, u) return handle.same_size(array(t), array(u)) end

--- The dtype's name; whether it is a float, an integer (bool is none).
function facts.dtype(t) return handle.dtype_names[array(t).dtype] end
function facts.is_float(t) return dtypes.floats[array(t).dtype] or false end
function facts.is_whole(t) return dtypes.integers[array(t).dtype] or false end

-- ---- derivatives ----

function facts.is_leaf(t)
  array(t)
  return C.mn_tensor_is_leaf(t.p) ~= 0
end

function facts.is_parameter(t)
  array(t)
  return C.mn_tensor_is_parameter(t.p) ~= 0
end

function facts.requires_grad(t)
  array(t)
  return C.mn_tensor_requires_grad(t.p) ~= 0
end

--- Sets whether a leaf requires gradients.
function facts.set_requires_grad(t, b)
  array(t)
  if C.mn_tensor_set_requires_grad(ctx, t.p, b and 1 or 0) ~= 0 then fail(t) end
end

--- A tensor's gradient, or nil.
function facts.grad(t)
  array(t)
  local raw = C.mn_tensor_grad(t.p)
  if raw == NONE then return nil end
  if raw == nil then fail(t) end
  return handle.wrap(raw)
end

--- Gives a leaf a gradient, or, with false, none.
function facts.set_grad(t, grad)
  array(t)
  if C.mn_tensor_set_grad(ctx, t.p, grad and grad.p or NONE) ~= 0 then fail(t, grad) end
end

return facts
