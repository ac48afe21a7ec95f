--- ReLU6: x limited to 0 .. 6, elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

return pure.class('ReLU6', { 'input' }, { pure.INPLACE }, function(_, x)
  return ops.clamp(ops.relu(x), -math.huge, 6)
end)
