--- AdaptiveAvgPool2d: means over windows that divide each plane into output_size, a number or {vertical, horizontal}.
-- Input (N, C, H, W) or (C, H, W).
local pure = require 'metann.nn.pure'
local pooling = require 'metann.nn.pooling'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops
local adaptive_avg_pool2d = ops.adaptive_avg_pool2d

return pure.class('AdaptiveAvgPool2d', { 'input' }, {
  { 'output_size', kinds.sides(2, 1), show = 'sides' },
}, function(o, x)
  local alone
  x, alone = pooling.batched('AdaptiveAvgPool2d', x, 2)
  local y = adaptive_avg_pool2d(x, o.output_size)
  return alone and ops.squeeze(y, 1) or y
end)
