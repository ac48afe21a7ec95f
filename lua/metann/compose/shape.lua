--- Shapes: what is composed of view rows, cat and index_select.
local common = require 'metann.compose.common'
local raw, raise, describe, array, tensor = common.raw, common.raise, common.describe, common.array, common.tensor
local dim_of, shape_of, list_of, integer = common.dim, common.shape, common.list, common.integer

local shape = {}

function shape.contiguous(t)
  if array(tensor(t, 'contiguous', 'input')).contiguous == 1 then return t end
  return raw.clone(t)
end

--- True when sizes split and join only dims of t that lie evenly in memory, so that a view is possible.
local function view_fits(a, sizes)
  local d, n = a.ndim - 1, #sizes
  local j = n
  while d >= 0 do
    -- a run of dims of t that are dense with each other
    local base, run = a.stride[d], a.size[d]
    while d > 0 and (a.size[d - 1] == 1 or a.stride[d - 1] == run * base) do
      d = d - 1
      run = run * a.size[d]
    end
    local covered = 1
    while j >= 1 and covered < run do
      covered = covered * sizes[j]
      j = j - 1
    end
    if covered ~= run then return false end
    d = d - 1
  end
  return true
end

local function resolve(sizes, numel)
  local resolved, known, open = {}, 1, nil
  for i = 1, #sizes do
    local s = integer(sizes[i], 'reshape', 'size')
    resolved[i] = s
    if s == -1 then open = i else known = known * s end
  end
  if open and known > 0 then resolved[open] = numel / known end
  return resolved
end

--- The same elements in another shape: a view where the layout allows one, else a copy. One size may be -1.
function shape.reshape(t, ...)
  tensor(t, 'reshape', 'input')
  local sizes = list_of(...)
  local a = array(t)
  if a.contiguous ~= 1 and not view_fits(a, resolve(sizes, tonumber(a.numel))) then t = raw.clone(t) end
  return raw.view(t, sizes)
end

function shape.reshape_as(t, other) return shape.reshape(t, shape_of(tensor(other, 'reshape_as', 'other'))) end
function shape.view_as(t, other) return raw.view(t, shape_of(tensor(other, 'view_as', 'other'))) end
function shape.expand_as(t, other) return raw.expand(t, shape_of(tensor(other, 'expand_as', 'other'))) end
shape.broadcast_to = raw.expand

--- Joins dims first .. last into one.
function shape.flatten(t, first, last)
  tensor(t, 'flatten', 'input')
  local sizes = shape_of(t)
  local n = #sizes
  if n == 0 then return raw.view(t, 1) end
  if common.is_options(first) then
    common.check_options('flatten', first, { 'start_dim', 'end_dim' })
    first, last = first.start_dim, first.end_dim
  end
  first, last = dim_of(first or 1, n, 'flatten', 'start_dim'), dim_of(last or -1, n, 'flatten', 'end_dim')
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
  return shape.reshape(t, joined)
end
shape.ravel = function(t) return shape.reshape(t, -1) end

--- Splits a dim into sizes, one of which may be -1.
function shape.unflatten(t, dim, sizes)
  tensor(t, 'unflatten', 'input')
  if type(sizes) ~= 'table' then raise("unflatten: 'sizes' must be a table, got %s", describe(sizes)) end
  local old = shape_of(t)
  dim = dim_of(dim, #old, 'unflatten')
  if #old == 0 then old[1] = 1 end
  local new, product, open = {}, 1, nil
  for d = 1, dim - 1 do new[d] = old[d] end
  for i = 1, #sizes do
    integer(sizes[i], 'unflatten', 'sizes', -1)
    if sizes[i] == -1 then open = #new + 1 else product = product * sizes[i] end
    new[#new + 1] = sizes[i]
  end
  if open then
    new[open] = old[dim] / product
    product = old[dim]
  end
  if product ~= old[dim] or (open and new[open] % 1 ~= 0) then
    raise('unflatten: sizes do not fit dim %d of size %d', dim, old[dim])
  end
  for d = dim + 1, #old do new[#new + 1] = old[d] end
  return shape.reshape(t, new)
end

--- Swaps the dims of a tensor of at most 2.
function shape.t(t)
  local n = array(tensor(t, 't', 'input')).ndim
  if n > 2 then raise('t: expected at most 2 dims, got %d; use transpose(dim0, dim1)', n) end
  if n < 2 then return t end
  return raw.transpose(t, 1, 2)
end

--- Moves dims (a number or list) to other places, the rest keeping their order.
function shape.movedim(t, from, to)
  local n = array(tensor(t, 'movedim', 'input')).ndim
  from, to = list_of(from), list_of(to)
  if #from ~= #to then raise('movedim: %d dims to move, but %d places', #from, #to) end
  local order, taken = {}, {}
  for i = 1, #from do
    local source, target = dim_of(from[i], n, 'movedim', 'source'), dim_of(to[i], n, 'movedim', 'destination')
    if taken[source] or order[target] then raise('movedim: a dim is repeated') end
    order[target], taken[source] = source, true
  end
  local next_source = 1
  for d = 1, n do
    if not order[d] then
      while taken[next_source] do next_source = next_source + 1 end
      order[d], taken[next_source] = next_source, true
    end
  end
  return raw.permute(t, order)
end

--- Repeats t along each dim (new dims in front where there are more counts than dims).
function shape.repeat_(t, ...)
  tensor(t, 'repeat_', 'input')
  local counts = list_of(...)
  local sizes = shape_of(t)
  local extra = #counts - #sizes
  if extra < 0 then raise('repeat_: %d counts for %d dims', #counts, #sizes) end
  for i = 1, #counts do integer(counts[i], 'repeat_', 'count', 0) end
  for _ = 1, extra do table.insert(sizes, 1, 1) end
  local out = shape.reshape(t, sizes)
  -- dim by dim, from the last, so that what is copied stays small; each needs one dim more for a moment
  for i = #counts, 1, -1 do
    local r, s = counts[i], sizes[i]
    if r ~= 1 then
      local here = shape_of(out)
      local before, after = 1, 1
      for d = 1, i - 1 do before = before * here[d] end
      for d = i + 1, #here do after = after * here[d] end
      out = raw.expand(shape.reshape(out, { before, 1, s, after }), { before, r, s, after })
      here[i] = r * s
      out = shape.reshape(out, here)
    end
  end
  return out
end

--- As repeat_, counts for the last dims being enough.
function shape.tile(t, ...)
  local counts = { unpack(list_of(...)) }
  for _ = #counts + 1, array(tensor(t, 'tile', 'input')).ndim do table.insert(counts, 1, 1) end
  return shape.repeat_(t, counts)
end

--- length elements of dim from position start: a view.
function shape.narrow(t, dim, start, length) return raw.slice(t, dim, start, length) end

--- Parts of at most size elements along dim, or of the sizes in a list: a list of views.
function shape.split(t, size, dim)
  tensor(t, 'split', 'input')
  dim = dim_of(dim or 1, array(t).ndim, 'split')
  local n, parts, start = common.size(t, dim), {}, 1
  if type(size) == 'number' then
    integer(size, 'split', 'size', 1)
    repeat
      local length = math.min(size, n - start + 1)
      parts[#parts + 1] = raw.slice(t, dim, start, length)
      start = start + size
    until start > n
    return parts
  end
  if type(size) ~= 'table' then raise("split: 'size' must be a number or a list, got %s", describe(size)) end
  local total = 0
  for i = 1, #size do total = total + integer(size[i], 'split', 'size', 0) end
  if total ~= n then raise('split: the sizes sum to %d, but dim %d has %d', total, dim, n) end
  for i = 1, #size do
    parts[i] = raw.slice(t, dim, start, size[i])
    start = start + size[i]
  end
  return parts
end

--- At most `chunks` parts of equal size along dim, the last being smaller.
function shape.chunk(t, chunks, dim)
  tensor(t, 'chunk', 'input')
  chunks = integer(chunks, 'chunk', 'chunks', 1)
  dim = dim_of(dim or 1, array(t).ndim, 'chunk')
  return shape.split(t, math.max(1, math.ceil(common.size(t, dim) / chunks)), dim)
end

--- The slices along dim, as a list of views.
function shape.unbind(t, dim)
  tensor(t, 'unbind', 'input')
  dim = dim_of(dim or 1, array(t).ndim, 'unbind')
  local parts = {}
  for i = 1, common.size(t, dim) do parts[i] = raw.select(t, dim, i) end
  return parts
end

--- Joins tensors of the same size along a new dim.
function shape.stack(tensors, dim)
  if type(tensors) ~= 'table' then raise('stack: expected a list of tensors, got %s', describe(tensors)) end
  if type(dim) == 'table' then dim = dim.dim end
  if #tensors == 0 then raise('stack: the list is empty') end
  for i = 1, #tensors do
    if not common.is_tensor(tensors[i]) then
      raise('stack: entry %d must be a tensor, got %s', i, describe(tensors[i]))
    end
  end
  dim = dim_of(dim or 1, array(tensors[1]).ndim + 1, 'stack')
  local wide = {}
  for i = 1, #tensors do
    local t = tensors[i]
    wide[i] = raw.unsqueeze(t, dim)
  end
  return raw.cat(wide, dim)
end

--- Shifts elements along dims, round the end; without dims, of the flattened tensor.
function shape.roll(t, shifts, dims)
  tensor(t, 'roll', 'input')
  if common.is_options(shifts) then shifts, dims = shifts.shifts, shifts.dims end
  if dims == nil then return raw.view(raw.roll(shape.reshape(t, -1), shifts, 1), shape_of(t)) end
  return raw.roll(t, shifts, dims)
end

function shape.flip(t, ...) return raw.flip(t, list_of(...)) end
function shape.fliplr(t) return raw.flip(t, 2) end
function shape.flipud(t) return raw.flip(t, 1) end

--- Of a 1-dim tensor, the matrix with it on the diagonal; of a matrix, its diagonal.
function shape.diag(t, offset)
  local n = array(tensor(t, 'diag', 'input')).ndim
  offset = integer(offset == nil and 0 or offset, 'diag', 'offset')
  if n == 1 then
    local size = common.numel(t) + math.abs(offset)
    return raw.undiagonal(t, { size, size }, offset)
  end
  if n ~= 2 then raise('diag: expected 1 or 2 dims, got %d', n) end
  return raw.diagonal(t, offset)
end

--- Positions (from 1) in a dim of what stands before, in and after it; made by rows, for there may be many.
local function edge_index(size, before, after, mode)
  local at = raw.arange(-before, 1, math.max(0, before + size + after), 'int64') -- from 0
  if mode == 'replicate' then
    at = raw.clamp(at, 0, size - 1)
  elseif mode == 'circular' then
    at = raw.remainder(at, size)
  elseif size > 1 then
    -- back and forth with a period of 2 size - 2
    at = raw.sub(size - 1, raw.abs(raw.sub(raw.remainder(at, 2 * size - 2), size - 1)))
  else
    at = raw.mul(at, 0)
  end
  return raw.add(at, 1)
end

local PAD_MODES = { constant = true, reflect = true, replicate = true, circular = true }

local function pad_mode(mode, value)
  if common.is_options(mode) then
    common.check_options('pad', mode, { 'mode', 'value' })
    mode, value = mode.mode, mode.value
  elseif type(mode) == 'number' then
    mode, value = 'constant', mode
  end
  mode = mode or 'constant'
  if not PAD_MODES[mode] then
    raise("pad: 'mode' must be constant, reflect, replicate or circular, got %s", describe(mode))
  end
  return mode, value
end

--- pad(t, {left, right, top, bottom, ...}, mode, value): pairs from the last dim on, as PyTorch has them; negative
-- numbers crop. mode: 'constant' (value, 0 unless given), 'reflect', 'replicate', 'circular'.
function shape.pad(t, pads, mode, value)
  tensor(t, 'pad', 'input')
  if type(pads) ~= 'table' or #pads % 2 ~= 0 then
    if common.is_options(pads) then return raw.pad(t, pads) end
    raise('pad: expected a list of pairs, got %s', describe(pads))
  end
  local sizes = shape_of(t)
  local n = #sizes
  if #pads > 2 * n then raise('pad: %d pairs for %d dims', #pads / 2, n) end
  mode, value = pad_mode(mode, value)
  local before, after = {}, {}
  for d = 1, n do
    local at = 2 * (n - d)
    before[d], after[d] = integer(pads[at + 1] or 0, 'pad', 'pads'), integer(pads[at + 2] or 0, 'pad', 'pads')
  end
  if mode == 'constant' then return raw.pad(t, before, after, value) end
  for d = 1, n do
    local b, a = before[d], after[d]
    if b ~= 0 or a ~= 0 then
      if mode ~= 'replicate' and math.max(b, a) > sizes[d] - (mode == 'reflect' and 1 or 0) then
        raise('pad: %d is too much for mode %s of dim %d of size %d', math.max(b, a), mode, d, sizes[d])
      end
      t = raw.index_select(t, edge_index(sizes[d], b, a, mode), d)
    end
  end
  return t
end

--- Grids of coordinates from 1-dim tensors: a list of tensors, the i-th varying along dim i ({indexing='xy'} swaps the
-- first two dims).
function shape.meshgrid(...)
  local tensors, options = { ... }, nil
  if not common.is_tensor(tensors[#tensors]) and common.is_options(tensors[#tensors]) then
    options = table.remove(tensors)
    common.check_options('meshgrid', options, { 'indexing' })
  end
  if type(tensors[1]) == 'table' then tensors = tensors[1] end
  local sizes, grids = {}, {}
  for i = 1, #tensors do sizes[i] = common.numel(tensor(tensors[i], 'meshgrid', 'tensor ' .. i)) end
  for i = 1, #tensors do
    local one = {}
    for d = 1, #tensors do one[d] = d == i and sizes[i] or 1 end
    grids[i] = raw.expand(shape.reshape(tensors[i], one), sizes)
    if options and options.indexing == 'xy' and #tensors > 1 then grids[i] = raw.transpose(grids[i], 1, 2) end
  end
  return grids
end

return shape
