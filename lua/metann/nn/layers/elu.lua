--- ELU: x where x > 0, else alpha * (exp(x) - 1) (Clevert et al. 2015).
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('ELU', { 'input' }, {
  { 'alpha', kinds.number, 1.0, show = true },
  pure.INPLACE,
}, function(o, x) return ops.elu(x, o.alpha) end)
