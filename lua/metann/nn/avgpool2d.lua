--- AvgPool2d: the mean of each window. AvgPool2d(kernel_size, {stride=kernel_size, padding=0, ceil_mode=false,
-- count_include_pad=true}); sizes are numbers or {vertical, horizontal}. Input (N, C, H, W) or (C, H, W).
local pure = require 'metann.nn.pure'
local pooling = require 'metann.nn.pooling'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops
local avg_pool2d = ops.avg_pool2d

return pure.class('AvgPool2d', { 'input' }, {
  { 'kernel_size', kinds.sides(2, 1), show = 'sides' },
  { 'stride', kinds.sides(2, 1), optional = true, show = 'sides' },
  { 'padding', kinds.sides(2, 0), 0, show = 'sides' },
  { 'ceil_mode', kinds.boolean, false },
  { 'count_include_pad', kinds.boolean, true },
}, function(o, x)
  local alone
  x, alone = pooling.batched('AvgPool2d', x, 2)
  local y = avg_pool2d(x, o.kernel_size, o.stride, o.padding, o.ceil_mode, o.count_include_pad)
  return alone and ops.squeeze(y, 1) or y
end, pooling.prepare('AvgPool2d'))
