--- What rules share: checks of options, steps that are counted by a tensor, weight decay.
local pairs = require('metann.binding.traversal').pairs
local support = require 'metann.nn.support'
local raise, describe, is_tensor = support.raise, support.describe, support.is_tensor
local ops = support.ops
local add, mul, sub, full, sqrt = ops.add, ops.mul, ops.sub, ops.full, ops.sqrt

local common = {}

--- Stands as the default of an option that must be given.
common.REQUIRED = {}

local function number_or_scalar(value)
  if type(value) == 'number' then return value >= 0 end
  return is_tensor(value) and support.numel(value) == 1
end

local checks = {
  lr = { number_or_scalar, 'a number of at least 0 or a 0-dim tensor' },
  betas = {
    function(v)
      return type(v) == 'table' and #v == 2 and type(v[1]) == 'number' and type(v[2]) == 'number' and v[1] >= 0
        and v[1] < 1 and v[2] >= 0 and v[2] < 1
    end,
    'a list of two numbers from 0 up to but not including 1',
  },
  flag = { function(v) return type(v) == 'boolean' end, 'true or false' },
  number = { function(v) return type(v) == 'number' and v >= 0 end, 'a number of at least 0' },
  part = { function(v) return type(v) == 'number' and v >= 0 and v <= 1 end, 'a number from 0 to 1' },
  any_number = { function(v) return type(v) == 'number' end, 'a number' },
}

local function kind_of(name, default)
  if name == 'lr' then return checks.lr end
  if name == 'betas' then return checks.betas end
  if type(default) == 'boolean' then return checks.flag end
  if name == 'rho' then return checks.part end
  if name == 'dampening' then return checks.any_number end
  return checks.number
end

--- Raises on an option that a rule can't use.
function common.check(rule, o)
  for name, default in pairs(rule.defaults) do
    local kind, value = kind_of(name, default), o[name]
    if not kind[1](value) then
      raise("%s: option '%s' must be %s, got %s", rule.name, name, kind[2], describe(value))
    end
  end
  if rule.check then rule.check(o) end
end

--- The gradient to use: its sign turned round when maximizing, weight decay added.
function common.gradient(p, g, o)
  if o.maximize then g = ops.neg(g) end
  local decay = o.weight_decay
  if decay ~= 0 then g = add(g, p, decay) end
  return g
end

--- The step's number, a 0-dim float64 tensor: powers such as 0.999^t need its digits, and a 0-dim tensor leaves the
-- dtype of what it is combined with alone.
function common.next_step(state)
  local step = state.step
  return step and add(step, 1) or full({}, 1, 'float64')
end

--- old * decay + new * (1 - decay); old nil stands for zeros.
function common.average(old, new, decay)
  if not old then return mul(new, 1 - decay) end
  return add(mul(old, decay), new, 1 - decay)
end

--- 1 - beta^step.
function common.correction(beta, step) return sub(1, ops.pow(beta, step)) end

--- p - lr * direction, for lr a number or a tensor.
function common.descend(p, direction, lr)
  if type(lr) == 'number' then return sub(p, direction, lr) end
  return sub(p, mul(direction, lr))
end

--- sqrt(x) + eps.
function common.root(x, eps) return add(sqrt(x), eps) end

return common
