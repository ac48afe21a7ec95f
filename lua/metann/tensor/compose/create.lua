--- Constructors.
-- All take dtype, device (names) and requires_grad by name.
local next = require('metann.binding.traversal').next
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local dtypes = require 'metann.binding.dtypes'
local devices = require 'metann.binding.devices'
local limits = require 'metann.tensor.compose.limits'
local kinds = arguments.kinds
local raw, handle, raise, describe = common.raw, common.handle, common.raise, common.describe
local C, ctx, is_tensor, is_int64 = handle.C, handle.ctx, handle.is_tensor, common.is_int64

local create = {}

local DTYPE = { 'dtype', kinds.dtype, optional = true, named = true }
local DEVICE = { 'device', kinds.device, optional = true, named = true }
local REQUIRES_GRAD = { 'requires_grad', kinds.boolean, false, named = true }

local function finish(t, requires_grad)
  if requires_grad and C.mn_tensor_set_requires_grad(ctx, t.p, 1) ~= 0 then handle.fail(t) end
  return t
end

--- A constructor: fn makes the tensor of its own arguments, then the dtype's name or nil.
local function constructor(name, parameters, fn)
  local n, list = #parameters, { unpack(parameters) }
  list[n + 1], list[n + 2], list[n + 3] = DTYPE, DEVICE, REQUIRES_GRAD
  local function placed(device, requires_grad, a, b, c, d)
    local number = devices.number(device)
    local t = devices.on(number, fn, a, b, c, d)
    if handle.array(t).device ~= number then t = raw.transfer(t, device) end -- made of another tensor
    return finish(t, requires_grad)
  end
  local function build(a, b, c, d, e, f)
    if n == 1 then return c and placed(c, d, a, b) or finish(fn(a, b), d) end
    if n == 2 then return d and placed(d, e, a, b, c) or finish(fn(a, b, c), e) end
    return e and placed(e, f, a, b, c, d) or finish(fn(a, b, c, d), f)
  end
  -- of three parameters of its own, requires_grad is the sixth
  create[name] = arguments.define(name, list, build)
  return create[name]
end

local INPUT = { 'input', kinds.tensor }
local SIZE = { 'size', kinds.shape, {}, rest = true }
local LIST = { 'size', kinds.shape }

-- ---- from Lua data ----

local function infer_dtype(x)
  if type(x) == 'number' then return nil end
  if type(x) == 'boolean' then return 'bool' end
  if common.is_int64(x) then return 'int64' end
  return raise('tensor: expected numbers, booleans or nested tables of them, got %s', describe(x))
end

--- The sizes of a nested table, following first entries, and its first number.
local function outline(x)
  local sizes = {}
  while type(x) == 'table' do
    local n = #x
    if n == 0 and next(x) ~= nil then
      raise("tensor: the table has names (such as '%s'), not a list", tostring((next(x))))
    end
    sizes[#sizes + 1] = n
    if #sizes > 8 then raise('tensor: at most 8 dims') end
    x = x[1]
  end
  return sizes, x
end

local function fits(value, dtype)
  if common.is_int64(value) then
    if dtype == 'int64' then return handle.fits_int64(value) end
    value = tonumber(value)
  end
  if dtype == 'bool' or dtypes.floats[dtype] then return true end
  if dtype == 'uint8' then return value % 1 == 0 and value >= 0 and value <= 255 end
  local limit = dtype == 'int32' and 2 ^ 31 or 2 ^ 63
  return value % 1 == 0 and value >= -limit and value < limit
end

--- Writes the leaves of x to data, row-major.
local function fill(x, sizes, depth, data, at, dtype, kind)
  if depth > #sizes then
    if type(x) == 'table' or infer_dtype(x) ~= kind then
      raise('tensor: the table mixes %s with %s', kind or 'numbers', type(x) == 'table' and 'tables' or describe(x))
    end
    if kind == 'bool' then
      data[at] = x and 1 or 0
    elseif not fits(x, dtype) then
      raise("tensor: %s doesn't fit %s", tostring(x), dtype)
    elseif dtype == 'bool' then
      data[at] = x ~= 0 and 1 or 0
    else
      data[at] = x
    end
    return at + 1
  end
  if type(x) ~= 'table' or #x ~= sizes[depth] then
    raise('tensor: expected %d entries at depth %d, got %s', sizes[depth], depth,
      type(x) == 'table' and tostring(#x) or describe(x))
  end
  for i = 1, sizes[depth] do at = fill(x[i], sizes, depth + 1, data, at, dtype, kind) end
  return at
end

local default_dtype = common.default_dtype

local function from_lua(x, dtype)
  local sizes, first = outline(x)
  local kind
  if first ~= nil then kind = infer_dtype(first) end
  dtype = dtype or kind or default_dtype()
  local code, storage = handle.dtypes[dtype], nil
  if dtype == 'float16' or dtype == 'bfloat16' then storage = 'float32' end
  local n = 1
  for i = 1, #sizes do n = n * sizes[i] end
  local data = handle.buffer(handle.dtypes[storage or dtype], math.max(n, 1))
  fill(x, sizes, 1, data, 0, handle.dtype_names[code], kind)
  local t = handle.from_data(handle.dtypes[storage or dtype], sizes, data)
  return storage and raw.cast(t, dtype) or t
end

local build = constructor('tensor', { { 'data', data = true } }, function(x, dtype)
  if is_tensor(x) then
    local t = raw.clone(raw.detach(x))
    return dtype and raw.cast(t, dtype) or t
  end
  if x == nil then raise('tensor: expected a number, a nested table or a tensor, got nil') end
  return from_lua(x, dtype)
end)

--- Are there names beside a list? Entry n is followed by them where the list lies in one piece, as constructors of
-- tables make it; names of options are looked for in any case.
local function has_names(x, n)
  if x.dtype ~= nil or x.device ~= nil or x.requires_grad ~= nil then return true end
  return n > 0 and next(x, n) ~= nil
end

--- Makes a tensor from a number, a boolean, a nested table of them, or (as a copy without history) a tensor.
-- Numbers give the default dtype whatever their value, booleans bool, 1LL int64.
-- @param data what it holds; tensor{1, 2, dtype = 'int64'} is the list {1, 2} and the options
-- @param options {dtype, device, requires_grad}
function create.tensor(data, options, ...)
  if options ~= nil or type(data) ~= 'table' or getmetatable(data) ~= nil then return build(data, options, ...) end
  local n = #data
  if not has_names(data, n) and data.data == nil then return build(data) end
  local count, named = arguments.split(data)
  if not named then return build(data) end
  if count == 0 then
    local list = named.data
    named.data = nil
    return build(list, named)
  end
  if named.data ~= nil then raise("tensor: 'data' is given twice, by position and by name") end
  local list = {}
  for i = 1, count do list[i] = data[i] end
  return build(list, named)
end

--- Makes a tensor from the memory behind a cdata pointer or array, which is copied, row-major.
-- @function from_buffer
-- @param pointer cdata, e.g. of ffi.new('float[6]')
-- @param size a table
-- @param options {dtype='float32', ...}: the dtype of the memory's elements
constructor('from_buffer', { { 'pointer' }, LIST }, function(pointer, size, dtype)
  if type(pointer) ~= 'cdata' or is_tensor(pointer) or is_int64(pointer) then
    raise('from_buffer: expected a cdata pointer or array, got %s', describe(pointer))
  end
  return handle.from_data(handle.dtypes[dtype or 'float32'], size, pointer)
end)

-- ---- filled ----

--- A constructor of sizes, one by one or in a table, and its like with a tensor's size. Sizes as numbers and nothing
-- else, as loops write them, need no reading.
local function of_size(name, make)
  local general = constructor(name, { SIZE }, make)
  create[name] = function(a, b, c, ...)
    if type(a) == 'number' and a % 1 == 0 and a >= 0 and c == nil
      and (b == nil or type(b) == 'number' and b % 1 == 0 and b >= 0) then
      return (make({ a, b }, nil))
    end
    return general(a, b, c, ...)
  end
  constructor(name .. '_like', { INPUT }, function(t, dtype)
    return devices.on(handle.array(t).device, make, common.shape(t), dtype or common.dtype(t))
  end)
end

--- Zeros. Sizes as numbers or one table, then options.
-- @function zeros
of_size('zeros', function(size, dtype) return raw.full(size, 0, dtype) end)
--- Ones.
-- @function ones
of_size('ones', function(size, dtype) return raw.full(size, 1, dtype) end)
--- Uninitialised memory.
-- @function empty
of_size('empty', function(size, dtype) return handle.empty(handle.dtypes[dtype or default_dtype()], size) end)
--- Uniform numbers in [0, 1).
-- @function rand
of_size('rand', function(size, dtype) return raw.rand(size, nil, nil, dtype) end)
--- Standard normal numbers.
-- @function randn
of_size('randn', function(size, dtype) return raw.randn(size, nil, nil, dtype) end)

--- A number, a boolean or a 64-bit integer, and the dtype that it stands for.
local function value_of(value)
  if type(value) == 'boolean' then return value and 1 or 0, 'bool' end
  if is_int64(value) then return handle.to_number(value, 'full', 'fill_value'), 'int64' end
  return value, nil
end

local function value_kind(v)
  if type(v) == 'number' or type(v) == 'boolean' or is_int64(v) then return v end
  return nil, 'a number'
end
local VALUE = { 'fill_value', value_kind }

--- full(size, value, options): a boolean makes bools, a 64-bit integer int64.
-- @function full
constructor('full', { LIST, VALUE }, function(size, value, dtype)
  local number, own = value_of(value)
  return raw.full(size, number, dtype or own)
end)

--- A tensor of t's size and dtype, full of value.
-- @function full_like
constructor('full_like', { INPUT, VALUE }, function(t, value, dtype)
  return devices.on(handle.array(t).device, raw.full, common.shape(t), (value_of(value)), dtype or common.dtype(t))
end)

--- Identity matrix, n x n or n x m.
-- @function eye
constructor('eye', { { 'n', kinds.whole }, { 'm', kinds.whole, optional = true } }, function(n, m, dtype)
  return raw.eye(n, m, dtype)
end)

-- ---- ranges ----

--- A number, a boolean, a 64-bit integer or a tensor of one element, as a number or a 64-bit integer.
local function end_kind(v)
  if is_tensor(v) and common.numel(v) == 1 then v = common.dtype(v) == 'int64' and handle.read(v)[0] or v:item() end
  if type(v) == 'boolean' then return v and 1 or 0 end
  if type(v) == 'number' and v - v == 0 or is_int64(v) then return v end
  return nil, 'a finite number or a tensor of one element'
end

local function is_integer(dtype) return dtype ~= nil and dtypes.integers[dtype] == true end

local function to_int64(x, name)
  if is_int64(x) and handle.fits_int64(x) then return 0LL + x end
  if is_int64(x) or x >= 2 ^ 63 or x < -2 ^ 63 then
    raise("arange: '%s' doesn't fit int64, got %s", name, tostring(x))
  end
  return 0LL + x
end

--- A range in integer arithmetic, for numbers that float64 doesn't hold.
local function integer_range(start, stop, step)
  start, stop, step = to_int64(start, 'start'), to_int64(stop, 'stop'), to_int64(step, 'step')
  if step == 0 then raise("arange: 'step' must not be 0") end
  local count = 0
  if (step > 0 and stop > start) or (step < 0 and stop < start) then
    -- unsigned, since stop - start may overflow
    local span = step > 0 and 0ULL + stop - start or 0ULL + start - stop
    local size = step > 0 and 0ULL + step or 0ULL - step
    count = tonumber((span - 1) / size + 1)
  end
  return raw.add(raw.mul(raw.arange(0, 1, count, 'int64'), from_lua(step)), from_lua(start))
end

local function beyond_float64(x) return is_int64(x) or math.abs(x) > 2 ^ 53 end

--- An end of a range by its kind, which may be left out; `false` is the number 0 here, not none.
local function end_of(name, v)
  if v == nil then return nil end
  local value, expected = end_kind(v)
  if value == nil then raise("arange: '%s' must be %s, got %s", name, expected, describe(v)) end
  return value
end

--- True where all that is given are booleans.
local function are_booleans(start, stop, step)
  local function may_be(v) return v == nil or type(v) == 'boolean' end
  return may_be(start) and may_be(stop) and may_be(step)
end

--- arange(stop), arange(start, stop) or arange(start, stop, step): start, start + step, ... before stop, nothing where
-- stop lies the other way. 64-bit integers, and booleans alone, make int64. Of integers start and step are cut to whole
-- numbers.
-- @function arange
constructor('arange', { { 'start' }, { 'stop' }, { 'step' } },
  function(start, stop, step, dtype)
    if stop == nil then start, stop = nil, start end
    if stop == nil then raise("arange: 'stop' must be given") end
    if are_booleans(start, stop, step) then dtype = dtype or 'int64' end
    start, stop, step = end_of('start', start) or 0, end_of('stop', stop), end_of('step', step) or 1
    if is_int64(start) or is_int64(stop) or is_int64(step)
      or is_integer(dtype) and (beyond_float64(start) or beyond_float64(stop)) then
      local t = integer_range(start, stop, step)
      return dtype and dtype ~= 'int64' and raw.cast(t, dtype) or t
    end
    if step == 0 or is_integer(dtype) and math.abs(step) < 1 then
      raise("arange: 'step' must not be 0%s", step ~= 0 and ', which it is as a whole number' or '')
    end
    return raw.arange(start, step, math.max(0, math.ceil((stop - start) / step)), dtype)
  end)

--- count numbers from start to stop, both included.
-- @function linspace
constructor('linspace', { { 'start', end_kind }, { 'stop', end_kind }, { 'count', kinds.whole } },
  function(start, stop, count, dtype) return raw.linspace(tonumber(start), tonumber(stop), count, dtype) end)

--- base^start to base^stop, count of them, whose logarithms are evenly spaced.
-- @function logspace
create.logspace = arguments.define('logspace', {
  { 'start', end_kind }, { 'stop', end_kind }, { 'count', kinds.whole }, { 'base', kinds.number, 10 }, DTYPE, DEVICE,
  REQUIRES_GRAD,
}, function(start, stop, count, base, dtype, device, requires_grad)
  local powers = create.linspace(start, stop, count, { dtype = 'float64', device = device })
  return finish(raw.cast(raw.pow(base, powers), dtype or default_dtype()), requires_grad)
end)

create.finfo, create.iinfo = limits.finfo, limits.iinfo

-- ---- random ----

local read_randint = constructor('randint', { { 'low', kinds.integer, 0 }, { 'high', kinds.integer }, SIZE },
  function(low, high, size, dtype) return raw.randint(size, low, high, dtype) end)

--- randint(high, sizes) or randint(low, high, sizes): integers low .. high-1; int64.
function create.randint(a, b, ...)
  local alone = b == nil or type(b) == 'table' and b.high == nil -- else {high = 2} follows low
  if type(a) ~= 'table' and alone then return read_randint(0, a, b, ...) end
  return read_randint(a, b, ...)
end

--- Integers low .. high - 1 in a tensor of t's size and dtype: randint_like(t, high) or randint_like(t, low, high).
-- @function randint_like
constructor('randint_like', { INPUT, { 'low', kinds.integer }, { 'high', kinds.integer, optional = true } },
  function(t, low, high, dtype)
    if not high then low, high = 0, low end
    return devices.on(handle.array(t).device, raw.randint, common.shape(t), low, high, dtype or common.dtype(t))
  end)

--- A random order of 1 .. n; int64.
-- @function randperm
constructor('randperm', { { 'n', kinds.whole } }, function(n, dtype) return raw.randperm(n, dtype) end)

return create
