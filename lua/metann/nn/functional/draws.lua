--- Functions that draw numbers: dropout, random slopes, samples of categories. `inplace` is taken for PyTorch's sake, the
-- result is a new tensor.
local arguments = require 'metann.arguments'
local dropping = require 'metann.nn.shared.dropping'
local support = require 'metann.support'
local define, kinds, ops = arguments.define, arguments.kinds, support.ops

local draws = {}

local INPUT, INPLACE = { 'input', kinds.tensor }, { 'inplace', kinds.boolean, false }

--- Defines a drop with probability p; with training=false the input itself.
-- @param training the default of that option
local function define_drop(name, drop, check, training)
  draws[name] = define(name, {
    INPUT, { 'p', kinds.probability, 0.5 }, { 'training', kinds.boolean, training }, INPLACE,
  }, function(x, p, in_training)
    if check then check(name, x) end
    if not in_training or p == 0 then return x end
    return drop(x, p)
  end)
end

--- Elements, or channels of inputs with so many sides, become zeros, the rest is divided by 1 - p.
-- @function dropout
define_drop('dropout', dropping.elements, nil, true)
for sides = 1, 3 do
  define_drop(('dropout%dd'):format(sides), dropping.channels(sides), dropping.check_channels(sides), true)
end

--- Elements, or channels, become SELU's least value, and all is scaled; PyTorch's `training` is false here unless given.
-- @function alpha_dropout
define_drop('alpha_dropout', dropping.alpha, nil, false)
define_drop('feature_alpha_dropout', dropping.alpha_channels, nil, false)

--- x where x > 0, else a slope times x: drawn from lower .. upper when training, their mean otherwise.
-- @function rrelu
draws.rrelu = define('rrelu', {
  INPUT, { 'lower', kinds.number, 1 / 8 }, { 'upper', kinds.number, 1 / 3 }, { 'training', kinds.boolean, false }, INPLACE,
}, function(x, lower, upper, training)
  dropping.check_slopes('rrelu', lower, upper)
  return dropping.rrelu(x, lower, upper, training)
end)

--- Samples of categories that derivatives flow through (Jang et al. 2017): softmax((logits + Gumbel noise) / tau) along
-- dim, with hard=true the largest as 1 and the others as 0, whose derivative is the softmax's. eps is unused, as in
-- PyTorch.
-- @function gumbel_softmax
draws.gumbel_softmax = define('gumbel_softmax', {
  { 'logits', kinds.tensor }, { 'tau', kinds.positive, 1 }, { 'hard', kinds.boolean, false },
  { 'eps', kinds.number, 1e-10 }, { 'dim', kinds.dim, -1 },
}, function(logits, tau, hard, _, dim)
  -- 1 - u is above 0, so that its logarithm is finite; that of 1 is 0, whose own is -inf
  local uniform = support.beside(logits, ops.rand, support.shape(logits), 0, 1, support.dtype(logits))
  local gumbel = ops.neg(ops.log(ops.neg(ops.log1p(ops.neg(uniform)))))
  local soft = ops.softmax(ops.div(ops.add(logits, gumbel), tau), dim)
  if not hard then return soft end
  local largest = ops.argmax(soft, dim, true)
  local zeros = support.full(soft, support.shape(soft), 0)
  local one = ops.scatter(zeros, largest, support.full(soft, support.shape(largest), 1), dim)
  return ops.add(ops.sub(one, ops.detach(soft)), soft)
end)

return draws
