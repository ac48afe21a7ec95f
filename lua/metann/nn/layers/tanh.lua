--- Tanh: the hyperbolic tangent, elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops
local tanh = ops.tanh

return pure.class('Tanh', { 'input' }, {}, function(_, x) return tanh(x) end)
