--- Reading planes and volumes at any coordinates: grid_sample and affine_grid (Jaderberg et al. 2015). Coordinates go from
-- -1 to 1, the last dim's first: (x, y) of a plane, (x, y, z) of a volume. Made of ops, so that derivatives by values and by
-- coordinates have every order.
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local define, kinds, ops = arguments.define, arguments.kinds, support.ops
local add, sub, mul, raise, size, ndim = ops.add, ops.sub, ops.mul, support.raise, support.size, support.ndim

local sampling = {}

local CORNERS = { 'align_corners', kinds.boolean, false }

-- ---- affine_grid ----

--- Coordinates of n places along a side, (n).
local function coordinates(n, corners, dtype)
  if n == 1 then return ops.full({ 1 }, 0, dtype) end
  local line = ops.linspace(-1, 1, n, dtype)
  return corners and line or mul(line, (n - 1) / n)
end

--- The grid for grid_sample of size (N, sides..., 2 or 3) that affine maps theta, (N, 2, 3) or (N, 3, 4), make; size is
-- that of what is to come out, (N, C, sides...).
-- @function affine_grid
sampling.affine_grid = define('affine_grid', {
  { 'theta', kinds.tensor }, { 'size', kinds.sizes }, CORNERS,
}, function(theta, shape, corners)
  local sides = #shape - 2
  if sides ~= 2 and sides ~= 3 then raise("affine_grid: 'size' must have 4 or 5 sizes, got %d", #shape) end
  local wanted = { shape[1], sides, sides + 1 }
  if support.shape_text(theta) ~= support.tuple(wanted) or not support.is_float(theta) then
    raise("affine_grid: 'theta' must be floats of size %s, got %s", support.tuple(wanted), support.describe(theta))
  end
  local dtype, columns, count, grid = support.dtype(theta), {}, 1, { unpack(shape, 3) }
  for i = 1, sides do count = count * grid[i] end
  for i = 1, sides do
    -- column i is the coordinate along the i-th side from the end
    local along = {}
    for d = 1, sides do along[d] = d == sides + 1 - i and grid[d] or 1 end
    local line = ops.view(support.beside(theta, coordinates, along[sides + 1 - i], corners, dtype), along)
    columns[i] = support.reshape(ops.expand(line, grid), { count, 1 })
  end
  columns[sides + 1] = support.full(theta, { count, 1 }, 1)
  local mapped = ops.matmul(ops.unsqueeze(ops.cat(columns, 2), 1), theta, false, true)
  local out = { shape[1] }
  for i = 1, sides do out[1 + i] = grid[i] end
  out[sides + 2] = sides
  return support.reshape(mapped, out)
end)

-- ---- grid_sample ----

--- Coordinates as places from 0 to n - 1, between which they may stand.
local function places_of(x, n, corners)
  if corners then return mul(add(x, 1), (n - 1) / 2) end
  return mul(sub(mul(add(x, 1), n), 1), 0.5)
end

--- Places mirrored at both ends, at the outermost elements with corners, else at their outer edges.
local function reflected(at, n, corners)
  local low, span = corners and 0 or -0.5, corners and n - 1 or n
  if span == 0 then return mul(at, 0) end
  -- there and back again in 2 spans
  local way = ops.remainder(ops.abs(sub(at, low)), 2 * span)
  local back = sub(span, ops.abs(sub(way, span)))
  return ops.clamp(add(back, low), 0, n - 1)
end

--- Places as padding_mode has them.
local function padded(at, n, mode, corners)
  if mode == 'border' then return ops.clamp(at, 0, n - 1) end
  if mode == 'reflection' then return reflected(at, n, corners) end
  return at
end

-- The slope of the cubic weights, as PyTorch's.
local A = -0.75

--- Keys' cubic weights of the four neighbours at distances 1 + t, t, 1 - t, 2 - t.
local function cubic(t)
  local function near(d) return add(mul(mul(sub(mul(d, A + 2), A + 3), d), d), 1) end
  local function far(d) return sub(mul(add(mul(sub(mul(d, A), 5 * A), d), 8 * A), d), 4 * A) end
  return { far(add(t, 1)), near(t), near(sub(1, t)), far(sub(2, t)) }
end

--- What is read along one side: lists of places, whole numbers as floats, and of their weights; nil for weights of 1.
local function taps_of(x, n, mode, padding, corners)
  local at = places_of(x, n, corners)
  if mode == 'bicubic' then
    local first = ops.floor(at)
    local places = {}
    for i = 1, 4 do places[i] = padded(add(first, i - 2), n, padding, corners) end
    return places, cubic(sub(at, first))
  end
  at = padded(at, n, padding, corners)
  if mode == 'nearest' then return { ops.round(at) }, {} end
  local first = ops.floor(at)
  local t = sub(at, first)
  return { first, add(first, 1) }, { sub(1, t), t }
end

local function check(x, grid)
  local sides = ndim(x) - 2
  if (sides ~= 2 and sides ~= 3) or ndim(grid) ~= sides + 2 or size(grid, -1) ~= sides or size(grid, 1) ~= size(x, 1)
    or not support.is_float(x) or support.dtype(x) ~= support.dtype(grid) then
    raise("grid_sample: 'input' (N, C, H, W) and 'grid' (N, h, w, 2), or (N, C, D, H, W) and (N, d, h, w, 3), must be floats "
      .. 'of one dtype, got %s and %s', support.describe(x), support.describe(grid))
  end
  for d = 3, sides + 2 do
    if size(x, d) == 0 then raise("grid_sample: 'input' must have pixels, got size %s", support.shape_text(x)) end
  end
  return sides
end

--- The values of flat (N, C, places) at one combination of taps, times their weights; 0 outside of the input.
-- @param at, weights lists of (N, 1, count) tensors by side, the first side first; a weight may be nil
-- @param sizes list of the sides
local function read(flat, at, weights, sizes)
  local index, weight, inside
  for i = 1, #sizes do
    local here = ops.clamp(at[i], 0, sizes[i] - 1)
    local is_inside = ops.eq(here, at[i])
    index = index and add(mul(index, sizes[i]), here) or here
    inside = inside and ops.logical_and(inside, is_inside) or is_inside
    if weights[i] then weight = weight and mul(weight, weights[i]) or weights[i] end
  end
  index = ops.expand(add(ops.cast(ops.detach(index), 'int64'), 1), { size(flat, 1), size(flat, 2), size(index, 3) })
  local value = ops.where(inside, ops.gather(flat, index, 3), support.full(flat, {}, 0))
  return weight and mul(value, weight) or value
end

--- The sum over all combinations of taps of the sides from `side` on.
local function combine(flat, places, weights, sizes, side, at, by)
  if side > #sizes then return read(flat, at, by, sizes) end
  local total
  for k = 1, #places[side] do
    at[side], by[side] = places[side][k], weights[side][k]
    local part = combine(flat, places, weights, sizes, side + 1, at, by)
    total = total and add(total, part) or part
  end
  return total
end

--- The input (N, C, H, W) at the coordinates grid (N, h, w, 2), or a volume's: (N, C, h, w). mode: 'bilinear', 'nearest', or
-- 'bicubic'; padding_mode, what is outside: 'zeros', 'border', 'reflection'.
-- @function grid_sample
sampling.grid_sample = define('grid_sample', {
  { 'input', kinds.tensor }, { 'grid', kinds.tensor },
  { 'mode', kinds.choice('bilinear', 'nearest', 'bicubic'), 'bilinear' },
  { 'padding_mode', kinds.choice('zeros', 'border', 'reflection'), 'zeros' }, CORNERS,
}, function(x, grid, mode, padding, corners)
  local sides, n = check(x, grid), size(x, 1)
  local places, weights, sizes, out, count, from = {}, {}, {}, { n, size(x, 2) }, 1, 1
  for i = 1, sides do
    sizes[i], out[2 + i] = size(x, 2 + i), size(grid, 1 + i)
    count, from = count * out[2 + i], from * sizes[i]
  end
  for i = 1, sides do
    local along = support.reshape(ops.select(grid, sides + 2, sides + 1 - i), { n, 1, count })
    places[i], weights[i] = taps_of(along, sizes[i], mode, padding, corners)
  end
  local flat = support.reshape(x, { n, size(x, 2), from })
  return support.reshape(combine(flat, places, weights, sizes, 1, {}, {}), out)
end)

return sampling
