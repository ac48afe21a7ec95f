--- Adam (Kingma and Ba 2015), and what AdamW shares with it. amsgrad: Reddi et al. 2018.
local common = require 'metann.optim.common'
local support = require 'metann.support'
local ops = support.ops
local mul, div, sub, sqrt, square = ops.mul, ops.div, ops.sub, ops.sqrt, ops.square

local adam = {
  name = 'Adam',
  state = { 'step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay', 'amsgrad' },
  elementwise = true,
  defaults = {
    lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, amsgrad = false, maximize = false,
    decoupled_weight_decay = false,
  },
}

--- p - lr m_hat / (sqrt(v_hat) + eps), where the corrections of m and v for their start at zero are folded into the
-- step size and eps: all of that is 0-dim.
function adam.move(p, g, state, o)
  local beta1, beta2 = o.betas[1], o.betas[2]
  local step = common.next_step(state)
  local m = common.average(state.exp_avg, g, beta1)
  local v = common.average(state.exp_avg_sq, square(g), beta2)
  local new = { step = step, exp_avg = m, exp_avg_sq = v }
  local largest = v
  if o.amsgrad then
    largest = state.max_exp_avg_sq and ops.maximum(state.max_exp_avg_sq, v) or v
    new.max_exp_avg_sq = largest
  end
  local root = sqrt(common.correction(beta2, step))
  local size = mul(div(root, common.correction(beta1, step)), o.lr)
  local denominator = common.add_over(sqrt(largest), mul(root, o.eps))
  return sub(p, common.mul_over(div(m, denominator), size)), new
end

function adam.update(p, g, state, o)
  p, g = common.decay(p, g, o)
  return adam.move(p, g, state, o)
end

return adam
