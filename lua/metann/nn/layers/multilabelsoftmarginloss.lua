--- MultiLabelSoftMarginLoss: the mean over the last dim of the cross-entropy of sigmoid(input) with targets of the same
-- size. MultiLabelSoftMarginLoss{weight=nil, reduction='mean'}: weight (C) multiplies the classes' parts.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops, logsigmoid = support.ops, support.functions.logsigmoid

return pure.class('MultiLabelSoftMarginLoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  losses.REDUCTION,
}, function(o, x, target, weight)
  losses.check_rows('MultiLabelSoftMarginLoss', x, target)
  if support.ndim(x) == 0 then
    support.raise("MultiLabelSoftMarginLoss: 'input' must have a dim of classes, got a 0-dim tensor")
  end
  local yes, no = ops.mul(target, logsigmoid(x)), ops.mul(ops.sub(1, losses.float(target)), logsigmoid(ops.neg(x)))
  local loss = ops.neg(ops.add(yes, no))
  if weight then loss = losses.weighted('MultiLabelSoftMarginLoss', 'weight', loss, weight) end
  return losses.reduce(ops.mean(loss, -1), o.reduction)
end)
