--- What the losses share: reduction, size checks, Huber's formula, distances.
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops, raise, norm = support.ops, support.raise, support.functions.norm

local losses = {}

--- The option that every loss has.
losses.REDUCTION = { 'reduction', kinds.choice('none', 'mean', 'sum'), 'mean' }

--- The mean, the sum, or the losses themselves.
function losses.reduce(loss, reduction)
  if reduction == 'mean' then return ops.mean(loss) end
  if reduction == 'sum' then return ops.sum(loss) end
  return loss
end

--- Integers and bools as floats of the default dtype, for formulas with fractions; floats as they are.
losses.float = support.as_float

local function sizes_differ(what, x, y, x_name, y_name)
  raise("%s: '%s' and '%s' must have the same size, got %s and %s", what, x_name or 'input', y_name or 'target',
    support.shape_text(x), support.shape_text(y))
end

--- Raises unless two inputs have the same size (or one is 0-dim): broadcasting here is a mistake nearly always.
function losses.check_same(what, x, y, x_name, y_name)
  if support.same_shape(x, y) or support.ndim(x) == 0 or support.ndim(y) == 0 then return end
  sizes_differ(what, x, y, x_name, y_name)
end

--- Raises unless two inputs broadcast, for losses that take this on purpose.
function losses.check_broadcast(what, x, y)
  for d = 1, math.min(support.ndim(x), support.ndim(y)) do
    local n, m = support.size(x, -d), support.size(y, -d)
    if n ~= m and n ~= 1 and m ~= 1 then
      raise("%s: 'input' and 'target' must have sizes that broadcast, got %s and %s", what, support.shape_text(x),
        support.shape_text(y))
    end
  end
end

--- Raises unless two inputs have the same size, for losses that reduce a dim of each: a 0-dim one would count once only.
function losses.check_rows(what, x, y, x_name, y_name)
  if not support.same_shape(x, y) then sizes_differ(what, x, y, x_name, y_name) end
end

--- loss times a weight that broadcasts to its size; one that would make it larger is an error.
function losses.weighted(what, name, loss, weight)
  local product = ops.mul(loss, weight)
  if support.same_shape(product, loss) then return product end
  return raise("%s: '%s' must broadcast to the size of the losses, %s, got size %s", what, name, support.shape_text(loss),
    support.shape_text(weight))
end

--- Raises unless a tensor holds probabilities. It reads two numbers of the data: the one place in the losses that does,
-- and not while recording: see losses.of_probabilities.
function losses.check_probabilities(what, name, t)
  if support.numel(t) == 0 or support.is_recording() then return end
  t = ops.detach(t)
  local low, high = ops.amin(t):item(), ops.amax(t):item()
  -- false for NaN, too
  if low >= 0 and high <= 1 then return end
  raise("%s: '%s' must be numbers from 0 to 1, got %s", what, name,
    low == low and ('numbers from %g to %g'):format(low, high) or 'nan')
end

--- A loss of probabilities, which check_probabilities has looked at; while recording, NaN where one of them is none.
function losses.of_probabilities(loss, ...)
  if not support.is_recording() then return loss end
  for i = 1, select('#', ...) do
    local t = ops.detach((select(i, ...)))
    loss = support.nan_unless(ops.logical_and(ops.ge(t, 0), ops.le(t, 1)), loss)
  end
  return loss
end

--- d^2 / 2 where |d| <= delta, else delta * (|d| - delta / 2).
function losses.huber(d, delta)
  local near = ops.clamp(d, -delta, delta)
  return ops.mul(near, ops.sub(d, ops.mul(near, 0.5)))
end

--- The p-norm of x - y + eps over the last dim.
function losses.distance(x, y, p, eps, keepdim)
  return norm(ops.add(ops.sub(losses.float(x), losses.float(y)), eps), p, -1, keepdim)
end

return losses
