--- HuberLoss: half the squared difference up to delta, then delta times (difference - delta / 2) (Huber 1964).
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('HuberLoss', { 'input', 'target' }, {
  losses.REDUCTION,
  { 'delta', kinds.positive, 1.0 },
}, function(o, x, target)
  losses.check_same('HuberLoss', x, target)
  return losses.reduce(losses.huber(ops.sub(losses.float(x), losses.float(target)), o.delta), o.reduction)
end)
