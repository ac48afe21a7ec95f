--- Adagrad (Duchi et al. 2011): g over the root of the sum of its squares; lr falls as lr / (1 + (step - 1) lr_decay).
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops

--- The step size.
local function prepare(state, o)
  local step, lr = shared.next_step(state), o.lr
  if o.lr_decay ~= 0 then lr = ops.div(lr, ops.add(ops.mul(ops.sub(step, 1), o.lr_decay), 1)) end
  return { step = step, lr = lr }
end

local function update(p, g, state, o, numbers)
  g = shared.gradient(p, g, o)
  numbers = numbers or prepare(state, o)
  local sum = ops.add(ops.square(g), state.sum or o.initial_accumulator_value)
  local direction = ops.div(g, shared.root(sum, o.eps))
  return shared.descend(p, direction, numbers.lr), { step = numbers.step, sum = sum }
end

return {
  name = 'Adagrad',
  state = { 'step', 'sum' },
  counts = { 'step' },
  positions = { 'lr', 'lr_decay', 'weight_decay', 'initial_accumulator_value', 'eps' },
  defaults = {
    lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10, maximize = false,
  },
  prepare = prepare,
  update = update,
  elementwise = true,
}
