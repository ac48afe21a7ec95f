--- KLDivLoss: target * (log target - input), where input holds log-probabilities; with log_target the target does too.
-- reduction may also be 'batchmean': the sum over the size of dim 1.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('KLDivLoss', { 'input', 'target' }, {
  { 'reduction', kinds.choice('none', 'mean', 'sum', 'batchmean'), 'mean' },
  { 'log_target', kinds.boolean, false },
}, function(o, x, target)
  losses.check_same('KLDivLoss', x, target)
  local loss
  if o.log_target then
    loss = ops.mul(ops.exp(target), ops.sub(target, x))
  else
    -- 0 log 0 is 0; the log of a negative number is NaN
    local one = support.full(target, {}, 1)
    local log = ops.log(ops.where(ops.eq(target, 0), one, target))
    loss = ops.mul(target, ops.sub(log, x))
  end
  if o.reduction ~= 'batchmean' then return losses.reduce(loss, o.reduction) end
  return ops.div(ops.sum(loss), support.ndim(loss) > 0 and support.size(loss, 1) or 1)
end)
