--- nn.init: fill a tensor with initial values, in place and without recording; each returns the tensor.
-- Gains and fans are PyTorch's: a weight is (out, in, kernel...).
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local kinds, ops, functions, raise = arguments.kinds, support.ops, support.functions, support.raise

local init = {}

local function write(t, values)
  support.no_grad(ops.assign_, t, values)
  return t
end

--- Defines init[name](tensor, ...): `values(t, ...)`, which makes tensors beside t, gives what is written.
local function define(name, parameters, values)
  init[name] = arguments.define('init.' .. name, { { 'tensor', kinds.tensor }, unpack(parameters) },
    function(t, ...) return write(t, support.beside(t, values, t, ...)) end)
end

local function uniform(t, low, high) return ops.rand(support.shape(t), low, high, support.dtype(t)) end
local function normal(t, mean, std) return ops.randn(support.shape(t), mean, std, support.dtype(t)) end
local function constant(t, value) return ops.full({}, value, support.dtype(t)) end

--- Uniform from a (0) to b (1).
-- @function uniform_
define('uniform_', { { 'a', kinds.number, 0 }, { 'b', kinds.number, 1 } }, uniform)
--- Normal with a mean (0) and standard deviation std (1).
-- @function normal_
define('normal_', { { 'mean', kinds.number, 0 }, { 'std', kinds.nonnegative, 1 } }, normal)
--- One value.
-- @function constant_
define('constant_', { { 'val', kinds.number } }, constant)
--- Zeros.
-- @function zeros_
define('zeros_', {}, function(t) return constant(t, 0) end)
--- Ones.
-- @function ones_
define('ones_', {}, function(t) return constant(t, 1) end)

--- How many inputs and outputs an element of a weight (out, in, kernel...) has.
local function fans(what, t)
  local n = support.ndim(t)
  if n < 2 then raise('init.%s: needs a tensor with at least 2 dims, got size %s', what, support.shape_text(t)) end
  local field = 1
  for d = 3, n do field = field * support.size(t, d) end
  return support.size(t, 2) * field, support.size(t, 1) * field
end

local GAINS = {
  linear = 1, conv1d = 1, conv2d = 1, conv3d = 1, conv_transpose1d = 1, conv_transpose2d = 1, conv_transpose3d = 1,
  sigmoid = 1, tanh = 5 / 3, relu = math.sqrt(2), selu = 0.75,
}
local NONLINEARITIES = { 'leaky_relu' }
for name in pairs(GAINS) do NONLINEARITIES[#NONLINEARITIES + 1] = name end
table.sort(NONLINEARITIES)

local function gain_of(nonlinearity, slope)
  if nonlinearity == 'leaky_relu' then return math.sqrt(2 / (1 + slope ^ 2)) end
  return GAINS[nonlinearity]
end

--- The gain recommended for a nonlinearity; leaky_relu takes its slope (0.01).
-- @function calculate_gain
init.calculate_gain = arguments.define('init.calculate_gain', {
  { 'nonlinearity', kinds.name }, { 'param', kinds.number, 0.01 },
}, function(nonlinearity, param)
  local gain = gain_of(nonlinearity, param)
  if gain then return gain end
  return raise('init.calculate_gain: unknown nonlinearity %s%s', support.describe(nonlinearity),
    support.errors.suggestion(nonlinearity, NONLINEARITIES))
end)

local GAIN = { 'gain', kinds.number, 1 }
--- Uniform or normal with variance gain^2 * 2 / (fan_in + fan_out) (Glorot and Bengio 2010).
-- @function xavier_uniform_
define('xavier_uniform_', { GAIN }, function(t, gain)
  local fan_in, fan_out = fans('xavier_uniform_', t)
  local bound = gain * math.sqrt(6 / (fan_in + fan_out))
  return uniform(t, -bound, bound)
end)
define('xavier_normal_', { GAIN }, function(t, gain)
  local fan_in, fan_out = fans('xavier_normal_', t)
  return normal(t, 0, gain * math.sqrt(2 / (fan_in + fan_out)))
end)

local KAIMING = {
  { 'a', kinds.number, 0 }, { 'mode', kinds.choice('fan_in', 'fan_out'), 'fan_in' },
  { 'nonlinearity', kinds.choice(unpack(NONLINEARITIES)), 'leaky_relu' },
}
local function kaiming_std(what, t, a, mode, nonlinearity)
  local fan_in, fan_out = fans(what, t)
  return gain_of(nonlinearity, a) / math.sqrt(mode == 'fan_in' and fan_in or fan_out)
end
--- Uniform or normal with variance gain^2 / fan (He et al. 2015); a is the slope of leaky_relu.
-- @function kaiming_uniform_
define('kaiming_uniform_', KAIMING, function(t, a, mode, nonlinearity)
  local bound = math.sqrt(3) * kaiming_std('kaiming_uniform_', t, a, mode, nonlinearity)
  return uniform(t, -bound, bound)
end)
define('kaiming_normal_', KAIMING, function(t, a, mode, nonlinearity)
  return normal(t, 0, kaiming_std('kaiming_normal_', t, a, mode, nonlinearity))
end)

-- ---- matrices ----

local function check_dims(what, t, least, most)
  local n = support.ndim(t)
  if n < least or n > most then
    raise('init.%s: needs a tensor with %s dims, got size %s', what,
      least == most and tostring(least) or ('%d to %d'):format(least, most), support.shape_text(t))
  end
end

--- Zeros with ones at some places, counted from 1 in row-major order.
local function ones_at(t, places)
  local flat = ops.full({ support.numel(t) }, 0, support.dtype(t))
  if #places > 0 then
    local index = functions.tensor(places, { dtype = 'int64' })
    flat = ops.index_add(flat, index, ops.full({ #places }, 1, support.dtype(t)), 1)
  end
  return ops.view(flat, support.shape(t))
end

--- The identity, for a tensor of 2 dims.
-- @function eye_
define('eye_', {}, function(t)
  check_dims('eye_', t, 2, 2)
  local rows, columns, places = support.size(t, 1), support.size(t, 2), {}
  for i = 1, math.min(rows, columns) do places[i] = (i - 1) * columns + i end
  return ones_at(t, places)
end)

--- The weight (out, in, kernel...) of a convolution that hands its input channels on as they are, as many as there are;
-- in each of `groups` (1) groups.
-- @function dirac_
define('dirac_', { { 'groups', kinds.count, 1 } }, function(t, groups)
  check_dims('dirac_', t, 3, 5)
  local out, inputs, places = support.size(t, 1), support.size(t, 2), {}
  if out % groups ~= 0 then
    raise("init.dirac_: dim 1 (%d) must be divisible by 'groups' (%d)", out, groups)
  end
  local kernel, middle = 1, 0
  for d = 3, support.ndim(t) do
    local side = support.size(t, d)
    kernel, middle = kernel * side, middle * side + math.floor(side / 2)
  end
  local each = out / groups
  for g = 0, groups - 1 do
    for c = 0, math.min(each, inputs) - 1 do
      places[#places + 1] = ((g * each + c) * inputs + c) * kernel + middle + 1
    end
  end
  return ones_at(t, places)
end)

--- Normal, cut off: drawn anew, as it were, until within a (-2) .. b (2). By bisection of the distribution function.
-- @function trunc_normal_
define('trunc_normal_', {
  { 'mean', kinds.number, 0 }, { 'std', kinds.positive, 1 }, { 'a', kinds.number, -2 }, { 'b', kinds.number, 2 },
}, function(t, mean, std, a, b)
  if a >= b then raise("init.trunc_normal_: 'a' (%s) must be below 'b' (%s)", a, b) end
  local scale = 1 / (std * math.sqrt(2))
  local function distribution(x) return ops.erf(ops.mul(ops.sub(x, mean), scale)) end
  local shape = support.shape(t)
  local low, high = ops.full(shape, a, 'float64'), ops.full(shape, b, 'float64')
  local from, to = distribution(low), distribution(high)
  local wanted = ops.add(from, ops.mul(ops.sub(to, from), ops.rand(shape, 0, 1, 'float64')))
  for _ = 1, 60 do
    local middle = ops.mul(ops.add(low, high), 0.5)
    local below = ops.lt(distribution(middle), wanted)
    low, high = ops.where(below, middle, low), ops.where(below, high, middle)
  end
  return low
end)

--- A (semi-)orthogonal matrix times gain (1): rows or columns, whichever are fewer, are orthonormal. A tensor of more
-- than 2 dims counts as (dim 1) x (the rest) (Saxe et al. 2014).
-- @function orthogonal_
define('orthogonal_', { GAIN }, function(t, gain)
  if support.ndim(t) < 2 then
    raise('init.orthogonal_: needs a tensor with at least 2 dims, got size %s', support.shape_text(t))
  end
  local total, rows = support.numel(t), support.size(t, 1)
  if total == 0 then return t end
  local columns = total / rows
  local q, r = functions.qr(ops.randn({ math.max(rows, columns), math.min(rows, columns) }, 0, 1, 'float64'))
  -- with r's diagonal made positive the distribution is uniform
  q = ops.mul(q, ops.sign(ops.diagonal(r)))
  if rows < columns then q = ops.transpose(q, 1, 2) end
  return support.reshape(ops.mul(q, gain), support.shape(t))
end)

--- For a matrix: in each column the part `sparsity` of the elements, rounded up, is zero, the rest normal with standard
-- deviation std (0.01) (Martens 2010).
-- @function sparse_
define('sparse_', { { 'sparsity', kinds.probability }, { 'std', kinds.nonnegative, 0.01 } }, function(t, sparsity, std)
  check_dims('sparse_', t, 2, 2)
  local zeros = math.ceil(sparsity * support.size(t, 1))
  local values = normal(t, 0, std)
  if zeros == 0 then return values end
  local keys = ops.rand(support.shape(t), 0, 1, 'float64')
  local limit = ops.select(functions.sort(keys, 1), 1, zeros)
  return ops.where(ops.gt(keys, limit), values, constant(t, 0))
end)

return require 'metann.binding.lazy'('nn.init', {}, init)
