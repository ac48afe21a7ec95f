--- What Python does with tensors: operators, comparisons, indexing, attributes. The tensors are metann's; positions and
-- dims come counted from 0.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local arithmetic = require 'tests.support.golden.python.arithmetic'
local values = require 'tests.support.golden.python.values'
local registry = require 'tests.support.golden.torch.registry'
local is_tensor, plain = registry.is_tensor, registry.plain
local None = values.None

local host = { is_tensor = is_tensor }

local function is_float(t) return t.dtype:find 'float' ~= nil end
local function is_mask(t) return t.dtype == 'bool' or t.dtype == 'uint8' end

-- ---- operators ----

--- Both sides of an operator; integers become floats beside a Python float.
function host.pair(a, b)
  if is_tensor(a) and not is_float(a) and values.is_float(b) then a = a:to(metann.get_default_dtype()) end
  if is_tensor(b) and not is_float(b) and values.is_float(a) then b = b:to(metann.get_default_dtype()) end
  local function side(v)
    if is_tensor(v) then return v end
    local number = values.number(v)
    if not number then error(('a %s beside a tensor is not understood'):format(values.type_name(v)), 0) end
    return number
  end
  return side(a), side(b)
end

local function logical(name, t, other)
  if t.dtype ~= 'bool' then error('bits of integer tensors are not understood', 0) end
  return metann[name](t, other)
end

local binary = {
  ['+'] = function(a, b) return a + b end,
  ['-'] = function(a, b) return a - b end,
  ['*'] = function(a, b) return a * b end,
  ['/'] = function(a, b) return a / b end,
  ['%'] = function(a, b) return a % b end,
  ['**'] = function(a, b) return a ^ b end,
  ['//'] = function(a, b) return metann.floor_divide(a, b) end,
  ['@'] = function(a, b) return metann.matmul(a, b) end,
  ['&'] = function(a, b) return logical('logical_and', a, b) end,
  ['|'] = function(a, b) return logical('logical_or', a, b) end,
  ['^'] = function(a, b) return logical('logical_xor', a, b) end,
}

function host.binary(op, a, b)
  local run = binary[op] or error(("'%s' of tensors is not understood"):format(op), 0)
  return run(host.pair(a, b))
end

function host.unary(op, t)
  if op == '-' then return -t end
  if op == '+' then return t end
  if t.dtype ~= 'bool' then error('bits of integer tensors are not understood', 0) end
  return metann.logical_not(t)
end

local COMPARE = { ['<'] = 'lt', ['<='] = 'le', ['>'] = 'gt', ['>='] = 'ge', ['=='] = 'eq', ['!='] = 'ne' }

function host.compare(op, a, b) return metann[COMPARE[op]](host.pair(a, b)) end

local IN_PLACE = {
  ['+'] = 'add_', ['-'] = 'sub_', ['*'] = 'mul_', ['/'] = 'div_', ['//'] = 'floor_divide_', ['%'] = 'remainder_',
  ['**'] = 'pow_',
}

function host.in_place(op, t, v)
  local name = IN_PLACE[op] or error(("'%s=' of a tensor is not understood"):format(op), 0)
  if values.is_float(v) then v = v.value end
  return t[name](t, v)
end

-- ---- numbers and items ----

--- The number of a tensor of one element.
function host.number(t)
  local v = t:item()
  if type(v) == 'boolean' then return v and 1 or 0 end
  return tonumber(v)
end

function host.truth(t) return host.number(t) ~= 0 end

function host.item(t)
  if t.dtype == 'bool' then return host.truth(t) end
  return is_float(t) and values.float(t:item()) or host.number(t)
end

function host.items(t)
  if t:dim() == 0 then error('a 0-dim tensor gives no items', 0) end
  return metann.unbind(t, 1)
end

-- ---- indexing ----

--- How many dims of a tensor an entry of an index uses up.
local function width(entry)
  if entry == None or entry == values.Ellipsis then return 0 end
  if is_tensor(entry) and is_mask(entry) then return entry:dim() end
  return 1
end

--- A list in an index as a tensor.
local function index_tensor(list)
  local items = plain(list)
  local first = items
  while type(first) == 'table' do first = first[1] end
  return metann.tensor(items, { dtype = type(first) == 'boolean' and 'bool' or 'int64', device = cases.device })
end

--- The entries of an index, one for each dim of t and one for each None.
local function entries_of(t, index)
  local list, used = {}, 0
  local items, n = { index }, 1
  if values.is_tuple(index) then items, n = index, index.n end
  for i = 1, n do
    local entry = items[i]
    if values.is_sequence(entry) then entry = index_tensor(entry) end
    if type(entry) == 'boolean' then error('a boolean in an index is not understood', 0) end
    list[i], used = entry, used + width(entry)
  end
  local all = values.slice(None, None, None)
  local out, spread = {}, false
  for i = 1, n do
    if list[i] == values.Ellipsis and not spread then
      spread = true
      for _ = used + 1, t:dim() do out[#out + 1] = all end
    elseif list[i] ~= values.Ellipsis then
      out[#out + 1] = list[i]
    end
  end
  if not spread then
    for _ = used + 1, t:dim() do out[#out + 1] = all end
  end
  return out
end

--- An entry for dims from d on, in metann's form.
local function key_of(entry, size)
  if type(entry) == 'number' then return registry.from_zero(entry) end
  if values.is_slice(entry) then
    local start, count, step = arithmetic.slice_range(entry, size)
    if step < 0 then error('a tensor has no negative step', 0) end
    if count == size then return {} end
    if count == 0 then return { 1, 0 } end
    return { start + 1, start + (count - 1) * step + 1, step }
  end
  if is_tensor(entry) then return is_mask(entry) and entry or registry.from_zero(entry) end
  return error(('a %s in an index is not understood'):format(values.type_name(entry)), 0)
end

--- t with a dim of 1 for each None, and the index in metann's form.
local function prepare(t, index)
  local entries, keys, d = entries_of(t, index), {}, 1
  for i, entry in ipairs(entries) do
    if entry == None then
      t = t:unsqueeze(d)
      keys[i], d = {}, d + 1
    else
      if d + width(entry) - 1 > t:dim() then error('too many indices', 0) end
      keys[i] = key_of(entry, width(entry) > 0 and t:size(d) or 1)
      d = d + width(entry)
    end
  end
  return t, keys
end

function host.get(t, index)
  local view, keys = prepare(t, index)
  if #keys == 0 then return view end
  -- a mask of everything is not an index of one dim
  if #keys == 1 and is_tensor(keys[1]) then return view[keys[1]] end
  return view[keys]
end

--- The index in metann's form, for a write: nothing of it holds a view of t.
local function keys_to_write(t, index)
  local view, keys = prepare(t, index)
  if view:dim() ~= t:dim() then error('None in an index that is assigned to is not understood', 0) end
  if #keys == 1 and is_tensor(keys[1]) then return keys[1] end
  return keys
end

function host.set(t, index, v)
  local keys = keys_to_write(t, index)
  if not is_tensor(v) then v = plain(v) end
  -- views that nothing holds any more would still stand in the way of a write
  if t.requires_grad then collectgarbage() end
  t[keys] = v
end

-- ---- attributes ----

local attributes = {}

function attributes.shape(t) return values.tuple(t.shape) end
function attributes.dtype(t) return host.dtype(t.dtype) end
function attributes.device(t) return t.device end
function attributes.ndim(t) return t.ndim end
function attributes.requires_grad(t) return t.requires_grad end
function attributes.is_leaf(t) return t.is_leaf end
function attributes.data(t) return t.data end
function attributes.grad(t) return t.grad or None end

for _, name in ipairs{ 'T', 'mT', 'H', 'mH' } do
  attributes[name] = function(t) return t[name] end
end

local dtypes = {}

--- torch.float64 and the like.
function host.dtype(name)
  if not dtypes[name] then
    local dtype = values.namespace('torch.' .. name, function(attribute)
      if attribute == 'is_floating_point' then return name:find 'float' ~= nil end
      return nil
    end)
    dtype.dtype = name
    dtypes[name] = dtype
  end
  return dtypes[name]
end

-- What Python gives otherwise than as metann's method does.
local methods = {}

function methods.item(t) return host.item(t) end

function methods.tolist(t)
  local function item(v)
    if type(v) ~= 'table' then return is_float(t) and values.float(v) or v end
    local list = {}
    for i = 1, #v do list[i] = item(v[i]) end
    return values.list(list)
  end
  return item(t:to_table())
end

--- An attribute or method; those that are metann's own methods come from host.method, which torch/names.lua puts in.
function host.attribute(t, name)
  local attribute = attributes[name]
  if attribute then return attribute(t) end
  local known = methods[name] and function() return methods[name](t) end or host.method(t, name)
  return known and values.callable('Tensor.' .. name, known)
end

return host
