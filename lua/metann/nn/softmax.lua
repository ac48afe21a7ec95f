--- Softmax: exp(x) over its sum along a dim. dim counts from 1, -1 is the last, and must be given.
local pure = require 'metann.nn.pure'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops
local softmax = ops.softmax

return pure.class('Softmax', { 'input' }, {
  { 'dim', kinds.dim, show = true },
}, function(o, x) return softmax(x, o.dim) end)
