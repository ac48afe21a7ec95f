--- CELU: x where x > 0, else alpha * (exp(x / alpha) - 1) (Barron 2017).
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

local function not_zero(v)
  v = kinds.number(v)
  return v ~= 0 and v or nil, 'a number other than 0'
end

return pure.class('CELU', { 'input' }, {
  { 'alpha', not_zero, 1.0, show = true },
  pure.INPLACE,
}, function(o, x)
  -- below 0 only, so that nothing overflows where the other branch is taken
  local below = ops.expm1(ops.div(ops.clamp(x, -math.huge, 0), o.alpha))
  return ops.add(ops.relu(x), ops.mul(below, o.alpha))
end)
