--- LogSigmoid: log(1 / (1 + exp(-x))), elementwise, exact for large and small x.
local pure = require 'metann.nn.machinery.pure'
local logsigmoid = require('metann.support').functions.logsigmoid

return pure.class('LogSigmoid', { 'input' }, {}, function(_, x) return logsigmoid(x) end)
