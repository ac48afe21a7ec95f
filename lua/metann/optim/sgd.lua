--- SGD, with momentum, dampening and Nesterov's variant, as PyTorch has them: v <- momentum v + (1 - dampening) g,
-- p <- p - lr v (Sutskever et al. 2013).
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local add, mul = support.ops.add, support.ops.mul

local function update(p, g, state, o)
  g = shared.gradient(p, g, o)
  local momentum = o.momentum
  if momentum == 0 then return shared.descend(p, g, o.lr), state end
  local velocity = state.momentum_buffer
  -- the first gradient is taken whole, whatever the dampening
  velocity = velocity and shared.add_over(mul(velocity, momentum), g, 1 - o.dampening) or g
  local direction = o.nesterov and add(g, velocity, momentum) or velocity
  return shared.descend(p, direction, o.lr), { momentum_buffer = velocity }
end

return {
  name = 'SGD',
  state = { 'momentum_buffer' },
  positions = { 'lr', 'momentum', 'dampening', 'weight_decay', 'nesterov' },
  defaults = {
    lr = shared.REQUIRED, momentum = 0, dampening = 0, weight_decay = 0, nesterov = false, maximize = false,
  },
  update = update,
  elementwise = true,
  check = function(what, o)
    if o.nesterov and (o.momentum == 0 or o.dampening ~= 0) then
      support.raise("%s: 'nesterov' needs a momentum and no dampening", what)
    end
  end,
}
