--- Derivatives of sampled functions by differences of neighbours, as torch.gradient and numpy.gradient have them.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local raw, raise, size = common.raw, common.raise, common.size
local kinds, is_tensor = arguments.kinds, common.is_tensor

local slopes = {}

-- ---- arguments ----

local spacing_kind = kinds.list_kind(function(v)
  local fits = kinds.number(v) ~= nil or type(v) == 'table' and #v > 0
  for i = 1, fits and type(v) == 'table' and #v or 0 do
    fits = fits and (kinds.number(v[i]) ~= nil or is_tensor(v[i]))
  end
  return fits and v or nil, 'a number, or a list of numbers or of tensors'
end)

--- The dims, positive; all of them unless given.
local function dims_of(t, dims)
  local n, list, seen = common.ndim(t), {}, {}
  for i = 1, dims and #dims or n do
    list[i] = dims and common.dim(dims[i], n, 'gradient') or i
    if seen[list[i]] then raise('gradient: dim %d is given twice', list[i]) end
    seen[list[i]] = true
  end
  return list
end

--- The spacing along dim d: a number, or where the samples lie, shaped to be broadcast.
local function spacing_of(t, d, spacing)
  if not is_tensor(spacing) then return spacing end
  if common.ndim(spacing) ~= 1 or size(spacing, 1) ~= size(t, d) then
    raise("gradient: the tensor in 'spacing' for dim %d must be of size (%d,), got %s", d, size(t, d),
      common.tuple(common.shape(spacing)))
  end
  local shape = {}
  for k = 1, common.ndim(t) do shape[k] = k == d and size(t, d) or 1 end
  return (raw.view(raw.cast(spacing, common.dtype(t)), shape))
end

-- ---- along one dim ----

--- `count` of t's slices along d from place `from` on.
local function part(t, d, from, count) return (raw.slice(t, d, from, count)) end

--- Sums of tensors times weights, lists of one length.
local function weighted(tensors, weights)
  local sum
  for i, t in ipairs(tensors) do
    local term = raw.mul(t, weights[i])
    sum = sum and raw.add(sum, term) or term
  end
  return sum
end

--- Samples h apart: differences over two steps; at the ends over one, or with edge_order 2 along a parabola.
local function even(t, d, h, order)
  local n, list = size(t, d), {}
  local function at(i) return part(t, d, i, 1) end
  if order == 1 then
    list[1], list[3] = raw.div(raw.sub(at(2), at(1)), h), raw.div(raw.sub(at(n), at(n - 1)), h)
  else
    list[1] = weighted({ at(1), at(2), at(3) }, { -1.5 / h, 2 / h, -0.5 / h })
    list[3] = weighted({ at(n), at(n - 1), at(n - 2) }, { 1.5 / h, -2 / h, 0.5 / h })
  end
  list[2] = raw.div(raw.sub(part(t, d, n > 2 and 3 or 1, n - 2), part(t, d, 1, n - 2)), 2 * h)
  return (raw.cat(list, d))
end

--- Of the parabola through three samples, p and q apart, the slope at the first, second or third.
local function parabola(samples, p, q, place)
  local whole, product = raw.add(p, q), raw.mul(p, q)
  local left, right = raw.mul(p, whole), raw.mul(q, whole)
  if place == 1 then
    return weighted(samples, { raw.neg(raw.div(raw.add(whole, p), left)), raw.div(whole, product), raw.neg(raw.div(p, right)) })
  end
  if place == 2 then
    return weighted(samples, { raw.neg(raw.div(q, left)), raw.div(raw.sub(q, p), product), raw.div(p, right) })
  end
  return weighted(samples, { raw.div(q, left), raw.neg(raw.div(whole, product)), raw.div(raw.add(whole, q), right) })
end

--- Samples at places x along d.
local function uneven(t, d, x, order)
  local n, list = size(t, d), {}
  local gaps = raw.sub(part(x, d, 2, n - 1), part(x, d, 1, n - 1))
  local function three(from, count) return { part(t, d, from, count), part(t, d, from + 1, count), part(t, d, from + 2, count) } end
  if order == 1 then
    list[1] = raw.div(raw.sub(part(t, d, 2, 1), part(t, d, 1, 1)), part(gaps, d, 1, 1))
    list[3] = raw.div(raw.sub(part(t, d, n, 1), part(t, d, n - 1, 1)), part(gaps, d, n - 1, 1))
  else
    list[1] = parabola(three(1, 1), part(gaps, d, 1, 1), part(gaps, d, 2, 1), 1)
    list[3] = parabola(three(n - 2, 1), part(gaps, d, n - 2, 1), part(gaps, d, n - 1, 1), 3)
  end
  if n == 2 then return (raw.cat({ list[1], list[3] }, d)) end
  list[2] = parabola(three(1, n - 2), part(gaps, d, 1, n - 2), part(gaps, d, 2, n - 2), 2)
  return (raw.cat(list, d))
end

--- Derivatives of samples along dims, a list with a tensor for each: by differences over both neighbours, at the ends over
-- one, or with edge_order 2 over two.
-- @function gradient
-- @param t tensor; integers become floats
-- @param options {spacing=1, dim=all, edge_order=1}; spacing: how far apart samples are, a number for all dims or a list with
-- a number for each, or 1-dim tensors of where they are
slopes.gradient = arguments.define('gradient', {
  { 'input', kinds.tensor }, { 'spacing', spacing_kind, 1, named = true }, { 'dim', kinds.dims, optional = true, named = true },
  { 'edge_order', kinds.count, 1, named = true },
}, function(t, spacing, dims, order)
  t, dims = common.as_float(t), dims_of(t, dims)
  if order > 2 then raise("gradient: 'edge_order' must be 1 or 2, got %d", order) end
  if type(spacing) == 'table' and #spacing ~= #dims then
    raise("gradient: 'spacing' has %d entries for %d dims", #spacing, #dims)
  end
  local list = {}
  for i, d in ipairs(dims) do
    if size(t, d) <= order then
      raise('gradient: dim %d must have at least %d elements, got %d', d, order + 1, size(t, d))
    end
    local h = spacing_of(t, d, type(spacing) == 'table' and spacing[i] or spacing)
    list[i] = is_tensor(h) and uneven(t, d, h, order) or even(t, d, h, order)
  end
  return list
end)

return slopes
