--- Constructors.
-- All take, as their last argument, a table of options: dtype (a name), device ('cpu'), requires_grad.
local next = require('metann.binding.traversal').next
local common = require 'metann.compose.common'
local raw, handle, raise, describe = common.raw, common.handle, common.raise, common.describe
local C, ctx, is_tensor = handle.C, handle.ctx, handle.is_tensor
local sizes_of, integer = common.sizes, common.integer

local create = {}

local OPTIONS = { 'dtype', 'device', 'requires_grad' }

local function device_ok(device, op)
  if device ~= nil and device ~= 'cpu' then
    raise("%s: there is no device '%s' here, only 'cpu'", op, tostring(device))
  end
end

--- Checks options; returns the dtype's name or nil.
local function dtype_of(options, op)
  if options == nil then return nil end
  if type(options) ~= 'table' then raise('%s: options must be a table, got %s', op, describe(options)) end
  common.check_options(op, options, OPTIONS)
  device_ok(options.device, op)
  local dtype = options.dtype
  if dtype ~= nil and not handle.dtypes[dtype] then
    raise("%s: unknown dtype '%s'%s", op, tostring(dtype), common.dtype_suggestion(dtype))
  end
  return dtype
end

local function finish(t, options)
  if options and options.requires_grad and C.mn_tensor_set_requires_grad(ctx, t.p, 1) ~= 0 then handle.fail(t) end
  return t
end

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
  if dtype == 'bool' or dtype:find('float') then return true end
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
      raise('tensor: %s does not fit %s', tostring(x), dtype)
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

local function default_dtype() return handle.dtype_names[C.mn_default_dtype(ctx)] end

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

--- Makes a tensor from a number, a boolean, a nested table of them, or (as a copy without history) a tensor.
-- Numbers give the default dtype whatever their value, booleans bool, 1LL int64.
-- @param x what it holds
-- @param options {dtype, device, requires_grad}
function create.tensor(x, options)
  local dtype = dtype_of(options, 'tensor')
  if is_tensor(x) then
    local t = raw.clone(raw.detach(x))
    return finish(dtype and raw.cast(t, dtype) or t, options)
  end
  if x == nil then raise('tensor: expected a number, a nested table or a tensor, got nil') end
  return finish(from_lua(x, dtype), options)
end

--- Makes a tensor from the memory behind a cdata pointer or array, which is copied, row-major.
-- @param pointer cdata, e.g. of ffi.new('float[6]')
-- @param sizes a table
-- @param options {dtype='float32', ...}: the dtype of the memory's elements
function create.from_buffer(pointer, sizes, options)
  local dtype = dtype_of(options, 'from_buffer') or 'float32'
  if type(pointer) ~= 'cdata' or is_tensor(pointer) or common.is_int64(pointer) then
    raise('from_buffer: expected a cdata pointer or array, got %s', describe(pointer))
  end
  if type(sizes) ~= 'table' then raise('from_buffer: sizes must be a table, got %s', describe(sizes)) end
  for i = 1, #sizes do integer(sizes[i], 'from_buffer', 'sizes', 0) end
  return finish(handle.from_data(handle.dtypes[dtype], sizes, pointer), options)
end

-- ---- filled ----

local function constant(op, value)
  create[op] = function(...)
    local sizes, options = sizes_of(op, ...)
    return finish(raw.full(sizes, value, dtype_of(options, op)), options)
  end
  create[op .. '_like'] = function(t, options)
    common.tensor(t, op .. '_like', 'input')
    return finish(raw.full(common.shape(t), value, dtype_of(options, op .. '_like') or common.dtype(t)), options)
  end
end

--- Zeros. Sizes as numbers or one table, then options.
-- @function zeros
constant('zeros', 0)
--- Ones.
-- @function ones
constant('ones', 1)

local function value_of(value, op)
  if type(value) == 'boolean' then return value and 1 or 0, 'bool' end
  if common.is_int64(value) then return handle.to_number(value, op, 'value'), 'int64' end
  if type(value) ~= 'number' then raise("%s: 'value' must be a number, got %s", op, describe(value)) end
  return value, nil
end

--- full(sizes, value, options)
function create.full(sizes, value, options)
  if type(sizes) == 'number' then sizes = { sizes } end
  if type(sizes) ~= 'table' then raise('full: sizes must be a table, got %s', describe(sizes)) end
  local number, dtype = value_of(value, 'full')
  return finish(raw.full(sizes, number, dtype_of(options, 'full') or dtype), options)
end

--- A tensor of t's size and dtype, full of value.
function create.full_like(t, value, options)
  common.tensor(t, 'full_like', 'input')
  local number = value_of(value, 'full_like')
  return finish(raw.full(common.shape(t), number, dtype_of(options, 'full_like') or common.dtype(t)), options)
end

--- Uninitialised memory.
function create.empty(...)
  local sizes, options = sizes_of('empty', ...)
  local dtype = handle.dtypes[dtype_of(options, 'empty') or default_dtype()]
  for i = 1, #sizes do integer(sizes[i], 'empty', 'size', 0) end
  return finish(handle.empty(dtype, sizes), options)
end

function create.empty_like(t, options)
  common.tensor(t, 'empty_like', 'input')
  local dtype = dtype_of(options, 'empty_like')
  return finish(handle.empty(dtype and handle.dtypes[dtype] or common.array(t).dtype, common.shape(t)), options)
end

--- arange(stop), arange(start, stop) or arange(start, stop, step): start, start + step, ... before stop.
function create.arange(a, b, c, d)
  local start, stop, step, options = 0, a, 1, b
  if type(b) == 'number' then
    start, stop, options = a, b, c
    if type(c) == 'number' then step, options = c, d end
  end
  if type(start) ~= 'number' or type(stop) ~= 'number' then
    raise("arange: 'start' and 'stop' must be numbers, got %s and %s", describe(start), describe(stop))
  end
  if step == 0 then raise("arange: 'step' must not be 0") end
  local count = math.max(0, math.ceil((stop - start) / step))
  return finish(raw.arange(start, step, count, dtype_of(options, 'arange')), options)
end

--- count numbers from start to stop, both included.
function create.linspace(start, stop, count, options)
  integer(count, 'linspace', 'count', 0)
  return finish(raw.linspace(start, stop, count, dtype_of(options, 'linspace')), options)
end

--- Identity matrix, n x n or n x m.
function create.eye(n, m, options)
  if type(m) == 'table' then m, options = nil, m end
  return finish(raw.eye(n, m, dtype_of(options, 'eye')), options)
end

-- ---- random ----

local function random(op)
  create[op] = function(...)
    local sizes, options = sizes_of(op, ...)
    return finish(raw[op](sizes, nil, nil, dtype_of(options, op)), options)
  end
  create[op .. '_like'] = function(t, options)
    common.tensor(t, op .. '_like', 'input')
    local dtype = dtype_of(options, op .. '_like') or common.dtype(t)
    return finish(raw[op](common.shape(t), nil, nil, dtype), options)
  end
end

--- Uniform numbers in [0, 1).
-- @function rand
random('rand')
--- Standard normal numbers.
-- @function randn
random('randn')

--- randint(high, sizes) or randint(low, high, sizes): integers low .. high-1; int64.
function create.randint(first, second, third, fourth, ...)
  local low, high, sizes, options = 0, first, second, third
  if type(sizes) == 'number' then
    if type(fourth) == 'number' or type(third) == 'number' then
      low, high = first, second
      sizes, options = sizes_of('randint', third, fourth, ...)
    else
      low, high, sizes, options = first, second, third, fourth
    end
  end
  sizes = sizes or {}
  integer(low, 'randint', 'low')
  integer(high, 'randint', 'high')
  return finish(raw.randint(sizes, low, high, dtype_of(options, 'randint')), options)
end

--- A random order of 1 .. n; int64.
function create.randperm(n, options)
  return finish(raw.randperm(n, dtype_of(options, 'randperm')), options)
end

return create
