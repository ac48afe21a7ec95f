--- Methods, fields and operators of tensors.
-- Every row and composition whose first argument is a tensor is a method too, looked up at its first use. Indexing is
-- in indexing.lua, text in printing.lua, backward in autograd/.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local devices = require 'metann.binding.devices'
local facts = require 'metann.binding.facts'
local binding = require 'metann.binding'
local handle, errors, scope = binding.handle, binding.errors, binding.scope
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local dtypes = require 'metann.binding.dtypes'
local ops = require 'metann.tensor.ops'
local raw = binding.stub.ops
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx
local array, is_tensor, fail = handle.array, handle.is_tensor, handle.fail
local raise, describe = errors.raise, errors.describe
local define, kinds = arguments.define, arguments.kinds
local methods, getters, setters, meta = handle.methods, handle.getters, handle.setters, handle.meta

-- ---- operators ----
meta.add, meta.sub, meta.mul, meta.div = raw.add, raw.sub, raw.mul, raw.div
meta.pow, meta.remainder, meta.neg = raw.pow, raw.remainder, raw.neg

function meta.len(t)
  local a = array(t)
  if a.ndim == 0 then raise('a 0-dim tensor has no length') end
  return tonumber(a.size[0])
end

-- ---- methods by name ----

-- Functions of metann that make tensors or take lists: not methods.
local NOT_METHODS = {
  tensor = true, from_buffer = true, zeros = true, ones = true, full = true, empty = true, arange = true,
  linspace = true, eye = true, rand = true, randn = true, randint = true, randperm = true, cat = true, stack = true,
  meshgrid = true, where = true, normal = true, index = true, where_true = true, einsum = true, logspace = true,
  finfo = true, iinfo = true, hstack = true, vstack = true, dstack = true, column_stack = true, row_stack = true,
  concat = true, concatenate = true, block_diag = true, broadcast_shapes = true, broadcast_tensors = true,
  cartesian_prod = true, tril_indices = true, triu_indices = true,
}

--- A key that no table holds: an op used for the first time, or a mistake.
function meta.missing(_, name)
  local fn = not NOT_METHODS[name] and arguments.compiled(ops[name])
  if fn then
    errors.name(fn, name)
    methods[name] = fn
    return fn
  end
  if NOT_METHODS[name] then raise("a tensor has no method '%s', it is a function: metann.%s(...)", name, name) end
  local names = { 'shape', 'dtype', 'device', 'requires_grad', 'grad', 'is_leaf', 'grad_fn', 'ndim' }
  for key in pairs(methods) do names[#names + 1] = key end
  for key in pairs(binding.stub.rows) do names[#names + 1] = key end
  for key in next, ops do names[#names + 1] = key end
  table.sort(names)
  local near = errors.nearest(name, names)
  return raise("a tensor has no field or method '%s'%s", name, near and (", did you mean '%s'?"):format(near) or '')
end

-- Compositions of this run replace those of an earlier load.
for name in pairs(methods) do methods[name] = nil end

-- ---- fields ----
getters.shape = common.shape
getters.dtype, getters.ndim = facts.dtype, facts.ndim
function getters.device(t)
  local number = array(t).device
  return number == 0 and 'cpu' or devices.name(number)
end
getters.requires_grad, getters.is_leaf = facts.requires_grad, facts.is_leaf
getters.is_parameter = facts.is_parameter
function getters.grad_fn(t)
  array(t)
  local name = C.mn_tensor_grad_fn(t.p)
  if name == nil then return nil end
  return ffi.string(name)
end
getters.grad = facts.grad
function getters.data(t) return raw.detach(t) end
function getters.T(t)
  local n = array(t).ndim
  if n == 2 then return raw.transpose(t, 1, 2) end
  local order = {}
  for d = 1, n do order[d] = n + 1 - d end
  return raw.permute(t, order)
end
function getters.mT(t) return raw.transpose(t, -2, -1) end

function setters.grad(t, g)
  array(t)
  if g ~= nil and g ~= false and not is_tensor(g) then raise('grad: expected a tensor or nil, got %s', describe(g)) end
  if g then scope.keep(g) end
  facts.set_grad(t, g)
end
function setters.requires_grad(t, b)
  array(t)
  if type(b) ~= 'boolean' then raise('requires_grad: expected true or false, got %s', describe(b)) end
  facts.set_requires_grad(t, b)
end

-- ---- what a tensor is ----

local input, one_dim = { 'input', kinds.tensor }, { 'dim' }

--- The sizes as a fresh table, or the size of one dim.
-- @function size
methods.size = define('size', { input, one_dim }, function(t, d)
  if d == nil then return (common.shape(t)) end
  return (common.size(t, d))
end)
function methods.dim(t) return common.ndim(t) end
function methods.numel(t) return common.numel(t) end
function methods.nelement(t) return common.numel(t) end

--- Strides in elements, as a fresh table, or of one dim.
-- @function stride
methods.stride = define('stride', { input, one_dim }, function(t, d)
  local a = array(t)
  if d ~= nil then return tonumber(a.stride[common.dim(d, a.ndim, 'stride') - 1]) end
  local strides = {}
  for i = 1, a.ndim do strides[i] = tonumber(a.stride[i - 1]) end
  return strides
end)
function methods.is_contiguous(t) return common.is_contiguous(t) end

--- A number that stands for this tensor over all its handles: use it as a table key.
function methods.id(t)
  array(t)
  return C.mn_tensor_id(t.p)
end

--- A number that counts the writes to t's memory; its views share it.
function methods.version(t)
  array(t)
  return C.mn_tensor_version(t.p)
end

--- True when both share memory.
function methods.shares_storage(t, other)
  array(t)
  array(other)
  return C.mn_storage_id(t.p) == C.mn_storage_id(other.p)
end

local POINTERS = {
  float32 = 'float *', float64 = 'double *', int64 = 'int64_t *', int32 = 'int32_t *', uint8 = 'uint8_t *',
  bool = 'uint8_t *', float16 = 'uint16_t *', bfloat16 = 'uint16_t *',
}
--- The memory, as a cdata pointer to elements; valid while the tensor lives. A float read through it is taken as its
-- bits are, and LuaJIT keeps types in the bits of NaNs: where elements may come from a file or from C, read them by
-- item or to_table, which give the usual NaN.
function methods.data_ptr(t)
  local a = array(t)
  handle.check_readable(t)
  if a.device ~= 0 then raise('data_ptr: this tensor is on %s; take a copy with :cpu()', devices.name(a.device)) end
  return ffi.cast(POINTERS[handle.dtype_names[a.dtype]], a.data)
end

function methods.is_floating_point(t)
  return dtypes.floats[array(t).dtype] or false
end

-- ---- numbers out ----
local EXACT, INT64 = 2 ^ 53, dtypes.codes.int64

local function exact(x)
  if x > EXACT or x < -EXACT then raise("an int64 beyond 2^53 doesn't fit a Lua number: %s", tostring(x)) end
  return tonumber(x)
end

--- The number in a tensor of one element (of bool: 1 or 0).
function methods.item(t)
  local a = array(t)
  if a.dtype == INT64 and a.numel == 1 then return exact(handle.read(t)[0]) end
  local x = C.mn_tensor_number(ctx, t.p)
  if x ~= x and C.mn_error_code(ctx) ~= C.MN_OK then fail(t) end
  return x
end

local function readable(t)
  if dtypes.halves[array(t).dtype] then return raw.cast(raw.detach(t), 'float32') end
  return t
end

local function nest(data, sizes, depth, at, convert)
  local out, n = {}, sizes[depth]
  if depth == #sizes then
    for i = 1, n do out[i] = convert(data[at + i - 1]) end
    return out, at + n
  end
  for i = 1, n do out[i], at = nest(data, sizes, depth + 1, at, convert) end
  return out, at
end

--- The elements as numbers in nested tables (of a 0-dim tensor: its number; of bool: 1 or 0).
function methods.to_table(t)
  local source = readable(t)
  local data = handle.read(source)
  local convert = array(t).dtype == INT64 and exact or tonumber
  local sizes = common.shape(t)
  if #sizes == 0 then return convert(data[0]) end
  return (nest(data, sizes, 1, 0, convert))
end

--- The elements as numbers in one flat table, row-major.
function methods.to_flat_table(t)
  local data, n = handle.read(readable(t))
  local convert, out = array(t).dtype == INT64 and exact or tonumber, {}
  for i = 1, n do out[i] = convert(data[i - 1]) end
  return out
end

-- ---- by Lua ----

--- For loops: `for row in t:rows() do` goes through t[1], t[2], ..., which are views.
-- @function rows
methods.rows = define('rows', { input }, function(t)
  if array(t).ndim == 0 then raise("rows: 'input' must have at least 1 dim, got 0") end
  local n, i = meta.len(t), 0
  return function()
    i = i + 1
    if i <= n then return (raw.select(t, 1, i)) end
  end
end)

local function applied(t, fn, name)
  local list = methods.to_flat_table(t)
  for i = 1, #list do
    local value = fn(list[i])
    if type(value) == 'boolean' then value = value and 1 or 0 end
    if type(value) ~= 'number' then raise("%s: 'fn' must return a number, got %s", name, describe(value)) end
    list[i] = value
  end
  local out = ops.tensor(list, { dtype = getters.dtype(t), device = getters.device(t) })
  return (raw.view(out, common.shape(t)))
end

local applies = { input, { 'fn', kinds.callable } }
--- fn of every element, as numbers, in a tensor of t's size and dtype, without derivatives.
-- @function apply
methods.apply = define('apply', applies, function(t, fn) return (applied(t, fn, 'apply')) end)
--- The same written over t.
-- @function apply_
methods.apply_ = define('apply_', applies, function(t, fn) return (raw.assign_(t, applied(t, fn, 'apply_'))) end)

-- ---- dtypes and devices ----
local function cast(t, dtype)
  if array(t).dtype == handle.dtypes[dtype] then return t end
  return raw.cast(t, dtype)
end

local function check_device(device)
  if not devices.number(device) then raise("to: there is no device '%s' here, only 'cpu'", tostring(device)) end
end

local function moved(t, device)
  if array(t).device == devices.number(device) then return t end
  return (raw.transfer(t, device))
end

local function unknown_dtype(name) raise("to: unknown dtype '%s'%s", tostring(name), common.dtype_suggestion(name)) end

--- The dtype and the device that two values by position name: a dtype, a device, a device and a dtype, or another
-- tensor; nil for what isn't named.
local function targets(target, second)
  if devices.is_object(target) then target = tostring(target) end
  if is_tensor(target) then return getters.dtype(target), getters.device(target) end
  if target == nil then return nil end
  if type(target) ~= 'string' then raise('to: expected a dtype, a device or a tensor, got %s', describe(target)) end
  if handle.dtypes[target] then return target end
  -- what ends in a digit and isn't a numbered device looks like a dtype
  if target:find('%d$') and not target:find(':') then unknown_dtype(target) end
  check_device(target)
  if second ~= nil and not handle.dtypes[second] then unknown_dtype(second) end
  return second, target
end

--- t in another dtype, or on another device: to('float64'), to('cpu'), to{dtype=, device=}, to(other tensor).
-- t itself where nothing changes, unless copy=true is given. non_blocking is taken without effect.
-- @function to
methods.to = define('to', {
  input, { 'target' }, { 'second' }, { 'dtype', named = true }, { 'device', named = true },
  { 'non_blocking', kinds.boolean, false, named = true }, { 'copy', kinds.boolean, false, named = true },
}, function(t, target, second, dtype, device, _, copy)
  if dtype ~= nil then
    if not handle.dtypes[dtype] then unknown_dtype(dtype) end
    if target ~= nil and (is_tensor(target) or handle.dtypes[target]) then raise('to: the dtype is given twice') end
  end
  if device ~= nil then check_device(device) end
  local wanted, place = targets(target, second)
  local result = cast(t, wanted or dtype or getters.dtype(t))
  if device or place then result = moved(result, device or place) end
  if copy and rawequal(result, t) then return (raw.clone(t)) end
  return result
end)
for name, dtype in pairs{
  float = 'float32', double = 'float64', long = 'int64', int = 'int32', byte = 'uint8', bool = 'bool', half = 'float16',
  bfloat16 = 'bfloat16',
} do
  methods[name] = function(t) return (cast(t, dtype)) end
end
methods.type_as = define('type_as', { input, { 'other', kinds.tensor } }, function(t, other)
  return (cast(t, getters.dtype(other)))
end)
function methods.cpu(t) return moved(t, 'cpu') end
function methods.cuda(t)
  if not devices.number('cuda') then raise("cuda: there is no device 'cuda' here, only 'cpu'") end
  return moved(t, 'cuda')
end

-- ---- autograd flags ----

--- Sets whether t, a leaf, requires gradients; returns t.
-- @function requires_grad_
methods.requires_grad_ = define('requires_grad_', { input, { 'requires_grad', kinds.boolean, true } }, function(t, b)
  setters.requires_grad(t, b)
  return t
end)

--- Keeps the gradient of a tensor that is no leaf in its .grad.
function methods.retain_grad(t)
  array(t)
  if C.mn_tensor_set_retain_grad(ctx, t.p) ~= 0 then fail(t) end
end

-- ---- new tensors of this one's dtype ----
local NEW = {
  { 'dtype', kinds.dtype, named = true, optional = true }, { 'device', kinds.device, named = true, optional = true },
  { 'requires_grad', kinds.boolean, false, named = true },
}
local size = { 'size', kinds.shape, {}, rest = true }

local function new_options(t, dtype, device, requires_grad)
  return { dtype = dtype or getters.dtype(t), device = device or getters.device(t), requires_grad = requires_grad }
end

--- Defines a method that makes a tensor, of t's dtype unless another one is given, out of one value.
local function makes(name, parameter, make)
  methods[name] = define(name, { input, parameter, unpack(NEW) }, function(t, value, ...)
    return (make(value, new_options(t, ...)))
  end)
end

--- A tensor of this dtype from Lua data; see metann.tensor.
-- @function new_tensor
makes('new_tensor', { 'data', kinds.any_list, required = true }, ops.tensor)
makes('new_zeros', size, ops.zeros)
makes('new_ones', size, ops.ones)
makes('new_empty', size, ops.empty)
methods.new_full = define('new_full', {
  input, { 'size', kinds.shape }, { 'fill_value', kinds.operand }, unpack(NEW),
}, function(t, sizes, value, ...) return (ops.full(sizes, value, new_options(t, ...))) end)

-- These take nothing: what somebody gives besides would be ignored.
for _, name in ipairs{
  'dim', 'numel', 'nelement', 'is_contiguous', 'is_floating_point', 'id', 'version', 'data_ptr', 'item', 'to_table',
  'to_flat_table', 'float', 'double', 'long', 'int', 'byte', 'bool', 'half', 'bfloat16', 'cpu', 'retain_grad',
} do
  methods[name] = define(name, { input }, methods[name])
end

require 'metann.tensor.indexing'

-- What prints tensors is loaded with the first that is printed, and takes this one's place.
function meta.tostring(t)
  require 'metann.tensor.printing'
  return meta.tostring(t)
end

-- What a helper finds wrong is said in the method's name.
for name, fn in pairs(methods) do errors.name(fn, name) end

return { is_tensor = is_tensor, methods = methods }
