--- Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"): steps of one size, in the direction of the
-- sign of an average of gradients; the average that is kept fades more slowly. The weight decay is apart from the
-- gradient. PyTorch has no such class; names and defaults are the paper's.
local shared = require 'metann.optim.shared'
local ops = require('metann.support').ops

local function update(p, g, state, o)
  if o.maximize then g = ops.neg(g) end
  local m, betas = state.exp_avg, o.betas
  local direction = ops.sign(shared.average(m, g, betas[1]))
  return shared.descend(shared.shrink(p, o), direction, o.lr), { exp_avg = shared.average(m, g, betas[2]) }
end

return {
  name = 'Lion',
  state = { 'exp_avg' },
  positions = { 'lr', 'betas', 'weight_decay' },
  defaults = { lr = 1e-4, betas = { 0.9, 0.99 }, weight_decay = 0, maximize = false },
  update = update,
  elementwise = true,
}
