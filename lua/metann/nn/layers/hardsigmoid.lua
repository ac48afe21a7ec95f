--- Hardsigmoid: (x + 3 limited to 0 .. 6) / 6, elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

return pure.class('Hardsigmoid', { 'input' }, { pure.INPLACE }, function(_, x)
  return ops.div(ops.clamp(ops.add(x, 3), 0, 6), 6)
end)
