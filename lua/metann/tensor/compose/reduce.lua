--- Reductions made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local correction = require 'metann.tensor.compose.correction'
local norm = require 'metann.tensor.compose.norms'
local kinds = arguments.kinds
local raw = common.raw
local is_tensor = common.is_tensor

local reduce = {}

local function define(name, parameters, fn) reduce[name] = arguments.define(name, parameters, fn) end

local INPUT = { 'input', kinds.tensor }
local DIM, DIMS = { 'dim', kinds.dim, optional = true }, { 'dim', kinds.dims, optional = true }
local KEEPDIM = { 'keepdim', kinds.boolean, false }
local DTYPE = { 'dtype', kinds.dtype, optional = true, named = true }

-- ---- sums and their like ----

--- A row of one or two arguments, read by the rule. Calls by position without tables, most of them in a loss, go
-- straight to the row. last: DTYPE for a row that may compute in another dtype.
local function row_of(name, a, b, last)
  local row = raw[name]
  local parameters = { INPUT, a }
  if b then parameters[3] = b end
  parameters[#parameters + 1] = last
  local general = arguments.define(name, parameters, function(t, x, y, z)
    if not b then y, z = nil, y end
    if z then t = raw.cast(t, z) end
    local result = row(t, x, y)
    return z == 'bool' and (raw.cast(result, z)) or result
  end)
  reduce[name] = function(t, x, y, z)
    local plain = type(t) ~= 'table' and type(x) ~= 'table' and type(y) ~= 'table'
    if z == nil and plain and (b or y == nil) then return (row(t, x, y)) end
    return general(t, x, y, z)
  end
end

local function in_dtype(name, a, b) row_of(name, a, b, DTYPE) end

--- The largest, the smallest element; whether any, whether all are not 0; the logarithm of the exponentials' sum.
for _, name in ipairs{ 'amax', 'amin', 'any', 'all', 'logsumexp' } do row_of(name, DIMS, KEEPDIM) end
--- Positions of the largest and the smallest.
for _, name in ipairs{ 'argmax', 'argmin' } do row_of(name, DIM, KEEPDIM) end

--- Sums over dims (all unless given); {dtype = ...} casts t first, also of the next ones.
-- @function sum
in_dtype('sum', DIMS, KEEPDIM)
--- Means over dims.
-- @function mean
in_dtype('mean', DIMS, KEEPDIM)
--- Products over one dim, or of all.
-- @function prod
in_dtype('prod', DIM, KEEPDIM)
--- Running sums along a dim.
-- @function cumsum
in_dtype('cumsum', { 'dim', kinds.dim })
--- Running products along a dim.
-- @function cumprod
in_dtype('cumprod', { 'dim', kinds.dim })
--- Exponentials along a dim over their sum.
-- @function softmax
in_dtype('softmax', { 'dim', kinds.dim })
--- Logarithms of the softmax.
-- @function log_softmax
in_dtype('log_softmax', { 'dim', kinds.dim })

local function spread(name)
  local row = raw[name]
  define(name, {
    INPUT, DIMS, correction.CORRECTION, KEEPDIM, correction.UNBIASED,
  }, function(t, dim, given, keepdim, unbiased)
    return (row(t, dim, correction.of(name, given, unbiased), keepdim))
  end)
end
--- Variance.
-- @function var
-- @param t tensor
-- @param dim dims, all unless given
-- @param correction 1 divides by n - 1; {unbiased = false} is correction 0
-- @param keepdim keeps reduced dims as 1
spread('var')
--- Standard deviation; where all numbers are equal it and its derivatives of every order are 0. See var.
-- @function std
spread('std')

-- ---- norms ----

local P = { 'p', kinds.either(kinds.number, kinds.choice('fro', 'nuc')), 2 }

--- The p-norm over dims (all unless given); its derivative at 0 is 0.
-- @function norm
-- @param t tensor
-- @param p 2; also 0 (how many are nonzero), 1, math.huge, -math.huge, 'fro', 'nuc' (of a matrix)
-- @param dim dims, all unless given
-- @param keepdim keeps reduced dims as 1
define('norm', { INPUT, P, DIMS, KEEPDIM, DTYPE }, function(t, p, dim, keepdim, dtype)
  if dtype then t = raw.cast(t, dtype) end
  return (norm(t, p, dim, keepdim))
end)

--- t over its p-norm along dims, or over eps where that is larger: normalize(t, {p = 2, dim = 2, eps = 1e-12}).
-- @function normalize
define('normalize', { INPUT, P, { 'dim', kinds.dims, 2 }, { 'eps', kinds.number, 1e-12 } }, function(t, p, dim, eps)
  return (raw.div(t, raw.clamp(norm(t, p, dim, true), eps, nil)))
end)

--- Cosine of the angle between a and b along dim: cosine_similarity(a, b, {dim = 2, eps = 1e-8}), no norm being taken
-- for less than eps. Both are broadcast first.
-- @function cosine_similarity
define('cosine_similarity', {
  INPUT, { 'other', kinds.tensor }, { 'dim', kinds.dim, 2 }, { 'eps', kinds.number, 1e-8 },
}, function(a, b, dim, eps)
  a, b = common.broadcast('cosine_similarity', a, b)
  local function unit(t) return raw.div(t, raw.clamp(norm(t, 2, dim, true), eps, nil)) end
  return (raw.sum(raw.mul(unit(a), unit(b)), dim))
end)

-- ---- choosing ----

local function extremum(op, all, pairwise)
  local row, smallest_or_largest, two = raw[op], raw[all], raw[pairwise]
  define(op, {
    INPUT, { 'dim', kinds.either(kinds.dim, kinds.tensor), optional = true }, KEEPDIM,
    { 'other', kinds.operand, optional = true, named = true },
  }, function(t, dim, keepdim, other)
    if is_tensor(dim) then other = dim end
    if other ~= nil then return (two(t, other)) end
    if dim == nil then return (smallest_or_largest(t)) end
    local values, indices = row(t, dim, keepdim)
    return values, indices
  end)
end
--- max(t): the largest element. max(t, dim, keepdim): largest values and their indices. max(t, other): elementwise.
-- @function max
extremum('max', 'amax', 'maximum')
--- As max, of the smallest.
-- @function min
extremum('min', 'amin', 'minimum')

local LAST = { 'dim', kinds.dim, -1 }
local DESCENDING = { 'descending', kinds.boolean, false }
-- Sorting always keeps the order of equals, and topk always sorts: these are taken for PyTorch's sake.
local STABLE = { 'stable', kinds.boolean, true, named = true }
local SORTED = { 'sorted', kinds.boolean, true }

--- Values along dim in order, and their indices; equal ones keep their order.
-- @function sort
define('sort', { INPUT, LAST, DESCENDING, STABLE }, function(t, dim, descending)
  local values, indices = raw.sort(t, dim, descending)
  return values, indices
end)

--- Indices that sort t along dim.
-- @function argsort
define('argsort', { INPUT, LAST, DESCENDING, STABLE }, function(t, dim, descending)
  local _, index = raw.sort(t, dim, descending)
  return index
end)

--- The k largest (or smallest) values along dim in order, and their indices.
-- @function topk
define('topk', { INPUT, { 'k', kinds.whole }, LAST, { 'largest', kinds.boolean, true }, SORTED },
  function(t, k, dim, largest)
    local values, indices = raw.topk(t, k, dim, largest)
    return values, indices
  end)

--- The k-th smallest values along dim, and their indices. NaN counts as the largest.
-- @function kthvalue
define('kthvalue', { INPUT, { 'k', kinds.count }, LAST, KEEPDIM }, function(t, k, dim, keepdim)
  local values, indices = raw.kthvalue(t, k, dim, keepdim)
  return values, indices
end)

--- median(t): the (lower) median of all, whose ties share the gradient. median(t, dim, keepdim): medians along dim, and
-- their indices. NaN where one is among the numbers.
-- @function median
define('median', { INPUT, DIM, KEEPDIM }, function(t, dim, keepdim)
  local values, indices = raw.median(t, dim, keepdim)
  if dim == nil then return values end
  return values, indices
end)

--- The most frequent values along dim, the smallest of them where several are, and the last index of each. NaN are
-- equal to each other here, and larger than any number.
-- @function mode
define('mode', { INPUT, LAST, KEEPDIM }, function(t, dim, keepdim)
  local values, indices = raw.mode(t, dim, keepdim)
  return values, indices
end)

--- How many elements are nonzero, over dims (all unless given); int64.
-- @function count_nonzero
define('count_nonzero', { INPUT, DIMS }, function(t, dim) return (raw.sum(raw.cast(raw.ne(t, 0), 'int64'), dim)) end)

return reduce
