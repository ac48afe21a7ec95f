--- Upsample: planes, lines or volumes (N, C, ...) to another size. Upsample{size= | scale_factor=, mode='nearest',
-- align_corners=false}; size and scale_factor are numbers or lists with one for each spatial dim; mode is 'nearest', or
-- 'linear' (also called 'bilinear' and 'trilinear' for 2 and 3 spatial dims).
local pure = require 'metann.nn.pure'
local kinds = require('metann.nn.options').kinds
local support = require 'metann.nn.support'
local ops, raise, functions = support.ops, support.raise, support.functions

local MODES = { linear = 1, bilinear = 2, trilinear = 3 }

local function factors(v)
  if type(v) == 'number' and v > 0 then return v end
  if type(v) == 'table' and type(v[1]) == 'number' then return v end
  return nil, 'a number above 0 or a list of them'
end

--- Sizes to make, and output positions per input position, for each spatial dim.
local function target(o, x, sides)
  local sizes, scales = {}, {}
  for i = 1, sides do
    local old = support.size(x, 2 + i)
    local given = o.scale_factor or o.size
    if type(given) == 'table' then
      -- a size given as one number has become a list of one
      given = #given == 1 and given[1] or given[i]
    end
    if not given then raise("Upsample: 'input' has %d spatial dims, which need a size each", sides) end
    sizes[i] = o.scale_factor and math.floor(old * given) or given
    scales[i] = o.scale_factor and given or sizes[i] / old
    if sizes[i] < 1 then raise("Upsample: the output of dim %d would be empty", 2 + i) end
  end
  return sizes, scales
end

local function numbers(list, dtype) return functions.tensor(list, { dtype = dtype }) end

local function nearest(x, dim, size, scale)
  local old, index = support.size(x, dim), {}
  for i = 1, size do index[i] = math.min(math.floor((i - 1) / scale), old - 1) + 1 end
  return ops.index_select(x, numbers(index, 'int64'), dim)
end

local function linear(x, dim, size, scale, align_corners)
  local old, low, high, part = support.size(x, dim), {}, {}, {}
  for i = 1, size do
    local at
    if align_corners then
      at = size > 1 and (i - 1) * (old - 1) / (size - 1) or 0
    else
      at = math.max((i - 0.5) / scale - 0.5, 0)
    end
    local floor = math.min(math.floor(at), old - 1)
    low[i], high[i], part[i] = floor + 1, math.min(floor + 2, old), at - floor
  end
  local shape = { size }
  for d = dim + 1, support.ndim(x) do shape[d - dim + 1] = 1 end
  local weight = ops.view(numbers(part, support.dtype(x)), shape)
  local a = ops.index_select(x, numbers(low, 'int64'), dim)
  local b = ops.index_select(x, numbers(high, 'int64'), dim)
  return ops.add(a, ops.mul(ops.sub(b, a), weight))
end

return pure.class('Upsample', { 'input' }, {
  { 'size', kinds.sizes, optional = true, show = true },
  { 'scale_factor', factors, optional = true, show = true },
  { 'mode', kinds.choice('nearest', 'linear', 'bilinear', 'trilinear'), 'nearest', show = true },
  { 'align_corners', kinds.boolean, optional = true },
}, function(o, x)
  local sides = support.ndim(x) - 2
  if sides < 1 or sides > 3 then
    raise("Upsample: 'input' must be a tensor of size (N, C, ...) with 1 to 3 spatial dims, got %s",
      support.describe(x))
  end
  local wanted = MODES[o.mode]
  if wanted and wanted ~= sides and o.mode ~= 'linear' then
    raise("Upsample: mode '%s' needs %d spatial dims, 'input' has %d", o.mode, wanted, sides)
  end
  local sizes, scales = target(o, x, sides)
  for i = 1, sides do
    if o.mode == 'nearest' then
      x = nearest(x, 2 + i, sizes[i], scales[i])
    else
      x = linear(x, 2 + i, sizes[i], scales[i], o.align_corners)
    end
  end
  return x
end, function(o)
  if (o.size == nil) == (o.scale_factor == nil) then raise("Upsample: give either 'size' or 'scale_factor'") end
end)
