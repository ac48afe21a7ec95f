--- MultiMarginLoss: the mean over the other classes of max(margin - score of the right class + their score, 0)^p.
-- MultiMarginLoss{p=1, margin=1, weight=nil, reduction='mean'}: p is 1 or 2, weight (C) is that of the right classes.
-- Input (N, C), (C) or 0-dim (one class), target (N) or a number's tensor with classes from 1 to C.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops, size = support.ops, support.size

local function one_or_two(v)
  v = kinds.number(v)
  return (v == 1 or v == 2) and v or nil, '1 or 2'
end

local function check(x, target, weight)
  local n = support.ndim(x)
  local m = support.ndim(target)
  local fits = (n == 1 or n == 2) and (m == n - 1 or n == 1 and m == 1 and size(target, 1) == 1) and size(x, n) > 0
  if not fits or n == 2 and size(x, 1) ~= size(target, 1) then
    support.raise("MultiMarginLoss: 'target' must have one class for each row of 'input', (N, C) or (C), got %s and %s",
      support.shape_text(target), support.shape_text(x))
  end
  if weight and (support.ndim(weight) ~= 1 or size(weight, 1) ~= size(x, n)) then
    support.raise("MultiMarginLoss: 'weight' must have size (%d,), one for each class, got %s", size(x, n),
      support.shape_text(weight))
  end
end

return pure.class('MultiMarginLoss', { 'input', 'target' }, {
  { 'p', one_or_two, 1 },
  { 'margin', kinds.number, 1.0 },
  { 'weight', kinds.tensor, optional = true, tensor = true },
  losses.REDUCTION,
}, function(o, x, target, weight)
  if support.ndim(x) == 0 then x = support.reshape(x, { 1 }) end
  check(x, target, weight)
  local result = support.shape(target)
  if support.ndim(x) == 1 then target = support.reshape(target, {}) end
  local classes, at = size(x, -1), ops.unsqueeze(target, -1)
  local terms = ops.clamp(ops.add(ops.sub(x, ops.gather(x, at, -1)), o.margin), 0)
  if o.p == 2 then terms = ops.square(terms) end
  local others = ops.ne(support.beside(target, ops.arange, 1, 1, classes, support.dtype(target)), at)
  terms = ops.where(others, terms, support.full(terms, {}, 0))
  if weight then
    local own = ops.index_select(weight, support.reshape(target, { -1 }), 1)
    terms = ops.mul(terms, support.reshape(own, support.shape(at)))
  end
  return losses.reduce(support.reshape(ops.div(ops.sum(terms, -1), classes), result), o.reduction)
end)
