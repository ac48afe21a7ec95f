--- AdamW: Adam with the weight decay apart from the gradient (Loshchilov and Hutter 2019).
local adam = require 'metann.optim.adam'
local shared = require 'metann.optim.shared'
local ops = require('metann.support').ops

local function update(p, g, state, o, numbers)
  if o.maximize then g = ops.neg(g) end
  return adam.move(shared.shrink(p, o), g, state, o, numbers)
end

return {
  name = 'AdamW',
  state = { 'step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq' },
  counts = { 'step' },
  positions = { 'lr', 'betas', 'eps', 'weight_decay', 'amsgrad' },
  defaults = { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 1e-2, amsgrad = false, maximize = false },
  prepare = adam.prepare,
  update = update,
  elementwise = true,
}
