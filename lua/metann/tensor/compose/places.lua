--- More that reads and writes by index tensors, and searches.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local define, kinds = arguments.define, arguments.kinds
local raw, raise, scalar = common.raw, common.raise, common.scalar
local ndim, numel, shape_of, dim_of = common.ndim, common.numel, common.shape, common.dim
local is_tensor, tuple, reshape = common.is_tensor, common.tuple, layout.reshape

local places = {}

local INPUT, SOURCE = { 'input', kinds.tensor }, { 'source', kinds.tensor }
local DIM, INDEX = { 'dim', kinds.dim }, { 'index', kinds.tensor }

local function flat(t) return reshape(t, { -1 }) end

--- Positions of t's nonzero elements, from 1: (count, dims).
-- @function argwhere
places.argwhere = define('argwhere', { INPUT }, function(t) return (raw.nonzero(t)) end)

--- The elements at positions of the flattened tensor, negative ones from the end; of index's size.
-- @function take
places.take = define('take', { INPUT, INDEX }, function(t, index) return (raw.index{ flat(t), index }) end)

--- t with source's elements written, or added, at positions of the flattened tensor.
-- @function put
places.put = define('put', { INPUT, INDEX, SOURCE, { 'accumulate', kinds.boolean, false } },
  function(t, index, source, accumulate)
    if numel(index) ~= numel(source) then
      raise('put: expected as many elements as positions, %d, got %d', numel(index), numel(source))
    end
    return (raw.view(raw.index_put({ flat(t), flat(source), flat(index) }, accumulate), shape_of(t)))
  end)

--- t with the elements where mask (broadcast) holds taken from source, one after another.
-- @function masked_scatter
places.masked_scatter = define('masked_scatter', { INPUT, { 'mask', kinds.tensor }, SOURCE }, function(t, mask, source)
  t, mask = common.broadcast('masked_scatter', t, mask)
  local order = raw.cumsum(raw.cast(raw.ne(flat(mask), 0), 'int64'), 1)
  if not common.is_recording() then
    local wanted = numel(order) > 0 and raw.select(order, 1, -1):item() or 0
    if wanted > numel(source) then
      raise('masked_scatter: the mask holds in %d places, but the source has %d elements', wanted, numel(source))
    end
    if wanted == 0 then return (raw.clone(t)) end
  end
  local taken = raw.gather(flat(source), raw.clamp(order, 1, nil), 1)
  return (raw.where(mask, raw.view(taken, shape_of(t)), t))
end)

--- The positions along each dim of a tensor of that size which positions of the flattened one lead to: a list.
-- @function unravel_index
places.unravel_index = define('unravel_index', { { 'indices', kinds.tensor }, { 'shape', kinds.shape } },
  function(index, size)
    local list, rest = {}, raw.sub(index, 1)
    for d = #size, 1, -1 do
      list[d] = raw.add(raw.remainder(rest, size[d]), 1)
      rest = raw.floor_divide(rest, size[d])
    end
    return list
  end)

-- ---- slices by index ----

--- index, 1-dim, as an index of source's size along dim.
local function spread(op, t, index, source, dim)
  local size, line, n = shape_of(source), {}, ndim(t)
  if ndim(index) > 1 then raise("%s: 'index' must have at most 1 dim, got %d", op, ndim(index)) end
  local want = shape_of(t)
  if n > 0 then want[dim] = numel(index) end
  local same = #size == #want
  for d = 1, #want do
    same = same and size[d] == want[d]
    line[d] = d == dim and numel(index) or 1
  end
  if not same then raise('%s: expected a source of size %s, got %s', op, tuple(want), tuple(size)) end
  return raw.expand(reshape(index, line), size)
end

--- t with source's slices written at index, the last one where positions repeat.
-- @function index_copy
places.index_copy = define('index_copy', { INPUT, DIM, INDEX, SOURCE }, function(t, dim, index, source)
  dim = dim_of(dim, ndim(t), 'index_copy')
  return (raw.scatter(t, spread('index_copy', t, index, source, dim), source, dim))
end)

-- ---- reducing what goes to one place ----

--- The number that changes nothing in a reduction of floats.
local IDENTITIES = { sum = 0, mean = 0, prod = 1, amax = -math.huge, amin = math.huge }

--- t with what changes nothing in the reduction in place of what stood where source's elements go to.
local function emptied(t, dim, index, source, reduce)
  -- of integers, whose ends not every Lua number is, one that the reduction meets again
  if not common.is_float(t) and (reduce == 'amax' or reduce == 'amin') then return (raw.scatter(t, index, source, dim)) end
  local hit = raw.scatter(common.beside(t, raw.full, shape_of(t), 0, 'bool'), index,
    common.beside(t, raw.full, {}, 1, 'bool'), dim)
  return (raw.where(hit, scalar(IDENTITIES[reduce], t), t))
end

--- How many elements go to each place, what stands there among them or not, at least 1.
local function counts(t, index, dim, include_self)
  local start = raw.fill(raw.detach(t), include_self and 1 or 0)
  local ones = raw.expand(scalar(1, t), shape_of(index))
  return (raw.clamp(raw.scatter_add(start, index, ones, dim), 1, nil))
end

local function reduced(t, dim, index, source, reduce, include_self)
  local start = include_self and t or emptied(t, dim, index, source, reduce)
  if reduce ~= 'sum' and reduce ~= 'mean' then return (raw.scatter_reduce(start, index, source, dim, reduce)) end
  local sums = raw.scatter_add(start, index, source, dim)
  if reduce == 'sum' then return sums end
  local number = counts(t, index, dim, include_self)
  return (common.is_float(t) and raw.div(sums, number) or raw.floor_divide(sums, number))
end

--- source as large as index, which may be smaller.
local function fitted(source, index)
  for d, size in ipairs(shape_of(index)) do
    if d <= ndim(source) and size < common.size(source, d) then source = raw.slice(source, d, 1, size) end
  end
  return source
end

local REDUCE = { 'reduce', kinds.choice('sum', 'prod', 'mean', 'amax', 'amin') }
local INCLUDE = { 'include_self', kinds.boolean, true }

--- t with source's elements summed into the places that index names along dim (as scatter has it), or multiplied, or
-- averaged, or the largest or smallest; with include_self=false without what stood there.
-- @function scatter_reduce
places.scatter_reduce = define('scatter_reduce', { INPUT, DIM, INDEX, SOURCE, REDUCE, INCLUDE },
  function(t, dim, index, source, reduce, include_self)
    return (reduced(t, dim, index, fitted(source, index), reduce, include_self))
  end)

--- The same with slices along dim, index having 1 dim.
-- @function index_reduce
places.index_reduce = define('index_reduce', {
  INPUT, DIM, INDEX, SOURCE, { 'reduce', kinds.choice('prod', 'mean', 'amax', 'amin') }, INCLUDE,
}, function(t, dim, index, source, reduce, include_self)
  dim = dim_of(dim, ndim(t), 'index_reduce')
  return (reduced(t, dim, spread('index_reduce', t, index, source, dim), source, reduce, include_self))
end)

-- ---- searching ----

local RIGHT = { 'right', kinds.boolean, false }
local OUT_INT32 = { 'out_int32', kinds.boolean, false }

local function search(op, sorted, values, right, out_int32)
  values = scalar(values, sorted, op, 'values')
  sorted, values = common.promoted(sorted, values)
  local found = raw.searchsorted(sorted, values, right)
  return (out_int32 and raw.cast(found, 'int32') or found)
end

--- The positions before which values, a tensor or a number, would stand in the last dim of a sorted tensor: before those
-- that equal them, or with right=true (or side='right') behind.
-- @function searchsorted
places.searchsorted = define('searchsorted', {
  { 'sorted_sequence', kinds.tensor }, { 'values', kinds.operand }, OUT_INT32, RIGHT,
  { 'side', kinds.choice('left', 'right'), optional = true }, { 'sorter', kinds.tensor, optional = true },
}, function(sorted, values, out_int32, right, side, sorter)
  if side == 'left' and right then raise("searchsorted: 'side' is left, but 'right' is true") end
  if sorter then sorted = raw.gather(sorted, sorter, -1) end
  return search('searchsorted', sorted, values, right or side == 'right', out_int32)
end)

--- The same with the arguments the other way round: which of the sorted boundaries (1-dim) t's elements lie before.
-- @function bucketize
places.bucketize = define('bucketize', {
  { 'input', kinds.operand }, { 'boundaries', kinds.tensor }, OUT_INT32, RIGHT,
}, function(t, boundaries, out_int32, right)
  if ndim(boundaries) ~= 1 then raise("bucketize: 'boundaries' must have 1 dim, got %d", ndim(boundaries)) end
  return search('bucketize', boundaries, t, right, out_int32)
end)

--- Which of t's elements are among those of test_elements; either may be a number. With invert=true, which aren't.
-- @function isin
places.isin = define('isin', {
  { 'elements', kinds.operand }, { 'test_elements', kinds.operand },
  { 'assume_unique', kinds.boolean, false, named = true }, { 'invert', kinds.boolean, false, named = true },
}, function(t, test, _, invert)
  if not is_tensor(t) and not is_tensor(test) then raise("isin: 'elements' or 'test_elements' must be a tensor") end
  t, test = scalar(t, test, 'isin', 'elements'), scalar(test, t, 'isin', 'test_elements')
  t, test = common.promoted(t, test)
  local n = numel(test)
  if n == 0 then return (common.beside(t, raw.full, shape_of(t), invert and 1 or 0, 'bool')) end
  local sorted = raw.sort(flat(test), 1)
  local at = raw.clamp(raw.searchsorted(sorted, t), nil, n)
  local found = raw.eq(raw.index{ sorted, at }, t)
  return (invert and raw.logical_not(found) or found)
end)

return places
