--- Shapes: what is composed of view rows, cat and index_select.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local raw, raise, array = common.raw, common.raise, common.array
local dim_of, shape_of, reshape = common.dim, common.shape, layout.reshape
local define, kinds = arguments.define, arguments.kinds
local input, other = { 'input', kinds.tensor }, { 'other', kinds.tensor }

local shape = {}

--- t itself, or a copy whose elements lie in order.
-- @function contiguous
shape.contiguous = define('contiguous', { input }, layout.contiguous)

--- The same elements in another shape: a view where the layout allows one, else a copy. One size may be -1.
-- @function reshape
shape.reshape = define('reshape', { input, { 'shape', kinds.open_shape, rest = true } }, reshape)

shape.reshape_as = define('reshape_as', { input, other }, function(t, like) return reshape(t, shape_of(like)) end)
shape.view_as = define('view_as', { input, other }, function(t, like) return (raw.view(t, shape_of(like))) end)
shape.expand_as = define('expand_as', { input, other }, function(t, like) return (raw.expand(t, shape_of(like))) end)
shape.broadcast_to = define('broadcast_to', { input, { 'size', kinds.open_shape, rest = true } }, function(t, size)
  return (raw.expand(t, size))
end)

--- Joins dims first .. last into one.
-- @function flatten
shape.flatten = define('flatten', { input, { 'start_dim', kinds.dim, 1 }, { 'end_dim', kinds.dim, -1 } },
  function(t, first, last)
    local sizes = shape_of(t)
    local n = #sizes
    first, last = dim_of(first, n, 'flatten', 'start_dim'), dim_of(last, n, 'flatten', 'end_dim')
    if n == 0 then return (raw.view(t, 1)) end
    if first > last then raise('flatten: start_dim %d comes after end_dim %d', first, last) end
    local joined, product = {}, 1
    for d = 1, n do
      if d < first or d > last then
        joined[#joined + 1] = sizes[d]
      else
        product = product * sizes[d]
        if d == last then joined[#joined + 1] = product end
      end
    end
    return reshape(t, joined)
  end)

shape.ravel = define('ravel', { input }, function(t) return reshape(t, { -1 }) end)

--- Splits a dim into sizes, one of which may be -1.
-- @function unflatten
shape.unflatten = define('unflatten', { input, { 'dim', kinds.dim }, { 'sizes', kinds.open_shape } },
  function(t, dim, sizes)
    local old = shape_of(t)
    dim = dim_of(dim, #old, 'unflatten')
    if #old == 0 then old[1] = 1 end
    local new, product, open = {}, 1, nil
    for d = 1, dim - 1 do new[d] = old[d] end
    for i = 1, #sizes do
      if sizes[i] == -1 then open = #new + 1 else product = product * sizes[i] end
      new[#new + 1] = sizes[i]
    end
    if open then
      new[open] = old[dim] / product
      product = old[dim]
    end
    if product ~= old[dim] or (open and new[open] % 1 ~= 0) then
      raise("unflatten: sizes don't fit dim %d of size %d", dim, old[dim])
    end
    for d = dim + 1, #old do new[#new + 1] = old[d] end
    return reshape(t, new)
  end)

--- Swaps the dims of a tensor of at most 2.
-- @function t
shape.t = define('t', { input }, function(t)
  local n = array(t).ndim
  if n > 2 then raise('t: expected at most 2 dims, got %d; use transpose(dim0, dim1)', n) end
  if n < 2 then return t end
  return (raw.transpose(t, 1, 2))
end)

--- Moves dims (a number or list) to other places, the rest keeping their order.
function shape.movedim(t, from, to)
  local n = array(t).ndim
  if #from ~= #to then raise('movedim: %d dims to move, but %d places', #from, #to) end
  local order, taken = {}, {}
  for i = 1, #from do
    local source, target = dim_of(from[i], n, 'movedim', 'source'), dim_of(to[i], n, 'movedim', 'destination')
    if taken[source] or order[target] then raise('movedim: a dim is repeated') end
    order[target], taken[source] = source, true
  end
  if n == 0 then return t end
  local next_source = 1
  for d = 1, n do
    if not order[d] then
      while taken[next_source] do next_source = next_source + 1 end
      order[d], taken[next_source] = next_source, true
    end
  end
  return (raw.permute(t, order))
end
shape.movedim = define('movedim', { input, { 'source', kinds.dims }, { 'destination', kinds.dims } }, shape.movedim)

--- t with each dim repeated, there being as many counts as dims or more; `op` is named in messages.
local function repeated(op, t, counts)
  local sizes = shape_of(t)
  local extra = #counts - #sizes
  if extra < 0 then raise('%s: %d counts for %d dims', op, #counts, #sizes) end
  for _ = 1, extra do table.insert(sizes, 1, 1) end
  local out = reshape(t, sizes)
  -- dim by dim, from the last, so that what is copied stays small; each needs one dim more for a moment
  for i = #counts, 1, -1 do
    local r, s = counts[i], sizes[i]
    if r ~= 1 then
      local here = shape_of(out)
      local before, after = 1, 1
      for d = 1, i - 1 do before = before * here[d] end
      for d = i + 1, #here do after = after * here[d] end
      out = raw.expand(reshape(out, { before, 1, s, after }), { before, r, s, after })
      here[i] = r * s
      out = reshape(out, here)
    end
  end
  -- where only dims of 1 were repeated, that was no more than a view
  return (out:shares_storage(t) and raw.clone(out) or out)
end

--- Repeats t along each dim (new dims in front where there are more counts than dims).
-- @function repeat_
shape.repeat_ = define('repeat_', { input, { 'repeats', kinds.shape, rest = true } }, function(t, counts)
  return repeated('repeat_', t, counts)
end)

--- As repeat_, counts for the last dims being enough.
-- @function tile
shape.tile = define('tile', { input, { 'dims', kinds.shape, rest = true } }, function(t, dims)
  local counts = { unpack(dims) }
  for _ = #counts + 1, array(t).ndim do table.insert(counts, 1, 1) end
  return repeated('tile', t, counts)
end)

-- A position, which a tensor of one element may hold, too.
local position = kinds.either(kinds.integer, kinds.tensor)

--- length elements of dim from position start: a view. start may be a tensor with one whole number.
-- @function narrow
shape.narrow = define('narrow', { input, { 'dim', kinds.dim }, { 'start', position }, { 'length', kinds.whole } },
  function(t, dim, start, length)
    if common.is_tensor(start) then
      if common.numel(start) ~= 1 then
        raise("narrow: 'start' must have one element, got size %s", common.tuple(shape_of(start)))
      end
      start = common.integer(start:item(), 'narrow', 'start')
    end
    return (raw.slice(t, dim_of(dim, array(t).ndim, 'narrow'), start, length))
  end)

local function parts_of(op, t, dim, sizes)
  local n, total = common.size(t, dim, op), 0
  for i = 1, #sizes do total = total + sizes[i] end
  if total ~= n then raise('%s: the sizes sum to %d, but dim %d has %d', op, total, dim, n) end
  local parts, start = {}, 1
  for i = 1, #sizes do
    parts[i] = raw.slice(t, dim, start, sizes[i])
    start = start + sizes[i]
  end
  return parts
end

--- Sizes of the parts of n elements, at most size each: at least one part.
local function even_sizes(n, size)
  local sizes = {}
  for i = 1, math.max(1, math.ceil(n / size)) do sizes[i] = math.min(size, n - (i - 1) * size) end
  return sizes
end

local function check_dims(op, t)
  if array(t).ndim == 0 then raise("%s: 'input' must have at least 1 dim, got 0", op) end
end

local part_sizes = kinds.list_kind(function(v)
  if type(v) == 'table' then return kinds.shape(v), 'a size or a list of sizes' end
  return kinds.count(v), 'a positive whole number or a list of sizes'
end)

--- Parts of at most split_size elements along dim, or of the sizes in a list: a list of views.
-- @function split
shape.split = define('split', { input, { 'split_size', part_sizes }, { 'dim', kinds.dim, 1 } },
  function(t, size, dim)
    check_dims('split', t)
    dim = dim_of(dim, array(t).ndim, 'split')
    if type(size) == 'number' then size = even_sizes(common.size(t, dim), size) end
    return parts_of('split', t, dim, size)
  end)

--- At most `chunks` parts of equal size along dim, the last being smaller; of a dim without elements, that many.
-- @function chunk
shape.chunk = define('chunk', { input, { 'chunks', kinds.count }, { 'dim', kinds.dim, 1 } }, function(t, chunks, dim)
  check_dims('chunk', t)
  dim = dim_of(dim, array(t).ndim, 'chunk')
  local n, sizes = common.size(t, dim), {}
  if n > 0 then return parts_of('chunk', t, dim, even_sizes(n, math.ceil(n / chunks))) end
  common.check_parts('chunk', 'chunks', chunks, 0)
  for i = 1, chunks do sizes[i] = 0 end
  return parts_of('chunk', t, dim, sizes)
end)

--- The slices along dim, as a list of views.
-- @function unbind
shape.unbind = define('unbind', { input, { 'dim', kinds.dim, 1 } }, function(t, dim)
  check_dims('unbind', t)
  dim = dim_of(dim, array(t).ndim, 'unbind')
  local parts = {}
  for i = 1, common.size(t, dim) do parts[i] = raw.select(t, dim, i) end
  return parts
end)

--- Joins tensors of the same size along a new dim.
-- @function stack
shape.stack = define('stack', { { 'tensors', kinds.tensors }, { 'dim', kinds.dim, 1 } }, function(tensors, dim)
  if #tensors == 0 then raise('stack: the list is empty') end
  dim = dim_of(dim, array(tensors[1]).ndim + 1, 'stack')
  local wide = {}
  for i = 1, #tensors do wide[i] = raw.unsqueeze(tensors[i], dim) end
  return (raw.cat(wide, dim))
end)

--- Shifts elements along dims, round the end; without dims, of the flattened tensor.
-- @function roll
shape.roll = define('roll', { input, { 'shifts', kinds.integers }, { 'dims', kinds.dims, optional = true } },
  function(t, shifts, dims)
    if dims == nil then return (raw.view(raw.roll(reshape(t, { -1 }), shifts, 1), shape_of(t))) end
    return (raw.roll(t, shifts, dims))
  end)

shape.flip = define('flip', { input, { 'dims', kinds.dims, rest = true } }, function(t, dims)
  return (raw.flip(t, dims))
end)
shape.fliplr = define('fliplr', { input }, function(t)
  if array(t).ndim < 2 then raise("fliplr: 'input' must have at least 2 dims, got %d", array(t).ndim) end
  return (raw.flip(t, 2))
end)
shape.flipud = define('flipud', { input }, function(t)
  if array(t).ndim < 1 then raise("flipud: 'input' must have at least 1 dim, got 0") end
  return (raw.flip(t, 1))
end)

--- Of a 1-dim tensor, the matrix with it on the diagonal; of a matrix, its diagonal.
-- @function diag
shape.diag = define('diag', { input, { 'diagonal', kinds.integer, 0 } }, function(t, offset)
  local n = array(t).ndim
  if n == 1 then
    local size = common.numel(t) + math.abs(offset)
    return (raw.undiagonal(t, { size, size }, offset))
  end
  if n ~= 2 then raise('diag: expected 1 or 2 dims, got %d', n) end
  return (raw.clone(raw.diagonal(t, offset)))
end)

--- Positions (from 1) in a dim of what stands before, in and after it; made by rows, for there may be many.
local function edge_index(size, before, after, mode)
  local at = raw.arange(-before, 1, math.max(0, before + size + after), 'int64') -- from 0
  if mode == 'replicate' then
    at = raw.clamp(at, 0, size - 1)
  elseif mode == 'circular' then
    -- what is cropped on one side doesn't come in on the other
    local first, last = math.max(0, -before), size - 1 + math.min(0, after)
    at = raw.add(raw.remainder(raw.sub(at, first), last - first + 1), first)
  elseif size > 1 then
    -- back and forth with a period of 2 size - 2
    at = raw.sub(size - 1, raw.abs(raw.sub(raw.remainder(at, 2 * size - 2), size - 1)))
  else
    at = raw.mul(at, 0)
  end
  return (raw.add(at, 1))
end

--- Raises unless mode can add so much around dim d of that size.
local function check_edges(mode, d, size, before, after)
  if mode == 'replicate' then
    if size < 1 then raise('pad: dim %d is empty, mode replicate has nothing to repeat', d) end
    return
  end
  local there = mode == 'reflect' and size - 1 or size + math.min(0, before) + math.min(0, after)
  if math.max(before, after) > there then
    raise('pad: %d is too much for mode %s of dim %d of size %d', math.max(before, after), mode, d, size)
  end
end

local MODES = kinds.choice('constant', 'reflect', 'replicate', 'circular')

--- pad(t, {left, right, top, bottom, ...}, mode, value): pairs from the last dim on, as PyTorch has them; negative
-- numbers crop. mode: 'constant' (value, 0 unless given), 'reflect', 'replicate', 'circular'; a number in its place is
-- the value.
function shape.pad(t, pads, mode, value)
  local sizes = shape_of(t)
  local n = #sizes
  if #pads % 2 ~= 0 then raise("pad: 'pad' must be a list of pairs, got %d numbers", #pads) end
  if #pads > 2 * n then raise('pad: %d pairs for %d dims', #pads / 2, n) end
  if type(mode) == 'number' then mode, value = 'constant', mode end
  local before, after = {}, {}
  for d = 1, n do
    local at = 2 * (n - d)
    before[d], after[d] = pads[at + 1] or 0, pads[at + 2] or 0
    if sizes[d] + before[d] + after[d] < 0 then
      raise('pad: %d and %d crop more than dim %d of size %d has', before[d], after[d], d, sizes[d])
    end
  end
  if mode == 'constant' then return (raw.pad(t, before, after, value)) end
  local copied = false
  for d = 1, n do
    local b, a = before[d], after[d]
    if b ~= 0 or a ~= 0 then
      check_edges(mode, d, sizes[d], b, a)
      t, copied = raw.index_select(t, common.beside(t, edge_index, sizes[d], b, a, mode), d), true
    end
  end
  return (copied and t or raw.clone(t))
end
shape.pad = define('pad', {
  input, { 'pad', kinds.integers }, { 'mode', kinds.either(MODES, kinds.number), 'constant' },
  { 'value', kinds.number, 0 },
}, shape.pad)

--- Grids of coordinates from 1-dim tensors: a list of tensors, the i-th varying along dim i ({indexing='xy'} swaps the
-- first two dims).
-- @function meshgrid
shape.meshgrid = define('meshgrid', {
  { 'tensors', kinds.tensors, rest = true }, { 'indexing', kinds.choice('ij', 'xy'), 'ij', named = true },
}, function(tensors, indexing)
  local sizes, grids = {}, {}
  for i = 1, #tensors do sizes[i] = common.numel(tensors[i]) end
  for i = 1, #tensors do
    local one = {}
    for d = 1, #tensors do one[d] = d == i and sizes[i] or 1 end
    grids[i] = raw.expand(reshape(tensors[i], one), sizes)
    if indexing == 'xy' and #tensors > 1 then grids[i] = raw.transpose(grids[i], 1, 2) end
  end
  return grids
end)

return shape
