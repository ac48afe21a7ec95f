-- Samples of the pointwise rows. The references are closed formulas in plain Lua.
local exp, log, sqrt, abs, floor, ceil = math.exp, math.log, math.sqrt, math.abs, math.floor, math.ceil
local pi, huge = math.pi, math.huge
local ffi = require 'ffi'
local nan = 0 / 0

local function sign(x) return x > 0 and 1 or x < 0 and -1 or 0 end
local function truth(b) return b and 1 or 0 end
local function trunc(x) return x < 0 and ceil(x) or floor(x) end
local function round(x) -- half to even
  local low = floor(x)
  local rest = x - low
  if rest == 0.5 then return low % 2 == 0 and low or low + 1 end
  return rest < 0.5 and low or low + 1
end
local function sigmoid(x) return 1 / (1 + exp(-x)) end
local function erf(x) -- Maclaurin series
  local term, sum = x, x
  for n = 1, 80 do
    term = -term * x * x / n
    sum = sum + term / (2 * n + 1)
  end
  return sum * 2 / sqrt(pi)
end
local function erfinv(y) -- Newton's method
  if y ~= y or abs(y) >= 1 then return abs(y) == 1 and y * huge or nan end
  local x = 0
  for _ = 1, 60 do x = x - (erf(x) - y) * sqrt(pi) / 2 * exp(x * x) end
  return x
end
-- The gamma function's relatives by the first terms of their series at x + 60, and recurrence down from there.
local FAR = 60
local function is_pole(x) return x <= 0 and x % 1 == 0 end
local function lgamma(x)
  if is_pole(x) or x == huge then return huge end
  if x < 0 then return log(abs(pi / math.sin(pi * x))) - lgamma(1 - x) end
  local a, product = x + FAR, 0
  for k = 0, FAR - 1 do product = product + log(x + k) end
  return (a - 0.5) * log(a) - a + 0.5 * log(2 * pi) + 1 / (12 * a) - 1 / (360 * a ^ 3) + 1 / (1260 * a ^ 5) - product
end
local function digamma(x)
  if is_pole(x) then return x == 0 and -huge or nan end
  if x == huge then return x end
  if x < 0 then return digamma(1 - x) - pi / math.tan(pi * x) end
  local a, sum = x + FAR, 0
  for k = 0, FAR - 1 do sum = sum + 1 / (x + k) end
  return log(a) - 1 / (2 * a) - 1 / (12 * a ^ 2) + 1 / (120 * a ^ 4) - 1 / (252 * a ^ 6) - sum
end
local function polygamma(x, at)
  local n = at.n
  if n == 0 then return digamma(x) end
  if is_pole(x) then return n % 2 == 1 and huge or -huge end
  if x == huge then return 0 end
  if x < 0 then -- pi^2 / sin(pi x)^2 and its derivative
    local sine, cosine, other = math.sin(pi * x), math.cos(pi * x), polygamma(1 - x, at)
    assert(n < 3)
    return n == 1 and (pi / sine) ^ 2 - other or -2 * pi ^ 3 * cosine / sine ^ 3 + other
  end
  local a, sum, factorial = x + FAR, 0, 1
  for k = 1, n do factorial = factorial * k end
  for k = 0, FAR - 1 do sum = sum + (x + k) ^ -(n + 1) end
  sum = sum + a ^ -n / n + a ^ -(n + 1) / 2 + (n + 1) * a ^ -(n + 2) / 12
    - (n + 1) * (n + 2) * (n + 3) * a ^ -(n + 4) / 720
  return (n % 2 == 1 and 1 or -1) * factorial * sum
end
-- Of a gamma variate: the probability that it is at most x, its density, and how x moves with a at equal probability.
local function gamma_cdf(a, x)
  local term, sum = 1 / a, 1 / a
  for n = 1, 200 do
    term = term * x / (a + n)
    sum = sum + term
  end
  return exp(a * log(x) - x - lgamma(a)) * sum
end
local function gamma_slope(a, x)
  local term, sum, slope, inverses = 1 / a, 1 / a, -1 / a ^ 2, 1 / a
  for n = 1, 200 do -- the series of gamma_cdf and its derivative in a
    term = term * x / (a + n)
    inverses = inverses + 1 / (a + n)
    sum, slope = sum + term, slope - term * inverses
  end
  return -x * ((log(x) - digamma(a)) * sum + slope)
end
local function sinh(x) return (exp(x) - exp(-x)) / 2 end
local function cosh(x) return (exp(x) + exp(-x)) / 2 end
local function tanh(x) return (exp(2 * x) - 1) / (exp(2 * x) + 1) end
-- Integers stay integers: 2^-1 is 0.
local function power(x, y, _, inputs)
  local like = inputs[1] or inputs[2]
  return like.dtype:find 'int' and trunc(x ^ y) or x ^ y
end
local function remainder(a, b) return a - floor(a / b) * b end

return function(S)
  -- One sample of a row with one input.
  local function one(input, fn, attrs, options)
    local sample = {
      inputs = { input },
      attrs = attrs,
      reference = function(inputs, a)
        return S.map(inputs[1], function(x) return fn(x, a or {}) end)
      end,
    }
    for k, v in pairs(options or {}) do sample[k] = v end
    return sample
  end

  -- A plain, a 0-dim and an empty sample of a row with one input, over numbers from low to high.
  local function unary(fn, low, high, attrs)
    return {
      one(S.uniform({ 3, 5 }, low, high), fn, attrs),
      one(S.uniform({}, low, high), fn, attrs),
      one(S.uniform({ 2, 0 }, low, high), fn, attrs),
    }
  end

  -- The same for a row with kinks.
  local function kinked(fn, attrs)
    return { one(S.distinct { 3, 4 }, fn, attrs), one(S.distinct {}, fn, attrs), one(S.distinct { 0 }, fn, attrs) }
  end

  local function with(list, ...)
    for i = 1, select('#', ...) do list[#list + 1] = (select(i, ...)) end
    return list
  end

  local function whole(data, dtype) return S.values({ #data }, data, dtype or 'int64') end

  -- One sample of a row with two inputs, either of which may be false: then attrs.value stands for it.
  local function two(a, b, fn, attrs, options)
    local sample = {
      inputs = { a, b },
      attrs = attrs,
      reference = function(inputs, at)
        at = at or {}
        return S.zip(inputs[1] or at.value, inputs[2] or at.value, function(x, y) return fn(x, y, at, inputs) end)
      end,
    }
    for k, v in pairs(options or {}) do sample[k] = v end
    return sample
  end

  local mismatch = {
    inputs = { S.randn { 2, 3 }, S.randn { 4 } },
    error = "sizes don't broadcast",
  }

  -- Same sizes, a row, both broadcast, ranks, numbers on either side, 0-dim, empty, and an error. make gives numbers
  -- where the row is smooth.
  local function binary(fn, make, make_other, value)
    make_other = make_other or make
    return {
      two(make { 3, 4 }, make_other { 3, 4 }, fn),
      two(make { 3, 4 }, make_other { 4 }, fn),
      two(make { 3, 1 }, make_other { 1, 4 }, fn),
      two(make { 2, 1, 3 }, make_other { 4, 1 }, fn),
      two(make { 2, 3 }, make_other {}, fn),
      two(make { 2, 3 }, false, fn, { value = value or 1.5 }),
      two(false, make_other { 2, 3 }, fn, { value = value or 1.5 }),
      two(make {}, make_other {}, fn),
      two(make { 0, 3 }, make_other { 3 }, fn),
      mismatch,
    }
  end

  -- The same of quotients, whose steps the numbers keep away from.
  local function steps(fn)
    return binary(
      fn,
      function(size) return S.uniform(size, -1.9, -1.1) end,
      function(size) return S.uniform(size, 0.97, 1.05) end,
      1
    )
  end

  local function compare(fn)
    local a, b = { 1, 2, 3, 2, 0, -1 }, { 2, 2, 1, 2, -1, 0 }
    return {
      two(whole(a, 'float64'), whole(b, 'float64'), fn),
      two(whole(a), whole(b), fn),
      two(whole({ 0, 1, 0, 1 }, 'bool'), whole({ 0, 0, 1, 1 }, 'bool'), fn),
      two(whole(a, 'float64'), false, fn, { value = 2 }),
      two(false, whole(a, 'int32'), fn, { value = 2 }),
      two(whole({ 0, 1 }, 'bool'), false, fn, { value = 2 }),
      two(false, whole({ 0, 1 }, 'bool'), fn, { value = 1 }),
      two(S.values({ 2, 1 }, { 1, 2 }), S.values({ 3 }, { 1, 2, 3 }), fn),
      two(S.values({}, { 1 }), S.values({ 0 }, {}), fn),
      { inputs = { whole(a), false }, attrs = { value = 0.5 }, error = ':float%(%)' },
      { inputs = { whole({ 1 }, 'uint8'), false }, attrs = { value = -1 }, error = "number %-1 doesn't fit a uint8" },
      mismatch,
    }
  end

  local function logical(fn)
    local a, b = { 0, 1, 0, 1 }, { 0, 0, 1, 1 }
    return {
      two(whole(a, 'bool'), whole(b, 'bool'), fn),
      two(whole({ 0, 2.5, 0, nan }, 'float64'), whole({ 0, 0, -1, 1 }, 'float64'), fn),
      two(S.values({ 2, 1 }, { 0, 3 }, 'int64'), S.values({ 2 }, { 0, 1 }, 'int64'), fn),
      mismatch,
    }
  end

  local function test(fn)
    return {
      one(whole({ 0, 1.5, nan, huge, -huge, -2 }, 'float64'), fn),
      one(whole { 0, 1, -5 }, fn),
      one(whole({ 0, 1 }, 'bool'), fn),
      one(S.values({}, { nan }), fn),
      one(S.values({ 0 }, {}), fn),
    }
  end

  local function positive(size) return S.uniform(size, 0.5, 2) end
  local function negative(size) return S.uniform(size, -2, -0.5) end
  local function apart(size) return S.distinct(size) end -- never equal to those of `between`
  local function between(size)
    local a = S.distinct(size)
    for i, x in ipairs(a.data) do a.data[i] = x * 1.1 + 0.013 end
    return a
  end

  local function product(x, y) return x * y end
  local function maximum(x, y) return (x > y or x ~= x) and x or y end
  local function minimum(x, y) return (x < y or x ~= x) and x or y end
  local function fmod(x, y) return x - trunc(x / y) * y end
  local function gelu(x) return 0.5 * x * (1 + erf(x / sqrt(2))) end
  local function gelu_tanh(x) return 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ^ 3))) end
  local function leaky(x, at) return x > 0 and x or (at.negative_slope or 0.01) * x end
  local function elu(x, at) return x > 0 and x or (at.alpha or 1) * (exp(x) - 1) end
  local function clamp(x, at) return math.min(math.max(x, at.min or -huge), at.max or huge) end
  local function softplus(x, at)
    local beta = at.beta or 1
    return x * beta > (at.threshold or 20) and x or log(1 + exp(x * beta)) / beta
  end
  local function add(x, y, at) return x + (at.alpha or 1) * y end
  local function sub(x, y, at) return x - (at.alpha or 1) * y end

  local function gate(attrs)
    return {
      inputs = { S.randn { 3, 4 }, S.distinct { 3, 4 } },
      attrs = attrs,
      reference = function(inputs, at)
        return S.zip(inputs[1], inputs[2], function(x, by) return by > 0 and x or ((at or {}).slope or 0) * x end)
      end,
    }
  end
  local function clamp_gate(attrs)
    return {
      inputs = { S.randn { 3, 4 }, S.distinct { 3, 4 } },
      attrs = attrs,
      reference = function(inputs, at)
        return S.zip(inputs[1], inputs[2], function(x, by)
          return by >= (at.min or -huge) and by <= (at.max or huge) and x or 0
        end)
      end,
    }
  end
  local function decayed_average(attrs, a, b)
    return {
      inputs = { a or S.randn { 3, 4 }, b or S.randn { 3, 4 } },
      attrs = attrs,
      order = a and 0 or nil,
      reference = function(inputs, at)
        return S.zip(inputs[1], inputs[2], function(x, y)
          local sum = (at.decay or 0.5) * x + (at.share or 0.5) * y
          return math.abs(sum) < 2 ^ -1022 and 0 or sum
        end)
      end,
    }
  end
  local gate_mismatch = { inputs = { S.randn { 3 }, S.randn { 4 } }, error = 'one size and dtype' }

  local function where(condition, a, b)
    return {
      inputs = { condition, a, b },
      reference = function(inputs)
        local chosen = S.zip(inputs[1], inputs[2], function(c, x) return c ~= 0 and { x } or false end)
        return S.zip(chosen, inputs[3], function(x, y)
          if x then return x[1] end
          return y
        end)
      end,
    }
  end

  local function logarithm(shift)
    local function fn(x, y)
      if x == 0 and y == y then return 0 end
      return x * log(y + shift)
    end
    local list = binary(fn, positive)
    -- at 0 the derivatives are those of the logarithm, and 0 where there is none
    list[#list + 1] = two(S.values({ 3 }, { 0, 0, 0 }), S.fixed(S.values({ 3 }, { 2, 0.5, 3 })), fn)
    list[#list + 1] = two(S.values({ 5 }, { 0, 0, 0, 2, 0 }), S.values({ 5 }, { 0, -3, huge, -3, nan }), fn, nil, { order = 0 })
    list[#list + 1] = two(whole { 0, 3 }, whole { 0, 2 }, fn, nil, { rtol = 1e-6 })
    return list
  end

  local function copysign(x, y)
    if x ~= x then return x end
    return (y < 0 or 1 / y < 0) and -abs(x) or abs(x)
  end

  -- The bits of a float, as an integer, count the numbers from 0 on.
  local function next_number(x, y, double)
    if x ~= x or y ~= y or x == y then return x + (y - x) end
    local float = ffi.new(double and 'double[1]' or 'float[1]', x == 0 and 0 or x)
    local word = ffi.cast(double and 'int64_t *' or 'int32_t *', float)
    if x == 0 then
      word[0] = 1
      return y < 0 and -tonumber(float[0]) or tonumber(float[0])
    end
    word[0] = word[0] + ((y > x) == (x > 0) and 1 or -1)
    return tonumber(float[0])
  end
  local function nextafter(x, y, _, inputs)
    return next_number(x, y, (inputs[1] or inputs[2]).dtype == 'float64')
  end

  local function divisor(x, y)
    x, y = abs(x), abs(y)
    while y ~= 0 do x, y = y, x % y end
    return x
  end

  local function integers(fn)
    local a, b = { 12, -18, 0, 7, 0, -5, 100 }, { 8, 4, 5, 0, 0, 3, 2 }
    return {
      two(whole(a), whole(b), fn),
      two(whole(a, 'int32'), whole({ 3, 1, 40, 0, -1, 64, 31 }, 'int32'), function(x, y)
        local v = fn(x, y) % 2 ^ 32
        return v < 2 ^ 31 and v or v - 2 ^ 32
      end),
      two(whole({ 12, 200, 9 }, 'uint8'), whole({ 2, 1, 3 }, 'uint8'), function(x, y) return fn(x, y) % 256 end),
      two(S.values({ 2, 1 }, { 12, 9 }, 'int64'), whole { 3, 2, 1 }, fn),
      two(whole(a), false, fn, { value = 3 }),
      two(false, whole(b), fn, { value = 24 }),
      two(S.values({}, { 6 }, 'int64'), S.values({}, { 2 }, 'int64'), fn),
      two(S.values({ 0 }, {}, 'int64'), S.values({}, { 2 }, 'int64'), fn),
      { inputs = { S.randn { 2 }, S.randn { 2 } }, error = 'not defined for dtype float64' },
      mismatch,
    }
  end

  local function bits(two_words)
    local function fn(x, y) return two_words(x, y) end
    local list = integers(fn)
    list[#list + 1] = two(whole({ 0, 0, 1, 1 }, 'bool'), whole({ 0, 1, 0, 1 }, 'bool'), fn)
    return list
  end

  local function moved(input, attrs, options)
    return one(input, function(x) return x end, attrs, options)
  end

  return {
    abs = with(kinked(abs), one(whole { -3, 0, 4 }, abs), one(whole({ -3, 4 }, 'int32'), abs)),
    neg = with(
      unary(function(x) return -x end, -2, 2),
      one(whole { -3, 0, 4 }, function(x) return -x end),
      { inputs = { whole({ 0, 1 }, 'bool') }, error = 'bool' }
    ),
    sign = with(
      kinked(sign),
      one(whole { -3, 0, 4 }, sign),
      one(whole({ 0, 1 }, 'bool'), sign),
      one(S.fixed(whole({ -0.5, 0, 2 }, 'float64')), sign)
    ),
    square = with(
      unary(function(x) return x * x end, -2, 2),
      one(whole { -3, 0, 4 }, function(x) return x * x end),
      one(whole({ 0, 1 }, 'bool'), function(x) return x end)
    ),
    exp = unary(exp, -2, 2),
    exp2 = unary(function(x) return 2 ^ x end, -2, 2),
    expm1 = unary(function(x) return exp(x) - 1 end, -2, 2),
    log = unary(function(x) return log(x) end, 0.5, 3),
    log1p = unary(function(x) return log(1 + x) end, -0.5, 3),
    log10 = with(
      unary(function(x) return log(x) / log(10) end, 0.5, 3),
      -- of powers of ten the logarithms are whole
      {
        inputs = { S.values({ 6 }, { 1e-7, 0.1, 1, 1000, 1e15, 1e22 }) },
        reference = function() return S.array({ 6 }, { -7, -1, 0, 3, 15, 22 }) end,
        order = 0, rtol = 0, atol = 0,
      }
    ),
    log2 = unary(function(x) return log(x) / log(2) end, 0.5, 3),
    sqrt = unary(sqrt, 0.5, 3),
    rsqrt = unary(function(x) return 1 / sqrt(x) end, 0.5, 3),
    reciprocal = with(
      unary(function(x) return 1 / x end, 0.5, 3),
      one(whole { 1, 2, -4 }, function(x) return 1 / x end, nil, { rtol = 1e-6 }) -- integers become float32
    ),
    reciprocal_no_nan = with(
      unary(function(x) return 1 / x end, 0.5, 3),
      -- finite differences across 0 say nothing
      one(S.values({ 3 }, { 0, 2, -4 }), function(x) return x == 0 and 0 or 1 / x end, nil, { order = 0 })
    ),
    sin = with(unary(math.sin, -4, 4), one(S.values({ 2 }, { 1e7, -1e5 }), math.sin, nil, { order = 0, atol = 1e-9 })),
    cos = unary(math.cos, -4, 4),
    tan = unary(math.tan, -1, 1),
    asin = unary(math.asin, -0.7, 0.7),
    acos = unary(math.acos, -0.7, 0.7),
    atan = unary(math.atan, -2, 2),
    sinh = unary(sinh, -2, 2),
    cosh = unary(cosh, -2, 2),
    tanh = unary(tanh, -2, 2),
    asinh = unary(function(x) return log(x + sqrt(x * x + 1)) end, -2, 2),
    acosh = unary(function(x) return log(x + sqrt(x * x - 1)) end, 1.3, 4),
    atanh = unary(function(x) return log((1 + x) / (1 - x)) / 2 end, -0.7, 0.7),
    sigmoid = unary(sigmoid, -3, 3),
    erf = unary(erf, -2, 2),
    erfc = unary(function(x) return 1 - erf(x) end, -2, 2),
    erfinv = with(
      unary(erfinv, -0.9, 0.9),
      one(S.values({ 5 }, { -1, 1, 1.5, 0, nan }), erfinv, nil, { order = 0 })
    ),
    lgamma = with(
      unary(lgamma, 0.5, 6),
      one(S.uniform({ 3, 4 }, -2.8, -2.2), lgamma),
      one(S.values({ 3 }, { 0, -3, huge }), lgamma, nil, { order = 0 })
    ),
    digamma = with(
      unary(digamma, 0.5, 6),
      one(S.uniform({ 3, 4 }, -2.8, -2.2), digamma),
      one(S.values({ 3 }, { 0, -3, huge }), digamma, nil, { order = 0 })
    ),
    polygamma = with(
      unary(polygamma, 0.5, 6, { n = 1 }),
      one(S.uniform({ 3, 4 }, 0.7, 3), polygamma, { n = 0 }),
      one(S.uniform({ 3, 4 }, 0.7, 3), polygamma, { n = 2 }),
      one(S.uniform({ 3, 4 }, 1, 3), polygamma, { n = 3 }),
      one(S.uniform({ 3, 4 }, -2.8, -2.2), polygamma, { n = 1 }),
      one(S.uniform({ 3, 4 }, -2.8, -2.2), polygamma, { n = 2 }),
      one(S.values({ 3 }, { 0, -3, huge }), polygamma, { n = 1 }, { order = 0 }),
      { inputs = { S.randn { 2 } }, attrs = { n = 0.5 }, error = 'n must be a whole number from 0 to 100, got 0.5' },
      { inputs = { S.randn { 2 } }, attrs = { n = -1 }, error = 'from 0 to 100, got %-1' }
    ),
    standard_gamma_grad = binary(gamma_slope, positive, positive, 0.8),
    standard_gamma_cdf = binary(gamma_cdf, positive, positive, 0.8),
    relu = with(
      kinked(function(x) return x > 0 and x or 0 end),
      one(whole { -3, 0, 4 }, function(x) return math.max(x, 0) end)
    ),
    leaky_relu = with(kinked(leaky), one(S.distinct { 3, 4 }, leaky, { negative_slope = 0.3 })),
    elu = with(kinked(elu), one(S.distinct { 3, 4 }, elu, { alpha = 0.7 })),
    gelu = with(
      unary(gelu, -2, 2),
      one(S.uniform({ 3, 4 }, -2, 2), gelu_tanh, { approximate = 'tanh' }),
      { inputs = { S.randn { 3 } }, attrs = { approximate = 'sigmoid' }, error = 'approximate' }
    ),
    silu = unary(function(x) return x * sigmoid(x) end, -3, 3),
    softplus = with(
      unary(softplus, -3, 3),
      one(S.uniform({ 3, 4 }, -2, 2), softplus, { beta = 2 }),
      one(S.distinct { 3, 4 }, softplus, { beta = 1.5, threshold = 0.013 })
    ),
    clamp = with(
      kinked(clamp, { min = -0.71, max = 0.83 }),
      one(S.distinct { 3, 4 }, clamp, { min = 0.11 }),
      one(S.distinct { 3, 4 }, clamp, { max = 0.11 }),
      one(S.distinct { 3, 4 }, clamp),
      one(whole { -3, 0, 4 }, clamp, { min = -1, max = 2 }),
      one(whole({ 0, 4 }, 'uint8'), clamp, { min = -1, max = 3 }),
      { inputs = { whole { -3, 0, 4 } }, attrs = { min = 0.5 }, error = "the limit 0.5 doesn't fit a int64 tensor" }
    ),
    floor = with(kinked(floor), one(whole { -3, 4 }, floor)),
    ceil = kinked(ceil),
    round = with(
      kinked(round),
      one(S.fixed(S.values({ 6 }, { 0.5, 1.5, 2.5, -0.5, -1.5, 7 })), round)
    ),
    trunc = kinked(trunc),
    frac = kinked(function(x) return x - trunc(x) end),
    replace_nan = with(
      unary(function(x) return x end, -2, 2),
      one(S.values({ 4 }, { 1, nan, huge, -nan }), function(x) return x ~= x and 0 or x end, nil, { order = 0 }),
      one(S.values({ 3 }, { 1, nan, -2 }), function(x) return x ~= x and 7 or x end, { value = 7 }, { order = 0 }),
      one(S.distinct { 3, 4 }, function(x) return math.max(-0.83, math.min(0.83, x)) end, { limit = 0.83 })
    ),
    isnan = test(function(x) return truth(x ~= x) end),
    isinf = test(function(x) return truth(abs(x) == huge) end),
    isfinite = test(function(x) return truth(x == x and abs(x) ~= huge) end),
    logical_not = test(function(x) return truth(x == 0) end),
    cast = {
      moved(S.randn { 3, 4 }, { dtype = 'float64' }),
      -- of narrow dtypes finite differences see the rounding only
      moved(S.values({ 3 }, { 1, 2.5, -0.25 }), { dtype = 'float32' }, { order = 0 }),
      moved(S.values({ 3 }, { 1, 2.5, -0.25 }), { dtype = 'float16' }, { order = 0 }),
      moved(S.values({ 3 }, { 1, 2.5, -0.25 }), { dtype = 'bfloat16' }, { order = 0 }),
      moved(whole { 1, 0, -3 }, { dtype = 'float64' }),
      one(S.values({ 4 }, { 1.7, -1.7, 0, 3 }), trunc, { dtype = 'int64' }),
      one(S.values({ 3 }, { 0, -0.5, 2 }), function(x) return truth(x ~= 0) end, { dtype = 'bool' }),
      moved(S.randn {}, { dtype = 'float64' }),
      moved(S.randn { 0, 2 }, { dtype = 'float64' }),
      { inputs = { S.randn { 2 } }, attrs = { dtype = 'float128' }, error = 'dtype' },
    },
    clone = {
      moved(S.randn { 3, 4 }),
      moved(S.randn {}),
      moved(S.randn { 0, 2 }),
      moved(whole { 1, 2 }),
      moved(whole({ 0, 1 }, 'bool')),
    },

    add = with(
      binary(add, S.randn),
      two(S.randn { 3, 4 }, S.randn { 4 }, add, { alpha = -0.5 }),
      two(S.randn { 3, 4 }, false, add, { value = 3, alpha = 2 }),
      two(whole { 1, 2, 3 }, whole { 4, 5, -6 }, add),
      two(whole { 1, 2, 3 }, S.values({ 3 }, { 0.5, 1, 1.5 }), add),
      two(whole({ 0, 0, 1, 1 }, 'bool'), whole({ 0, 1, 0, 1 }, 'bool'), maximum),
      two(whole { 1, 2 }, false, add, { value = 2 }),
      { inputs = { whole { 1, 2 }, false }, attrs = { value = 0.5 }, error = ':float%(%)' }
    ),
    sub = with(
      binary(sub, S.randn),
      two(S.randn { 3, 4 }, S.randn { 4 }, sub, { alpha = 2 }),
      two(whole { 1, 2, 3 }, whole { 4, 5, -6 }, sub),
      { inputs = { whole({ 0, 1 }, 'bool'), whole({ 1, 1 }, 'bool') }, error = 'bool' }
    ),
    mul = with(
      binary(product, S.randn),
      two(whole { 1, 2, 3 }, whole { 4, 5, -6 }, product),
      two(whole({ 0, 0, 1, 1 }, 'bool'), whole({ 0, 1, 0, 1 }, 'bool'), minimum)
    ),
    div = with(
      binary(function(x, y) return x / y end, S.randn, positive),
      two(whole { 1, 2, 3 }, whole { 4, 5, -6 }, function(x, y) return x / y end, nil, { rtol = 1e-6 })
    ),
    pow = with(
      binary(power, positive),
      two(positive { 3 }, false, power, { value = 0.5 }),
      two(positive { 3 }, false, power, { value = -1 }),
      two(S.randn { 3 }, false, power, { value = 2 }),
      two(S.randn { 3 }, false, power, { value = 3 }),
      two(S.randn { 3 }, false, function() return 1 end, { value = 0 }),
      two(S.randn { 3 }, false, function(x) return x end, { value = 1 }),
      two(negative { 3 }, false, power, { value = -3 }),
      two(false, S.randn { 3 }, power, { value = 2 }),
      two(whole { 2, -3, 1, -1, 2 }, whole { 10, 3, -2, -3, -1 }, power),
      two(whole { 2, -3 }, false, power, { value = 5 }),
      { inputs = { whole { 1, 2 }, false }, attrs = { value = -1 }, error = 'negative power' }
    ),
    maximum = with(
      binary(maximum, apart, between, 0.017),
      two(whole { 1, 5 }, whole { 3, 2 }, maximum),
      two(S.values({ 3 }, { nan, 1, 2 }), S.values({ 3 }, { 1, nan, 3 }), function(x, y)
        return (x ~= x or y ~= y) and nan or math.max(x, y)
      end, nil, { order = 0 }) -- NaN has no differences
    ),
    minimum = with(
      binary(minimum, apart, between, 0.017),
      two(whole { 1, 5 }, whole { 3, 2 }, minimum)
    ),
    fmod = with(
      steps(fmod),
      two(whole { 7, -7, 7, -7 }, whole { 3, 3, -3, -3 }, fmod),
      { inputs = { whole { 1, 2 }, whole { 1, 0 } }, error = 'by zero' }
    ),
    remainder = with(
      steps(remainder),
      two(whole { 7, -7, 7, -7 }, whole { 3, 3, -3, -3 }, remainder),
      { inputs = { whole { 1, 2 }, false }, attrs = { value = 0 }, error = 'by zero' }
    ),
    floor_divide = with(
      steps(function(x, y) return floor(x / y) end),
      two(whole { 7, -7, 7, -7, 6 }, whole { 3, 3, -3, -3, -2 }, function(x, y) return floor(x / y) end),
      { inputs = { whole { 1, 2 }, whole { 1, 0 } }, error = 'by zero' }
    ),
    trunc_divide = with(
      steps(function(x, y) return trunc(x / y) end),
      two(whole { 7, -7, 7, -7, 6 }, whole { 3, 3, -3, -3, -2 }, function(x, y) return trunc(x / y) end),
      { inputs = { whole { 1, 2 }, false }, attrs = { value = 0 }, error = 'by zero' }
    ),
    atan2 = with(
      binary(math.atan2, positive),
      two(negative { 3 }, negative { 3 }, math.atan2),
      two(S.values({ 3 }, { 0, 0, 1 }), S.values({ 3 }, { 1, -1, 0 }), math.atan2, nil, { order = 0 }) -- the cut
    ),
    hypot = with(
      binary(function(x, y) return sqrt(x * x + y * y) end, positive),
      two(S.values({ 2 }, { 3, 0 }), S.values({ 2 }, { 4, 2 }), function(x, y) return sqrt(x * x + y * y) end)
    ),
    logaddexp = with(
      binary(function(x, y) return log(exp(x) + exp(y)) end, S.randn),
      two(S.values({ 2 }, { 1000, 0 }), S.values({ 2 }, { 999, -800 }), function(x, y)
        return math.max(x, y) + log(1 + exp(-abs(x - y)))
      end)
    ),
    xlogy = logarithm(0),
    xlog1py = logarithm(1),
    copysign = with(
      binary(copysign, apart, between, 0.7),
      two(S.values({ 4 }, { 1, -2, 3, nan }), S.values({ 4 }, { -0.0, 0, -huge, 1 }), copysign, nil, { order = 0 }),
      two(whole { 1, -2 }, whole { -1, 1 }, copysign)
    ),
    nextafter = with(
      binary(nextafter, apart, between, 0.7),
      two(S.values({ 7 }, { 1, 1, 0, 0, 5, huge, nan }), S.values({ 7 }, { 2, 0, 1, -1, 5, 0, 1 }), nextafter, nil,
        { rtol = 0, atol = 0, order = 0 }),
      two(S.values({ 3 }, { 1, -1, 0 }, 'float32'), S.values({ 3 }, { 2, -2, 1 }, 'float32'), nextafter, nil,
        { rtol = 0, atol = 0 })
    ),
    gcd = integers(divisor),
    bitwise_and = bits(bit.band),
    bitwise_or = bits(bit.bor),
    bitwise_xor = bits(bit.bxor),
    bitwise_left_shift = integers(function(x, y) return y >= 0 and y < 32 and x * 2 ^ y or 0 end),
    bitwise_right_shift = integers(function(x, y)
      return y >= 0 and y < 32 and floor(x / 2 ^ y) or x < 0 and -1 or 0
    end),
    eq = compare(function(x, y) return truth(x == y) end),
    ne = compare(function(x, y) return truth(x ~= y) end),
    lt = compare(function(x, y) return truth(x < y) end),
    le = compare(function(x, y) return truth(x <= y) end),
    gt = compare(function(x, y) return truth(x > y) end),
    ge = compare(function(x, y) return truth(x >= y) end),
    logical_and = logical(function(x, y) return truth(x ~= 0 and y ~= 0) end),
    logical_or = logical(function(x, y) return truth(x ~= 0 or y ~= 0) end),
    logical_xor = logical(function(x, y) return truth((x ~= 0) ~= (y ~= 0)) end),
    where = {
      where(S.values({ 2, 2 }, { 1, 0, 0, 1 }, 'bool'), S.randn { 2, 2 }, S.randn { 2, 2 }),
      where(S.values({ 2, 1 }, { 1, 0 }, 'bool'), S.randn { 3 }, S.randn {}),
      where(S.values({ 2 }, { 2, 0 }, 'uint8'), S.randn { 2 }, S.randn { 3, 1 }),
      where(S.values({ 3 }, { 1, 0, 1 }, 'bool'), whole { 1, 2, 3 }, whole { 4, 5, 6 }),
      where(S.values({}, { 1 }, 'bool'), S.randn {}, S.randn {}),
      where(S.values({ 0 }, {}, 'bool'), S.randn { 0 }, S.randn { 2, 1 }),
      { inputs = { S.randn { 2 }, S.randn { 2 }, S.randn { 2 } }, error = 'condition' },
    },
    gate = { gate(), gate { slope = 0.2 }, gate_mismatch },
    clamp_gate = {
      clamp_gate { min = -0.71, max = 0.83 },
      clamp_gate { min = 0.11 },
      clamp_gate { max = 0.11 },
      gate_mismatch,
    },
    decayed_average = {
      decayed_average {},
      decayed_average { decay = 0.9, share = 0.1 },
      decayed_average({ decay = 1, share = 0 }, S.values({ 4 }, { 2 ^ -1040, -2 ^ -1040, 2 ^ -1022, -2 ^ -1022 }),
        S.values({ 4 }, { 1, 1, 1, 1 })),
      gate_mismatch,
    },
  }
end
