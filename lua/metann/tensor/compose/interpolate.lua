--- Resampling of lines, planes and volumes to another size, one dim after the other.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local raw, raise, describe = common.raw, common.raise, common.describe
local shape_of = common.shape
local define, kinds = arguments.define, arguments.kinds

-- How many spatial dims a mode is for; 0: any.
local MODES = {
  nearest = 0, ['nearest-exact'] = 0, linear = 0, bilinear = 2, trilinear = 3, bicubic = 2, area = 0,
}

-- Modes in which a corner has a place.
local CORNERS = { linear = true, bilinear = true, trilinear = true, bicubic = true }

-- Sizes beyond this are mistakes, and products of such are no longer whole numbers.
local LARGEST = 2 ^ 40

local function of_side(x, name, i, sides)
  if #x ~= sides and #x ~= 1 then
    raise("interpolate: '%s' must be a number or a list of %d, got %d entries", name, sides, #x)
  end
  return #x == 1 and x[1] or x[i]
end

--- The size to make of a dim, and the step in the input for one step in the output.
local function target(o, old, i, sides)
  if o.scale_factor == nil then
    local size = of_side(o.size, 'size', i, sides)
    if size % 1 ~= 0 or size > LARGEST then
      raise("interpolate: 'size' must hold whole numbers up to 2^40, got %s", describe(size))
    end
    return size, old / size
  end
  local scale = of_side(o.scale_factor, 'scale_factor', i, sides)
  local size = math.floor(old * scale)
  if size < 1 then raise("interpolate: 'scale_factor' %s times %d leaves nothing of a dim", tostring(scale), old) end
  if size > LARGEST then
    raise("interpolate: 'scale_factor' %s makes a dim of %d too large", tostring(scale), old)
  end
  return size, o.recompute_scale_factor and old / size or 1 / scale
end

--- 0 .. size - 1 plus shift. What follows from these positions is computed by rows, for there may be many.
local function outputs(size, shift) return raw.arange(shift, 1, size, 'float64') end

--- Where each output lies in the input (from 0).
local function places(o, old, size, step)
  if not o.align_corners then return raw.sub(raw.mul(outputs(size, 0.5), step), 0.5) end
  return raw.mul(outputs(size, 0), size > 1 and (old - 1) / (size - 1) or 0)
end

--- Positions from 0 as indices inside the input.
local function inside(at, old) return raw.cast(raw.add(raw.clamp(at, 0, old - 1), 1), 'int64') end

--- Position of the nearest input (from 1) for each output.
local function nearest_positions(o, old, size, step)
  local i = outputs(size, o.mode == 'nearest' and 0 or 0.5)
  -- by sizes in whole numbers, so that nothing rounds over an edge
  local whole = o.scale_factor == nil or o.recompute_scale_factor
  local at = whole and raw.div(raw.mul(i, old), size) or raw.mul(i, step)
  return inside(raw.floor(at), old)
end

local SLOPE = -0.75 -- of the cubic convolution at distance 1, as the field's libraries have it

--- Weights of the four neighbours at distances 1 + x, x, 1 - x, 2 - x (Keys, "Cubic convolution interpolation for digital
-- image processing", 1981).
local function cubic_weights(x)
  local function near(d) return ((SLOPE + 2) * d - (SLOPE + 3)) * d * d + 1 end
  local function far(d) return ((SLOPE * d - 5 * SLOPE) * d + 8 * SLOPE) * d - 4 * SLOPE end
  return { far(x + 1), near(x), near(1 - x), far(2 - x) } -- tensors, like x
end

--- For each of a fixed number of neighbours: its position (from 1) and weight for every output.
local function neighbours(o, old, size, step)
  local at, cubic = places(o, old, size, step), o.mode == 'bicubic'
  if not cubic then at = raw.clamp(at, 0, nil) end
  local floor = raw.floor(at)
  local part = raw.sub(at, floor)
  local weights = cubic and cubic_weights(part) or { raw.sub(1, part), part }
  local positions = {}
  for k = 1, #weights do positions[k] = inside(raw.add(floor, k - (cubic and 2 or 1)), old) end
  return positions, weights
end

local function weighted(t, dim, positions, weights)
  local line, total = { common.numel(positions[1]) }, nil
  for d = dim + 1, common.ndim(t) do line[d - dim + 1] = 1 end
  for k = 1, #positions do
    local w = raw.view(raw.cast(weights[k], common.dtype(t)), line)
    local term = raw.mul(raw.index_select(t, positions[k], dim), w)
    total = total and raw.add(total, term) or term
  end
  return total
end

--- Means over windows that divide dim into `size` parts.
local function area(t, dim, size)
  local old = shape_of(t)
  local before, after = 1, 1
  for d = 1, dim - 1 do before = before * old[d] end
  for d = dim + 1, #old do after = after * old[d] end
  local flat = layout.reshape(t, { before, 1, old[dim], after })
  old[dim] = size
  return raw.view(raw.adaptive_avg_pool2d(flat, { size, after }), old)
end

local function along(t, dim, o, size, step)
  local old = common.size(t, dim)
  if o.mode == 'area' then return area(t, dim, size) end
  if o.mode:find('nearest') then
    return raw.index_select(t, common.beside(t, nearest_positions, o, old, size, step), dim)
  end
  return weighted(t, dim, common.beside(t, neighbours, o, old, size, step))
end

local function check(t, o)
  local sides = common.ndim(t) - 2
  if sides < 1 or sides > 3 then
    raise('interpolate: expected (N, C, ...) with 1 to 3 spatial dims, got %d dims', sides + 2)
  end
  if (o.size == nil) == (o.scale_factor == nil) then raise("interpolate: give either 'size' or 'scale_factor'") end
  if o.recompute_scale_factor and o.size then
    raise("interpolate: 'recompute_scale_factor' goes with 'scale_factor', not with 'size'")
  end
  if o.align_corners and not CORNERS[o.mode] then
    raise("interpolate: 'align_corners' is for the modes linear, bilinear, trilinear and bicubic, not for %s", o.mode)
  end
  local wanted = MODES[o.mode]
  if wanted ~= 0 and wanted ~= sides then
    raise("interpolate: mode '%s' needs %d spatial dims, the input has %d", o.mode, wanted, sides)
  end
  for d = 3, sides + 2 do
    if common.size(t, d) < 1 then raise('interpolate: dim %d of the input is empty', d) end
  end
  return sides
end

-- Numbers above 0, one for each spatial dim or one for all.
local numbers = kinds.list_kind(function(v)
  local expected = 'a number above 0 or a list of such numbers'
  local list = type(v) == 'table' and v or { v }
  local out = {}
  for i = 1, #list do
    local x = kinds.positive(list[i])
    if not x or x == math.huge then return nil, expected end
    out[i] = x
  end
  return #out > 0 and out or nil, expected
end)

local interpolate = {}

--- Lines, planes or volumes (N, C, ...) at another size: interpolate(t, size, {mode=}), interpolate(t, {scale_factor=}).
-- @function interpolate
-- @param t float tensor of 3 to 5 dims
-- @param size a number or a list with one for each spatial dim; or scale_factor, likewise
-- @param mode 'nearest', 'nearest-exact', 'linear' (also 'bilinear', 'trilinear'), 'bicubic', 'area'
-- @param align_corners true: the corners' values stay
-- @param recompute_scale_factor true: positions go by the sizes that come of scale_factor, not by scale_factor itself
interpolate.interpolate = define('interpolate', {
  { 'input', kinds.tensor }, { 'size', numbers, optional = true }, { 'scale_factor', numbers, optional = true },
  { 'mode', kinds.choice('nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area'), 'nearest' },
  { 'align_corners', kinds.boolean, optional = true }, { 'recompute_scale_factor', kinds.boolean, optional = true },
}, function(t, size, scale_factor, mode, align_corners, recompute)
  local o = { size = size, scale_factor = scale_factor, mode = mode, align_corners = align_corners,
    recompute_scale_factor = recompute }
  local sides = check(t, o)
  for i = 1, sides do
    local new, step = target(o, common.size(t, 2 + i), i, sides)
    t = along(t, 2 + i, o, new, step)
  end
  return t
end)

return interpolate
