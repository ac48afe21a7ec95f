--- Indexing by tensors: argument orders of the field, and what is composed.
local common = require 'metann.compose.common'
local raw, raise, describe, array, tensor = common.raw, common.raise, common.describe, common.array, common.tensor
local is_tensor, shape_of = common.is_tensor, common.shape

local index = {}

-- The rows take all tensors first; PyTorch's order has the dim first. Both are understood.
local function dim_first(op)
  local row = raw[op]
  index[op] = function(t, dim, at)
    if is_tensor(dim) then return row(t, dim, at) end
    return row(t, at, dim)
  end
end
--- index_select(t, dim, index): the slices at index, a 1-dim tensor of positions.
-- @function index_select
dim_first('index_select')
--- gather(t, dim, index): out[i][j] = t[index[i][j]][j] for dim 1.
-- @function gather
dim_first('gather')

local function dim_first_with_source(op, row)
  index[op] = function(t, dim, at, source, last)
    if is_tensor(dim) then return row(t, dim, at, source, last) end
    tensor(t, op, 'input')
    if not is_tensor(source) then
      source = raw.expand(common.scalar(source, t, op, 'source'), shape_of(tensor(at, op, 'index')))
    end
    return row(t, at, source, dim, last)
  end
end
--- scatter(t, dim, index, source): t with source (a tensor or a number) written at index; the inverse of gather.
-- @function scatter
dim_first_with_source('scatter', raw.scatter)
dim_first_with_source('scatter_', raw.scatter_)
--- scatter_add(t, dim, index, source): adds instead.
-- @function scatter_add
dim_first_with_source('scatter_add', raw.scatter_add)
dim_first_with_source('scatter_add_', raw.scatter_add_)

local function index_add(op, row)
  index[op] = function(t, dim, at, source, alpha)
    if is_tensor(dim) then return row(t, dim, at, source, alpha) end
    if type(alpha) == 'table' then alpha = alpha.alpha end
    return row(t, at, source, dim, alpha)
  end
end
--- index_add(t, dim, index, source, alpha): t with alpha * source's slices added at index.
-- @function index_add
index_add('index_add', raw.index_add)
index_add('index_add_', raw.index_add_)

--- gather, with t and index broadcast against each other but in dim; without dim, of the flattened tensors.
function index.take_along_dim(t, at, dim)
  tensor(t, 'take_along_dim', 'input')
  tensor(at, 'take_along_dim', 'index')
  if dim == nil then
    return raw.gather(raw.view(raw.clone(t), -1), raw.view(raw.clone(at), -1), 1)
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
  return raw.gather(raw.expand(t, a), raw.expand(at, b), dim)
end

--- Positions of a mask's nonzero elements as a list of 1-dim tensors, one per dim.
function index.where_true(mask)
  local places = raw.nonzero(mask)
  local list = {}
  for d = 1, array(mask).ndim do list[d] = raw.select(places, 2, d) end
  return list
end

--- The elements where mask (broadcast with t) holds, as a 1-dim tensor.
function index.masked_select(t, mask)
  tensor(t, 'masked_select', 'input')
  tensor(mask, 'masked_select', 'mask')
  local a, b = shape_of(t), shape_of(mask)
  local size = {}
  local n = math.max(#a, #b)
  for d = 1, n do
    local x, y = a[d - n + #a] or 1, b[d - n + #b] or 1
    if x ~= y and x ~= 1 and y ~= 1 then raise('masked_select: the mask does not fit, %d against %d', y, x) end
    size[d] = x == 1 and y or x
  end
  if n == 0 then
    t, mask, size = raw.view(t, 1), raw.view(mask, 1), { 1 }
  end
  return raw.index{ raw.expand(t, size), unpack(index.where_true(raw.expand(mask, size))) }
end

--- masked_scatter and index_put by lists: index_put(t, {index or false, ...}, values, accumulate).
local function put(op, row)
  index[op] = function(t, indices, values, accumulate)
    if type(indices) ~= 'table' or (is_tensor(indices[1]) and indices[1] == t and values == nil) then
      raise("%s: 'indices' must be a list of tensors, got %s", op, describe(indices))
    end
    local list = { t, common.scalar(values, t, op, 'values') }
    for i = 1, #indices do list[i + 2] = indices[i] end
    return row(list, accumulate)
  end
end
put('index_put', raw.index_put)
put('index_put_', raw.index_put_)

--- t with value at the slices of dim that index, a 1-dim tensor, names.
function index.index_fill(t, dim, at, value)
  local size = shape_of(tensor(t, 'index_fill', 'input'))
  dim = common.dim(dim, #size, 'index_fill')
  local line, source = {}, common.numel(tensor(at, 'index_fill', 'index'))
  for d = 1, #size do line[d] = d == dim and size[d] or 1 end
  local marks = raw.index_add(raw.full({ size[dim] }, 0), at, raw.full({ source }, 1), 1)
  return raw.where(raw.ne(raw.view(marks, line), 0), common.scalar(value, t, 'index_fill', 'value'), t)
end

--- One-hot rows of labels 1 .. num_classes (the largest label unless given); int64.
function index.one_hot(t, num_classes, dtype)
  tensor(t, 'one_hot', 'input')
  if type(num_classes) == 'table' then return raw.one_hot(t, num_classes) end
  if num_classes == nil or num_classes == -1 then
    num_classes = common.numel(t) > 0 and raw.amax(t):item() or 0
  end
  return raw.one_hot(t, num_classes, dtype)
end

return index
