--- Fourier transforms by torch.fft's names and arguments (dims count from 1). Complex numbers are pairs: a last dim of 2,
-- the real and the imaginary part, which no `dim` counts.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local dtypes = require 'metann.binding.dtypes'
local fourier = require 'metann.tensor.compose.fourier'
local ops = require 'metann.tensor.ops'
local pairs = require('metann.binding.traversal').pairs
local raw, raise, ndim, size = common.raw, common.raise, common.ndim, common.size
local define, kinds = arguments.define, arguments.kinds
local transform, sized = fourier.transform, fourier.sized

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

--- The parts of a tensor of pairs.
local function parts(op, t)
  if ndim(t) < 2 or size(t, -1) ~= 2 then
    raise("%s: 'input' must be complex numbers as pairs, (..., n, 2), got %s", op, common.tuple(common.shape(t)))
  end
  t = floats(op, t)
  return raw.select(t, -1, 1), raw.select(t, -1, 2)
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

local function scaled(t, by) return by == 1 and t or raw.mul(t, by) end
local function pairs_of(re, im) return ops.stack({ re, im }, -1) end
local function last(t, dim) return dim == ndim(t) and t or raw.transpose(t, dim, -1) end

-- ---- along one dim; parts in, parts out ----

local function complex(re, im, n, dim, norm, inverse)
  local by = factor(norm, n, inverse)
  re, im = transform(sized(last(re, dim), n), im and sized(last(im, dim), n), n, inverse and 1 or -1)
  return last(scaled(re, by), dim), last(scaled(im, by), dim)
end

--- Half of what is found for real numbers: the other half are the conjugates.
local function forward(t, n, dim, norm)
  local re, im = complex(last(t, dim), nil, n, ndim(t), norm, false)
  local half = math.floor(n / 2) + 1
  return last(raw.slice(re, -1, 1, half), dim), last(raw.slice(im, -1, 1, half), dim)
end

--- n real numbers of which (re, im) is half the transform.
local function backward(re, im, n, dim, norm)
  local half = math.floor(n / 2) + 1
  re, im = sized(last(re, dim), half), sized(last(im, dim), half)
  if n > half then
    local others = n - half
    re = raw.cat({ re, raw.flip(raw.slice(re, -1, 2, others), { -1 }) }, -1)
    im = raw.cat({ im, raw.neg(raw.flip(raw.slice(im, -1, 2, others), { -1 })) }, -1)
  else
    re, im = sized(re, n), sized(im, n)
  end
  return last((complex(re, im, n, ndim(re), norm, true)), dim)
end

for name, inverse in pairs{ fft = false, ifft = true } do
  --- The transform of complex numbers, and its inverse.
  -- @param t pairs (..., n, 2)
  -- @param n the length: t is cut or filled with zeros
  -- @param dim -1 unless given, the last before the pairs
  -- @param norm which of the two is divided by n: 'backward' (the inverse, the default), 'forward', or 'ortho', both
  -- by its root
  -- @function fft
  fft[name] = define(name, { input, n_, dim_, norm_ }, function(t, n, dim, norm)
    local re, im = parts(name, t)
    dim = common.dim(dim, ndim(re), name)
    return (pairs_of(complex(re, im, length(name, 'n', n, size(re, dim)), dim, norm, inverse)))
  end)
end

--- The transform of real numbers: the first n / 2 + 1 of its numbers, as pairs. The arguments are fft's.
-- @function rfft
fft.rfft = define('rfft', { input, n_, dim_, norm_ }, function(t, n, dim, norm)
  t = real('rfft', t)
  dim = common.dim(dim, ndim(t), 'rfft')
  return (pairs_of(forward(t, length('rfft', 'n', n, size(t, dim)), dim, norm)))
end)

--- The n real numbers of which t is the transform by rfft; n is 2 (m - 1) for m pairs unless given.
-- @function irfft
fft.irfft = define('irfft', { input, n_, dim_, norm_ }, function(t, n, dim, norm)
  local re, im = parts('irfft', t)
  dim = common.dim(dim, ndim(re), 'irfft')
  return (backward(re, im, length('irfft', 'n', n, 2 * (size(re, dim) - 1)), dim, norm))
end)

-- ---- along several dims ----

--- The dims, positive, and the lengths along them: given, or the tensor's; false where -1 stands for the tensor's.
local function several(op, t, s, dims, default)
  local n = ndim(t)
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
local function over(op, re, im, dims, lengths, count, norm, inverse)
  for i = 1, count do
    re, im = complex(re, im, length(op, 's', lengths[i] or nil, size(re, dims[i])), dims[i], norm, inverse)
  end
  return re, im
end

local function define_several(suffix, default)
  local parameters = { input, s_, default and { 'dim', kinds.dims, default } or dims_, norm_ }
  for short, inverse in pairs{ fft = false, ifft = true } do
    local name = short .. suffix
    fft[name] = define(name, parameters, function(t, s, dims, norm)
      local re, im = parts(name, t)
      local lengths
      dims, lengths = several(name, re, s, dims, default)
      return (pairs_of(over(name, re, im, dims, lengths, #dims, norm, inverse)))
    end)
  end
  local rfft, irfft = 'rfft' .. suffix, 'irfft' .. suffix
  fft[rfft] = define(rfft, parameters, function(t, s, dims, norm)
    t = real(rfft, t)
    local lengths
    dims, lengths = several(rfft, t, s, dims, default)
    local count = #dims
    local re, im = forward(t, length(rfft, 's', lengths[count] or nil, size(t, dims[count])), dims[count], norm)
    return (pairs_of(over(rfft, re, im, dims, lengths, count - 1, norm, false)))
  end)
  fft[irfft] = define(irfft, parameters, function(t, s, dims, norm)
    local re, im = parts(irfft, t)
    local lengths
    dims, lengths = several(irfft, re, s, dims, default)
    local count = #dims
    local n = length(irfft, 's', lengths[count] or nil, 2 * (size(re, dims[count]) - 1))
    re, im = over(irfft, re, im, dims, lengths, count - 1, norm, true)
    return (backward(re, im, n, dims[count], norm))
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
