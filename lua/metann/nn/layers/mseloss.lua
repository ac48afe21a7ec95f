--- MSELoss: squared difference of input and target, which have the same size; reduction 'mean', 'sum' or 'none'.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local ops = require('metann.support').ops

return pure.class('MSELoss', { 'input', 'target' }, {
  losses.REDUCTION,
}, function(o, x, target)
  losses.check_same('MSELoss', x, target)
  return losses.reduce(ops.square(ops.sub(x, target)), o.reduction)
end)
