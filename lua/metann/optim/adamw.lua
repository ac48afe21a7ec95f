--- AdamW: Adam with the weight decay apart from the gradient (Loshchilov and Hutter 2019).
local adam = require 'metann.optim.adam'
local support = require 'metann.nn.support'
local ops = support.ops

local function update(p, g, state, o)
  if o.maximize then g = ops.neg(g) end
  local decay, lr = o.weight_decay, o.lr
  if decay ~= 0 then
    p = ops.mul(p, type(lr) == 'number' and 1 - lr * decay or ops.sub(1, ops.mul(lr, decay)))
  end
  return adam.move(p, g, state, o)
end

return {
  name = 'AdamW',
  state = { 'step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq' },
  defaults = { lr = 1e-3, betas = { 0.9, 0.999 }, eps = 1e-8, weight_decay = 1e-2, amsgrad = false, maximize = false },
  update = update,
}
