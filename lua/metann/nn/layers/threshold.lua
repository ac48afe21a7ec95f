--- Threshold: x where x > threshold, else value.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('Threshold', { 'input' }, {
  { 'threshold', kinds.number, show = true },
  { 'value', kinds.number, show = true },
  pure.INPLACE,
}, function(o, x)
  return ops.where(ops.le(x, o.threshold), support.full(x, {}, o.value), x)
end)
