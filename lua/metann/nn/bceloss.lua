--- BCELoss: cross-entropy of probabilities `input` with targets of the same size; logs are cut at -100 as in PyTorch.
local pure = require 'metann.nn.pure'
local losses = require 'metann.nn.losses'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops

return pure.class('BCELoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  losses.REDUCTION,
}, function(o, x, target, weight)
  losses.check_same('BCELoss', x, target)
  local yes = ops.clamp(ops.log(x), -100)
  local no = ops.clamp(ops.log1p(ops.neg(x)), -100)
  local loss = ops.neg(ops.add(ops.mul(target, yes), ops.mul(ops.sub(1, target), no)))
  if weight then loss = ops.mul(loss, weight) end
  return losses.reduce(loss, o.reduction)
end)
