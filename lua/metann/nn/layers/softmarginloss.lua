--- SoftMarginLoss: log(1 + exp(-target * input)), where target holds 1 and -1 and has the input's size.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local ops = require('metann.support').ops

return pure.class('SoftMarginLoss', { 'input', 'target' }, {
  losses.REDUCTION,
}, function(o, x, target)
  losses.check_same('SoftMarginLoss', x, target)
  return losses.reduce(ops.softplus(ops.neg(ops.mul(x, target)), 1, 40), o.reduction)
end)
