--- Rprop (Riedmiller and Braun 1993): only the gradient's sign counts. Each element has a step size of its own, which
-- grows while the sign stays and shrinks where it turned; there the element rests for a step.
local kinds = require 'metann.arguments.kinds'
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local mul, sub, where = ops.mul, ops.sub, ops.where
local mul_over = shared.mul_over

--- Step sizes and gradient after a look at whether the gradient agrees with that of the step before.
local function adjusted(g, previous, size, etas)
  local dtype = support.dtype(size)
  local function number(x) return ops.full({}, x, dtype) end
  local agreement = mul(g, previous)
  local turned = ops.lt(agreement, 0)
  local factor = where(turned, number(etas[1]), number(1))
  factor = where(ops.gt(agreement, 0), number(etas[2]), factor)
  return mul_over(factor, size), where(turned, number(0), g)
end

local function update(p, g, state, o)
  if o.maximize then g = ops.neg(g) end
  local size = state.step_size
  if size then
    size, g = adjusted(g, state.prev, size, o.etas)
  else
    size = ops.add(support.functions.zeros_like(p), o.lr)
  end
  size = ops.clamp(size, o.step_sizes[1], o.step_sizes[2])
  return sub(p, mul_over(ops.sign(g), size)), { prev = g, step_size = size }
end

--- A kind: a list of two numbers that `fits` takes.
local function two(fits, expected)
  return function(v)
    local numbers = type(v) == 'table' and #v == 2 and kinds.nonnegative(v[1]) and kinds.nonnegative(v[2])
    return numbers and fits(v[1], v[2]) and v or nil, 'a list of two numbers, ' .. expected
  end
end

return {
  name = 'Rprop',
  state = { 'prev', 'step_size' },
  positions = { 'lr', 'etas', 'step_sizes' },
  defaults = { lr = 1e-2, etas = { 0.5, 1.2 }, step_sizes = { 1e-6, 50 }, maximize = false },
  kinds = {
    etas = two(function(low, high) return low > 0 and low < 1 and high > 1 end, 'one between 0 and 1 and one above 1'),
    step_sizes = two(function(low, high) return low <= high end, 'the smallest and the largest step'),
  },
  update = update,
  elementwise = true,
}
