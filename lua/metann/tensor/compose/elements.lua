--- More functions of single elements made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local dtypes = require 'metann.binding.dtypes'
local limits = require 'metann.tensor.compose.limits'
local kinds = arguments.kinds
local raw, raise, scalar, as_float = common.raw, common.raise, common.scalar, common.as_float

local elements = {}

local function define(name, parameters, fn) elements[name] = arguments.define(name, parameters, fn) end

local INPUT, OTHER = { 'input', kinds.tensor }, { 'other', kinds.operand }
local EITHER = { 'input', kinds.operand }

-- ---- logarithms, powers, circles ----

--- log(t / (1 - t)); with eps t is limited to eps .. 1 - eps first, to eps where both would be.
-- @function logit
define('logit', { INPUT, { 'eps', kinds.number, optional = true } }, function(t, eps)
  t = as_float(t)
  if eps then t = raw.where(raw.lt(t, eps), scalar(eps, t), raw.clamp(t, -math.huge, 1 - eps)) end
  return (raw.log(raw.div(t, raw.sub(1, t))))
end)

local LN2 = math.log(2)

--- log2(2^a + 2^b)
-- @function logaddexp2
define('logaddexp2', { INPUT, OTHER }, function(a, b)
  local other = common.is_tensor(b) and raw.mul(as_float(b), LN2) or b * LN2
  return (raw.div(raw.logaddexp(raw.mul(as_float(a), LN2), other), LN2))
end)

--- t times 2^other.
-- @function ldexp
define('ldexp', { INPUT, OTHER }, function(t, other)
  return (raw.mul(t, common.is_tensor(other) and raw.exp2(other) or 2 ^ other))
end)

local TINY = { float32 = 2 ^ -100, float64 = 2 ^ -1000 } -- numbers below are multiplied by 2^54 first

--- x 2^-e, in two steps: 2^-e itself may be beyond the ends of the dtype.
local function without(x, e)
  local half = raw.floor(raw.mul(e, 0.5))
  return raw.mul(raw.mul(x, raw.exp2(raw.neg(half))), raw.exp2(raw.sub(half, e)))
end

--- m, with |m| from 0.5 to 1, and e (int32) of t = m 2^e; of 0 and of what isn't finite itself and 0.
-- @function frexp
define('frexp', { INPUT }, function(t)
  t = as_float(t)
  local x, dtype = raw.detach(t), common.dtype(t)
  local ordinary = raw.logical_and(raw.isfinite(x), raw.ne(x, 0))
  local zero, one = scalar(0, x), scalar(1, x)
  local lift = raw.where(raw.logical_and(ordinary, raw.lt(raw.abs(x), TINY[dtype])), scalar(54, x), zero)
  local lifted = raw.mul(raw.where(ordinary, x, one), raw.exp2(lift))
  local e = raw.add(raw.floor(raw.log2(raw.abs(lifted))), 1)
  -- the logarithm of a number just below a power of 2 is rounded to that of the power
  local size = raw.abs(without(lifted, e))
  e = raw.add(e, raw.sub(raw.cast(raw.ge(size, 1), dtype), raw.cast(raw.lt(size, 0.5), dtype)))
  e = raw.where(ordinary, e, zero)
  return without(raw.mul(t, raw.exp2(lift)), e), (raw.cast(raw.sub(e, lift), 'int32'))
end)

local function double(t) return common.is_tensor(t) and raw.cast(t, 'float64') or t end

--- t to the power of exponent, in float64.
-- @function float_power
define('float_power', { EITHER, { 'exponent', kinds.operand } }, function(t, exponent)
  if not common.is_tensor(t) and not common.is_tensor(exponent) then
    raise("float_power: 'input' or 'exponent' must be a tensor")
  end
  return (raw.pow(double(t), double(exponent)))
end)

-- sin(y) / y for |y| up to 1, as polynomial in y^2: the coefficients 1 / (2k + 1)! with alternating signs.
local SINC = {}
for k = 0, 10 do
  local c = 1
  for i = 2, 2 * k + 1 do c = -c * (i % 2 == 0 and 1 or -1) / i end
  SINC[k] = math.abs(c) * (k % 2 == 0 and 1 or -1)
end

--- sin(pi t) / (pi t), 1 at 0.
-- @function sinc
define('sinc', { INPUT }, function(t)
  local y = raw.mul(as_float(t), math.pi)
  local near = raw.lt(raw.abs(y), 1)
  local square = raw.square(raw.where(near, y, scalar(0, y)))
  local series = raw.mul(square, SINC[10])
  for k = 9, 1, -1 do series = raw.mul(raw.add(series, SINC[k]), square) end
  local far = raw.where(near, scalar(1, y), y)
  return (raw.where(near, raw.add(series, SINC[0]), raw.div(raw.sin(far), far)))
end)

local function factor(name, number)
  define(name, { INPUT }, function(t) return (raw.mul(as_float(t), number)) end)
end
--- Degrees as radians.
-- @function deg2rad
factor('deg2rad', math.pi / 180)
--- Radians as degrees.
-- @function rad2deg
factor('rad2deg', 180 / math.pi)

-- ---- signs and steps ----

--- t itself; of bools an error.
-- @function positive
define('positive', { INPUT }, function(t)
  if common.dtype(t) == 'bool' then raise('positive: not defined for dtype bool') end
  return t
end)

--- Whether elements have the sign minus, as -0 has.
-- @function signbit
define('signbit', { INPUT }, function(t)
  return (raw.lt(common.is_float(t) and raw.copysign(1, t) or t, 0))
end)

--- 0 below 0, 1 above it, and at 0 values, a number or a tensor that broadcasts.
-- @function heaviside
define('heaviside', { INPUT, { 'values', kinds.operand } }, function(t, values)
  values = scalar(values, t, 'heaviside', 'values')
  t, values = common.promoted(t, values)
  return (raw.where(raw.eq(t, 0), values, raw.cast(raw.gt(t, 0), common.dtype(t))))
end)

local function extreme(name, wins)
  define(name, { INPUT, OTHER }, function(a, b)
    a, b = common.promoted(a, scalar(b, a, name, 'other'))
    return (raw.where(raw.logical_or(wins(a, b), raw.isnan(b)), a, b))
  end)
end
--- The larger of two, the other one where one is NaN.
-- @function fmax
extreme('fmax', raw.ge)
--- The smaller of two.
-- @function fmin
extreme('fmin', raw.le)

local function infinite(name, number)
  define(name, { INPUT }, function(t)
    return (common.is_float(t) and raw.eq(t, number) or raw.ne(t, t))
  end)
end
--- Whether elements are infinity.
-- @function isposinf
infinite('isposinf', math.huge)
--- Whether elements are minus infinity.
-- @function isneginf
infinite('isneginf', -math.huge)

--- Whether elements are real numbers, as all are here.
-- @function isreal
define('isreal', { INPUT }, function(t) return (raw.logical_or(raw.eq(t, t), raw.ne(t, t))) end)

local NUMBER = kinds.number

--- t with numbers in place of NaN (0 unless given), infinity and minus infinity (the dtype's largest and smallest).
-- @function nan_to_num
define('nan_to_num', {
  INPUT, { 'nan', NUMBER, 0 }, { 'posinf', NUMBER, optional = true }, { 'neginf', NUMBER, optional = true },
}, function(t, nan, posinf, neginf)
  if not common.is_float(t) then return (raw.clone(t)) end
  local was = t
  t = raw.replace_nan(t, nan, limits.finfo(common.dtype(t)).max)
  if posinf then t = raw.where(raw.eq(was, math.huge), scalar(posinf, t), t) end
  if neginf then t = raw.where(raw.eq(was, -math.huge), scalar(neginf, t), t) end
  return t
end)

-- ---- integers ----

--- Integers with every bit turned, and bools: their opposites.
-- @function bitwise_not
define('bitwise_not', { INPUT }, function(t)
  local dtype = common.dtype(t)
  if dtype == 'bool' then return (raw.logical_not(t)) end
  if not dtypes.integers[dtype] then raise('bitwise_not: not defined for dtype %s', dtype) end
  return (raw.sub(dtype == 'uint8' and 255 or -1, t))
end)

--- The least common multiple of integers.
-- @function lcm
define('lcm', { INPUT, OTHER }, function(a, b)
  return (raw.abs(raw.mul(raw.trunc_divide(a, raw.maximum(raw.gcd(a, b), 1)), b)))
end)

return elements
