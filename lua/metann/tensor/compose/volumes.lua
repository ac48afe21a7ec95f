--- Pooling of lines, planes and volumes, made of the rows for planes. Internal.
-- What is pooled has dims (N, C, sides...), of which a line and a plane may leave N out; windows are lists with one
-- number for each side. A volume is pooled twice, its planes first and then along its depth: what is the largest, or the
-- sum, in a box is that of its planes' largest, or sums.
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local raw, raise, sizes = common.raw, common.raise, common.sizes
local reshape = layout.reshape

local volumes = {}

local ZERO, ONE = { 0, 0 }, { 1, 1 }
-- No result has more elements than this: what leads to it needn't be tried.
local LARGEST = 2 ^ 40

--- The windows of a line as those of a plane of one row.
local function flat(side, value) return { value, side[1] } end

-- ---- in two passes ----

--- Pools t (N, C, D, H, W): planes(t) pools (N, C * D, H, W), columns(t) the depth of what came of it, (N, C, D, places).
-- @return the result; where each element of it stands in its volume, counted from 1, if the passes give positions
local function in_passes(t, planes, columns)
  local size = sizes(t)
  local y, at = planes(reshape(t, { size[1], size[2] * size[3], size[4], size[5] }))
  local plane = sizes(y)
  local places = plane[3] * plane[4]
  local z, row = columns(raw.view(y, { size[1], size[2], size[3], places }))
  local shape = { size[1], size[2], sizes(z)[3], plane[3], plane[4] }
  if not (at and row) then return raw.view(z, shape) end
  -- row is a place among the columns, at one in a plane
  row = raw.view(row, { size[1], size[2], shape[3] * places })
  at = raw.gather(raw.view(at, { size[1], size[2], size[3] * places }), row, 3)
  local depth = raw.floor_divide(raw.sub(row, 1), places)
  return raw.view(z, shape), raw.view(raw.add(at, raw.mul(depth, size[4] * size[5])), shape)
end

-- ---- the largest ----

local function max_lines(t, kernel, stride, padding, dilation, ceil)
  local y, at = raw.max_pool2d(raw.unsqueeze(t, -2), flat(kernel, 1), flat(stride, 1), flat(padding, 0),
    flat(dilation, 1), ceil)
  return raw.squeeze(y, -2), raw.squeeze(at, -2)
end

local function max_volumes(t, kernel, stride, padding, dilation, ceil)
  return in_passes(t, function(planes)
    return raw.max_pool2d(planes, { kernel[2], kernel[3] }, { stride[2], stride[3] }, { padding[2], padding[3] },
      { dilation[2], dilation[3] }, ceil)
  end, function(columns)
    return raw.max_pool2d(columns, { kernel[1], 1 }, { stride[1], 1 }, { padding[1], 0 }, { dilation[1], 1 }, ceil)
  end)
end

--- By the number of sides, what gives the largest of each window of (N, C, sides...), and where it stands: called with t,
-- kernel, stride, padding and dilation, lists with a number for each side, and ceil.
volumes.max = { max_lines, raw.max_pool2d, max_volumes }

-- ---- means ----

--- How many windows a side has, and how far the last one reaches past its padded end.
local function windows_of(size, kernel, stride, padding, ceil)
  local room = size + 2 * padding - kernel
  local count = (ceil and math.ceil or math.floor)(room / stride) + 1
  -- one that would begin behind the end is none
  if ceil and (count - 1) * stride >= size + padding then count = count - 1 end
  return count, math.max((count - 1) * stride - room, 0)
end

--- How many of the places under each window of a side count; nil where all do.
local function counted(count, size, kernel, stride, padding, count_all)
  local list, whole = {}, true
  for i = 1, count do
    local first = (i - 1) * stride - padding
    local last = math.min(first + kernel, count_all and size + padding or size)
    list[i] = last - (count_all and first or math.max(first, 0))
    whole = whole and list[i] == kernel
  end
  return not whole and list or nil
end

--- Means over whole windows of a volume.
local function mean_of_boxes(t, kernel, stride)
  return (in_passes(t, function(planes)
    return raw.avg_pool2d(planes, { kernel[2], kernel[3] }, { stride[2], stride[3] }, ZERO)
  end, function(columns) return raw.avg_pool2d(columns, { kernel[1], 1 }, { stride[1], 1 }, ZERO) end))
end

--- Means of a volume: zeros are put around first, so that all windows are whole, and what they say is then divided by
-- what counts.
local function avg_volume(op, t, kernel, stride, padding, ceil, count_all, by)
  local size, before, after, counts = sizes(t), { 0, 0 }, { 0, 0 }, {}
  for i = 1, 3 do
    local count, past = windows_of(size[2 + i], kernel[i], stride[i], padding[i], ceil)
    if count < 1 then
      raise("%s: 'kernel_size' spans %d, more than the %d of dim %d with its padding", op, kernel[i],
        size[2 + i] + 2 * padding[i], 2 + i)
    end
    before[2 + i], after[2 + i] = padding[i], padding[i] + past
    counts[i] = not by and counted(count, size[2 + i], kernel[i], stride[i], padding[i], count_all)
  end
  local y = mean_of_boxes(raw.pad(t, before, after), kernel, stride)
  if by then return raw.mul(y, kernel[1] * kernel[2] * kernel[3] / by) end
  for i = 1, 3 do
    if counts[i] then
      local places = raw.cast(common.beside(t, common.indices, counts[i]), common.dtype(t))
      local along = { 1, 1, 1 }
      along[i] = #counts[i]
      y = raw.mul(y, raw.view(raw.div(kernel[i], places), along))
    end
  end
  return y
end

--- Means of a line or plane whose sums over windows are divided by `by`: t is padded so that no window is cut off, and has
-- a mean of all of its kernel's places.
local function sums_over(t, kernel, stride, padding, out, by)
  local n, before, after = common.ndim(t), {}, {}
  for d = 1, n do before[d], after[d] = 0, 0 end
  for i = 1, 2 do
    local d = n - 2 + i
    before[d] = padding[i]
    after[d] = (common.size(out, d) - 1) * stride[i] + kernel[i] - padding[i] - common.size(t, d)
  end
  local means = raw.avg_pool2d(raw.pad(t, before, after), kernel, stride, ZERO)
  return (raw.mul(means, kernel[1] * kernel[2] / by))
end

-- Means in float64 are off by less than this part of them.
local NEARLY = 2 ^ -50

--- What a mean of integers is: rounded towards 0.
local function whole_means(mean, t)
  local y = mean(raw.cast(t, 'float64'))
  return (raw.cast(raw.trunc(raw.mul(y, 1 + NEARLY)), common.dtype(t)))
end

--- The mean of each window, of integers rounded towards 0.
-- @param t (N, C, sides...)
-- @param kernel, stride, padding lists with a number for each side
-- @param ceil whether the last window may overhang
-- @param count_all whether padding counts as elements
-- @param by what to divide sums by in place of the number of elements; nil for that
function volumes.avg(op, t, kernel, stride, padding, ceil, count_all, by)
  if by == 0 then raise("%s: 'divisor_override' must not be 0", op) end
  if common.is_whole(t) then
    return whole_means(function(x) return volumes.avg(op, x, kernel, stride, padding, ceil, count_all, by) end, t)
  end
  if #kernel == 3 then return avg_volume(op, t, kernel, stride, padding, ceil, count_all, by) end
  if #kernel == 1 then
    t, kernel, stride, padding = raw.unsqueeze(t, -2), flat(kernel, 1), flat(stride, 1), flat(padding, 0)
    return raw.squeeze(volumes.avg(op, t, kernel, stride, padding, ceil, count_all, by), -2)
  end
  local out = raw.avg_pool2d(t, kernel, stride, padding, ceil, count_all)
  return by and sums_over(t, kernel, stride, padding, out, by) or out
end

-- ---- windows that divide the sides ----

--- Means over windows that divide the sides into `count`, a list.
function volumes.adaptive_avg(t, count)
  if #count == 2 then return raw.adaptive_avg_pool2d(t, count) end
  if #count == 1 then
    return raw.squeeze(raw.adaptive_avg_pool2d(raw.unsqueeze(t, -2), flat(count, 1)), -2)
  end
  return (in_passes(t, function(planes) return raw.adaptive_avg_pool2d(planes, { count[2], count[3] }) end,
    function(columns) return raw.adaptive_avg_pool2d(columns, { count[1], sizes(columns)[4] }) end))
end

--- Positions (from 1) along a dim of `size` elements of the windows that divide it into `count`, one after another and
-- all of one length: the last position of a shorter window comes again. Also that length.
local function adaptive_positions(size, count)
  local first, last, length = {}, {}, 0
  for i = 1, count do
    first[i], last[i] = math.floor((i - 1) * size / count), math.ceil(i * size / count) - 1
    length = math.max(length, last[i] - first[i] + 1)
  end
  local positions = {}
  for i = 1, count do
    for k = 0, length - 1 do positions[#positions + 1] = math.min(first[i] + k, last[i]) + 1 end
  end
  return common.indices(positions), length
end

local function adaptive_max_plane(op, t, count)
  local size = sizes(t)
  local n = #size
  local height, width = size[n - 1], size[n]
  if height < 1 or width < 1 then raise('%s: the input has no pixels', op) end
  if common.numel(t) / (height * width) * count[1] * count[2] > LARGEST then
    raise("%s: 'output_size' %s is too large", op, common.tuple(count))
  end
  -- planes in which windows don't overlap and are equally long
  local rows, kernel_h = common.beside(t, adaptive_positions, height, count[1])
  local columns, kernel_w = common.beside(t, adaptive_positions, width, count[2])
  if common.numel(rows) ~= height then t = raw.index_select(t, rows, n - 1) end
  if common.numel(columns) ~= width then t = raw.index_select(t, columns, n) end
  local kernel = { kernel_h, kernel_w }
  local out, index = raw.max_pool2d(t, kernel, kernel, ZERO, ONE, false)
  local places = raw.add(raw.unsqueeze(raw.mul(raw.sub(rows, 1), width), 2), columns)
  local at = raw.index_select(raw.view(places, -1), raw.view(index, -1), 1)
  return out, raw.view(at, sizes(index))
end

--- The largest of each of the windows that divide the sides into `count`, a list; where each stands.
function volumes.adaptive_max(op, t, count)
  if #count == 2 then return adaptive_max_plane(op, t, count) end
  if #count == 1 then
    local y, at = adaptive_max_plane(op, raw.unsqueeze(t, -2), flat(count, 1))
    return raw.squeeze(y, -2), raw.squeeze(at, -2)
  end
  return in_passes(t, function(planes) return adaptive_max_plane(op, planes, { count[2], count[3] }) end,
    function(columns) return adaptive_max_plane(op, columns, { count[1], sizes(columns)[4] }) end)
end

return volumes
