--- Parts of tensors: cut out, turned, repeated, and written over.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local define, kinds = arguments.define, arguments.kinds
local raw, raise, array = common.raw, common.raise, common.array
local ndim, shape_of, dim_of, reshape = common.ndim, common.shape, common.dim, layout.reshape
local is_tensor, tuple = common.is_tensor, common.tuple

local parts = {}

local INPUT = { 'input', kinds.tensor }
local SOURCE = { 'source', kinds.tensor }
local OFFSET = { 'offset', kinds.integer, 0 }

-- ---- splitting ----

local sections_kind = kinds.list_kind(function(v)
  local expected = 'a positive whole number, or a list or a tensor of positions'
  if is_tensor(v) then v = common.ndim(v) == 0 and v:item() or v:to_table() end
  if type(v) == 'table' then return kinds.integers(v), expected end
  return kinds.count(v), expected
end)

--- The sizes of n parts of a dim, the first ones having one more where they don't come out even.
local function even(size, n)
  local sizes, least, rest = {}, math.floor(size / n), size % n
  for i = 1, n do sizes[i] = least + (i <= rest and 1 or 0) end
  return sizes
end

--- The parts of t along dim that begin at positions 1 and those given; each ends where the next one begins.
local function parts_at(t, positions, dim)
  local n, list, from = common.size(t, dim), {}, 1
  local function place(p) return math.max(1, math.min(n + 1, p < 0 and p + n + 1 or p)) end
  for i = 1, #positions + 1 do
    local to = i > #positions and n + 1 or place(positions[i])
    list[i] = raw.slice(t, dim, from, math.max(0, to - from))
    from = math.max(1, to)
  end
  return list
end

local function parts_of_sizes(t, sizes, dim)
  local list, from = {}, 1
  for i = 1, #sizes do
    list[i] = raw.slice(t, dim, from, sizes[i])
    from = from + sizes[i]
  end
  return list
end

local function split_at(op, t, sections, dim)
  if type(sections) == 'table' then return parts_at(t, sections, dim) end
  common.check_parts(op, 'sections', sections, common.size(t, dim))
  return parts_of_sizes(t, even(common.size(t, dim), sections), dim)
end

--- Parts of t along dim: so many, of sizes that differ by at most 1; or, of a list, those that begin at its positions
-- (and the one before them). A list of views.
-- @function tensor_split
parts.tensor_split = define('tensor_split', { INPUT, { 'sections', sections_kind }, { 'dim', kinds.dim, 1 } },
  function(t, sections, dim)
    if ndim(t) == 0 then raise("tensor_split: 'input' must have at least 1 dim, got 0") end
    return split_at('tensor_split', t, sections, dim_of(dim, ndim(t), 'tensor_split'))
  end)

local function splits(name, least, dim)
  parts[name] = define(name, { INPUT, { 'sections', sections_kind } }, function(t, sections)
    local n = ndim(t)
    if n < least then raise("%s: 'input' must have at least %d dims, got %d", name, least, n) end
    local d = math.min(dim, n)
    if type(sections) == 'number' and common.size(t, d) % sections ~= 0 then
      raise('%s: dim %d of size %d has no %d parts of one size', name, d, common.size(t, d), sections)
    end
    return split_at(name, t, sections, d)
  end)
end
--- tensor_split along dim 2 (of a 1-dim tensor, 1), into parts of one size.
-- @function hsplit
splits('hsplit', 1, 2)
--- The same along dim 1.
-- @function vsplit
splits('vsplit', 2, 1)
--- The same along dim 3.
-- @function dsplit
splits('dsplit', 3, 3)

-- ---- turning and repeating ----

--- t turned by k quarters from the first of two dims to the second.
-- @function rot90
parts.rot90 = define('rot90', { INPUT, { 'k', kinds.integer, 1 }, { 'dims', kinds.dims, { 1, 2 } } },
  function(t, k, dims)
    if #dims ~= 2 then raise("rot90: 'dims' must be two dims, got %d", #dims) end
    local a, b = dim_of(dims[1], ndim(t), 'rot90', 'dims'), dim_of(dims[2], ndim(t), 'rot90', 'dims')
    if a == b then raise("rot90: 'dims' must be two different dims, got %d twice", a) end
    k = k % 4
    if k == 0 then return (raw.clone(t)) end
    if k == 2 then return (raw.flip(t, { a, b })) end
    return (raw.flip(raw.transpose(t, a, b), k == 1 and a or b))
  end)

--- Positions 1 .. n, number i so many times as the i-th count says.
local function repeated_positions(op, counts, output_size)
  if ndim(counts) ~= 1 then raise("%s: 'repeats' must have 1 dim, got %d", op, ndim(counts)) end
  if not common.is_whole(counts) then raise("%s: 'repeats' must be integers, got %s", op, common.dtype(counts)) end
  local ends = raw.cumsum(raw.cast(counts, 'int64'), 1)
  if not output_size then
    if common.is_recording() then
      raise("%s: 'output_size' must be given while recording, as the counts may differ in a replay", op)
    end
    local numbers = raw.cast(counts, 'float64') -- as which all of them can be read
    if common.numel(counts) > 0 and raw.amin(numbers):item() < 0 then raise("%s: 'repeats' must not be negative", op) end
    output_size = raw.sum(numbers):item()
    if output_size > 2 ^ 53 then raise("%s: 'repeats' sum to %g, more than a tensor can have", op, output_size) end
  end
  return (raw.searchsorted(ends, common.beside(counts, raw.arange, 1, 1, output_size, 'int64')))
end

local repeats_kind = kinds.either(kinds.whole, kinds.tensor)

--- Each element of dim (left out: of the flattened tensor) so many times in a row: a number, or a tensor with one for
-- each element. Of a tensor of counts alone, positions 1, 2, ..., each so many times.
-- @function repeat_interleave
parts.repeat_interleave = define('repeat_interleave', {
  INPUT, { 'repeats', repeats_kind, optional = true }, { 'dim', kinds.dim, optional = true },
  { 'output_size', kinds.whole, optional = true, named = true },
}, function(t, repeats, dim, output_size)
  if not repeats then return (repeated_positions('repeat_interleave', t, output_size)) end
  if not dim then t, dim = reshape(t, { -1 }), 1 end
  dim = dim_of(dim, ndim(t), 'repeat_interleave')
  if ndim(t) == 0 then t = raw.view(t, 1) end
  local size = common.size(t, dim)
  if is_tensor(repeats) and common.numel(repeats) == 1 then repeats = raw.expand(reshape(repeats, { 1 }), { size }) end
  if is_tensor(repeats) then
    if common.numel(repeats) ~= size then
      raise("repeat_interleave: 'repeats' has %d counts, dim %d of the tensor %d elements", common.numel(repeats), dim, size)
    end
    return (raw.index_select(t, repeated_positions('repeat_interleave', repeats, output_size), dim))
  end
  local wide = shape_of(t)
  table.insert(wide, dim + 1, repeats)
  local out = raw.expand(raw.unsqueeze(t, dim + 1), wide)
  table.remove(wide, dim + 1)
  wide[dim] = size * repeats
  return (raw.view(raw.clone(out), wide))
end)

--- t summed over dims to a size that broadcasts to its own.
-- @function sum_to_size
parts.sum_to_size = define('sum_to_size', { INPUT, { 'size', kinds.shape, rest = true } }, function(t, size)
  if #size > 0 and common.tuple(size) == common.tuple(shape_of(t)) then return t end -- bools stay bools, as in PyTorch
  return (raw.sum_to(t, size))
end)

--- The elements in order along dim 1.
-- @function msort
parts.msort = define('msort', { INPUT }, function(t) return (raw.sort(t, 1)) end)

--- Powers of a 1-dim tensor's elements, a row for each: from n - 1 (its size unless given) down to 0, or up.
-- @function vander
parts.vander = define('vander', { INPUT, { 'N', kinds.whole, optional = true }, { 'increasing', kinds.boolean, false } },
  function(t, n, increasing)
    if ndim(t) ~= 1 then raise("vander: 'input' must have 1 dim, got %d", ndim(t)) end
    local rows = common.numel(t)
    n = n or rows
    if common.dtype(t) == 'bool' then t = raw.cast(t, 'int64') end
    if n < 2 then return (common.beside(t, raw.full, { rows, n }, 1, common.dtype(t))) end
    local products = raw.cumprod(raw.expand(raw.unsqueeze(t, 2), { rows, n - 1 }), 2)
    local powers = raw.cat({ common.beside(t, raw.full, { rows, 1 }, 1, common.dtype(t)), products }, 2)
    return increasing and powers or (raw.flip(powers, { 2 }))
  end)

-- ---- diagonals ----

--- A tensor whose diagonals along two dims, the last ones unless given, are t's last dim; the rest is 0.
-- @function diag_embed
parts.diag_embed = define('diag_embed', { INPUT, OFFSET, { 'dim1', kinds.dim, -2 }, { 'dim2', kinds.dim, -1 } },
  function(t, offset, dim1, dim2)
    local old, size = shape_of(t), {}
    local n = #old + 1
    if n == 1 then raise("diag_embed: 'input' must have at least 1 dim, got 0") end
    dim1, dim2 = dim_of(dim1, n, 'diag_embed', 'dim1'), dim_of(dim2, n, 'diag_embed', 'dim2')
    if dim1 == dim2 then raise('diag_embed: dim1 and dim2 are the same, %d', dim1) end
    local side, from = old[#old] + math.abs(offset), 1
    for d = 1, n do
      if d == dim1 or d == dim2 then
        size[d] = side
      else
        size[d], from = old[from], from + 1
      end
    end
    return (raw.undiagonal(t, size, offset, dim1, dim2))
  end)

--- A matrix with all of t's elements on its diagonal.
-- @function diagflat
parts.diagflat = define('diagflat', { INPUT, OFFSET }, function(t, offset)
  local side = common.numel(t) + math.abs(offset)
  return (raw.undiagonal(reshape(t, { -1 }), { side, side }, offset))
end)

local function triangle(name, cut)
  parts[name] = define(name, {
    { 'row', kinds.whole }, { 'col', kinds.whole }, OFFSET, { 'dtype', kinds.dtype, 'int64', named = true },
    { 'device', kinds.device, optional = true, named = true },
  }, function(rows, cols, offset, dtype, device)
    local places = raw.nonzero(cut(raw.full({ rows, cols }, 1, 'bool', device), offset))
    return (raw.cast(layout.contiguous(raw.transpose(places, 1, 2)), dtype))
  end)
end
--- The positions of the lower triangle of a matrix of that size: rows above columns.
-- @function tril_indices
triangle('tril_indices', raw.tril)
--- The positions of the upper triangle.
-- @function triu_indices
triangle('triu_indices', raw.triu)

-- ---- written over ----

--- Raises unless source has the size of the part.
local function check_part(op, source, part)
  if common.same_size(source, part) then return end
  raise('%s: expected a source of size %s, got %s', op, tuple(shape_of(part)), tuple(shape_of(source)))
end

--- t with a box of it, from position `first` on and in steps along dim, that has source's size there.
local function with_box(t, source, dim, first, count, step)
  local start, size, steps = {}, shape_of(t), {}
  for d = 1, array(t).ndim do start[d], steps[d] = 0, 1 end
  start[dim], size[dim], steps[dim] = first - 1, count, step
  return (raw.region_put(t, source, start, size, steps))
end

--- t with source in place of t:select(dim, index).
-- @function select_scatter
parts.select_scatter = define('select_scatter', { INPUT, SOURCE, { 'dim', kinds.dim }, { 'index', kinds.integer } },
  function(t, source, dim, index)
    check_part('select_scatter', source, raw.select(t, dim, index))
    dim = dim_of(dim, ndim(t), 'select_scatter')
    if index < 0 then index = index + common.size(t, dim) + 1 end
    return with_box(t, raw.unsqueeze(source, dim), dim, index, 1, 1)
  end)

--- t with source in place of the elements start, start + step, ... up to stop along dim, as t[{ {start, stop, step} }]
-- reads them.
-- @function slice_scatter
parts.slice_scatter = define('slice_scatter', {
  INPUT, SOURCE, { 'dim', kinds.dim, 1 }, { 'start', kinds.integer, 1 }, { 'stop', kinds.integer, -1 },
  { 'step', kinds.count, 1 },
}, function(t, source, dim, start, stop, step)
  dim = dim_of(dim, ndim(t), 'slice_scatter')
  local n = common.size(t, dim)
  if start < 0 then start = start + n + 1 end
  if stop < 0 then stop = stop + n + 1 end
  if start < 1 or start > n + 1 then raise("slice_scatter: 'start' must be from 1 to %d, got %d", n + 1, start) end
  local count = math.max(0, math.ceil((math.min(stop, n) - start + 1) / step))
  check_part('slice_scatter', source, raw.slice(t, dim, start, count, step))
  return with_box(t, source, dim, start, count, step)
end)

--- t with source on a diagonal; see diagonal.
-- @function diagonal_scatter
parts.diagonal_scatter = define('diagonal_scatter', {
  INPUT, SOURCE, OFFSET, { 'dim1', kinds.dim, 1 }, { 'dim2', kinds.dim, 2 },
}, function(t, source, offset, dim1, dim2)
  check_part('diagonal_scatter', source, raw.diagonal(t, offset, dim1, dim2))
  local function spread(x) return raw.undiagonal(x, shape_of(t), offset, dim1, dim2) end
  return (raw.where(raw.ne(spread(raw.fill(raw.detach(source), 1)), 0), spread(source), t))
end)

return parts
