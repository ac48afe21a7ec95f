--- Resampling of lines, planes and volumes to another size, one dim after the other.
local pairs = require('metann.binding.traversal').pairs
local common = require 'metann.compose.common'
local raw, raise, describe = common.raw, common.raise, common.describe
local shape_of = common.shape

-- How many spatial dims a mode is for; 0: any.
local MODES = {
  nearest = 0, ['nearest-exact'] = 0, linear = 0, bilinear = 2, trilinear = 3, bicubic = 2, area = 0,
}
local NAMES = { 'size', 'scale_factor', 'mode', 'align_corners' }

--- Options out of (size, scale_factor, mode, align_corners) by position or by name.
local function read_options(...)
  local o = {}
  for i = 1, select('#', ...) do
    local x = select(i, ...)
    if type(x) == 'table' and common.is_options(x) then
      common.check_options('interpolate', x, NAMES)
      for name, v in pairs(x) do o[name] = v end
    elseif NAMES[i] then
      o[NAMES[i]] = x
    end
  end
  return o
end

local function of_side(x, name, i, sides)
  if type(x) == 'table' then
    if #x ~= sides and #x ~= 1 then
      raise("interpolate: '%s' must be a number or a list of %d, got %d entries", name, sides, #x)
    end
    x = #x == 1 and x[1] or x[i]
  end
  if type(x) ~= 'number' or x ~= x or x <= 0 or x == math.huge then
    raise("interpolate: '%s' must hold numbers above 0, got %s", name, describe(x))
  end
  return x
end

--- The size to make of a dim, and the step in the input for one step in the output.
local function target(o, old, i, sides)
  if o.scale_factor == nil then
    local size = of_side(o.size, 'size', i, sides)
    return common.integer(size, 'interpolate', 'size', 1), old / size
  end
  local scale = of_side(o.scale_factor, 'scale_factor', i, sides)
  local size = math.floor(old * scale)
  if size < 1 then raise('interpolate: %s times %d leaves nothing of a dim', tostring(scale), old) end
  return size, 1 / scale
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
  -- without scale_factor in whole numbers, so that nothing rounds over an edge
  local at = o.scale_factor == nil and raw.div(raw.mul(i, old), size) or raw.mul(i, step)
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
  local flat = require('metann.compose.shape').reshape(t, { before, 1, old[dim], after })
  old[dim] = size
  return raw.view(raw.adaptive_avg_pool2d(flat, { size, after }), old)
end

local function along(t, dim, o, size, step)
  local old = common.size(t, dim)
  if o.mode == 'area' then return area(t, dim, size) end
  if o.mode:find('nearest') then
    return raw.index_select(t, nearest_positions(o, old, size, step), dim)
  end
  return weighted(t, dim, neighbours(o, old, size, step))
end

local function check(t, o)
  local sides = common.ndim(common.tensor(t, 'interpolate', 'input')) - 2
  if sides < 1 or sides > 3 then
    raise('interpolate: expected (N, C, ...) with 1 to 3 spatial dims, got %d dims', sides + 2)
  end
  if (o.size == nil) == (o.scale_factor == nil) then raise("interpolate: give either 'size' or 'scale_factor'") end
  o.mode = o.mode or 'nearest'
  local wanted = MODES[o.mode]
  if not wanted then
    raise("interpolate: 'mode' must be nearest, nearest-exact, linear, bilinear, trilinear, bicubic or area, got %s",
      describe(o.mode))
  end
  if wanted ~= 0 and wanted ~= sides then
    raise("interpolate: mode '%s' needs %d spatial dims, the input has %d", o.mode, wanted, sides)
  end
  if o.align_corners ~= nil and type(o.align_corners) ~= 'boolean' then
    raise("interpolate: 'align_corners' must be true or false, got %s", describe(o.align_corners))
  end
  for d = 3, sides + 2 do
    if common.size(t, d) < 1 then raise('interpolate: dim %d of the input is empty', d) end
  end
  return sides
end

local interpolate = {}

--- Lines, planes or volumes (N, C, ...) at another size: interpolate(t, size, {mode=}) or interpolate(t, {scale_factor=}).
-- @param t float tensor of 3 to 5 dims
-- @param size a number or a list with one for each spatial dim; or scale_factor, likewise
-- @param mode 'nearest', 'nearest-exact', 'linear' (also 'bilinear', 'trilinear'), 'bicubic', 'area'
-- @param align_corners true: the corners' values stay
function interpolate.interpolate(t, ...)
  local o = read_options(...)
  local sides = check(t, o)
  for i = 1, sides do
    local size, step = target(o, common.size(t, 2 + i), i, sides)
    t = along(t, 2 + i, o, size, step)
  end
  return t
end

return interpolate
