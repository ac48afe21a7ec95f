--- AdaptiveMaxPool2d: the largest of each of the windows that divide a plane into output_size, a number or {vertical,
-- horizontal}, false for a side that stays as it is; AdaptiveMaxPool2d(output_size, {return_indices=false}). Input
-- (N, C, H, W) or (C, H, W). With return_indices also where each stands in its plane, (h - 1) W + w counted from 1.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local pooling = require 'metann.nn.shared.pooling'
local support = require 'metann.support'
local ops, adaptive_max_pool2d = support.ops, support.functions.adaptive_max_pool2d

return pure.class('AdaptiveMaxPool2d', { 'input' }, {
  { 'output_size', pooling.adaptive_sides(2), show = 'sides' },
  { 'return_indices', kinds.boolean, false },
}, function(o, x)
  local alone
  x, alone = pooling.batched('AdaptiveMaxPool2d', x, 2)
  local y, index = adaptive_max_pool2d(x, pooling.adaptive_size(o.output_size, x), o.return_indices)
  if alone then y, index = ops.squeeze(y, 1), index and ops.squeeze(index, 1) end
  return y, index
end)
