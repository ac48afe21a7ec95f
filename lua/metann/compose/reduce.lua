--- Reductions made of rows.
local common = require 'metann.compose.common'
local raw, raise, describe = common.raw, common.raise, common.describe
local is_tensor, ndim = common.is_tensor, common.ndim

local reduce = {}

--- Names out of an options table, or the positional values.
local function named(op, names, a, b, c)
  if not common.is_options(a) then return a, b, c end
  common.check_options(op, a, names)
  return a[names[1]], a[names[2]], names[3] and a[names[3]]
end

local function extremum(op, all, pairwise)
  local row, smallest_or_largest, two = raw[op], raw[all], raw[pairwise]
  reduce[op] = function(t, dim, keepdim)
    if dim == nil then return smallest_or_largest(t) end
    if is_tensor(dim) then return two(t, dim) end
    return row(t, dim, keepdim)
  end
end
--- max(t): the largest element. max(t, dim, keepdim): largest values and their indices. max(t, other): elementwise.
-- @function max
extremum('max', 'amax', 'maximum')
--- As max, of the smallest.
-- @function min
extremum('min', 'amin', 'minimum')

--- Standard deviation; its derivative at 0 is 0.
-- @param t tensor
-- @param dim dims, all unless given
-- @param correction 1 divides by n - 1
-- @param keepdim keeps reduced dims as 1
function reduce.std(t, dim, correction, keepdim) return raw.sqrt(raw.var(t, dim, correction, keepdim)) end

--- The p-norm over dims (all unless given); its derivative at 0 is 0.
-- @param t tensor
-- @param p 2; also 0 (how many are nonzero), 1, math.huge, -math.huge
-- @param dim dims, all unless given
-- @param keepdim keeps reduced dims as 1
function reduce.norm(t, p, dim, keepdim)
  p, dim, keepdim = named('norm', { 'p', 'dim', 'keepdim' }, p, dim, keepdim)
  common.tensor(t, 'norm', 'input')
  if p == nil or p == 2 or p == 'fro' then return raw.sqrt(raw.sum(raw.square(t), dim, keepdim)) end
  if type(p) ~= 'number' then raise("norm: 'p' must be a number, got %s", describe(p)) end
  local size = raw.abs(t)
  if p == 1 then return raw.sum(size, dim, keepdim) end
  if p == math.huge then return raw.amax(size, dim, keepdim) end
  if p == -math.huge then return raw.amin(size, dim, keepdim) end
  if p == 0 then return raw.sum(raw.cast(raw.ne(t, 0), common.dtype(t)), dim, keepdim) end
  local total = raw.sum(raw.pow(size, p), dim, keepdim)
  -- the root's slope at 0 is unbounded: it is taken of 1 there, and the result put back to 0
  local positive = raw.ne(total, 0)
  local one = common.scalar(1, total, 'norm', 'p')
  return raw.mul(raw.pow(raw.where(positive, total, one), 1 / p), raw.cast(positive, common.dtype(total)))
end

--- t over its p-norm along dims, or over eps where that is larger: normalize(t, {p = 2, dim = 2, eps = 1e-12}).
function reduce.normalize(t, p, dim, eps)
  p, dim, eps = named('normalize', { 'p', 'dim', 'eps' }, p, dim, eps)
  local norm = reduce.norm(t, p == nil and 2 or p, dim == nil and 2 or dim, true)
  return raw.div(t, raw.clamp(norm, eps == nil and 1e-12 or eps, nil))
end

--- Cosine of the angle between a and b, broadcast against each other, along dim: cosine_similarity(a, b, {dim = 2,
-- eps = 1e-8}), no norm being taken for less than eps.
function reduce.cosine_similarity(a, b, dim, eps)
  dim, eps = named('cosine_similarity', { 'dim', 'eps' }, dim, eps)
  a, b = common.broadcast('cosine_similarity', a, b)
  dim, eps = common.dim(dim == nil and 2 or dim, ndim(a), 'cosine_similarity'), eps == nil and 1e-8 or eps
  local na, nb = raw.clamp(reduce.norm(a, 2, dim, true), eps, nil), raw.clamp(reduce.norm(b, 2, dim, true), eps, nil)
  return raw.sum(raw.mul(raw.div(a, na), raw.div(b, nb)), dim)
end

--- Indices that sort t along dim.
function reduce.argsort(t, dim, descending)
  local _, index = raw.sort(t, dim, descending)
  return index
end

local function pick(values, indices, dim, k, keepdim)
  values, indices = raw.slice(values, dim, k, 1), raw.slice(indices, dim, k, 1)
  if keepdim then return values, indices end
  return raw.squeeze(values, dim), raw.squeeze(indices, dim)
end

local function sorted(t, dim)
  local values, indices = raw.sort(t, dim)
  if ndim(t) == 0 then return raw.unsqueeze(values, 1), raw.unsqueeze(indices, 1) end
  return values, indices
end

--- The k-th smallest values along dim, and their indices.
function reduce.kthvalue(t, k, dim, keepdim)
  common.tensor(t, 'kthvalue', 'input')
  k = common.integer(k, 'kthvalue', 'k', 1)
  dim = common.dim(dim or -1, ndim(t), 'kthvalue')
  local n = common.size(t, dim, 'kthvalue')
  if k > n then raise("kthvalue: 'k' is %d, but dim %d has %d elements", k, dim, n) end
  local values, indices = sorted(t, dim)
  return pick(values, indices, dim, k, keepdim)
end

--- median(t): the (lower) median of all. median(t, dim, keepdim): medians along dim, and their indices.
function reduce.median(t, dim, keepdim)
  common.tensor(t, 'median', 'input')
  local all = dim == nil
  if all then
    t = raw.view(raw.clone(t), common.numel(t))
    dim = 1
  end
  local n = common.size(t, dim, 'median')
  if n == 0 then raise('median: dim %d has no elements', dim) end
  local values, indices = reduce.kthvalue(t, math.floor((n + 1) / 2), dim, keepdim)
  if all then return values end
  return values, indices
end

--- The most frequent values along dim, the smallest of them where several are, and the last index of each.
function reduce.mode(t, dim, keepdim)
  common.tensor(t, 'mode', 'input')
  dim = common.dim(dim or -1, ndim(t), 'mode')
  local values, indices = sorted(t, dim)
  local count = raw.sum(raw.cast(raw.eq(raw.unsqueeze(values, dim), raw.unsqueeze(values, dim + 1)), 'int64'), dim)
  local place = raw.argmax(count, dim, true)
  -- equal values are side by side, in their order
  place = raw.sub(raw.add(place, raw.amax(count, dim, true)), 1)
  values, indices = raw.gather(values, place, dim), raw.gather(indices, place, dim)
  if keepdim and ndim(t) > 0 then return values, indices end
  return raw.squeeze(values, dim), raw.squeeze(indices, dim)
end

--- How many elements are nonzero, over dims (all unless given); int64.
function reduce.count_nonzero(t, dim) return raw.sum(raw.cast(raw.ne(t, 0), 'int64'), dim) end

return reduce
