--- MaxPool1d: the largest of each window. MaxPool1d(kernel_size, {stride=kernel_size, padding=0, dilation=1,
-- return_indices=false, ceil_mode=false}). Input (N, C, L) or (C, L).
local pure = require 'metann.nn.machinery.pure'
local pooling = require 'metann.nn.shared.pooling'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('MaxPool1d', { 'input' }, {
  { 'kernel_size', kinds.sides(1, 1), show = 'sides' },
  { 'stride', pooling.stride(1), optional = true, show = 'sides' },
  { 'padding', kinds.sides(1, 0), 0, show = 'sides' },
  { 'dilation', kinds.sides(1, 1), 1, show = 'sides' },
  { 'return_indices', kinds.boolean, false, call = 6 },
  { 'ceil_mode', kinds.boolean, false, show = true, call = 5 },
}, function(o, x)
  local alone
  x, alone = pooling.batched('MaxPool1d', x, 1)
  local y, index = ops.max_pool2d(ops.unsqueeze(x, 3), { 1, o.kernel_size[1] }, { 1, o.stride[1] },
    { 0, o.padding[1] }, { 1, o.dilation[1] }, o.ceil_mode)
  y, index = ops.squeeze(y, 3), ops.squeeze(index, 3)
  if alone then y, index = ops.squeeze(y, 1), ops.squeeze(index, 1) end
  if o.return_indices then return y, index end
  return y
end, pooling.prepare('MaxPool1d'))
