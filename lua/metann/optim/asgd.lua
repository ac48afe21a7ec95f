--- ASGD: SGD whose weights are averaged besides (Polyak and Juditsky 1992, "Acceleration of stochastic approximation by
-- averaging"), with the step size lr / (1 + lambd lr t)^alpha and the decay lambd, as Bottou has them. The average,
-- `ax` in the state, is the weights themselves up to the step t0.
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local add, mul, sub = ops.add, ops.mul, ops.sub
local add_over, mul_over = shared.add_over, shared.mul_over

--- The step size and the share of the average that the new weights get, both for this step, and those for the next one.
local function prepare(state, o)
  local step, lr = shared.next_step(state), o.lr
  local fading = ops.pow(add(mul(mul(step, o.lambd), lr), 1), o.alpha)
  return {
    step = step, size = state.eta or lr, share = state.mu or 1, eta = ops.div(lr, fading),
    mu = ops.reciprocal(ops.clamp(sub(step, o.t0), 1)),
  }
end

--- ax + share (p - ax), which for a share of 1 is p itself.
local function averaged(ax, p, share)
  if not ax or type(share) == 'number' then return p end
  return ops.where(ops.eq(share, 1), p, add_over(mul_over(sub(p, ax), share), ax))
end

local function update(p, g, state, o, numbers)
  g = shared.gradient(p, g, o)
  numbers = numbers or prepare(state, o)
  local size = numbers.size
  local shrunk = type(size) == 'number' and mul(p, 1 - o.lambd * size) or mul(p, sub(1, mul(size, o.lambd)))
  local moved = type(size) == 'number' and add_over(shrunk, g, -size) or add_over(shrunk, mul(g, size), -1)
  return moved, {
    step = numbers.step, eta = numbers.eta, mu = numbers.mu, ax = averaged(state.ax, moved, numbers.share),
  }
end

return {
  name = 'ASGD',
  state = { 'step', 'eta', 'mu', 'ax' },
  counts = { 'step', 'eta', 'mu' },
  positions = { 'lr', 'lambd', 'alpha', 't0', 'weight_decay' },
  defaults = { lr = 1e-2, lambd = 1e-4, alpha = 0.75, t0 = 1e6, weight_decay = 0, maximize = false },
  prepare = prepare,
  update = update,
  elementwise = true,
}
