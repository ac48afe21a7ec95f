--- MarginRankingLoss: max(-target * (x1 - x2) + margin, 0): target 1 wants x1 above x2, -1 below.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('MarginRankingLoss', { 'input1', 'input2', 'target' }, {
  { 'margin', kinds.number, 0.0 },
  losses.REDUCTION,
}, function(o, a, b, target)
  losses.check_same('MarginRankingLoss', a, b, 'input1', 'input2')
  losses.check_same('MarginRankingLoss', a, target, 'input1', 'target')
  local loss = ops.sub(o.margin, ops.mul(target, ops.sub(losses.float(a), losses.float(b))))
  return losses.reduce(ops.clamp(loss, 0), o.reduction)
end)
