--- RMSprop (Hinton's lecture 6e; centered: Graves 2013): g over the root of its running mean square, eps outside the
-- root. sqrt's derivative at 0 is 0 here, so a zero gradient has a finite derivative too.
local shared = require 'metann.optim.shared'
local support = require 'metann.support'
local ops = support.ops
local mul, div, sub, square = ops.mul, ops.div, ops.sub, ops.square

local function update(p, g, state, o)
  g = shared.gradient(p, g, o)
  local v = shared.average(state.square_avg, square(g), o.alpha)
  local new, spread = { square_avg = v }, v
  if o.centered then
    local mean = shared.average(state.grad_avg, g, o.alpha)
    new.grad_avg, spread = mean, sub(v, square(mean))
  end
  local direction = div(g, shared.root(spread, o.eps))
  if o.momentum > 0 then
    local velocity = state.momentum_buffer
    direction = velocity and shared.add_over(mul(velocity, o.momentum), direction) or direction
    new.momentum_buffer = direction
  end
  return shared.descend(p, direction, o.lr), new
end

return {
  name = 'RMSprop',
  state = { 'square_avg', 'grad_avg', 'momentum_buffer' },
  positions = { 'lr', 'alpha', 'eps', 'weight_decay', 'momentum', 'centered' },
  defaults = {
    lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0, centered = false, maximize = false,
  },
  update = update,
  elementwise = true,
}
