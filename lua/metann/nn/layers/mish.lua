--- Mish: x * tanh(log(1 + exp(x))), elementwise (Misra 2019).
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

-- Beyond this, log(1 + exp(x)) is x in float64 too.
local EXACT = 40

return pure.class('Mish', { 'input' }, { pure.INPLACE }, function(_, x)
  return ops.mul(x, ops.tanh(ops.softplus(x, 1, EXACT)))
end)
