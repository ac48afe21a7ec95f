--- TripletMarginLoss: max(d(anchor, positive) - d(anchor, negative) + margin, 0) with d the p-norm over the last dim
-- (Balntas et al. 2016); swap takes the smaller of d(anchor, negative) and d(positive, negative).
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('TripletMarginLoss', { 'anchor', 'positive', 'negative' }, {
  { 'margin', kinds.positive, 1.0 },
  { 'p', kinds.number, 2.0 },
  { 'eps', kinds.nonnegative, 1e-6 },
  { 'swap', kinds.boolean, false },
  losses.REDUCTION,
}, function(o, anchor, positive, negative)
  losses.check_rows('TripletMarginLoss', anchor, positive, 'anchor', 'positive')
  losses.check_rows('TripletMarginLoss', anchor, negative, 'anchor', 'negative')
  local near = losses.distance(anchor, positive, o.p, o.eps)
  local far = losses.distance(anchor, negative, o.p, o.eps)
  if o.swap then far = ops.minimum(far, losses.distance(positive, negative, o.p, o.eps)) end
  return losses.reduce(ops.clamp(ops.add(ops.sub(near, far), o.margin), 0), o.reduction)
end)
