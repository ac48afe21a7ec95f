--- Sigmoid: 1 / (1 + exp(-x)), elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops
local sigmoid = ops.sigmoid

return pure.class('Sigmoid', { 'input' }, {}, function(_, x) return sigmoid(x) end)
