--- Adamax: Adam with the largest gradient so far, faded, in place of the mean square (Kingma and Ba 2015).
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops

--- The step size, into which the correction of m for its start at zero is folded.
local function prepare(state, o)
  local step = shared.next_step(state)
  return { step = step, lr = ops.div(o.lr, shared.correction(o.betas[1], step)) }
end

local function update(p, g, state, o, numbers)
  g = shared.gradient(p, g, o)
  numbers = numbers or prepare(state, o)
  local m = shared.average(state.exp_avg, g, o.betas[1])
  local size = ops.add(ops.abs(g), o.eps)
  local u = state.exp_inf and ops.maximum(ops.mul(state.exp_inf, o.betas[2]), size) or size
  return shared.descend(p, ops.div(m, u), numbers.lr), { step = numbers.step, exp_avg = m, exp_inf = u }
end

return {
  name = 'Adamax',
  state = { 'step', 'exp_avg', 'exp_inf' },
  counts = { 'step' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay' },
  defaults = { lr = 2e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, maximize = false },
  prepare = prepare,
  update = update,
  elementwise = true,
}
