--- MaxPool2d: the largest of each window. MaxPool2d(kernel_size, {stride=kernel_size, padding=0, dilation=1,
-- return_indices=false, ceil_mode=false}); sizes are numbers or {vertical, horizontal}. Input (N, C, H, W) or (C, H,
-- W). With return_indices also where each stands in its plane, (h - 1) W + w counted from 1.
local pure = require 'metann.nn.machinery.pure'
local pooling = require 'metann.nn.shared.pooling'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops
local max_pool2d, batched = ops.max_pool2d, pooling.batched

return pure.class('MaxPool2d', { 'input' }, {
  { 'kernel_size', kinds.sides(2, 1), show = 'sides' },
  { 'stride', pooling.stride(2), optional = true, show = 'sides' },
  { 'padding', kinds.sides(2, 0), 0, show = 'sides' },
  { 'dilation', kinds.sides(2, 1), 1, show = 'sides' },
  { 'return_indices', kinds.boolean, false, call = 6 },
  { 'ceil_mode', kinds.boolean, false, show = true, call = 5 },
}, function(o, x)
  local alone
  x, alone = batched('MaxPool2d', x, 2)
  local y, index = max_pool2d(x, o.kernel_size, o.stride, o.padding, o.dilation, o.ceil_mode)
  if alone then y = ops.squeeze(y, 1) end
  if not o.return_indices then return y end
  return y, alone and ops.squeeze(index, 1) or index
end, pooling.prepare('MaxPool2d'))
