--- What the losses share: reduction, size checks, Huber's formula, distances.
local kinds = require('metann.nn.options').kinds
local support = require 'metann.nn.support'
local ops, raise = support.ops, support.raise

local losses = {}

--- The option that every loss has.
losses.REDUCTION = { 'reduction', kinds.choice('none', 'mean', 'sum'), 'mean' }

--- The mean, the sum, or the losses themselves.
function losses.reduce(loss, reduction)
  if reduction == 'mean' then return ops.mean(loss) end
  if reduction == 'sum' then return ops.sum(loss) end
  return loss
end

--- Raises unless two inputs have the same size (or one is 0-dim): broadcasting here is a mistake nearly always.
function losses.check_same(what, x, y, x_name, y_name)
  if support.same_shape(x, y) or support.ndim(x) == 0 or support.ndim(y) == 0 then return end
  raise("%s: '%s' and '%s' must have the same size, got %s and %s", what, x_name or 'input', y_name or 'target',
    support.shape_text(x), support.shape_text(y))
end

--- d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2).
function losses.huber(d, delta)
  local near = ops.clamp(d, -delta, delta)
  return ops.mul(near, ops.sub(d, ops.mul(near, 0.5)))
end

--- The p-norm of x - y + eps over the last dim.
function losses.distance(x, y, p, eps)
  local d = ops.add(ops.sub(x, y), eps)
  if p == 2 then return ops.sqrt(ops.sum(ops.square(d), -1)) end
  return ops.pow(ops.sum(ops.pow(ops.abs(d), p), -1), 1 / p)
end

return losses
