--- Adadelta (Zeiler 2012): steps in the proportion of past steps to past gradients.
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local add, mul, div, sqrt, square = ops.add, ops.mul, ops.div, ops.sqrt, ops.square

local function update(p, g, state, o)
  g = shared.gradient(p, g, o)
  local rho, eps = o.rho, o.eps
  local squares = shared.average(state.square_avg, square(g), rho)
  local past = state.acc_delta
  local direction = div(g, sqrt(add(squares, eps)))
  direction = mul(direction, past and sqrt(add(past, eps)) or math.sqrt(eps))
  local deltas = shared.average(past, square(direction), rho)
  return shared.descend(p, direction, o.lr), { square_avg = squares, acc_delta = deltas }
end

return {
  name = 'Adadelta',
  state = { 'square_avg', 'acc_delta' },
  positions = { 'lr', 'rho', 'eps', 'weight_decay' },
  defaults = { lr = 1.0, rho = 0.9, eps = 1e-6, weight_decay = 0, maximize = false },
  update = update,
  elementwise = true,
}
