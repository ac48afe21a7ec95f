--- Pointwise functions made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local devices = require 'metann.binding.devices'
local dtypes = require 'metann.binding.dtypes'
local kinds = arguments.kinds
local raw, raise = common.raw, common.raise
local scalar, is_tensor = common.scalar, common.is_tensor

local pointwise = {}

local function define(name, parameters, fn) pointwise[name] = arguments.define(name, parameters, fn) end

local INPUT, OTHER = { 'input', kinds.tensor }, { 'other', kinds.operand }
local EITHER = { 'input', kinds.operand }

--- other - alpha * t; either may be a number.
-- @function rsub
define('rsub', { EITHER, OTHER, { 'alpha', kinds.number, 1 } }, function(t, other, alpha)
  return (raw.sub(other, t, alpha))
end)

-- ---- division ----

local QUOTIENTS = { floor = 'floor_divide', trunc = 'trunc_divide' }

--- Integers beside a number with a fraction are divided as floats.
local function as_dividend(t, beside)
  if is_tensor(beside) or beside % 1 == 0 or not is_tensor(t) or not common.is_whole(t) then return t end
  return common.as_float(t)
end

local function whole_quotient(mode, t, other)
  t, other = as_dividend(t, other), as_dividend(other, t)
  return (raw[QUOTIENTS[mode]](t, other))
end

local ROUNDING = { 'rounding_mode', kinds.choice('floor', 'trunc'), optional = true }

local divide = arguments.define('div', { EITHER, OTHER, ROUNDING }, function(t, other, mode)
  if not mode then return (raw.div(t, other)) end
  return whole_quotient(mode, t, other)
end)

--- t / other; {rounding_mode = 'floor' | 'trunc'} rounds the quotient, of integers in integer arithmetic.
function pointwise.div(t, other, mode, extra)
  local plain = type(t) ~= 'table' and type(other) ~= 'table'
  if mode == nil and extra == nil and plain then return (raw.div(t, other)) end
  return divide(t, other, mode, extra)
end

--- t / other in place; see div.
-- @function div_
define('div_', { INPUT, OTHER, ROUNDING }, function(t, other, mode)
  if not mode then return (raw.div_(t, other)) end
  return (raw.assign_(t, whole_quotient(mode, t, other)))
end)

--- The whole number q below t / other for which q * other + t % other is t; of integers an integer.
-- @function floor_divide
define('floor_divide', { EITHER, OTHER }, function(t, other) return whole_quotient('floor', t, other) end)

-- ---- limits ----

--- Where a limit is crossed or NaN, the limit: at the limit itself the derivative is t's.
local function limited(t, limit, crossed)
  local taken = crossed(t, limit)
  if common.is_float(limit) then taken = raw.logical_or(taken, raw.isnan(limit)) end
  return raw.where(taken, limit, t)
end

local function clamp(t, min, max)
  if not is_tensor(min) and not is_tensor(max) then return (raw.clamp(t, min, max)) end
  local low, high
  if min ~= nil then min = scalar(min, t, 'clamp', 'min') end
  if max ~= nil then max = scalar(max, t, 'clamp', 'max') end
  t, low, high = common.promoted(t, min, max)
  if low then t = limited(t, low, raw.lt) end
  if high then t = limited(t, high, raw.gt) end
  return t
end

local MIN, MAX = { 'min', kinds.operand, optional = true }, { 'max', kinds.operand, optional = true }

--- t limited to min .. max, numbers or tensors that broadcast; either may be left out.
-- @function clamp
define('clamp', { INPUT, MIN, MAX }, clamp)
define('clamp_', { INPUT, MIN, MAX }, function(t, min, max)
  if not is_tensor(min) and not is_tensor(max) then return (raw.clamp_(t, min, max)) end
  return (raw.assign_(t, clamp(t, min, max)))
end)
define('clamp_min', { INPUT, { 'min', kinds.operand } }, function(t, min) return (clamp(t, min, nil)) end)
define('clamp_max', { INPUT, { 'max', kinds.operand } }, function(t, max) return (clamp(t, nil, max)) end)

--- t limited to min_val .. max_val, -1 .. 1 unless given.
-- @function hardtanh
define('hardtanh', { INPUT, { 'min_val', kinds.number, -1 }, { 'max_val', kinds.number, 1 } }, function(t, min, max)
  if min > max then raise("hardtanh: 'min_val' must not exceed 'max_val', got %g and %g", min, max) end
  return (raw.clamp(t, min, max))
end)

-- ---- sums of products ----

--- a + weight * (b - a), from the nearer end, so that weights 0 and 1 give the ends themselves.
-- @function lerp
define('lerp', { INPUT, { 'end', kinds.tensor }, { 'weight', kinds.operand } }, function(a, b, weight)
  local difference = raw.sub(b, a)
  if not is_tensor(weight) then
    if math.abs(weight) < 0.5 then return (raw.add(a, raw.mul(difference, weight))) end
    return (raw.sub(b, raw.mul(difference, 1 - weight)))
  end
  local near = raw.lt(raw.abs(weight), 0.5)
  a, b, weight = common.promoted(a, b, weight)
  return (raw.add(raw.where(near, a, b), raw.mul(difference, raw.where(near, weight, raw.sub(weight, 1)))))
end)

local function scaled(name, combine)
  define(name, { INPUT, { 'tensor1', kinds.operand }, { 'tensor2', kinds.operand }, { 'value', kinds.operand, 1 } },
    function(t, a, b, value)
      local product = combine(a, b)
      if value ~= 1 then product = raw.mul(product, value) end
      return (raw.add(t, product))
    end)
end
--- t + value * a * b
-- @function addcmul
scaled('addcmul', raw.mul)
--- t + value * a / b
-- @function addcdiv
scaled('addcdiv', raw.div)

-- ---- rounding, logarithms ----

local function rounded(t, decimals)
  if not common.is_float(t) then raise("round: 'decimals' is for floats, got a tensor of %s", common.dtype(t)) end
  local factor = 10 ^ math.abs(decimals)
  if decimals > 0 then return raw.div(raw.round(raw.mul(t, factor)), factor) end
  return raw.mul(raw.round(raw.div(t, factor)), factor)
end

local DECIMALS = { 'decimals', kinds.integer, 0 }

--- The nearest whole number, halves to the even one; {decimals = n}: the nearest multiple of 10^-n.
-- @function round
define('round', { INPUT, DECIMALS }, function(t, decimals)
  if decimals == 0 then return (raw.round(t)) end
  return (rounded(t, decimals))
end)
define('round_', { INPUT, DECIMALS }, function(t, decimals)
  if decimals == 0 then return (raw.round_(t)) end
  return (raw.assign_(t, rounded(t, decimals)))
end)

--- The logarithm of the sigmoid. Beyond 40 what is left of the exponential is below float64's rounding.
-- @function logsigmoid
define('logsigmoid', { INPUT }, function(t) return (raw.neg(raw.softplus(raw.neg(t), 1, 40))) end)

-- ---- choosing and overwriting ----

--- Where condition holds, a, else b; either may be a number.
-- @function where
define('where', { { 'condition', kinds.tensor }, EITHER, OTHER }, function(condition, a, b)
  local like = is_tensor(a) and a or is_tensor(b) and b or nil
  a, b = common.promoted(scalar(a, like, 'where', 'input'), scalar(b, like, 'where', 'other'))
  return (raw.where(condition, a, b))
end)

local VALUE = { 'value', kinds.operand }

--- t with value (a number or a tensor that broadcasts) where mask holds.
-- @function masked_fill
define('masked_fill', { INPUT, { 'mask', kinds.tensor }, VALUE }, function(t, mask, value)
  return (raw.where(mask, scalar(value, t, 'masked_fill', 'value'), t))
end)

--- t's elements become those of source, broadcast and cast; a number will do.
-- @function copy_
define('copy_', { INPUT, { 'source', kinds.operand } }, function(t, source)
  if not is_tensor(source) then source = scalar(source, t, 'copy_', 'source') end
  local device = common.array(t).device
  if common.array(source).device ~= device then source = raw.transfer(source, devices.name(device)) end
  return (raw.assign_(t, source))
end)

--- t's elements become 0.
define('zero_', { INPUT }, function(t) return (raw.fill_(t, 0)) end)

--- A tensor of t's size and dtype full of value, a number, a boolean or a tensor that broadcasts.
-- @function fill
define('fill', { INPUT, VALUE }, function(t, value)
  if is_tensor(value) then return (raw.assign(t, value)) end
  return (raw.fill(t, value))
end)

--- t's elements become value.
-- @function fill_
define('fill_', { INPUT, VALUE }, function(t, value)
  if is_tensor(value) then return (raw.assign_(t, value)) end
  return (raw.fill_(t, value))
end)

-- ---- comparing whole tensors ----

--- t in a dtype that rows compute in.
local function readable(t) return dtypes.halves[common.dtype(t)] and raw.cast(t, 'float32') or t end

--- True when both have the same size and elements (a Lua boolean).
-- @function equal
define('equal', { INPUT, { 'other', kinds.tensor } }, function(a, b)
  if not common.same_size(a, b) then return false end
  a, b = readable(a), readable(b)
  return raw.all(raw.eq(a, b)):item() ~= 0
end)

--- |a - b| of integers in float64: their difference is exact in integer arithmetic, though it may wrap round.
local function integer_distance(a, b)
  a, b = raw.cast(a, 'int64'), raw.cast(b, 'int64')
  local difference = raw.sub(raw.maximum(a, b), raw.minimum(a, b))
  local size = raw.cast(difference, 'float64')
  return raw.where(raw.lt(difference, 0), raw.add(size, 2 ^ 64), size)
end

local function isclose(a, b, rtol, atol, equal_nan)
  a = readable(a)
  b = readable(scalar(b, a, 'isclose', 'other'))
  a, b = common.promoted(a, b)
  local distance, size
  if common.is_float(a) then
    distance, size = raw.abs(raw.sub(a, b)), raw.abs(b)
  else
    distance, size = integer_distance(a, b), raw.abs(raw.cast(b, 'float64'))
  end
  local near = raw.le(distance, raw.add(raw.mul(size, rtol), atol))
  local close = raw.logical_or(raw.eq(a, b), raw.logical_and(near, raw.isfinite(b)))
  if equal_nan then close = raw.logical_or(close, raw.logical_and(raw.isnan(a), raw.isnan(b))) end
  return close
end

local CLOSENESS = {
  INPUT, OTHER, { 'rtol', kinds.nonnegative, 1e-5 }, { 'atol', kinds.nonnegative, 1e-8 },
  { 'equal_nan', kinds.boolean, false },
}

--- Elementwise |a - b| <= atol + rtol * |b|; b may be a number. Of integers and booleans the difference is exact.
-- @function isclose
define('isclose', CLOSENESS, isclose)

--- True when all elements are close (a Lua boolean); see isclose.
-- @function allclose
define('allclose', CLOSENESS, function(...) return raw.all(isclose(...)):item() ~= 0 end)

return pointwise
