--- MultiLabelMarginLoss: for each right class and each other one max(1 - score of the right + score of the other, 0),
-- summed over all pairs and divided by the number of classes. Input (N, C), (C) or 0-dim (one class); target, of the
-- same size, has the right classes of each row from 1 to C, ended by a number below 1 unless there are C.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local support = require 'metann.support'
local ops = support.ops

--- True where target has classes, before the first number below 1 of a row.
local function listed(target)
  return ops.eq(ops.cumsum(ops.cast(ops.lt(target, 1), 'int64'), -1), 0)
end

return pure.class('MultiLabelMarginLoss', { 'input', 'target' }, {
  losses.REDUCTION,
}, function(o, x, target)
  if support.ndim(x) == 0 then x = support.reshape(x, { 1 }) end
  if support.ndim(target) == 0 then target = support.reshape(target, { 1 }) end
  losses.check_rows('MultiLabelMarginLoss', x, target)
  local n = support.ndim(x)
  if n ~= 1 and n ~= 2 then
    support.raise("MultiLabelMarginLoss: 'input' must be a tensor of size (N, C) or (C), got %s", support.describe(x))
  end
  local dtype, counts = support.dtype(x), listed(target)
  local at = ops.where(counts, target, support.full(target, {}, 1))
  local right = ops.scatter_add(support.full(x, support.shape(x), 0), at, ops.cast(counts, dtype), -1)
  -- (..., right classes, other classes)
  local terms = ops.sub(ops.unsqueeze(x, -2), ops.unsqueeze(ops.gather(x, at, -1), -1))
  local pairs_of = ops.logical_and(ops.unsqueeze(counts, -1), ops.unsqueeze(ops.eq(right, 0), -2))
  terms = ops.where(pairs_of, ops.clamp(ops.add(terms, 1), 0), support.full(x, {}, 0))
  return losses.reduce(ops.div(ops.sum(terms, { -2, -1 }), support.size(x, -1)), o.reduction)
end)
