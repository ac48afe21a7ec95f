--- Adam (Kingma and Ba 2015), and what AdamW shares with it. amsgrad: Reddi et al. 2018.
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local mul, div, sub, sqrt, square = ops.mul, ops.div, ops.sub, ops.sqrt, ops.square

local adam = {
  name = 'Adam',
  state = { 'step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq' },
  counts = { 'step' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay', 'amsgrad' },
  elementwise = true,
  defaults = {
    lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 0, amsgrad = false, maximize = false,
    decoupled_weight_decay = false,
  },
}

--- The step size and eps, into which the corrections of m and v for their start at zero are folded.
function adam.prepare(state, o)
  local step = shared.next_step(state)
  local root = sqrt(shared.correction(o.betas[2], step))
  local size = mul(div(root, shared.correction(o.betas[1], step)), o.lr)
  return { step = step, size = size, eps = mul(root, o.eps) }
end

--- p - lr m_hat / (sqrt(v_hat) + eps).
function adam.move(p, g, state, o, numbers)
  numbers = numbers or adam.prepare(state, o)
  local m = shared.average(state.exp_avg, g, o.betas[1])
  local v = shared.average(state.exp_avg_sq, square(g), o.betas[2])
  local new = { step = numbers.step, exp_avg = m, exp_avg_sq = v }
  local largest = v
  if o.amsgrad then
    largest = state.max_exp_avg_sq and ops.maximum(state.max_exp_avg_sq, v) or v
    new.max_exp_avg_sq = largest
  end
  local denominator = shared.add_over(sqrt(largest), numbers.eps)
  return sub(p, shared.mul_over(div(m, denominator), numbers.size)), new
end

function adam.update(p, g, state, o, numbers)
  p, g = shared.decay(p, g, o)
  return adam.move(p, g, state, o, numbers)
end

return adam
