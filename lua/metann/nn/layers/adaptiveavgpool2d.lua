--- AdaptiveAvgPool2d: means over windows that divide each plane into output_size, a number or {vertical, horizontal};
-- false for a side that stays as it is. Input (N, C, H, W) or (C, H, W).
local pure = require 'metann.nn.machinery.pure'
local pooling = require 'metann.nn.shared.pooling'
local support = require 'metann.support'
local ops = support.ops
local adaptive_avg_pool2d = ops.adaptive_avg_pool2d

return pure.class('AdaptiveAvgPool2d', { 'input' }, {
  { 'output_size', pooling.adaptive_sides(2), show = 'sides' },
}, function(o, x)
  local alone
  x, alone = pooling.batched('AdaptiveAvgPool2d', x, 2)
  local y = adaptive_avg_pool2d(x, pooling.adaptive_size(o.output_size, x))
  return alone and ops.squeeze(y, 1) or y
end)
