--- Fractional max pooling (Graham 2014): windows that overlap by chance, so that sizes shrink by any fraction.
local kinds = require('metann.nn.machinery.options').kinds
local pooling = require 'metann.nn.shared.pooling'
local pure = require 'metann.nn.machinery.pure'
local support = require 'metann.support'
local ops, raise, size, volumes = support.ops, support.raise, support.size, support.volumes

local fractional = {}

--- The kind of output_ratio: a number between 0 and 1 for each side, or one for all.
local function ratios(sides)
  local expected = ('a number between 0 and 1 or a list of %d of them'):format(sides)
  local function ratio(v)
    v = kinds.number(v)
    return v and v > 0 and v < 1 and v or nil
  end
  return kinds.list_kind(function(v)
    local alone, list = ratio(v), {}
    for i = 1, sides do
      list[i] = alone or type(v) == 'table' and #v == sides and ratio(v[i]) or nil
      if not list[i] then return nil, expected end
    end
    return list
  end)
end

--- Where windows begin, (N, C, count), counted from 0: the steps of a random start along the side, the last at its end.
local function starts(sample, side, count, kernel)
  local last = ops.full({ size(sample, 1), size(sample, 2), 1 }, side - kernel, 'int64')
  if count == 1 then return last end
  local step, start = (side - kernel) / (count - 1), ops.unsqueeze(sample, 3)
  local steps = ops.add(start, ops.arange(0, 1, count - 1, support.dtype(sample)))
  local from = ops.sub(ops.floor(ops.mul(steps, step)), ops.floor(ops.mul(start, step)))
  return ops.cat({ ops.cast(from, 'int64'), last }, 3)
end

--- The places of all windows of a side, one after another: (N, C, count * kernel), counted from 0.
local function places(sample, side, count, kernel)
  local all = ops.add(ops.unsqueeze(starts(sample, side, count, kernel), 4), ops.arange(0, 1, kernel, 'int64'))
  return ops.view(all, { size(sample, 1), size(sample, 2), count * kernel })
end

--- The positions, counted from 1, of all elements under windows that stand side by side: (N, C, sides...).
local function positions(name, x, samples, o, count)
  local sides, at = #count, nil
  for i = 1, sides do
    local side, kernel = size(x, 2 + i), o.kernel_size[i]
    if count[i] + kernel - 1 > side then
      raise("%s: %d windows of %d are too many for dim %d of 'input' of size %s", name, count[i], kernel, 2 + i,
        support.shape_text(x))
    end
    -- of planes, PyTorch draws the columns' number first
    local sample = ops.select(samples, 3, sides == 2 and 3 - i or i)
    local along = places(sample, side, count[i], kernel)
    for _ = i + 1, sides do along = ops.unsqueeze(along, -1) end
    for _ = 1, i - 1 do along = ops.unsqueeze(along, 3) end
    at = at and ops.add(ops.mul(at, side), along) or along
  end
  return ops.add(at, 1)
end

local function windows_of(name, x, samples, o)
  local sides, count, n, c = #o.kernel_size, o.output_size, size(x, 1), size(x, 2)
  if not count then
    count = {}
    for i = 1, sides do count[i] = math.max(math.floor(size(x, 2 + i) * o.output_ratio[i]), 1) end
  end
  if n == 0 then samples = nil end
  if samples then
    local fits = support.ndim(samples) == 3 and size(samples, 1) >= n and size(samples, 2) == c and size(samples, 3) == sides
    if not fits then
      raise("%s: '_random_samples' must have size %s, got %s", name, support.tuple{ n, c, sides }, support.shape_text(samples))
    end
    samples = ops.slice(samples, 1, 1, n)
  end
  return positions(name, x, samples or ops.rand({ n, c, sides }, 0, 1, support.dtype(x)), o, count)
end

local function pooled(name, x, samples, o)
  local n, c, kernel = size(x, 1), size(x, 2), o.kernel_size
  local at, zeros, ones = windows_of(name, x, samples, o), {}, {}
  local shape, places_of, taken, windows = support.shape(at), 1, 1, 1
  for i = 1, #kernel do
    zeros[i], ones[i], places_of = 0, 1, places_of * size(x, 2 + i)
    taken, windows = taken * shape[2 + i], windows * shape[2 + i] / kernel[i]
  end
  at = support.reshape(at, { n, c, taken })
  local side_by_side = ops.view(ops.gather(support.reshape(x, { n, c, places_of }), at, 3), shape)
  local y, index = volumes.max[#kernel](side_by_side, kernel, kernel, zeros, ones, false)
  local flat = support.reshape(index, { n, c, windows })
  return y, ops.view(ops.gather(at, flat, 3), support.shape(index))
end

--- Makes a class for planes (2) or volumes (3).
function fractional.class(name, sides)
  return pure.class(name, { 'input' }, {
    { 'kernel_size', kinds.sides(sides, 1), show = 'sides' },
    { 'output_size', kinds.sides(sides, 1), optional = true, show = 'sides' },
    { 'output_ratio', ratios(sides), optional = true, show = 'sides' },
    { 'return_indices', kinds.boolean, false },
    { '_random_samples', kinds.tensor, optional = true, tensor = true },
  }, function(o, x, samples)
    local alone, y, index
    x, alone = pooling.batched(name, x, sides)
    y, index = support.beside(x, pooled, name, x, samples, o)
    if alone then y, index = ops.squeeze(y, 1), ops.squeeze(index, 1) end
    if o.return_indices then return y, index end
    return y
  end, function(o)
    if (o.output_size == nil) == (o.output_ratio == nil) then
      raise("%s: give either 'output_size' or 'output_ratio'", name)
    end
  end)
end

return fractional
