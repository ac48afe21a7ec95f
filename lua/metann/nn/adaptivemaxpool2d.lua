--- AdaptiveMaxPool2d: the largest of each of the windows that divide a plane into output_size, a number or {vertical,
-- horizontal}; AdaptiveMaxPool2d(output_size, {return_indices=false}). Input (N, C, H, W) or (C, H, W). With
-- return_indices also where each stands in its plane, (h - 1) W + w counted from 1.
local pure = require 'metann.nn.pure'
local kinds = require('metann.nn.options').kinds
local adaptive_max_pool2d = require('metann.nn.support').functions.adaptive_max_pool2d

return pure.class('AdaptiveMaxPool2d', { 'input' }, {
  { 'output_size', kinds.sides(2, 1), show = 'sides' },
  { 'return_indices', kinds.boolean, false },
}, function(o, x) return adaptive_max_pool2d(x, o.output_size, o.return_indices) end)
