--- PairwiseDistance: the p-norm of x1 - x2 + eps over the last dim.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds

return pure.class('PairwiseDistance', { 'x1', 'x2' }, {
  { 'p', kinds.number, 2.0, show = true },
  { 'eps', kinds.nonnegative, 1e-6, show = true },
  { 'keepdim', kinds.boolean, false, show = 'true' },
}, function(o, x1, x2) return losses.distance(x1, x2, o.p, o.eps, o.keepdim) end)
