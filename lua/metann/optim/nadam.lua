--- NAdam: Adam with Nesterov's momentum (Dozat 2016), with the schedule mu_t = beta1 (1 - 0.96^(t decay) / 2).
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local add, mul, div, sub = ops.add, ops.mul, ops.div, ops.sub

local function momentum_at(step, o)
  return mul(sub(1, mul(ops.pow(0.96, mul(step, o.momentum_decay)), 0.5)), o.betas[1])
end

--- What v is divided by for its start at zero, and the shares of gradient and average.
local function prepare(state, o)
  local step = shared.next_step(state)
  local mu, mu_next = momentum_at(step, o), momentum_at(add(step, 1), o)
  local product = state.mu_product and mul(state.mu_product, mu) or mu
  return {
    step = step, mu_product = product, correction = shared.correction(o.betas[2], step),
    from_g = div(sub(1, mu), sub(1, product)), from_m = div(mu_next, sub(1, mul(product, mu_next))),
  }
end

local function update(p, g, state, o, numbers)
  p, g = shared.decay(p, g, o)
  numbers = numbers or prepare(state, o)
  local m = shared.average(state.exp_avg, g, o.betas[1])
  local v = shared.average(state.exp_avg_sq, ops.square(g), o.betas[2])
  local denominator = shared.root(div(v, numbers.correction), o.eps)
  local direction = div(shared.add_over(mul(g, numbers.from_g), mul(m, numbers.from_m)), denominator)
  return shared.descend(p, direction, o.lr), {
    step = numbers.step, exp_avg = m, exp_avg_sq = v, mu_product = numbers.mu_product,
  }
end

return {
  name = 'NAdam',
  state = { 'step', 'exp_avg', 'exp_avg_sq', 'mu_product' },
  counts = { 'step', 'mu_product' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay', 'momentum_decay', 'decoupled_weight_decay' },
  defaults = {
    lr = 2e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, momentum_decay = 4e-3, maximize = false,
    decoupled_weight_decay = false,
  },
  prepare = prepare,
  update = update,
  elementwise = true,
}
