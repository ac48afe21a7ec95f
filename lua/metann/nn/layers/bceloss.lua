--- BCELoss: cross-entropy of probabilities `input` with targets of the same size. Anything outside 0 to 1 in either, NaN
-- too, is an error; in a recording, which can't look, the loss is NaN there. Logs are cut at -100 as in PyTorch, and where
-- they are cut, at probabilities of exactly 0 and 1 that is, their derivative is 0.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

local LEAST = -100
-- Below these the log is cut, or one over the number is more than the dtype holds.
local TINY = { float32 = 1.18e-38, float64 = math.exp(LEAST) }

--- log(x) where `here`, LEAST elsewhere; `stand_in` is put into log in place of the rest, so that nothing there is
-- infinite.
local function cut(log, x, here, stand_in)
  local dtype = support.dtype(x)
  local safe = ops.where(here, x, support.beside(x, ops.full, {}, stand_in, dtype))
  return ops.where(here, ops.clamp(log(safe), LEAST), support.beside(x, ops.full, {}, LEAST, dtype))
end

local function log_rest(x) return ops.log1p(ops.neg(x)) end

return pure.class('BCELoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  losses.REDUCTION,
}, function(o, x, target, weight)
  losses.check_same('BCELoss', x, target)
  x, target = losses.float(x), losses.float(target)
  losses.check_probabilities('BCELoss', 'input', x)
  losses.check_probabilities('BCELoss', 'target', target)
  local yes = cut(ops.log, x, ops.gt(x, TINY[support.dtype(x)] or 0), 1)
  local no = cut(log_rest, x, ops.lt(x, 1), 0)
  local loss = ops.neg(ops.add(ops.mul(target, yes), ops.mul(ops.sub(1, target), no)))
  loss = losses.of_probabilities(loss, x, target)
  if weight then loss = losses.weighted('BCELoss', 'weight', loss, weight) end
  return losses.reduce(loss, o.reduction)
end)
