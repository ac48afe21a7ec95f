--- RAdam: Adam whose step is rectified for the variance of its early estimates (Liu et al. 2020).
-- Which formula holds depends on the step, a tensor, so both are computed and one is chosen.
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local mul, div, sub, sqrt = ops.mul, ops.div, ops.sub, ops.sqrt

--- The rectification r_t, and whether it applies (rho_t > 5), both 0-dim.
local function rectification(step, beta2)
  local limit = 2 / (1 - beta2) - 1
  local power = ops.pow(beta2, step)
  local rho = sub(limit, div(mul(mul(step, power), 2), sub(1, power)))
  local numerator = mul(mul(sub(rho, 4), sub(rho, 2)), limit)
  local square = div(numerator, mul(rho, (limit - 4) * (limit - 2)))
  local applies = ops.gt(rho, 5)
  -- where it doesn't apply the root may not exist; 1 stands in for it
  return sqrt(ops.where(applies, square, ops.full({}, 1, 'float64'))), applies
end

--- What m is divided by for its start at zero, the root of the same for v, and the rectification.
local function prepare(state, o)
  local beta1, beta2 = o.betas[1], o.betas[2]
  local step = shared.next_step(state)
  local r, applies = rectification(step, beta2)
  return {
    step = step, correction = shared.correction(beta1, step), root = sqrt(shared.correction(beta2, step)), r = r,
    applies = applies,
  }
end

local function update(p, g, state, o, numbers)
  p, g = shared.decay(p, g, o)
  numbers = numbers or prepare(state, o)
  local m = shared.average(state.exp_avg, g, o.betas[1])
  local v = shared.average(state.exp_avg_sq, ops.square(g), o.betas[2])
  local m_hat = div(m, numbers.correction)
  local adaptive = shared.mul_over(div(numbers.root, shared.root(v, o.eps)), numbers.r)
  local scale = ops.where(numbers.applies, adaptive, ops.full({}, 1, support.dtype(adaptive)))
  return shared.descend(p, shared.mul_over(m_hat, scale), o.lr), {
    step = numbers.step, exp_avg = m, exp_avg_sq = v,
  }
end

return {
  name = 'RAdam',
  state = { 'step', 'exp_avg', 'exp_avg_sq' },
  counts = { 'step' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay', 'decoupled_weight_decay' },
  defaults = {
    lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, maximize = false,
    decoupled_weight_decay = false,
  },
  prepare = prepare,
  update = update,
  elementwise = true,
}
