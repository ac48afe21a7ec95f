--- Fourier transforms by torch.fft's names and arguments (dims count from 1). Complex numbers are pairs: a last dim of 2,
-- the real and the imaginary part, which no `dim` counts.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local dtypes = require 'metann.binding.dtypes'
local ops = require 'metann.tensor.ops'
local pairs = require('metann.binding.traversal').pairs
local raw, raise, ndim, size = common.raw, common.raise, common.ndim, common.size
local define, kinds = arguments.define, arguments.kinds

local fft = {}

local input = { 'input', kinds.tensor }
local n_, s_ = { 'n', kinds.integer, optional = true }, { 's', kinds.shape, optional = true }
local norm_ = { 'norm', kinds.choice('backward', 'ortho', 'forward'), 'backward' }
local dim_, dims_ = { 'dim', kinds.dim, -1 }, { 'dim', kinds.dims, optional = true }

-- ---- arguments ----

--- A float tensor of one of the dtypes that have products.
local function floats(op, t)
  t = common.as_float(t)
  local dtype = common.dtype(t)
  if dtype ~= 'float32' and dtype ~= 'float64' then raise('%s: expected float32 or float64, got %s', op, dtype) end
  return t
end

local function real(op, t)
  if ndim(t) < 1 then raise("%s: 'input' must have at least 1 dim", op) end
  return floats(op, t)
end

--- A tensor of pairs.
local function pairs_in(op, t)
  if ndim(t) < 2 or size(t, -1) ~= 2 then
    raise("%s: 'input' must be complex numbers as pairs, (..., n, 2), got %s", op, common.tuple(common.shape(t)))
  end
  return floats(op, t)
end

local function length(op, name, n, default)
  if n == nil then n = default end
  if n < 1 then raise("%s: '%s' must be at least 1, got %d", op, name, n) end
  return n
end

--- What a transform of n numbers is multiplied by.
local function factor(norm, n, inverse)
  if norm == 'ortho' then return n ^ -0.5 end
  return (norm == 'forward') ~= inverse and 1 / n or 1
end

-- ---- along one dim; tensors of pairs, whose dims are counted without the last ----

--- t with dim cut or filled with zeros to n; `is_real`: the last dim, of 1, gets an imaginary part of 0.
local function sized(t, dim, n, is_real)
  local before, after = {}, {}
  for d = 1, ndim(t) do before[d], after[d] = 0, 0 end
  after[dim] = n - size(t, dim)
  if is_real then after[#after] = 1 end
  if after[dim] == 0 and after[#after] == 0 then return t end
  return (raw.pad(t, before, after))
end

local function complex(z, n, dim, norm, inverse)
  local last = ndim(z) - 1
  if dim ~= last then z = raw.transpose(z, dim, last) end
  z = raw.dft(sized(z, last, n), inverse, factor(norm, n, inverse))
  return dim == last and z or (raw.transpose(z, dim, last))
end

--- Half of what is found for real numbers: the other half are the conjugates.
local function forward(t, n, dim, norm)
  local z = complex(sized(raw.unsqueeze(t, -1), dim, n, true), n, dim, norm, false)
  return (raw.slice(z, dim, 1, math.floor(n / 2) + 1))
end

local CONJUGATE = { 1, -1 }

--- n real numbers of which z is half the transform.
local function backward(z, n, dim, norm)
  local half = math.floor(n / 2) + 1
  z = sized(z, dim, half)
  if n > half then
    local others = raw.flip(raw.slice(z, dim, 2, n - half), { dim })
    z = raw.cat({ z, raw.mul(others, common.beside(z, ops.tensor, CONJUGATE, { dtype = common.dtype(z) })) }, dim)
  end
  return (raw.select(complex(z, n, dim, norm, true), -1, 1))
end

--- The dim of pairs that a number means, which doesn't count the last.
local function dim_of(op, dim, z) return common.dim(dim, ndim(z) - 1, op) end

for name, inverse in pairs{ fft = false, ifft = true } do
  --- The transform of complex numbers, and its inverse.
  -- @param t pairs (..., n, 2)
  -- @param n the length: t is cut or filled with zeros
  -- @param dim -1 unless given, the last before the pairs
  -- @param norm which of the two is divided by n: 'backward' (the inverse, the default), 'forward', or 'ortho', both
  -- by its root
  -- @function fft
  fft[name] = define(name, { input, n_, dim_, norm_ }, function(t, n, dim, norm)
    t = pairs_in(name, t)
    dim = dim_of(name, dim, t)
    return complex(t, length(name, 'n', n, size(t, dim)), dim, norm, inverse)
  end)
end

--- The transform of real numbers: the first n / 2 + 1 of its numbers, as pairs. The arguments are fft's.
-- @function rfft
fft.rfft = define('rfft', { input, n_, dim_, norm_ }, function(t, n, dim, norm)
  t = real('rfft', t)
  dim = common.dim(dim, ndim(t), 'rfft')
  return forward(t, length('rfft', 'n', n, size(t, dim)), dim, norm)
end)

--- The n real numbers of which t is the transform by rfft; n is 2 (m - 1) for m pairs unless given.
-- @function irfft
fft.irfft = define('irfft', { input, n_, dim_, norm_ }, function(t, n, dim, norm)
  t = pairs_in('irfft', t)
  dim = dim_of('irfft', dim, t)
  return backward(t, length('irfft', 'n', n, 2 * (size(t, dim) - 1)), dim, norm)
end)

-- ---- along several dims ----

--- The dims, positive, and the lengths along them: given, or the tensor's; false where -1 stands for the tensor's.
local function several(op, n, s, dims, default)
  if not dims then
    dims = default and { unpack(default) } or {}
    local count = s and #s or n
    for i = 1, default and 0 or count do dims[i] = n - count + i end
  end
  if s and #s ~= #dims then raise("%s: 's' has %d sizes for %d dims", op, #s, #dims) end
  if #dims == 0 then raise("%s: 'dim' names no dim", op) end
  local seen, lengths = {}, {}
  for i, d in ipairs(dims) do
    d = common.dim(d, n, op)
    if seen[d] then raise('%s: dim %d is given twice', op, d) end
    seen[d], dims[i] = true, d
    lengths[i] = s and length(op, 's', s[i]) or false
  end
  return dims, lengths
end

--- Transforms along all the dims but those after `count`.
local function over(op, z, dims, lengths, count, norm, inverse)
  for i = 1, count do
    z = complex(z, length(op, 's', lengths[i] or nil, size(z, dims[i])), dims[i], norm, inverse)
  end
  return z
end

local function define_several(suffix, default)
  local parameters = { input, s_, default and { 'dim', kinds.dims, default } or dims_, norm_ }
  for short, inverse in pairs{ fft = false, ifft = true } do
    local name = short .. suffix
    fft[name] = define(name, parameters, function(t, s, dims, norm)
      t = pairs_in(name, t)
      local lengths
      dims, lengths = several(name, ndim(t) - 1, s, dims, default)
      return over(name, t, dims, lengths, #dims, norm, inverse)
    end)
  end
  local rfft, irfft = 'rfft' .. suffix, 'irfft' .. suffix
  fft[rfft] = define(rfft, parameters, function(t, s, dims, norm)
    t = real(rfft, t)
    local lengths
    dims, lengths = several(rfft, ndim(t), s, dims, default)
    local count = #dims
    local z = forward(t, length(rfft, 's', lengths[count] or nil, size(t, dims[count])), dims[count], norm)
    return over(rfft, z, dims, lengths, count - 1, norm, false)
  end)
  fft[irfft] = define(irfft, parameters, function(t, s, dims, norm)
    local z = pairs_in(irfft, t)
    local lengths
    dims, lengths = several(irfft, ndim(z) - 1, s, dims, default)
    local count = #dims
    local n = length(irfft, 's', lengths[count] or nil, 2 * (size(z, dims[count]) - 1))
    z = over(irfft, z, dims, lengths, count - 1, norm, true)
    return backward(z, n, dims[count], norm)
  end)
end
--- The same along two dims, the last two unless given, and along several: all, or as many as `s` has lengths, unless
-- `dim` is given. Of real numbers the last of the dims is halved.
-- @function rfft2
define_several('2', { -2, -1 })
define_several('n')

-- ---- frequencies ----

local count_, spacing_ = { 'n', kinds.count }, { 'd', kinds.number, 1 }
local options = { { 'dtype', kinds.dtype, named = true, optional = true }, { 'device', kinds.device, named = true, optional = true } }

--- k / (n d) for k from `first`, which isn't positive, to n / 2: those from 0 on come first.
local function frequencies(op, n, d, first, last_one, dtype, device)
  if n < 1 then raise("%s: 'n' must be at least 1, got %d", op, n) end
  dtype = dtype or common.default_dtype()
  if not dtypes.floats[dtype] then raise("%s: 'dtype' must be a float dtype, got %s", op, dtype) end
  local k = ops.arange(first, last_one + 1, { dtype = 'float64', device = device })
  return (raw.cast(raw.roll(raw.div(k, n * d), { first }, { 1 }), dtype))
end

--- The frequencies that fft's numbers stand for, in turns per unit of d, the samples' distance (1).
-- @function fftfreq
fft.fftfreq = define('fftfreq', { count_, spacing_, unpack(options) }, function(n, d, dtype, device)
  return (frequencies('fftfreq', n, d, -math.floor(n / 2), math.floor((n - 1) / 2), dtype, device))
end)

--- Those of rfft's numbers.
-- @function rfftfreq
fft.rfftfreq = define('rfftfreq', { count_, spacing_, unpack(options) }, function(n, d, dtype, device)
  return (frequencies('rfftfreq', n, d, 0, math.floor(n / 2), dtype, device))
end)

local function shifted(name, shift)
  fft[name] = define(name, { input, dims_ }, function(t, dims)
    local list, shifts = dims or {}, {}
    for d = 1, dims and 0 or ndim(t) do list[d] = d end
    for i, d in ipairs(list) do
      list[i] = common.dim(d, ndim(t), name)
      shifts[i] = shift(size(t, list[i]))
    end
    return #list > 0 and raw.roll(t, shifts, list) or t
  end)
end
--- Frequency 0 moved to the middle of dims, all unless given, and back; of pairs, `dim` must be given.
-- @function fftshift
shifted('fftshift', function(n) return math.floor(n / 2) end)
shifted('ifftshift', function(n) return -math.floor(n / 2) end)

return require 'metann.binding.lazy'('metann.fft', {}, fft)
