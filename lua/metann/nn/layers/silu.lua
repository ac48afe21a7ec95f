--- SiLU: x * sigmoid(x), elementwise (also called swish).
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops
local silu = ops.silu

return pure.class('SiLU', { 'input' }, { pure.INPLACE }, function(_, x) return silu(x) end)
