--- LogSoftmax: log of softmax along a dim, in the stable form. dim counts from 1, -1 is the last, and must be given;
-- dtype is what the input is taken as.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops
local log_softmax = ops.log_softmax

return pure.class('LogSoftmax', { 'input' }, {
  { 'dim', kinds.dim, show = true },
  { 'dtype', kinds.choice('float32', 'float64'), optional = true, named = true, show = true },
}, function(o, x)
  if o.dtype then x = ops.cast(x, o.dtype) end
  return log_softmax(x, o.dim)
end)
