--- Softsign: x / (1 + |x|), elementwise (Turian et al. 2009).
local pure = require 'metann.nn.machinery.pure'
local ops = require('metann.support').ops
local div, add, abs = ops.div, ops.add, ops.abs

return pure.class('Softsign', { 'input' }, {}, function(_, x) return div(x, add(abs(x), 1)) end)
