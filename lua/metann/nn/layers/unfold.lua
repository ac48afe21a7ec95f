--- Unfold: the patches of (N, C, H, W) or (C, H, W) as columns: (N, C * h * w, places).
-- Unfold(kernel_size, {dilation=1, padding=0, stride=1}); sizes are numbers or {vertical, horizontal}.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local im2col = support.functions.im2col

support.errors.inner_name 'im2col'

return pure.class('Unfold', { 'input' }, {
  { 'kernel_size', kinds.sides(2, 1), show = 'sides' },
  { 'dilation', kinds.sides(2, 1), 1, show = 'sides' },
  { 'padding', kinds.sides(2, 0), 0, show = 'sides' },
  { 'stride', kinds.sides(2, 1), 1, show = 'sides' },
}, function(o, x) return im2col(x, o.kernel_size, o.dilation, o.padding, o.stride) end)
