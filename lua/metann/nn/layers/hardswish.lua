--- Hardswish: x * (x + 3 limited to 0 .. 6) / 6, elementwise (Howard et al. 2019).
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

return pure.class('Hardswish', { 'input' }, { pure.INPLACE }, function(_, x)
  return ops.div(ops.mul(x, ops.clamp(ops.add(x, 3), 0, 6)), 6)
end)
