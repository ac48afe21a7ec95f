--- HingeEmbeddingLoss: input where target is 1, max(margin - input, 0) where it is -1, and their sum elsewhere.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('HingeEmbeddingLoss', { 'input', 'target' }, {
  { 'margin', kinds.number, 1.0 },
  losses.REDUCTION,
}, function(o, x, target)
  losses.check_same('HingeEmbeddingLoss', x, target)
  x = losses.float(x)
  local zero = support.full(x, {}, 0)
  local apart = ops.where(ops.ne(target, 1), ops.clamp(ops.sub(o.margin, x), 0), zero)
  return losses.reduce(ops.add(apart, ops.where(ops.ne(target, -1), x, zero)), o.reduction)
end)
