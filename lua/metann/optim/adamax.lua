--- Adamax: Adam with the largest gradient so far, faded, in place of the mean square (Kingma and Ba 2015).
local common = require 'metann.optim.common'
local support = require 'metann.support'
local ops = support.ops

local function update(p, g, state, o)
  g = common.gradient(p, g, o)
  local beta1, beta2 = o.betas[1], o.betas[2]
  local step = common.next_step(state)
  local m = common.average(state.exp_avg, g, beta1)
  local size = ops.add(ops.abs(g), o.eps)
  local u = state.exp_inf and ops.maximum(ops.mul(state.exp_inf, beta2), size) or size
  local lr = ops.div(o.lr, common.correction(beta1, step))
  return common.descend(p, ops.div(m, u), lr), { step = step, exp_avg = m, exp_inf = u }
end

return {
  name = 'Adamax',
  state = { 'step', 'exp_avg', 'exp_inf' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay' },
  defaults = { lr = 2e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, maximize = false },
  update = update,
  elementwise = true,
}
