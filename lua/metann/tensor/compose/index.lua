--- Indexing by tensors: argument orders of the field, and what is composed.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local masks = require 'metann.tensor.compose.masks'
local raw, raise, array = common.raw, common.raise, common.array
local is_tensor, shape_of = common.is_tensor, common.shape
local define, kinds = arguments.define, arguments.kinds

local index = {}

local input = { 'input', kinds.tensor }
-- The rows take all tensors first; PyTorch's order has the dim first. Both are understood.
local dim_or_index = { 'dim', kinds.either(kinds.dim, kinds.tensor) }
local index_or_dim = { 'index', kinds.either(kinds.tensor, kinds.dim) }
local source = { 'source', kinds.operand }

--- dim and index, in this order, however they came.
local function ordered(op, dim, at)
  if is_tensor(dim) then dim, at = at, dim end
  if is_tensor(dim) or not is_tensor(at) then raise("%s: expected a dim and an index tensor", op) end
  return dim, at
end

local function reads(op)
  local row = raw[op]
  index[op] = define(op, { input, dim_or_index, index_or_dim }, function(t, dim, at)
    dim, at = ordered(op, dim, at)
    return (row(t, at, dim))
  end)
end
--- index_select(t, dim, index): the slices at index, a 1-dim tensor of positions.
-- @function index_select
reads('index_select')
--- gather(t, dim, index): out[i][j] = t[index[i][j]][j] for dim 1.
-- @function gather
reads('gather')

--- What scatter takes by position: (t, dim, index, source), or (t, index, source, dim) as the rows have it.
local function read_scatter(op, t, dim, at, from)
  if is_tensor(dim) and is_tensor(at) then dim, at, from = from, dim, at end
  dim, at = ordered(op, dim, at)
  if is_tensor(dim) or type(dim) ~= 'number' then raise("%s: 'dim' must be a dim, got %s", op, common.describe(dim)) end
  if not is_tensor(from) then from = common.scalar(from, t, op, 'source') end
  return dim, at, from
end

--- t with its elements at index multiplied by source's, one after another where places repeat.
local function scatter_product(t, dim, at, from)
  local out, n = raw.clone(t), array(at).ndim
  if common.numel(at) == 0 then return out end
  dim = common.dim(dim, n, 'scatter')
  if array(from).ndim == 0 then from = raw.expand(from, shape_of(at)) end
  if n == 0 then return (raw.mul(out, from)) end
  for d, size in ipairs(shape_of(at)) do
    if size > common.size(from, d) then
      raise("scatter: an index of size %s doesn't fit a source of size %s", common.tuple(shape_of(at)),
        common.tuple(shape_of(from)))
    end
    if size < common.size(from, d) then from = raw.slice(from, d, 1, size) end
  end
  for i = 1, common.size(at, dim) do
    local line, factor = raw.slice(at, dim, i, 1), raw.slice(from, dim, i, 1)
    raw.scatter_(out, line, raw.mul(raw.gather(out, line, dim), factor), dim)
  end
  return out
end

local SCATTER = {
  input, dim_or_index, index_or_dim, source, { 'reduce', kinds.choice('add', 'multiply'), optional = true },
}

--- scatter(t, dim, index, source, {reduce=}): t with source (a tensor or a number) written at index, the last one where
-- places repeat; or added, or multiplied. The inverse of gather.
-- @function scatter
index.scatter = define('scatter', SCATTER, function(t, dim, at, from, reduce)
  dim, at, from = read_scatter('scatter', t, dim, at, from)
  if reduce == 'add' then return (raw.scatter_add(t, at, from, dim)) end
  if reduce == 'multiply' then return scatter_product(t, dim, at, from) end
  return (raw.scatter(t, at, from, dim))
end)
index.scatter_ = define('scatter_', SCATTER, function(t, dim, at, from, reduce)
  dim, at, from = read_scatter('scatter_', t, dim, at, from)
  if reduce == 'add' then return (raw.scatter_add_(t, at, from, dim)) end
  if reduce == 'multiply' then return (raw.assign_(t, scatter_product(t, dim, at, from))) end
  return (raw.scatter_(t, at, from, dim))
end)

local function scatter_add(op)
  local row = raw[op]
  index[op] = define(op, { input, dim_or_index, index_or_dim, source }, function(t, dim, at, from)
    dim, at, from = read_scatter(op, t, dim, at, from)
    if array(from).ndim == 0 and array(at).ndim > 0 then from = raw.expand(from, shape_of(at)) end
    return (row(t, at, from, dim))
  end)
end
--- scatter_add(t, dim, index, source): adds instead.
-- @function scatter_add
scatter_add('scatter_add')
scatter_add('scatter_add_')

local function index_add(op)
  local row = raw[op]
  index[op] = define(op, {
    input, dim_or_index, index_or_dim, source, { 'alpha', kinds.factor, 1 },
  }, function(t, dim, at, from, alpha)
    dim, at, from = read_scatter(op, t, dim, at, from)
    return (row(t, at, from, dim, alpha))
  end)
end
--- index_add(t, dim, index, source, alpha): t with alpha * source's slices added at index.
-- @function index_add
index_add('index_add')
index_add('index_add_')

--- Negative positions, from the end, as those from the start; what is out of range stays, to be refused as it is.
local function from_start(at, size)
  if common.dtype(at) == 'uint8' or common.dtype(at) == 'bool' then return at end -- these have none
  local negative = raw.logical_and(raw.lt(at, 0), raw.ge(at, -size))
  return raw.where(negative, raw.add(at, size + 1), at)
end

--- gather, with t and index broadcast against each other but in dim; without dim, of the flattened tensors. Negative
-- positions count from the end.
-- @function take_along_dim
index.take_along_dim = define('take_along_dim', {
  input, { 'index', kinds.tensor }, { 'dim', kinds.dim, optional = true },
}, function(t, at, dim)
  if dim == nil then
    at = from_start(layout.reshape(at, { -1 }), common.numel(t))
    return (raw.gather(layout.reshape(t, { -1 }), at, 1))
  end
  local a, b = shape_of(t), shape_of(at)
  if #a ~= #b then raise('take_along_dim: %d dims, but the index has %d', #a, #b) end
  dim = common.dim(dim, #a, 'take_along_dim')
  for d = 1, #a do
    if d ~= dim then
      local size = a[d] == 1 and b[d] or a[d]
      a[d], b[d] = size, size
    end
  end
  return (raw.gather(raw.expand(t, a), raw.expand(from_start(at, common.size(t, dim)), b), dim))
end)

--- Positions of a mask's nonzero elements as a list of 1-dim tensors, one per dim.
-- @function where_true
index.where_true = define('where_true', { { 'mask', kinds.tensor } }, masks.positions)

--- Positions of t's nonzero elements, from 1: (count, dims); with as_tuple a list of 1-dim tensors, one for each dim,
-- and one of a 0-dim tensor.
-- @function nonzero
index.nonzero = define('nonzero', { input, { 'as_tuple', kinds.boolean, false } }, function(t, as_tuple)
  if not as_tuple then return (raw.nonzero(t)) end
  return masks.positions(array(t).ndim == 0 and raw.view(t, 1) or t)
end)

--- The elements where mask (broadcast with t) holds, as a 1-dim tensor.
-- @function masked_select
index.masked_select = define('masked_select', { input, { 'mask', kinds.tensor } }, masks.selected)

--- A list of index tensors, masks among them and false where a dim has none.
local indices_kind = kinds.list_kind(function(v)
  local expected = 'a list of index tensors, false standing for a dim without one'
  if type(v) ~= 'table' then return nil, expected end
  for i = 1, #v do
    if not is_tensor(v[i]) and v[i] ~= false then return nil, expected end
  end
  return v
end)

local function put(op)
  local row = raw[op]
  index[op] = define(op, {
    input, { 'indices', indices_kind }, { 'values', kinds.operand }, { 'accumulate', kinds.boolean, false },
  }, function(t, indices, values, accumulate)
    local list, n = { t, common.scalar(values, t, op, 'values') }, 2
    for i = 1, #indices do
      local at = indices[i]
      if is_tensor(at) and common.dtype(at) == 'bool' then
        masks.check(at, t, n - 1, op)
        for _, positions in ipairs(masks.positions(at)) do
          list[n + 1], n = positions, n + 1
        end
      else
        list[n + 1], n = at, n + 1
      end
    end
    return (row(list, accumulate))
  end)
end
--- index_put(t, {index, mask or false, ...}, values, accumulate): t with values, a number or a tensor that broadcasts,
-- written where the indices, one for each leading dim, lead to (the last one where places repeat), or added there.
-- @function index_put
put('index_put')
put('index_put_')

--- t with value at the slices of dim that index, a 1-dim tensor, names, negative positions from the end.
-- @function index_fill
index.index_fill = define('index_fill', {
  input, { 'dim', kinds.dim }, { 'index', kinds.tensor }, { 'value', kinds.operand },
}, function(t, dim, at, value)
  local size, line = shape_of(t), {}
  dim = common.dim(dim, #size, 'index_fill')
  if is_tensor(value) and array(value).ndim > 0 then
    raise("index_fill: 'value' must be a number or a 0-dim tensor, got size %s", common.tuple(shape_of(value)))
  end
  for d = 1, #size do line[d] = d == dim and size[d] or 1 end
  local n = size[dim] or 1
  local marks = raw.index_add(common.beside(t, raw.full, { n }, 0), from_start(at, n),
    common.beside(t, raw.full, { common.numel(at) }, 1), 1)
  return (raw.where(raw.ne(raw.view(marks, line), 0), common.scalar(value, t, 'index_fill', 'value'), t))
end)

--- One-hot rows of labels 1 .. num_classes (the largest label unless given, or -1); int64.
-- @function one_hot
index.one_hot = define('one_hot', { input, { 'num_classes', kinds.integer, -1 }, { 'dtype', kinds.dtype, 'int64' } },
  function(t, num_classes, dtype)
    if num_classes == -1 then
      if common.numel(t) == 0 then
        raise("one_hot: 'num_classes' must be given for a tensor without elements")
      end
      if common.is_recording() then
        raise("one_hot: 'num_classes' must be given while recording, as the largest label may differ in a replay")
      end
      num_classes = raw.amax(t):item()
    end
    return (raw.one_hot(t, num_classes, dtype))
  end)

return index
