--- Fold: columns (N, C * h * w, places) or (C * h * w, places) added back into planes of output_size; Unfold's transpose.
-- Fold(output_size, kernel_size, {dilation=1, padding=0, stride=1}); sizes are numbers or {vertical, horizontal}.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local col2im = support.functions.col2im

support.errors.inner_name 'col2im'

return pure.class('Fold', { 'input' }, {
  { 'output_size', kinds.sides(2, 1), show = 'sides' },
  { 'kernel_size', kinds.sides(2, 1), show = 'sides' },
  { 'dilation', kinds.sides(2, 1), 1, show = 'sides' },
  { 'padding', kinds.sides(2, 0), 0, show = 'sides' },
  { 'stride', kinds.sides(2, 1), 1, show = 'sides' },
}, function(o, x) return col2im(x, o.output_size, o.kernel_size, o.dilation, o.padding, o.stride) end)
