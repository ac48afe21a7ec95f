--- Statistics made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local correction = require 'metann.tensor.compose.correction'
local layout = require 'metann.tensor.compose.layout'
local norm = require 'metann.tensor.compose.norms'
local pointwise = require 'metann.tensor.compose.pointwise'
local reduce = require 'metann.tensor.compose.reduce'
local shape = require 'metann.tensor.compose.shape'
local kinds = arguments.kinds
local raw, raise, scalar = common.raw, common.raise, common.scalar
local ndim, numel, shape_of, dim_of = common.ndim, common.numel, common.shape, common.dim
local is_tensor, tuple, reshape = common.is_tensor, common.tuple, layout.reshape

local statistics = {}

local function define(name, parameters, fn) statistics[name] = arguments.define(name, parameters, fn) end

local INPUT = { 'input', kinds.tensor }
local DIM, DIMS = { 'dim', kinds.dim, optional = true }, { 'dim', kinds.dims, optional = true }
local KEEPDIM, DTYPE = { 'keepdim', kinds.boolean, false }, { 'dtype', kinds.dtype, optional = true, named = true }

-- ---- pairs of reductions ----

--- The smallest and the largest element, of all or along dim.
-- @function aminmax
define('aminmax', {
  INPUT, { 'dim', kinds.dim, optional = true, named = true }, { 'keepdim', kinds.boolean, false, named = true },
}, function(t, dim, keepdim)
  local least, most = raw.amin(t, dim, keepdim), raw.amax(t, dim, keepdim)
  return least, most
end)

local function with_mean(name)
  local spread = reduce[name]
  define(name .. '_mean', {
    INPUT, DIMS, correction.CORRECTION, KEEPDIM, correction.UNBIASED,
  }, function(t, dim, given, keepdim, unbiased)
    local value = spread(t, dim, correction.of(name .. '_mean', given, unbiased), keepdim)
    local mean = raw.mean(t, dim, keepdim)
    return value, mean
  end)
end
--- Standard deviation and mean; see std.
-- @function std_mean
with_mean('std')
--- Variance and mean.
-- @function var_mean
with_mean('var')

-- ---- without NaN ----

local function present(t) return (raw.logical_not(raw.isnan(t))) end

local function nansum(t, dim, keepdim)
  if not common.is_float(t) then return (raw.sum(t, dim, keepdim)) end
  return (raw.nansum(t, dim, keepdim))
end

--- Sums in which NaN counts as 0.
-- @function nansum
define('nansum', { INPUT, DIMS, KEEPDIM, DTYPE }, function(t, dim, keepdim, dtype)
  return nansum(dtype and raw.cast(t, dtype) or t, dim, keepdim)
end)

--- Means of what isn't NaN.
-- @function nanmean
define('nanmean', { INPUT, DIMS, KEEPDIM, DTYPE }, function(t, dim, keepdim, dtype)
  if dtype then t = raw.cast(t, dtype) end
  return (raw.div(nansum(t, dim, keepdim), raw.sum(present(t), dim, keepdim)))
end)

--- t with dim last, or flattened without one.
local function last(t, dim, op)
  if not dim then return reshape(t, { -1 }) end
  if ndim(t) == 0 then return (raw.view(t, 1)) end
  return shape.movedim(t, { dim_of(dim, ndim(t), op) }, { -1 })
end

--- What was reduced in the last dim, which has 1 element, as `dim` and `keepdim` say.
local function placed(out, t, dim, keepdim)
  out = raw.select(out, -1, 1)
  if not keepdim or ndim(t) == 0 then return out end
  if dim then return (raw.unsqueeze(out, dim_of(dim, ndim(t), 'keepdim'))) end
  local ones = {}
  for d = 1, ndim(t) do ones[d] = 1 end
  return (raw.view(out, ones))
end

local function check_elements(op, t, line)
  if common.size(line, -1) == 0 then raise('%s: a dim without elements has no %s', op, op) end
  return t
end

--- The (lower) median of what isn't NaN: of all, or along dim and where.
-- @function nanmedian
define('nanmedian', { INPUT, DIM, KEEPDIM }, function(t, dim, keepdim)
  local line = last(t, dim, 'nanmedian')
  check_elements('nanmedian', t, line)
  local values, order = raw.sort(line, -1)
  local count = raw.clamp(raw.sum(present(line), -1, true), 1, nil)
  local middle = raw.floor_divide(raw.add(count, 1), 2)
  values = placed(raw.gather(values, middle, -1), t, dim, keepdim)
  if not dim then return values end
  order = placed(raw.gather(order, middle, -1), t, dim, keepdim)
  return values, order
end)

-- ---- quantiles ----

local INTERPOLATIONS = {}
function INTERPOLATIONS.linear(below, above, part) return pointwise.lerp(below, above, part) end
function INTERPOLATIONS.lower(below) return below end
function INTERPOLATIONS.higher(_, above) return above end
function INTERPOLATIONS.midpoint(below, above) return pointwise.lerp(below, above, 0.5) end

--- Raises unless q, a tensor, lies within 0 .. 1.
local function checked(op, q, t)
  if common.dtype(q) ~= common.dtype(t) then
    raise("%s: 'q' must have the tensor's dtype %s, got %s", op, common.dtype(t), common.dtype(q))
  end
  if ndim(q) > 1 then raise("%s: 'q' must have at most 1 dim, got %d", op, ndim(q)) end
  local fine = raw.logical_and(raw.ge(q, 0), raw.le(q, 1))
  if common.is_recording() then return common.nan_unless(fine, q) end
  if raw.all(fine):item() == 0 then raise("%s: 'q' must be from 0 to 1", op) end
  return q
end

--- The elements of sorted lines at places that count from 0, between which lies the interpolation.
local function at_places(line, place, interpolation)
  if interpolation == 'nearest' then place, interpolation = raw.round(place), 'lower' end
  local below = raw.floor(place)
  local function element(at) return (raw.gather(line, raw.add(raw.cast(at, 'int64'), 1), -1)) end
  return INTERPOLATIONS[interpolation](element(below), element(raw.ceil(place)), raw.sub(place, below))
end

local function quantile(op, skips_nan)
  define(op, {
    INPUT, { 'q', kinds.operand }, DIM, KEEPDIM,
    { 'interpolation', kinds.choice('linear', 'lower', 'higher', 'midpoint', 'nearest'), 'linear', named = true },
  }, function(t, q, dim, keepdim, interpolation)
    if not common.is_float(t) then raise('%s: expected floats, got %s', op, common.dtype(t)) end
    q = checked(op, scalar(q, t, op, 'q'), t)
    local line = last(t, dim, op)
    check_elements(op, t, line)
    local n, sorted = common.size(line, -1), raw.sort(line, -1)
    local size = shape_of(sorted)
    size[#size] = numel(q)
    local there = skips_nan and raw.sum(present(line), -1, true) or n
    local steps = is_tensor(there) and raw.cast(raw.clamp(raw.sub(there, 1), 0, nil), common.dtype(t)) or n - 1
    local place = raw.expand(raw.mul(reshape(q, { -1 }), steps), size)
    local out = at_places(sorted, place, interpolation)
    if not skips_nan then
      local largest = raw.slice(sorted, -1, n, 1)
      out = raw.where(raw.isnan(largest), largest, out)
    end
    if ndim(q) == 0 then return placed(out, t, dim, keepdim) end
    local parts = {}
    for i = 1, numel(q) do parts[i] = placed(raw.slice(out, -1, i, 1), t, dim, keepdim) end
    return (shape.stack(parts, 1))
  end)
end
--- The q-quantiles (q a number from 0 to 1, or a 1-dim tensor of them, whose results come in a dim in front), of all or
-- along dim; NaN where one is among the numbers.
-- @function quantile
quantile('quantile', false)
--- The same of what isn't NaN.
-- @function nanquantile
quantile('nanquantile', true)

-- ---- how variables vary together ----

--- t, a variable in each row, as a matrix of the observations.
local function observations(op, t)
  if ndim(t) > 2 then raise('%s: expected at most 2 dims, got %d', op, ndim(t)) end
  return (reshape(t, { ndim(t) == 2 and common.size(t, 1) or 1, ndim(t) == 2 and common.size(t, 2) or -1 }))
end

local function check_weights(name, weights, n)
  if ndim(weights) == 1 and numel(weights) == n then return end
  raise("cov: '%s' must have 1 dim of %d elements, got size %s", name, n, tuple(shape_of(weights)))
end

local function cov(t, off_by, fweights, aweights)
  local x = observations('cov', t)
  -- integers become floats of the weights' dtype, as they do in products
  x = common.is_whole(x) and aweights and raw.cast(x, common.dtype(aweights)) or common.as_float(x)
  local n = common.size(x, 2)
  if fweights then check_weights('fweights', fweights, n) end
  if aweights then check_weights('aweights', aweights, n) end
  local weights = fweights and raw.cast(fweights, common.dtype(x))
  if aweights then weights = weights and raw.mul(weights, aweights) or aweights end
  local total = weights and raw.sum(weights) or n
  local mean = weights and raw.div(raw.sum(raw.mul(x, weights), 2, true), total) or raw.mean(x, 2, true)
  local off = off_by
  if aweights and off_by ~= 0 then off = raw.mul(raw.div(raw.sum(raw.mul(weights, aweights)), total), off_by) end
  local divisor = is_tensor(total) and raw.clamp(raw.sub(total, off), 0, nil) or math.max(0, total - off)
  x = raw.sub(x, mean)
  local out = raw.div(raw.matmul(x, weights and raw.mul(x, weights) or x, false, true), divisor)
  return common.size(x, 1) == 1 and raw.view(out, {}) or out
end

--- Covariances of variables, a row of observations each.
-- @function cov
-- @param t observations, variables by rows; 1-dim for one variable
-- @param options correction (1), fweights (how often each was observed), aweights (what each weighs)
define('cov', {
  INPUT, { 'correction', kinds.integer, 1, named = true }, { 'fweights', kinds.tensor, optional = true, named = true },
  { 'aweights', kinds.tensor, optional = true, named = true },
}, cov)

--- Correlations of variables, a row of observations each.
-- @function corrcoef
define('corrcoef', { INPUT }, function(t)
  local c = cov(t, 1)
  if ndim(c) == 0 then return (raw.div(c, c)) end
  local deviation = raw.sqrt(raw.diagonal(c))
  return (raw.clamp(raw.div(raw.div(c, raw.unsqueeze(deviation, 2)), deviation), -1, 1))
end)

--- The p-norm of a - b.
-- @function dist
define('dist', { INPUT, { 'other', kinds.tensor }, { 'p', kinds.nonnegative, 2 } }, function(a, b, p)
  return (norm(raw.sub(a, b), p))
end)

--- t with the slices along dim whose p-norm is above maxnorm made that long.
-- @function renorm
define('renorm', { INPUT, { 'p', kinds.positive }, { 'dim', kinds.dim }, { 'maxnorm', kinds.nonnegative } },
  function(t, p, dim, maxnorm)
    local others, n = {}, ndim(t)
    if n < 2 then raise("renorm: 'input' must have at least 2 dims, got %d", n) end
    dim = dim_of(dim, n, 'renorm')
    for d = 1, n do
      if d ~= dim then others[#others + 1] = d end
    end
    local size = norm(t, p, others, true)
    local factor = raw.div(maxnorm, raw.add(size, 1e-7))
    return (raw.mul(t, raw.where(raw.gt(size, maxnorm), factor, scalar(1, factor))))
  end)

-- ---- counting ----

--- Sums of weights (or how many elements there are) by places from 1 on; those that aren't `inside` count nowhere.
local function counted(place, inside, bins, weights, dtype)
  weights = weights or scalar(1, place)
  weights = raw.where(inside, weights, scalar(0, weights))
  place = raw.where(inside, place, scalar(1, place))
  return (raw.index_add(common.beside(place, raw.full, { bins }, 0, dtype), place, raw.cast(weights, dtype), 1))
end

--- The ends of a range as 0-dim tensors: those given or the smallest and the largest element; where they are equal, each
-- moved apart by `margin`.
local function ends(op, t, low, high, margin)
  if low > high then raise("%s: 'min' must not exceed 'max', got %g and %g", op, low, high) end
  if low ~= high then return scalar(low, t), scalar(high, t) end
  if low == 0 and numel(t) == 0 then high = 1 end
  local least, most = scalar(low, t), scalar(high, t)
  if low == 0 and numel(t) > 0 then least, most = raw.amin(t), raw.amax(t) end
  local same = raw.mul(raw.cast(raw.eq(least, most), common.dtype(t)), margin)
  return raw.sub(least, same), raw.add(most, same)
end

--- How many elements fall into each of `bins` equal parts of min .. max (both 0: the smallest and the largest element).
-- @function histc
define('histc', { INPUT, { 'bins', kinds.count, 100 }, { 'min', kinds.number, 0 }, { 'max', kinds.number, 0 } },
  function(t, bins, low, high)
    local x = raw.detach(reshape(common.as_float(t), { -1 }))
    local least, most = ends('histc', x, low, high, 1)
    local inside = raw.logical_and(raw.ge(x, least), raw.le(x, most))
    local part = raw.div(raw.mul(raw.sub(x, least), bins), raw.sub(most, least))
    local place = raw.add(raw.clamp(raw.cast(raw.where(inside, part, scalar(0, part)), 'int64'), 0, bins - 1), 1)
    return (counted(place, inside, bins, nil, common.dtype(x)))
  end)

local bins_kind = kinds.either(kinds.count, kinds.tensor)
local range_kind = kinds.list_kind(function(v)
  local fits = type(v) == 'table' and #v == 2 and kinds.number(v[1]) and kinds.number(v[2])
  return fits and v or nil, 'a list of two numbers'
end)

--- The ends of `bins` equal parts of least .. most, counted from the nearer one, so that both are as they are given.
local function edges_between(least, most, bins)
  local k = common.beside(least, raw.arange, 0, 1, bins + 1, common.dtype(least))
  local step = raw.div(raw.sub(most, least), bins)
  local down = raw.sub(most, raw.mul(raw.sub(bins, k), step))
  return (raw.where(raw.lt(k, (bins + 1) / 2), raw.add(raw.mul(k, step), least), down))
end

--- Counts of (or sums of weight of) the elements between edges, and the edges: bins is a number of equal parts of
-- `range` (the smallest and the largest element unless given) or a 1-dim tensor of edges. The last part has both ends.
-- @function histogram
define('histogram', {
  INPUT, { 'bins', bins_kind }, { 'range', range_kind, optional = true, named = true },
  { 'weight', kinds.tensor, optional = true, named = true }, { 'density', kinds.boolean, false, named = true },
}, function(t, bins, range, weight, density)
  local x = raw.detach(reshape(common.as_float(t), { -1 }))
  if weight and not common.same_size(weight, t) then raise("histogram: 'weight' must have the tensor's size") end
  local edges = bins
  if not is_tensor(bins) then
    local low, high = 0, 0
    if range then low, high = kinds.number(range[1]), kinds.number(range[2]) end
    local least, most = ends('histogram', x, low, high, 0.5)
    edges = edges_between(least, most, bins)
  end
  if ndim(edges) ~= 1 or numel(edges) < 2 then raise("histogram: 'bins' must be at least 2 edges, in 1 dim") end
  local n = numel(edges)
  local inside = raw.logical_and(raw.ge(x, raw.select(edges, 1, 1)), raw.le(x, raw.select(edges, 1, n)))
  local place = raw.clamp(raw.sub(raw.searchsorted(edges, x, true), 1), 1, n - 1)
  local sums = counted(place, inside, n - 1, weight and reshape(weight, { -1 }), common.dtype(x))
  if density then
    local width = raw.sub(raw.slice(edges, 1, 2, n - 1), raw.slice(edges, 1, 1, n - 1))
    sums = raw.div(sums, raw.mul(width, raw.sum(sums)))
  end
  return sums, edges
end)

-- ---- along a dim ----

local LAST = { 'dim', kinds.dim, -1 }

--- Differences of neighbours along dim, n times; prepend and append are put on before.
-- @function diff
define('diff', {
  INPUT, { 'n', kinds.whole, 1 }, LAST, { 'prepend', kinds.tensor, optional = true },
  { 'append', kinds.tensor, optional = true },
}, function(t, n, dim, prepend, append)
  if ndim(t) == 0 then raise("diff: 'input' must have at least 1 dim, got 0") end
  if n == 0 then return t end
  if prepend then t = raw.cat({ prepend, t }, dim) end
  if append then t = raw.cat({ t, append }, dim) end
  for _ = 1, math.min(n, common.size(t, dim, 'diff')) do
    local rest = math.max(0, common.size(t, dim) - 1)
    local above, below = raw.slice(t, dim, rest > 0 and 2 or 1, rest), raw.slice(t, dim, 1, rest)
    t = common.dtype(t) == 'bool' and raw.logical_xor(above, below) or raw.sub(above, below)
  end
  return t
end)

--- The areas under y between neighbours along dim.
local function trapezoids(op, y, x, dx, dim)
  if x and dx then raise("%s: give 'x' or 'dx', not both", op) end
  if ndim(y) == 0 then raise("%s: 'y' must have at least 1 dim, got 0", op) end
  dim = dim_of(dim, ndim(y), op)
  local rest = common.size(y, dim) - 1
  if rest < 0 then raise('%s: dim %d has no elements', op, dim) end
  local second = rest > 0 and 2 or 1
  local sums = raw.add(raw.slice(y, dim, second, rest), raw.slice(y, dim, 1, rest))
  local width = dx or 1
  if x then
    local line, along = {}, dim
    for d = 1, ndim(y) do line[d] = d == dim and common.size(x, -1) or 1 end
    if ndim(x) == 1 then x = raw.view(layout.contiguous(x), line) else along = dim - ndim(y) + ndim(x) end
    width = raw.sub(raw.slice(x, along, second, rest), raw.slice(x, along, 1, rest))
  end
  return raw.mul(raw.mul(sums, width), 0.5), dim
end

local function trapezoid(op, row)
  define(op, {
    { 'y', kinds.tensor }, { 'x', kinds.tensor, optional = true }, { 'dx', kinds.number, optional = true, named = true },
    { 'dim', kinds.dim, -1, named = true },
  }, function(y, x, dx, dim)
    local areas, along = trapezoids(op, common.as_float(y), x, dx, dim)
    return (row(areas, along))
  end)
end
--- The integral of y along dim by trapezoids; x says where, or dx how far apart (1).
-- @function trapezoid
trapezoid('trapezoid', raw.sum)
--- The integrals up to each place but the first.
-- @function cumulative_trapezoid
trapezoid('cumulative_trapezoid', raw.cumsum)

return statistics
