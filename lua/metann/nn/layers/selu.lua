--- SELU: scale * (x where x > 0, else alpha * (exp(x) - 1)), with the two numbers that keep mean 0 and variance 1
-- (Klambauer et al. 2017).
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

local ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946

return pure.class('SELU', { 'input' }, { pure.INPLACE }, function(_, x)
  return ops.mul(ops.elu(x, ALPHA), SCALE)
end)
