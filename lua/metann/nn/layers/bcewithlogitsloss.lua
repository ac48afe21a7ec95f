--- BCEWithLogitsLoss: cross-entropy of sigmoid(input) with targets of the same size, in the stable form; pos_weight
-- multiplies the positive targets' part.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

-- Beyond this, log(1 + exp(z)) is z in float64 too.
local EXACT = 40

return pure.class('BCEWithLogitsLoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  losses.REDUCTION,
  { 'pos_weight', kinds.tensor, optional = true, tensor = true },
}, function(o, x, target, weight, pos_weight)
  losses.check_same('BCEWithLogitsLoss', x, target)
  -- (1 - t) x + (1 + (p - 1) t) log(1 + exp(-x))
  local tail = ops.softplus(ops.neg(x), 1, EXACT)
  if pos_weight then
    tail = losses.weighted('BCEWithLogitsLoss', 'pos_weight', tail, ops.add(ops.mul(ops.sub(pos_weight, 1), target), 1))
  end
  local loss = ops.add(ops.mul(ops.sub(1, target), x), tail)
  if weight then loss = losses.weighted('BCEWithLogitsLoss', 'weight', loss, weight) end
  return losses.reduce(loss, o.reduction)
end)
