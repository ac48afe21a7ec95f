--- nn.init: fill a tensor with initial values, in place and without recording; each returns the tensor.
-- Gains and fans are PyTorch's: a weight is (out, in, kernel...).
local options = require 'metann.nn.options'
local support = require 'metann.nn.support'
local kinds, ops, raise = options.kinds, support.ops, support.raise

local init = {}

local function check(what, t)
  if not support.is_tensor(t) then raise("init.%s: 'tensor' must be a tensor, got %s", what, support.describe(t)) end
end

local function write(t, values)
  support.no_grad(ops.assign_, t, values)
  return t
end

--- Defines init[name](tensor, options): `values(t, o)` gives what is written.
local function define(name, parameters, values)
  local read = options.reader('init.' .. name, parameters)
  init[name] = function(t, ...)
    check(name, t)
    return write(t, values(t, read(...)))
  end
end

local function uniform(t, low, high) return ops.rand(support.shape(t), low, high, support.dtype(t)) end
local function normal(t, mean, std) return ops.randn(support.shape(t), mean, std, support.dtype(t)) end
local function constant(t, value) return ops.full({}, value, support.dtype(t)) end

--- Uniform from a (0) to b (1).
define('uniform_', { { 'a', kinds.number, 0 }, { 'b', kinds.number, 1 } },
  function(t, o) return uniform(t, o.a, o.b) end)
--- Normal with a mean (0) and standard deviation std (1).
define('normal_', { { 'mean', kinds.number, 0 }, { 'std', kinds.nonnegative, 1 } },
  function(t, o) return normal(t, o.mean, o.std) end)
--- One value.
define('constant_', { { 'val', kinds.number } }, function(t, o) return constant(t, o.val) end)
define('zeros_', {}, function(t) return constant(t, 0) end)
define('ones_', {}, function(t) return constant(t, 1) end)

--- How many inputs and outputs an element of a weight (out, in, kernel...) has.
local function fans(what, t)
  local n = support.ndim(t)
  if n < 2 then raise('init.%s: needs a tensor with at least 2 dims, got size %s', what, support.shape_text(t)) end
  local field = 1
  for d = 3, n do field = field * support.size(t, d) end
  return support.size(t, 2) * field, support.size(t, 1) * field
end

local GAINS = { linear = 1, conv1d = 1, conv2d = 1, sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2), selu = 0.75 }

--- The gain recommended for a nonlinearity; leaky_relu takes its slope (0.01).
function init.calculate_gain(nonlinearity, param)
  if nonlinearity == 'leaky_relu' then return math.sqrt(2 / (1 + (param or 0.01) ^ 2)) end
  local gain = GAINS[nonlinearity]
  if not gain then raise("init.calculate_gain: unknown nonlinearity %s", support.describe(nonlinearity)) end
  return gain
end

local GAIN = { 'gain', kinds.number, 1 }
--- Uniform or normal with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
define('xavier_uniform_', { GAIN }, function(t, o)
  local fan_in, fan_out = fans('xavier_uniform_', t)
  local bound = o.gain * math.sqrt(6 / (fan_in + fan_out))
  return uniform(t, -bound, bound)
end)
define('xavier_normal_', { GAIN }, function(t, o)
  local fan_in, fan_out = fans('xavier_normal_', t)
  return normal(t, 0, o.gain * math.sqrt(2 / (fan_in + fan_out)))
end)

local KAIMING = {
  { 'a', kinds.number, 0 }, { 'mode', kinds.choice('fan_in', 'fan_out'), 'fan_in' },
  { 'nonlinearity', kinds.choice('leaky_relu', 'relu', 'linear', 'conv1d', 'conv2d', 'sigmoid', 'tanh', 'selu'),
    'leaky_relu' },
}
local function kaiming_std(what, t, o)
  local fan_in, fan_out = fans(what, t)
  return init.calculate_gain(o.nonlinearity, o.a) / math.sqrt(o.mode == 'fan_in' and fan_in or fan_out)
end
--- Uniform or normal with variance gain^2 / fan (He et al. 2015); a is the slope of leaky_relu.
define('kaiming_uniform_', KAIMING, function(t, o)
  local bound = math.sqrt(3) * kaiming_std('kaiming_uniform_', t, o)
  return uniform(t, -bound, bound)
end)
define('kaiming_normal_', KAIMING, function(t, o) return normal(t, 0, kaiming_std('kaiming_normal_', t, o)) end)

return init
