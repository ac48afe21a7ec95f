--- torch's functions element by element, and reductions.
local metann = require 'metann'
local host = require 'tests.support.golden.torch.tensors'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'
local with_indices, from_one = registry.with_indices, registry.from_one
local is_tensor = registry.is_tensor

local function one(define, alias)
  for name in ([[abs neg sign exp expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan asin acos atan
      sinh cosh tanh sigmoid relu erf floor ceil trunc frac isnan isinf isfinite logical_not
      detach clone contiguous silu logsigmoid]]):gmatch '%S+' do
    define(name .. '(input)', function(a) return metann[name](a.input) end)
  end
  for new, old in pairs{
    absolute = 'abs', negative = 'neg', sgn = 'sign', arcsin = 'asin', arccos = 'acos', arctan = 'atan', fix = 'trunc',
    expit = 'sigmoid', detach_ = 'detach',
  } do alias(new, old) end
  define('positive(input)', function(a) return a.input end)
  define('round(input, *, decimals=0)', function(a)
    if a.decimals == 0 then return metann.round(a.input) end
    return metann.round(a.input * 10 ^ a.decimals) / 10 ^ a.decimals
  end)
  define('nan_to_num(input, nan=0.0)', function(a) return metann.where(metann.isnan(a.input), a.nan, a.input) end)
end

local function arithmetic(define)
  local function two(signature, run)
    define(signature, function(a)
      local x, y = host.pair(a.input, a.other)
      return run(x, y, a)
    end)
  end
  two('add(input: value, other: value, *, alpha=1)', function(x, y, a) return metann.add(x, y, { alpha = a.alpha }) end)
  two('sub(input: value, other: value, *, alpha=1)', function(x, y, a) return metann.sub(x, y, { alpha = a.alpha }) end)
  two('rsub(input: value, other: value, *, alpha=1)', function(x, y, a) return y - x * a.alpha end)
  two('mul(input: value, other: value)', function(x, y) return x * y end)
  two('div(input: value, other: value, *, rounding_mode=None)', function(x, y, a)
    if not a.rounding_mode then return metann.div(x, y) end
    return metann.div(x, y, { rounding_mode = a.rounding_mode })
  end)
  for name in ('fmod remainder floor_divide atan2 hypot logaddexp logical_and logical_or logical_xor'):gmatch '%S+' do
    two(name .. '(input: value, other: value)', function(x, y) return metann[name](x, y) end)
  end
end

local function pairs_of(define, alias)
  for name in ('eq ne lt le gt ge'):gmatch '%S+' do
    define(name .. '(input: value, other: value)', function(a) return host.compare_by(name, a.input, a.other) end)
  end
  for name in ('maximum minimum'):gmatch '%S+' do
    define(name .. '(input, other)', function(a) return metann[name](a.input, a.other) end)
  end
  define('pow(input: value, exponent: value)', function(a) return host.binary('**', a.input, a.exponent) end)
  define('float_power(input: value, exponent: value)', function(a) return host.binary('**', a.input, a.exponent) end)
  for new, old in pairs{
    subtract = 'sub', multiply = 'mul', divide = 'div', true_divide = 'div', arctan2 = 'atan2', greater = 'gt', less = 'lt',
    greater_equal = 'ge', less_equal = 'le', not_equal = 'ne', fmax = 'maximum', fmin = 'minimum',
  } do alias(new, old) end
  define('equal(input, other)', function(a) return metann.equal(a.input, a.other) end)
  define('isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False)', function(a)
    return metann.isclose(a.input, a.other, { rtol = a.rtol, atol = a.atol, equal_nan = a.equal_nan })
  end)
  define('allclose(input, other, rtol=1e-05, atol=1e-08)', function(a)
    return metann.allclose(a.input, a.other, a.rtol, a.atol)
  end)
end

local function several(define, alias)
  define('lerp(input, end, weight)', function(a) return metann.lerp(a.input, a['end'], a.weight) end)
  define('addcmul(input, tensor1, tensor2, *, value=1)', function(a)
    return metann.addcmul(a.input, a.tensor1, a.tensor2, a.value)
  end)
  define('addcdiv(input, tensor1, tensor2, *, value=1)', function(a)
    return metann.addcdiv(a.input, a.tensor1, a.tensor2, a.value)
  end)
  define('clamp(input, min=None, max=None)', function(a)
    local x = a.input
    if is_tensor(a.min) or is_tensor(a.max) then
      if a.min then x = metann.maximum(x, a.min) end
      return a.max and metann.minimum(x, a.max) or x
    end
    return metann.clamp(x, { min = a.min, max = a.max })
  end)
  alias('clip', 'clamp')
  define('clamp_min(input, min)', function(a) return metann.clamp(a.input, { min = a.min }) end)
  define('clamp_max(input, max)', function(a) return metann.clamp(a.input, { max = a.max }) end)
  define('where(condition, input=None, other=None)', function(a)
    if a.input == nil then
      local list = metann.unbind(from_one(metann.nonzero(a.condition)), 2)
      return list
    end
    return metann.where(a.condition, a.input, a.other)
  end)
  define('xlogy(input, other)', function(a)
    return metann.where(metann.eq(a.input, 0), 0, a.input * metann.log(a.other))
  end)
  define('softmax(input, dim, dtype=None)', function(a) return metann.softmax(a.input, a.dim) end)
  define('log_softmax(input, dim, dtype=None)', function(a) return metann.log_softmax(a.input, a.dim) end)
end

-- ---- reductions ----

local function cast(a) return a.dtype and a.input:to(a.dtype) or a.input end

local function sums(define)
  for name in ('sum mean'):gmatch '%S+' do
    define(name .. '(input, dim=None, keepdim=False, *, dtype=None)', function(a)
      return metann[name](cast(a), a.dim, a.keepdim)
    end)
  end
  for name in ('amax amin logsumexp any all'):gmatch '%S+' do
    define(name .. '(input, dim=None, keepdim=False)', function(a)
      local dim = a.dim
      if type(dim) == 'table' and #dim == 0 then dim = nil end
      return metann[name](a.input, dim, a.keepdim)
    end)
  end
  define('prod(input, dim=None, keepdim=False, *, dtype=None)', function(a)
    if a.dim == nil then return metann.prod(cast(a)) end
    return metann.prod(cast(a), a.dim, a.keepdim)
  end)
  define('cumsum(input, dim, *, dtype=None)', function(a) return metann.cumsum(cast(a), a.dim) end)
  define('cumprod(input, dim, *, dtype=None)', function(a) return metann.cumprod(cast(a), a.dim) end)
  define('count_nonzero(input, dim=None)', function(a) return metann.count_nonzero(a.input, a.dim) end)
end

local function places(define)
  for name in ('max min'):gmatch '%S+' do
    -- (input), (input, dim, keepdim) or (input, other)
    define(name .. '(input, dim: value=None, keepdim=False, *, other=None)', function(a)
      local other = a.other or is_tensor(a.dim) and a.dim
      if other then return metann[name](a.input, other) end
      if a.dim == values.None then return metann[name](a.input) end
      return with_indices(metann[name](a.input, registry.from_zero(registry.plain(a.dim)), a.keepdim))
    end)
  end
  for name in ('argmax argmin'):gmatch '%S+' do
    define(name .. '(input, dim=None, keepdim=False)', function(a)
      if a.dim == nil then return from_one(metann[name](a.input)) end
      return from_one(metann[name](a.input, a.dim, a.keepdim))
    end)
  end
  define('median(input, dim=None, keepdim=False)', function(a)
    if a.dim == nil then return (metann.median(a.input)) end
    return with_indices(metann.median(a.input, a.dim, a.keepdim))
  end)
  define('mode(input, dim=-1, keepdim=False)', function(a)
    return with_indices(metann.mode(a.input, a.dim, a.keepdim))
  end)
  define('kthvalue(input, k, dim=-1, keepdim=False)', function(a)
    return with_indices(metann.kthvalue(a.input, a.k, a.dim, a.keepdim))
  end)
  define('sort(input, dim=-1, descending=False, stable=False)', function(a)
    return with_indices(metann.sort(a.input, a.dim, a.descending))
  end)
  define('msort(input)', function(a) return (metann.sort(a.input, 1)) end)
  define('argsort(input, dim=-1, descending=False, stable=False)', function(a)
    return from_one(metann.argsort(a.input, a.dim, a.descending))
  end)
  define('topk(input, k, dim=-1, largest=True, sorted=True)', function(a)
    return with_indices(metann.topk(a.input, a.k, a.dim, a.largest))
  end)
end

local function spreads(define)
  local function spread(name, run)
    -- (input, unbiased), or (input, dim, unbiased, keepdim), or with correction
    define(name .. '(input, dim: value=None, unbiased=True, keepdim=False, *, correction=None)', function(a)
      local dim, unbiased = a.dim, a.unbiased
      if type(dim) == 'boolean' then dim, unbiased = values.None, dim end
      local correction = a.correction or (unbiased and 1 or 0)
      return run(a.input, registry.from_zero(registry.plain(dim)), correction, a.keepdim)
    end)
  end
  spread('var', metann.var)
  spread('std', metann.std)
  for name in ('var std'):gmatch '%S+' do
    spread(name .. '_mean', function(x, dim, correction, keepdim)
      return { metann[name](x, dim, correction, keepdim), metann.mean(x, dim, keepdim) }
    end)
  end
  define("norm(input, p='fro', dim=None, keepdim=False, dtype=None)", function(a)
    return metann.norm(a.input, a.p, a.dim, a.keepdim)
  end)
  define('dist(input, other, p=2)', function(a) return metann.norm(a.input - a.other, a.p) end)
end

return function(torch)
  for _, part in ipairs{ one, arithmetic, pairs_of, several, sums, places, spreads } do part(torch.define, torch.alias) end
end
