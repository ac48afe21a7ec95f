--- ReLU: max(x, 0), elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops
local relu = ops.relu

return pure.class('ReLU', { 'input' }, { pure.INPLACE }, function(_, x) return relu(x) end)
