--- What attention shares: masks, and the weights of the keys under a mask.
-- A mask here is bool, true where nothing may be attended to, or floats that are added to the scores. It broadcasts
-- against them, keys in the last dim.
local support = require 'metann.support'
local ops, dtype = support.ops, support.dtype
local where, all, softmax = ops.where, ops.all, ops.softmax

local attention = {}

--- A mask as given, checked: uint8 ones, PyTorch's first bool, become bool.
function attention.mask(what, name, mask)
  local kind = dtype(mask)
  if kind == 'uint8' then return ops.ne(mask, 0) end
  if kind ~= 'bool' and kind ~= 'float32' and kind ~= 'float64' then
    support.raise("%s: '%s' must be a mask of bool or of floats, got %s", what, name, support.describe(mask))
  end
  return mask
end

local function number(value, like) return support.full(like, {}, value) end

local function added(mask, like)
  if dtype(mask) ~= 'bool' then return mask end
  return where(mask, number(-math.huge, like), number(0, like))
end

--- One mask that hides what either of two does.
function attention.both(a, b)
  if dtype(a) == 'bool' and dtype(b) == 'bool' then return ops.logical_or(a, b) end
  return ops.add(added(a, b), added(b, a))
end

--- True for the queries to which the mask leaves no key, in a last dim of 1.
local function nothing_left(mask)
  if dtype(mask) == 'bool' then return all(mask, -1, true) end
  return ops.eq(ops.amax(mask, -1, true), -math.huge)
end

--- Softmax of scores (..., S) under a mask (or nil). A query to which the mask leaves no key has weights of 0, and so
-- derivatives of 0. Its scores are taken as 0 before the softmax, since what is infinite or NaN there would come back as
-- NaN in the derivative.
function attention.weights(scores, mask)
  if not mask or support.numel(scores) == 0 then return softmax(scores, -1) end
  local empty, zero = nothing_left(mask), number(0, scores)
  if dtype(mask) == 'bool' then
    scores = where(mask, where(empty, zero, number(-math.huge, scores)), scores)
  else
    if dtype(mask) ~= dtype(scores) then mask = ops.cast(mask, dtype(scores)) end
    scores = where(empty, zero, ops.add(scores, mask))
  end
  return where(empty, zero, softmax(scores, -1))
end

--- t (..., heads, S, E) with each head `times` times in a row.
local function repeated(t, times)
  if times == 1 then return t end
  local shape = support.shape(t)
  local heads = #shape - 2
  table.insert(shape, heads + 1, times)
  t = ops.expand(ops.unsqueeze(t, heads + 1), shape)
  table.remove(shape, heads + 1)
  shape[heads] = shape[heads] * times
  return support.reshape(t, shape)
end

--- Key and value (..., heads, S, E) for a query of more heads, of which equal numbers share one of key and value.
function attention.grouped(query, key, value)
  local counts = {}
  for i, t in ipairs{ query, key, value } do
    if support.ndim(t) < 3 then
      support.raise("scaled_dot_product_attention: 'enable_gqa' wants tensors of size (..., heads, length, width), got %s",
        support.describe(t))
    end
    counts[i] = support.size(t, -3)
  end
  local heads = counts[1]
  if heads % counts[2] ~= 0 or heads % counts[3] ~= 0 then
    support.raise("scaled_dot_product_attention: the heads of 'query' (%d) must be a multiple of those of 'key' (%d) and "
      .. "'value' (%d)", heads, counts[2], counts[3])
  end
  return repeated(key, heads / counts[2]), repeated(value, heads / counts[3])
end

return attention
