--- Hardshrink: x where |x| > lambd, else 0.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('Hardshrink', { 'input' }, {
  { 'lambd', kinds.number, 0.5, show = true },
}, function(o, x)
  return ops.where(ops.le(ops.abs(x), o.lambd), support.full(x, {}, 0), x)
end)
