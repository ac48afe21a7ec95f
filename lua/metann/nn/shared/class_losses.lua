--- What the losses over classes share. The class dim is 2, or 1 of an input without a batch.
local support = require 'metann.support'
local ops, raise = support.ops, support.raise
local ndim, size = support.ndim, support.size
local nll_loss = ops.nll_loss

local classes = {}

function classes.no_classes(what) raise("%s: 'input' must have a dim of classes, got a 0-dim tensor", what) end

local function check_weight(what, log_p, weight)
  if not weight then return end
  local count, kind = size(log_p, ndim(log_p) == 1 and 1 or 2), support.dtype(log_p)
  if ndim(weight) ~= 1 or size(weight, 1) ~= count or support.dtype(weight) ~= kind then
    raise("%s: 'weight' must have size (%d,), one for each class, and the input's dtype %s, got %s", what, count, kind,
      support.describe(weight))
  end
end

local function check(what, log_p, target, weight)
  local n, m = ndim(log_p), ndim(target)
  local fits = m == n - 1
  if fits and n > 1 then fits = size(log_p, 1) == size(target, 1) end
  for d = 3, fits and n or 0 do fits = fits and size(log_p, d) == size(target, d - 1) end
  if not fits then
    raise("%s: 'target' of size %s doesn't fit 'input' of size %s: expected one class for each row of scores%s", what,
      support.shape_text(target), support.shape_text(log_p), m == n and ' (or probabilities of the same size)' or '')
  end
  check_weight(what, log_p, weight)
  if weight and support.requires_grad(weight) and support.records_grad() then
    raise("%s: 'weight' must not require grad: where 'target' holds classes, there is no derivative by it", what)
  end
end

local function run(what, log_p, target, weight, o)
  if ndim(log_p) == 0 then classes.no_classes(what) end
  check(what, log_p, target, weight)
  if ndim(log_p) > 1 then return nll_loss(log_p, target, weight, o.reduction, o.ignore_index) end
  local loss, total = nll_loss(ops.unsqueeze(log_p, 1), ops.unsqueeze(target, 1), weight, o.reduction, o.ignore_index)
  if o.reduction == 'none' then loss = ops.squeeze(loss) end
  return loss, total
end

--- Negative log-likelihood of log-probabilities at target classes.
-- @param what the loss's name, for messages
-- @param log_p log-probabilities (N, C, ...) or (C)
-- @param target classes from 1, (N, ...) or ()
-- @param weight of the classes, (C), or nil
-- @param o options: reduction, ignore_index
function classes.nll(what, log_p, target, weight, o) return (run(what, log_p, target, weight, o)) end

--- The loss against probabilities of the same size as log_p.
function classes.probabilities(what, log_p, target, weight, o)
  if o.ignore_index >= 0 then
    raise("%s: 'ignore_index' (%d) is a class, but 'target' holds probabilities", what, o.ignore_index)
  end
  check_weight(what, log_p, weight)
  local n = ndim(log_p)
  local dim = n == 1 and 1 or 2
  local s = o.label_smoothing
  if s > 0 then target = ops.add(ops.mul(target, 1 - s), s / size(log_p, dim)) end
  local product = ops.mul(log_p, target)
  if weight then product = ops.mul(product, support.along_channels(weight, n)) end
  local loss = ops.neg(ops.sum(product, dim))
  if o.reduction == 'none' then return loss end
  local sum = ops.sum(loss)
  if o.reduction == 'sum' or n == 1 then return sum end
  return ops.div(sum, support.numel(log_p) / size(log_p, dim))
end

--- The loss against classes mixed with the uniform distribution.
function classes.smoothed(what, log_p, target, weight, o)
  local n = ndim(log_p)
  local dim, s = n == 1 and 1 or 2, o.label_smoothing
  local loss, total = run(what, log_p, target, weight, o)
  local weighted = weight and ops.mul(log_p, support.along_channels(weight, n)) or log_p
  local uniform = ops.neg(ops.sum(weighted, dim))
  local counts = ops.ne(target, o.ignore_index)
  uniform = ops.where(counts, uniform, support.full(uniform, {}, 0))
  if o.reduction ~= 'none' then uniform = ops.sum(uniform) end
  if o.reduction == 'mean' then uniform = ops.div(uniform, total) end
  return ops.add(ops.mul(loss, 1 - s), ops.mul(uniform, s / size(log_p, dim)))
end

return classes
