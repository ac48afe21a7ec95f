--- What rules share: checks of options, steps that are counted by a tensor, weight decay.
local pairs = require('metann.binding.traversal').pairs
local kinds = require 'metann.arguments.kinds'
local support = require 'metann.support'
local raise, describe, is_tensor = support.raise, support.describe, support.is_tensor
local ops = support.ops
local add, mul, sub, full, sqrt = ops.add, ops.mul, ops.sub, ops.full, ops.sqrt

local shared = {}

--- Stands as the default of an option that must be given.
shared.REQUIRED = {}

local function rate(v)
  if is_tensor(v) then return support.numel(v) == 1 and v or nil, 'a number of at least 0 or a 0-dim tensor' end
  return kinds.nonnegative(v), 'a number of at least 0 or a 0-dim tensor'
end

local function betas(v)
  local function fits(beta) return type(beta) == 'number' and beta >= 0 and beta < 1 end
  local fit = type(v) == 'table' and #v == 2 and fits(v[1]) and fits(v[2])
  return fit and v or nil, 'a list of two numbers from 0 up to but not including 1'
end

local KINDS = { lr = rate, betas = betas, rho = kinds.probability, dampening = kinds.number }

local function kind_of(rule, name, default)
  return rule.kinds and rule.kinds[name] or KINDS[name] or type(default) == 'boolean' and kinds.boolean or kinds.nonnegative
end

--- Checks the options that a rule is to run with, in the name of `what`.
function shared.check(what, rule, o)
  for name, default in pairs(rule.defaults) do
    local value, expected = kind_of(rule, name, default)(o[name])
    if value == nil then
      raise("%s: option '%s' must be %s, got %s", what, name, expected, describe(o[name]))
    end
    o[name] = value
  end
  if rule.check then rule.check(what, o) end
end

-- How PyTorch's backends run a step. There is one way here, whose results are the same, so they are taken and change
-- nothing; but steps on leaves aren't recorded, so `differentiable` can't be had.
shared.BACKEND = { 'foreach', 'fused', 'capturable', 'differentiable' }

--- Takes the options of backends out of what was given.
function shared.take_backend(rule, given)
  for _, name in ipairs(shared.BACKEND) do
    local value = given[name]
    if value ~= nil and type(value) ~= 'boolean' then
      raise("%s: option '%s' must be true or false, got %s", rule.name, name, describe(value))
    end
    if name == 'differentiable' and value then
      raise("%s: option 'differentiable' can't be true, as an optimizer writes over leaves: a learner, such as "
        .. 'meta.OptimizerLearner, differentiates through the same steps', rule.name)
    end
    given[name] = nil
  end
end

--- The gradient to use: its sign turned round when maximizing, weight decay added.
function shared.gradient(p, g, o)
  if o.maximize then g = ops.neg(g) end
  local decay = o.weight_decay
  if decay ~= 0 then g = add(g, p, decay) end
  return g
end

--- The parameter times 1 - lr * weight_decay: decay that doesn't pass through the gradient's averages (Loshchilov and
-- Hutter 2019).
function shared.shrink(p, o)
  local lr, decay = o.lr, o.weight_decay
  if decay == 0 then return p end
  return mul(p, type(lr) == 'number' and 1 - lr * decay or sub(1, mul(lr, decay)))
end

--- Parameter and gradient after the weight decay, of a rule that has the option `decoupled_weight_decay`.
function shared.decay(p, g, o)
  if not o.decoupled_weight_decay then return p, shared.gradient(p, g, o) end
  return shared.shrink(p, o), o.maximize and ops.neg(g) or g
end

--- The step's number, a 0-dim float64 tensor: powers such as 0.999^t need its digits, and a 0-dim tensor leaves the
-- dtype of what it is combined with alone.
function shared.next_step(state)
  local step = state.step
  return step and add(step, 1) or full({}, 1, 'float64')
end

--- An op whose first input is the caller's own and needed no longer, of the result's size and dtype: where nothing is
-- recorded the result takes its memory.
local function over(name)
  local fresh, in_place = ops[name], ops[name .. '_']
  return function(t, a, b)
    if support.records_grad() then return fresh(t, a, b) end
    return in_place(t, a, b)
  end
end

shared.add_over, shared.mul_over = over 'add', over 'mul'

--- old * decay + new * (1 - decay), without numbers below the smallest normal one, as averages of units that are dead
-- would end there and slow every row; old nil stands for zeros.
function shared.average(old, new, decay)
  if not old then return mul(new, 1 - decay) end
  return ops.decayed_average(old, new, decay, 1 - decay)
end

--- 1 - beta^step.
function shared.correction(beta, step) return sub(1, ops.pow(beta, step)) end

--- p - lr * direction, for lr a number or a tensor.
function shared.descend(p, direction, lr)
  if type(lr) == 'number' then return sub(p, direction, lr) end
  return sub(p, mul(direction, lr))
end

--- sqrt(x) + eps.
function shared.root(x, eps) return shared.add_over(sqrt(x), eps) end

return shared
