--- CosineEmbeddingLoss: for rows x1, x2 of (N, D) or (D): 1 - cos where target is 1, max(cos - margin, 0) where it
-- is -1.
local pure = require 'metann.nn.pure'
local losses = require 'metann.nn.losses'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops

local EPSILON = 1e-12

return pure.class('CosineEmbeddingLoss', { 'input1', 'input2', 'target' }, {
  { 'margin', kinds.number, 0.0 },
  losses.REDUCTION,
}, function(o, a, b, target)
  losses.check_same('CosineEmbeddingLoss', a, b, 'input1', 'input2')
  local product = ops.sum(ops.mul(a, b), -1)
  local aa, bb = ops.add(ops.sum(ops.square(a), -1), EPSILON), ops.add(ops.sum(ops.square(b), -1), EPSILON)
  local cos = ops.div(product, ops.sqrt(ops.mul(aa, bb)))
  local apart = ops.clamp(ops.sub(cos, o.margin), 0)
  return losses.reduce(ops.where(ops.gt(target, 0), ops.sub(1, cos), apart), o.reduction)
end)
