--- SmoothL1Loss: Huber's loss over beta: the absolute difference, squared near 0 (Girshick 2015).
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('SmoothL1Loss', { 'input', 'target' }, {
  losses.REDUCTION,
  { 'beta', kinds.nonnegative, 1.0 },
}, function(o, x, target)
  losses.check_same('SmoothL1Loss', x, target)
  local difference = ops.sub(losses.float(x), losses.float(target))
  if o.beta == 0 then return losses.reduce(ops.abs(difference), o.reduction) end
  return losses.reduce(ops.div(losses.huber(difference, o.beta), o.beta), o.reduction)
end)
