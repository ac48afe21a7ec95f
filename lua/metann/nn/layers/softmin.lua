--- Softmin: exp(-x) over its sum along a dim. dim counts from 1, -1 is the last, and must be given; dtype is what the
-- input is taken as.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('Softmin', { 'input' }, {
  { 'dim', kinds.dim, show = true },
  { 'dtype', kinds.choice('float32', 'float64'), optional = true, named = true, show = true },
}, function(o, x)
  if o.dtype then x = ops.cast(x, o.dtype) end
  return ops.softmax(ops.neg(x), o.dim)
end)
