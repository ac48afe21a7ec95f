--- GELU: x times the normal distribution function of x (Hendrycks and Gimpel 2016); approximate='tanh' for the tanh
-- formula.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('GELU', { 'input' }, {
  { 'approximate', kinds.choice('none', 'tanh'), 'none', show = 'quoted' },
}, function(o, x) return ops.gelu(x, o.approximate) end)
