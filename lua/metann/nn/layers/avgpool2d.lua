--- AvgPool2d: the mean of each window. AvgPool2d(kernel_size, {stride=kernel_size, padding=0, ceil_mode=false,
-- count_include_pad=true, divisor_override=nil}); sizes are numbers or {vertical, horizontal}. divisor_override is what
-- sums of windows are divided by instead of the window's size. Input (N, C, H, W) or (C, H, W).
local pure = require 'metann.nn.machinery.pure'
local pooling = require 'metann.nn.shared.pooling'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops
local avg_pool2d = ops.avg_pool2d

--- How far windows reach past the end of a dim, padding included, when ceil_mode lets the last one overhang.
local function overhang(o, size, i)
  local kernel, stride, padding = o.kernel_size[i], o.stride[i], o.padding[i]
  local count = math.ceil((size + 2 * padding - kernel) / stride) + 1
  if (count - 1) * stride >= size + padding then count = count - 1 end
  return math.max((count - 1) * stride + kernel - size - 2 * padding, 0)
end

--- Sums of windows over the divisor: zeros are put around first, so that all windows are whole.
local function overridden(o, x)
  local bottom, right = o.padding[1], o.padding[2]
  if o.ceil_mode then
    bottom, right = bottom + overhang(o, support.size(x, 3), 1), right + overhang(o, support.size(x, 4), 2)
  end
  x = support.functions.pad(x, { o.padding[2], right, o.padding[1], bottom })
  local kernel = o.kernel_size
  return ops.mul(avg_pool2d(x, kernel, o.stride, { 0, 0 }, false, true), kernel[1] * kernel[2] / o.divisor_override)
end

return pure.class('AvgPool2d', { 'input' }, {
  { 'kernel_size', kinds.sides(2, 1), show = 'sides' },
  { 'stride', pooling.stride(2), optional = true, show = 'sides' },
  { 'padding', kinds.sides(2, 0), 0, show = 'sides' },
  { 'ceil_mode', kinds.boolean, false },
  { 'count_include_pad', kinds.boolean, true },
  { 'divisor_override', pooling.divisor, optional = true },
}, function(o, x)
  local alone, y
  x, alone = pooling.batched('AvgPool2d', x, 2)
  if o.divisor_override then
    y = overridden(o, x)
  else
    y = avg_pool2d(x, o.kernel_size, o.stride, o.padding, o.ceil_mode, o.count_include_pad)
  end
  return alone and ops.squeeze(y, 1) or y
end, pooling.prepare('AvgPool2d'))
