--- TripletMarginWithDistanceLoss: max(d(anchor, positive) - d(anchor, negative) + margin, 0) with a distance of one's own.
-- TripletMarginWithDistanceLoss{distance_function=nil, margin=1, swap=false, reduction='mean'}: the function takes two
-- tensors, and is pairwise_distance unless given; swap takes the smaller of d(anchor, negative) and d(positive, negative).
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

local function usual(x, y) return losses.distance(x, y, 2, 1e-6) end

return pure.class('TripletMarginWithDistanceLoss', { 'anchor', 'positive', 'negative' }, {
  { 'distance_function', kinds.callable, optional = true },
  { 'margin', kinds.positive, 1.0 },
  { 'swap', kinds.boolean, false },
  losses.REDUCTION,
}, function(o, anchor, positive, negative)
  losses.check_rows('TripletMarginWithDistanceLoss', anchor, positive, 'anchor', 'positive')
  losses.check_rows('TripletMarginWithDistanceLoss', anchor, negative, 'anchor', 'negative')
  local distance = o.distance_function or usual
  local near, far = distance(anchor, positive), distance(anchor, negative)
  if o.swap then far = ops.minimum(far, distance(positive, negative)) end
  return losses.reduce(ops.clamp(ops.add(ops.sub(near, far), o.margin), 0), o.reduction)
end)
