--- LeakyReLU: x where x > 0, else negative_slope * x.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('LeakyReLU', { 'input' }, {
  { 'negative_slope', kinds.number, 0.01, show = true },
  pure.INPLACE,
}, function(o, x) return ops.leaky_relu(x, o.negative_slope) end)
