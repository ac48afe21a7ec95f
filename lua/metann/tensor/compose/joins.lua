--- Joining tensors, and making several fit each other.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local shape = require 'metann.tensor.compose.shape'
local define, kinds = arguments.define, arguments.kinds
local raw, raise, ndim, shape_of = common.raw, common.raise, common.ndim, common.shape
local reshape = layout.reshape

local joins = {}

local TENSORS = { 'tensors', kinds.tensors, rest = true }

-- ---- at least so many dims ----

local AT_LEAST = {
  function(t) return ndim(t) == 0 and raw.view(t, 1) or t end,
  function(t)
    local n = ndim(t)
    return n == 0 and raw.view(t, { 1, 1 }) or n == 1 and raw.unsqueeze(t, 1) or t
  end,
  function(t)
    local n = ndim(t)
    if n == 0 then return raw.view(t, { 1, 1, 1 }) end
    return n == 1 and raw.unsqueeze(raw.unsqueeze(t, 1), 3) or n == 2 and raw.unsqueeze(t, 3) or t
  end,
}

--- fn of every tensor, as a list.
local function each(tensors, fn)
  local list = {}
  for i = 1, #tensors do list[i] = fn(tensors[i]) end
  return list
end

for n, widen in ipairs(AT_LEAST) do
  local name = ('atleast_%dd'):format(n)
  --- t as a view of at least n dims; of several tensors a list.
  joins[name] = define(name, { TENSORS }, function(tensors)
    if #tensors == 1 then return widen(tensors[1]) end
    return each(tensors, widen)
  end)
end

-- ---- side by side ----

local function stacks(name, widen, dim_of)
  joins[name] = define(name, { TENSORS }, function(tensors)
    if #tensors == 0 then raise('%s: the list is empty', name) end
    local wide = each(tensors, widen)
    return (raw.cat(wide, dim_of(wide[1])))
  end)
end
--- Joins tensors along dim 2, those of fewer than 2 dims along dim 1.
-- @function hstack
stacks('hstack', AT_LEAST[1], function(t) return ndim(t) == 1 and 1 or 2 end)
--- Joins tensors along dim 1, 1-dim ones as rows.
-- @function vstack
stacks('vstack', AT_LEAST[2], function() return 1 end)
--- Joins tensors along dim 3, which those of fewer dims get.
-- @function dstack
stacks('dstack', AT_LEAST[3], function() return 3 end)
--- Joins tensors along dim 2, 1-dim ones as columns.
-- @function column_stack
stacks('column_stack', function(t) return ndim(t) < 2 and reshape(t, { -1, 1 }) or t end, function() return 2 end)

--- A matrix with the given ones along its diagonal, and zeros.
-- @function block_diag
joins.block_diag = define('block_diag', { TENSORS }, function(tensors)
  local blocks, rows, width, before = {}, {}, 0, 0
  for i = 1, #tensors do
    if ndim(tensors[i]) > 2 then raise('block_diag: tensor %d has %d dims, expected at most 2', i, ndim(tensors[i])) end
    blocks[i] = AT_LEAST[2](tensors[i])
    width = width + common.size(blocks[i], 2)
  end
  if #blocks == 0 then raise('block_diag: the list is empty') end
  for i = 1, #blocks do
    local own = common.size(blocks[i], 2)
    rows[i] = raw.pad(blocks[i], { 0, before }, { 0, width - before - own }, 0)
    before = before + own
  end
  return (raw.cat(rows, 1))
end)

-- ---- broadcasting ----

local shapes_kind = kinds.list_kind(function(v)
  local expected = 'sizes, each a list of whole numbers'
  if type(v) ~= 'table' then return nil, expected end
  for i = 1, #v do
    if type(v[i]) ~= 'table' or not kinds.shape(v[i]) then return nil, expected end
  end
  return v
end)

--- The size to which sizes broadcast, each a table.
local function broadcast_size(op, sizes)
  local n, out = 0, {}
  for i = 1, #sizes do n = math.max(n, #sizes[i]) end
  for d = 1, n do out[d] = 1 end
  for i = 1, #sizes do
    for d = 1, #sizes[i] do
      local at, size = d + n - #sizes[i], sizes[i][d]
      if out[at] == 1 then out[at] = size end
      if size ~= 1 and size ~= out[at] then
        raise("%s: sizes don't broadcast, %s among them", op, common.tuple(sizes[i]))
      end
    end
  end
  return out
end

local of_shapes = define('broadcast_shapes', { { 'shapes', shapes_kind } }, function(shapes)
  return broadcast_size('broadcast_shapes', shapes)
end)

--- The size to which sizes broadcast: broadcast_shapes({2, 1}, {3}) is {2, 3}.
function joins.broadcast_shapes(...) return of_shapes{ ... } end

--- Tensors as views of the size to which they all broadcast: a list.
-- @function broadcast_tensors
joins.broadcast_tensors = define('broadcast_tensors', { TENSORS }, function(tensors)
  local size = broadcast_size('broadcast_tensors', each(tensors, shape_of))
  return each(tensors, function(t) return (raw.expand(t, size)) end)
end)

-- ---- combinations ----

local function check_vectors(op, tensors)
  for i = 1, #tensors do
    if ndim(tensors[i]) ~= 1 then raise('%s: expected 1-dim tensors, got %d dims', op, ndim(tensors[i])) end
  end
end

--- All combinations of one element of each 1-dim tensor, as rows; of one tensor, itself.
-- @function cartesian_prod
joins.cartesian_prod = define('cartesian_prod', { TENSORS }, function(tensors)
  if #tensors == 0 then raise('cartesian_prod: the list is empty') end
  check_vectors('cartesian_prod', tensors)
  if #tensors == 1 then return tensors[1] end
  return (shape.stack(each(shape.meshgrid(tensors), function(t) return reshape(t, { -1 }) end), 2))
end)

--- Positions 1 .. n, r at a time, each as large as the one before or larger, by rows.
local function choices(n, r, repeated)
  local list, row = {}, {}
  local function go(k, first)
    if k > r then
      for i = 1, r do list[#list + 1] = row[i] end
      return
    end
    for i = first, n do
      row[k] = i
      go(k + 1, repeated and i or i + 1)
    end
  end
  go(1, 1)
  return list
end

--- All ways to take r elements of a 1-dim tensor, as rows, in the order of their positions.
-- @function combinations
joins.combinations = define('combinations', {
  { 'input', kinds.tensor }, { 'r', kinds.whole, 2 }, { 'with_replacement', kinds.boolean, false },
}, function(t, r, repeated)
  check_vectors('combinations', { t })
  if r == 0 then return (raw.slice(t, 1, 1, 0)) end
  local places = choices(common.numel(t), r, repeated)
  local at = common.beside(t, common.indices, places)
  return (raw.view(raw.index_select(t, at, 1), { #places / r, r }))
end)

return joins
