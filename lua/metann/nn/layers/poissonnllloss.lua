--- PoissonNLLLoss: minus the log-likelihood of counts `target` under Poisson distributions, without the term of target
-- alone: exp(input) - target * input, or without log_input input - target * log(input + eps).
-- PoissonNLLLoss{log_input=true, full=false, eps=1e-8, reduction='mean'}; full adds that term, by Stirling's formula.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

--- log(target!) for targets above 1, and 0 for the others.
local function stirling(target)
  local many = ops.gt(target, 1)
  local safe = ops.where(many, target, support.full(target, {}, 1))
  local term = ops.add(ops.sub(ops.mul(safe, ops.log(safe)), safe), ops.mul(ops.log(ops.mul(safe, 2 * math.pi)), 0.5))
  return ops.where(many, term, support.full(target, {}, 0))
end

return pure.class('PoissonNLLLoss', { 'input', 'target' }, {
  { 'log_input', kinds.boolean, true },
  { 'full', kinds.boolean, false },
  { 'eps', kinds.nonnegative, 1e-8 },
  losses.REDUCTION,
}, function(o, x, target)
  losses.check_same('PoissonNLLLoss', x, target)
  x, target = losses.float(x), losses.float(target)
  local loss
  if o.log_input then
    loss = ops.sub(ops.exp(x), ops.mul(target, x))
  else
    loss = ops.sub(x, ops.mul(target, ops.log(ops.add(x, o.eps))))
  end
  if o.full then loss = ops.add(loss, stirling(target)) end
  return losses.reduce(loss, o.reduction)
end)
