--- Softplus: log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('Softplus', { 'input' }, {
  { 'beta', kinds.positive, 1, show = true },
  { 'threshold', kinds.number, 20, show = true },
}, function(o, x) return ops.softplus(x, o.beta, o.threshold) end)
