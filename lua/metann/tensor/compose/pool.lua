--- Pooling made of the rows for planes.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local windows = require 'metann.tensor.compose.windows'
local raw, raise = common.raw, common.raise
local define, kinds = arguments.define, arguments.kinds
local plane, shape_of, input = windows.plane, common.shape, windows.input

local pool = {}

local ZERO, ONE = { 0, 0 }, { 1, 1 }
-- No result has more elements than this: what leads to it needn't be tried.
local LARGEST = 2 ^ 40
local ceil_mode, return_indices = { 'ceil_mode', kinds.boolean, false }, { 'return_indices', kinds.boolean, false }
local count_pad = { 'count_include_pad', kinds.boolean, true }
-- What to divide by in place of the number of elements; a negative one turns the sign.
local divisor = { 'divisor_override', kinds.integer, optional = true }

--- A pool's stride: the kernel's size unless it has entries.
local function stride_of(stride, kernel) return stride and #stride > 0 and stride or kernel end

local function max_pool(t, kernel, stride, padding, dilation, ceil)
  return raw.max_pool2d(t, kernel, stride_of(stride, kernel), padding, dilation, ceil)
end

--- Largest of each window of (N, C, H, W), or (C, H, W); with return_indices, also where in its plane it stands.
-- @function max_pool2d
pool.max_pool2d = define('max_pool2d', {
  input, windows.sides('kernel_size', 2, 1), windows.stride(2), windows.sides('padding', 2, 0, 0),
  windows.sides('dilation', 2, 1, 1), ceil_mode, return_indices,
}, function(t, kernel, stride, padding, dilation, ceil, with_index)
  plane(t, 'max_pool2d', 4)
  local out, index = max_pool(t, kernel, stride, padding, dilation, ceil)
  if with_index then return out, index end
  return out
end)

--- Largest of each window of (N, C, L), or (C, L).
-- @function max_pool1d
pool.max_pool1d = define('max_pool1d', {
  input, windows.sides('kernel_size', 1, 1), windows.stride(1), windows.sides('padding', 1, 0, 0),
  windows.sides('dilation', 1, 1, 1), ceil_mode, return_indices,
}, function(t, kernel, stride, padding, dilation, ceil, with_index)
  plane(t, 'max_pool1d', 3)
  stride = stride_of(stride, kernel)
  local out, index = max_pool(raw.unsqueeze(t, -2), { 1, kernel[1] }, { 1, stride[1] }, { 0, padding[1] },
    { 1, dilation[1] }, ceil)
  out = raw.squeeze(out, -2)
  if with_index then return out, raw.squeeze(index, -2) end
  return out
end)

--- The pool's sums over windows divided by `by`: t is padded so that no window is cut off, and has a mean of all of its
-- kernel's places.
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

local function avg_pool(op, t, kernel, stride, padding, ceil, count_all, by)
  stride = stride_of(stride, kernel)
  local out = raw.avg_pool2d(t, kernel, stride, padding, ceil, count_all)
  if by == nil then return out end
  if by == 0 then raise("%s: 'divisor_override' must not be 0", op) end
  return sums_over(t, kernel, stride, padding, out, by)
end

--- Mean of each window of (N, C, H, W), or (C, H, W).
-- @function avg_pool2d
pool.avg_pool2d = define('avg_pool2d', {
  input, windows.sides('kernel_size', 2, 1), windows.stride(2), windows.sides('padding', 2, 0, 0), ceil_mode,
  count_pad, divisor,
}, function(t, kernel, stride, padding, ceil, count_all, by)
  plane(t, 'avg_pool2d', 4)
  return avg_pool('avg_pool2d', t, kernel, stride, padding, ceil, count_all, by)
end)

--- Mean of each window of (N, C, L), or (C, L).
-- @function avg_pool1d
pool.avg_pool1d = define('avg_pool1d', {
  input, windows.sides('kernel_size', 1, 1), windows.stride(1), windows.sides('padding', 1, 0, 0), ceil_mode,
  count_pad,
}, function(t, kernel, stride, padding, ceil, count_all)
  plane(t, 'avg_pool1d', 3)
  stride = stride_of(stride, kernel)
  local out = avg_pool('avg_pool1d', raw.unsqueeze(t, -2), { 1, kernel[1] }, { 1, stride[1] }, { 0, padding[1] }, ceil,
    count_all)
  return (raw.squeeze(out, -2))
end)

local plane_sizes = kinds.sides(2, 1)

--- Means over windows that divide each plane into output_size, of (N, C, H, W), or (C, H, W).
-- @function adaptive_avg_pool2d
pool.adaptive_avg_pool2d = define('adaptive_avg_pool2d', { input, { 'output_size', plane_sizes } }, function(t, size)
  plane(t, 'adaptive_avg_pool2d', 4)
  return (raw.adaptive_avg_pool2d(t, size))
end)

--- Positions (from 1) along a dim of `size` elements of the windows that divide it into `count`, one after another and
-- all of one length: the last position of a shorter window comes again. Also that length.
local function adaptive_positions(size, count)
  local steps = raw.mul(raw.arange(0, 1, count + 1, 'float64'), size)
  local edges = raw.div(steps, count)
  local first = raw.floor(raw.slice(edges, 1, 1, count))
  local last = raw.sub(raw.ceil(raw.slice(edges, 1, 2, count)), 1)
  local length = raw.amax(raw.sub(last, first)):item() + 1
  local all = raw.minimum(raw.add(raw.unsqueeze(first, 2), raw.arange(0, 1, length, 'float64')), raw.unsqueeze(last, 2))
  return raw.cast(raw.add(raw.view(all, -1), 1), 'int64'), length
end

--- Largest of each of the windows that divide each plane into output_size, of (N, C, H, W), or (C, H, W); with
-- return_indices, also where in its plane it stands, (h - 1) W + w counted from 1.
-- @function adaptive_max_pool2d
pool.adaptive_max_pool2d = define('adaptive_max_pool2d', {
  input, { 'output_size', plane_sizes }, return_indices,
}, function(t, count, with_index)
  local op = 'adaptive_max_pool2d'
  local n, size = plane(t, op, 4), shape_of(t)
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
  local out, index = max_pool(t, kernel, kernel, ZERO, ONE, false)
  if not with_index then return out end
  local places = raw.add(raw.unsqueeze(raw.mul(raw.sub(rows, 1), width), 2), columns)
  local flat = raw.index_select(raw.view(places, -1), raw.view(index, -1), 1)
  return out, raw.view(flat, shape_of(index))
end)

return pool
