--- Adafactor (Shazeer and Stern 2018, "Adafactor: adaptive learning rates with sublinear memory cost"), as PyTorch has
-- it: of a matrix's mean squares it keeps only those of the rows and of the columns. Steps are in proportion to the
-- size of the weights, and are cut where they are more than d times what was expected.
local shared = require 'metann.optim.shared'
local kinds = require 'metann.arguments.kinds'
local support = require 'metann.support'
local ops = support.ops
local add, mul, div, square, sqrt = ops.add, ops.mul, ops.div, ops.square, ops.sqrt
local mul_over = shared.mul_over

-- What 1 is apart from the next number of a dtype: eps[1], where none is given.
local ULP = { float64 = 2 ^ -52, float32 = 2 ^ -23, float16 = 2 ^ -10, bfloat16 = 2 ^ -7 }

--- The share of the new squares in the averages, and the step size before that of the weights.
local function prepare(state, o)
  local step = shared.next_step(state)
  return { step = step, share = ops.pow(step, o.beta2_decay), rho = ops.minimum(ops.rsqrt(step), o.lr) }
end

--- old + share (new - old); old nil stands for zeros.
local function average(old, new, share)
  if not old then return mul(new, share) end
  return add(old, mul(ops.sub(new, old), share))
end

local function root_mean_square(t) return sqrt(ops.mean(square(t))) end

--- The estimate of the squares, and the state that it is made of.
local function estimate(g, state, share, eps)
  local squares = square(g)
  if support.ndim(g) < 2 then
    local variance = average(state.variance, squares, share)
    return variance, { variance = variance }
  end
  local rows = average(state.row_var, ops.mean(squares, -1, true), share)
  local columns = average(state.col_var, ops.mean(squares, -2, true), share)
  local whole = ops.clamp(ops.mean(rows, -2, true), eps)
  return div(mul(rows, columns), whole), { row_var = rows, col_var = columns }
end

local function update(p, g, state, o, numbers)
  if o.maximize then g = ops.neg(g) end
  numbers = numbers or prepare(state, o)
  local eps = o.eps[1] or ULP[support.dtype(p)]
  local size = mul(ops.clamp(root_mean_square(p), o.eps[2]), numbers.rho)
  local squares, new = estimate(g, state, numbers.share, eps)
  local direction = mul_over(ops.rsqrt(ops.clamp(squares, eps * eps)), g)
  local beyond = ops.clamp(div(root_mean_square(direction), o.d), 1)
  new.step = numbers.step
  return ops.sub(shared.shrink(p, o), mul_over(direction, div(size, beyond))), new
end

--- The sizes of a state that aren't those of the parameter.
local function sizes(name, p)
  local shape = support.shape(p)
  if name == 'row_var' then shape[#shape] = 1 end
  if name == 'col_var' then shape[#shape - 1] = 1 end
  return shape
end

local function at_most_0(v)
  return type(v) == 'number' and v <= 0 and v or nil, 'a number of at most 0'
end

local function at_least_1(v)
  return type(v) == 'number' and v >= 1 and v or nil, 'a number of at least 1'
end

--- The first may be false (PyTorch's None).
local function two(v)
  local fits = type(v) == 'table' and (not v[1] or kinds.nonnegative(v[1])) and kinds.nonnegative(v[2])
  return fits and { v[1] or false, v[2] } or nil, 'a list of two numbers of at least 0, the first of which may be false'
end

return {
  name = 'Adafactor',
  state = { 'step', 'row_var', 'col_var', 'variance' },
  counts = { 'step' },
  positions = { 'lr', 'beta2_decay', 'eps', 'd', 'weight_decay' },
  defaults = { lr = 1e-2, beta2_decay = -0.8, eps = { false, 1e-3 }, d = 1, weight_decay = 0, maximize = false },
  kinds = { beta2_decay = at_most_0, d = at_least_1, eps = two },
  sizes = sizes,
  prepare = prepare,
  update = update,
}
