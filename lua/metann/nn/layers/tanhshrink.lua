--- Tanhshrink: x - tanh(x), elementwise.
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops

return pure.class('Tanhshrink', { 'input' }, {}, function(_, x) return ops.sub(x, ops.tanh(x)) end)
