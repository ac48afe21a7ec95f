--- CosineEmbeddingLoss: for rows x1, x2 of (N, D) or (D): 1 - cos where target is 1, max(cos - margin, 0) where it
-- is -1, and 0 where it is anything else.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

local EPSILON = 1e-12

--- One sign for each row: another size would broadcast to a loss for each pair of rows.
local function check_target(a, target)
  local n = support.ndim(a)
  local fits = n > 0 and support.ndim(target) == n - 1
  for d = 1, fits and n - 1 or 0 do fits = fits and support.size(target, d) == support.size(a, d) end
  if not fits then
    support.raise("CosineEmbeddingLoss: 'target' must have one number for each row of 'input1' of size %s, got size %s",
      support.shape_text(a), support.shape_text(target))
  end
end

return pure.class('CosineEmbeddingLoss', { 'input1', 'input2', 'target' }, {
  { 'margin', kinds.number, 0.0 },
  losses.REDUCTION,
}, function(o, a, b, target)
  losses.check_rows('CosineEmbeddingLoss', a, b, 'input1', 'input2')
  check_target(a, target)
  a, b = losses.float(a), losses.float(b)
  local product = ops.sum(ops.mul(a, b), -1)
  local aa, bb = ops.add(ops.sum(ops.square(a), -1), EPSILON), ops.add(ops.sum(ops.square(b), -1), EPSILON)
  local cos = ops.div(product, ops.sqrt(ops.mul(aa, bb)))
  local apart = ops.clamp(ops.sub(cos, o.margin), 0)
  target = losses.float(target)
  local loss = ops.where(ops.eq(target, -1), apart, support.full(cos, {}, 0))
  return losses.reduce(ops.where(ops.eq(target, 1), ops.sub(1, cos), loss), o.reduction)
end)
