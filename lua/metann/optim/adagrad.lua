--- Adagrad (Duchi et al. 2011): g over the root of the sum of its squares; lr falls as lr / (1 + (step - 1) lr_decay).
local common = require 'metann.optim.common'
local support = require 'metann.support'
local ops = support.ops

local function update(p, g, state, o)
  g = common.gradient(p, g, o)
  local step, squared = common.next_step(state), ops.square(g)
  local sum = state.sum or o.initial_accumulator_value
  sum = ops.add(squared, sum)
  local direction = ops.div(g, common.root(sum, o.eps))
  local lr = o.lr
  if o.lr_decay ~= 0 then lr = ops.div(lr, ops.add(ops.mul(ops.sub(step, 1), o.lr_decay), 1)) end
  return common.descend(p, direction, lr), { step = step, sum = sum }
end

return {
  name = 'Adagrad',
  state = { 'step', 'sum' },
  positions = { 'lr', 'lr_decay', 'weight_decay', 'initial_accumulator_value', 'eps' },
  defaults = {
    lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10, maximize = false,
  },
  update = update,
  elementwise = true,
}
