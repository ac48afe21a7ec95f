--- Values of nested tables as JSON, with the tensors in them set aside: what metann.save writes beside the tensors.
-- The text is {"version": 1, "tensors": [...], "value": ...}. A value is a JSON string, number or boolean, an array (a
-- list), or an object with one entry that says what it is:
--   {"table": [key, value, ...]}, {"state_dict": [...]}, {"ordered_dict": [...]}
--   {"tensor": i}           the i-th of "tensors"
--   {"same": i}             the table or list that began as the i-th of the text
--   {"number": "nan"}       or "inf", "-inf", "-0": numbers that JSON lacks
--   {"hex": "00ff"}         a string that is not UTF-8, or has zero bytes
-- An entry of "tensors" is {"name"} and, where they hold, "requires_grad": true, "parameter": true, and, when it shares
-- its storage with another, "size", "stride" and "offset" of its elements within the named tensor. Knows nothing of files.
local bytes = require 'metann.binding.bytes'
local json = require 'metann.binding.json'
local class_of = require('metann.nn.machinery.class').class_of
local StateDict = require 'metann.nn.machinery.statedict'
local traversal = require 'metann.binding.traversal'
local support = require 'metann.support'
local OrderedDict = require 'metann.utils.ordereddict'

local next, pairs = traversal.next, traversal.pairs

local structure = {}

local VERSION = 1
local DEEPEST = 500
local MAX_DIMS = 8

local is_tensor = support.is_tensor

-- What can't be saved or read is raised as a table, to be told apart from mistakes in here.
local function fault(message, ...) error({ fault = message:format(...) }, 0) end

--- Calls fn(...): its result; or nil and the message of a fault.
local function protected(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  if type(result) == 'table' and result.fault then return nil, result.fault end
  error(result, 0)
end

local function place_of(path) return path == '' and 'the value' or path end

-- ---- writing ----

local function hexadecimal(text)
  return (text:gsub('.', function(c) return ('%02x'):format(c:byte()) end))
end

--- True for what a JSON text can hold.
local function is_text(text)
  if not text:find '[%z\128-\255]' then return true end
  return not text:find '%z' and pcall(json.encode, text)
end

local NAMED_NUMBERS = { nan = 0 / 0, inf = math.huge, ['-inf'] = -math.huge, ['-0'] = -1 / math.huge }

local function number_form(n)
  if n ~= n then return { number = 'nan' } end
  if n == math.huge then return { number = 'inf' } end
  if n == -math.huge then return { number = '-inf' } end
  if n == 0 and 1 / n < 0 then return { number = '-0' } end
  return n
end

local RANKS = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local x, y = type(a), type(b)
  if x ~= y then return RANKS[x] < RANKS[y] end
  if x == 'boolean' then return a and not b end
  return a < b
end

--- A table's keys in order, and what kind of table it is ('list' or as in the text); or a fault.
local function keys_of(t, path)
  local mt = getmetatable(t)
  -- by the class: an entry may be called 'keys'
  if mt == StateDict then return mt.__index(t, 'keys')(t), 'state_dict' end
  if mt == OrderedDict then return t:keys(), 'ordered_dict' end
  if mt ~= nil then
    local what = class_of(t) and 'a module (' .. tostring(class_of(t)._name) .. ')' or 'a table with a metatable'
    local has, method = pcall(function() return t.state_dict end)
    fault("%s is %s and can't be saved%s", place_of(path), what,
      has and type(method) == 'function' and ": save its state_dict()" or '')
  end
  local keys, n = {}, 0
  for key in pairs(t) do
    n = n + 1
    keys[n] = key
  end
  if n == #t then return keys, 'list' end
  for _, key in ipairs(keys) do
    if not RANKS[type(key)] then
      fault("%s has %s for a key, which can't be saved", place_of(path), support.describe(key))
    end
  end
  table.sort(keys, before)
  return keys, 'table'
end

local encode

local function encode_entries(state, t, keys, kind, path)
  local list = json.array {}
  for i, key in ipairs(keys) do
    local here = kind == 'list' and tostring(i) or tostring(key)
    if not is_text(here) then here = hexadecimal(here) end
    here = path == '' and here or path .. '.' .. here
    if kind == 'list' then
      list[i] = encode(state, t[i], here)
    else
      local value
      if kind == 'ordered_dict' then value = t:get(key) else value = rawget(t, key) end
      list[2 * i - 1], list[2 * i] = encode(state, key, here), encode(state, value, here)
    end
  end
  if kind == 'list' then return list end
  return { [kind] = list }
end

local function encode_table(state, t, path)
  if state.open[t] then
    fault("%s is the table %s again, inside itself: a cycle can't be saved", place_of(path), place_of(state.open[t]))
  end
  if state.seen[t] then return { same = state.seen[t] } end
  if state.depth == DEEPEST then fault('%s is nested deeper than %d tables', place_of(path), DEEPEST) end
  state.count = state.count + 1
  state.seen[t], state.open[t] = state.count, path
  state.depth = state.depth + 1
  local keys, kind = keys_of(t, path)
  local result = encode_entries(state, t, keys, kind, path)
  state.open[t] = nil
  state.depth = state.depth - 1
  return result
end

local function encode_tensor(state, t, path)
  local id = support.id(t)
  local number = state.numbers[id]
  if not number then
    number = #state.tensors + 1
    state.numbers[id] = number
    state.tensors[number] = { tensor = t, path = path == '' and 'value' or path, layout = bytes.layout(t) }
  end
  return { tensor = number }
end

function encode(state, value, path)
  if is_tensor(value) then return encode_tensor(state, value, path) end
  local kind = type(value)
  if kind == 'number' then return number_form(value) end
  if kind == 'string' then return is_text(value) and value or { hex = hexadecimal(value) } end
  if kind == 'boolean' then return value end
  if kind == 'table' then return encode_table(state, value, path) end
  return fault("%s is a %s and can't be saved", place_of(path), kind == 'cdata' and 'cdata' or kind)
end

local function same_list(a, b)
  if #a ~= #b then return false end
  for i = 1, #a do
    if a[i] ~= b[i] then return false end
  end
  return true
end

local function same_layout(a, b)
  return a.address == b.address and same_list(a.sizes, b.sizes) and same_list(a.strides, b.strides)
end

--- How the tensors of one storage are written: all alike, by their values; else the stretch of the storage that they lie
-- on, itself one of them where one covers it. Gives each record `base`, the record or table {path, tensor} that has the
-- data, and `view` where it is not the base itself.
local function place_group(group)
  local first, alike = group[1], true
  local low, high = math.huge, 0
  for _, record in ipairs(group) do
    local layout, width = record.layout, bytes.width[support.dtype(record.tensor)]
    alike = alike and same_layout(layout, first.layout)
    low = math.min(low, layout.address)
    high = math.max(high, layout.address + layout.span * width)
  end
  if alike and support.numel(first.tensor) <= first.layout.span then
    for _, record in ipairs(group) do record.base = first end
    return
  end
  local width = bytes.width[support.dtype(first.tensor)]
  local n, base = (high - low) / width, nil
  for _, record in ipairs(group) do
    local layout = record.layout
    if not base and layout.dense and layout.address == low and layout.span == n then base = record end
  end
  base = base or {
    path = first.path .. '.storage', tensor = bytes.stretch(first.tensor, (first.layout.address - low) / width, n),
  }
  for _, record in ipairs(group) do
    record.base = base
    record.view = base.layout == nil or not same_layout(record.layout, base.layout)
    record.offset = (record.layout.address - low) / width
  end
end

--- Groups records by the storage that they lie on; tensors without elements stand alone.
local function place(records)
  local groups, order = {}, {}
  for i, record in ipairs(records) do
    local key = record.layout.span > 0 and record.layout.storage or 'empty ' .. i
    if not groups[key] then
      groups[key] = {}
      order[#order + 1] = key
    end
    table.insert(groups[key], record)
  end
  for _, key in ipairs(order) do place_group(groups[key]) end
end

--- Gives each base a name of its own: its path, with a number where others have it too.
local function name_bases(records, reserved)
  local taken, tensors = { [reserved] = true }, {}
  for _, record in ipairs(records) do
    local base = record.base
    if not base.name then
      local name, n = base.path, 1
      while taken[name] do
        n = n + 1
        name = ('%s~%d'):format(base.path, n)
      end
      taken[name] = true
      base.name, tensors[name] = name, base.tensor
    end
  end
  return tensors
end

local function describe(record)
  local t = record.tensor
  local entry = { name = record.base.name }
  if support.requires_grad(t) then entry.requires_grad = true end
  if support.is_parameter(t) then entry.parameter = true end
  if record.view then
    entry.size, entry.stride = json.array(record.layout.sizes), json.array(record.layout.strides)
    entry.offset = record.offset
  end
  return entry
end

local function write(value, reserved)
  local state = { count = 0, depth = 0, seen = {}, open = {}, numbers = {}, tensors = {} }
  local root = encode(state, value, '')
  place(state.tensors)
  local tensors, entries = name_bases(state.tensors, reserved), json.array {}
  for i, record in ipairs(state.tensors) do entries[i] = describe(record) end
  return { text = json.encode { version = VERSION, tensors = entries, value = root }, tensors = tensors }
end

--- Takes a value apart.
-- @param value string, number, boolean, tensor, or nested tables of them (state dicts and OrderedDicts too)
-- @param reserved a name that no tensor may have
-- @return {text, tensors by name}; or nil and what can't be saved, with its path
function structure.encode(value, reserved) return protected(write, value, reserved) end

-- ---- reading ----

local function whole(n, least, most) return type(n) == 'number' and n % 1 == 0 and n >= least and n <= most end

local function read_sizes(entry, field)
  local list = entry[field]
  if not json.is_array(list) or #list > MAX_DIMS then fault("a tensor's %s is no list of at most %d", field, MAX_DIMS) end
  local sizes = {}
  for i = 1, #list do
    if not whole(list[i], 0, 2 ^ 53) then fault("a tensor's %s has %s", field, tostring(list[i])) end
    sizes[i] = list[i]
  end
  return sizes
end

local TENSOR_FIELDS = { name = true, requires_grad = true, parameter = true, size = true, stride = true, offset = true }
local function check_tensor_entry(entry, i)
  if type(entry) ~= 'table' or json.is_array(entry) then fault('tensor %d is no JSON object', i) end
  for field, value in pairs(entry) do
    if not TENSOR_FIELDS[field] then fault("tensor %d has an unknown field '%s'", i, field) end
    if (field == 'requires_grad' or field == 'parameter') and value ~= true then fault("'%s' must be true", field) end
  end
  if type(entry.name) ~= 'string' then fault('tensor %d has no name', i) end
end

local function view_of(base, entry)
  if entry.size == nil and entry.stride == nil and entry.offset == nil then return support.ops.detach(base) end
  local sizes, strides = read_sizes(entry, 'size'), read_sizes(entry, 'stride')
  if #sizes ~= #strides then fault("%s: as many strides as sizes expected", entry.name) end
  if not whole(entry.offset, 0, 2 ^ 53) then fault("%s: the offset is %s", entry.name, tostring(entry.offset)) end
  local ok, t = pcall(bytes.strided, base, sizes, strides, entry.offset)
  if not ok then fault('%s: %s', entry.name, tostring(t):match 'strided: .*' or tostring(t)) end
  return t
end

--- The tensors of the text, in its order; each named one is read once.
local function read_tensors(entries, get)
  if not json.is_array(entries) then fault 'there is no list of tensors' end
  local bases, list, used = {}, {}, {}
  for i, entry in ipairs(entries) do
    check_tensor_entry(entry, i)
    local base = bases[entry.name]
    if not base then
      base = get(entry.name)
      if not base then fault('there is no tensor %s', entry.name) end
      bases[entry.name], used[entry.name] = base, true
    end
    local t = view_of(base, entry)
    if entry.parameter then support.mark_parameter(t) end
    if entry.requires_grad then
      if not support.is_float(t) then fault("%s: a %s can't require gradients", entry.name, support.dtype(t)) end
      support.set_requires_grad(t, true)
    end
    list[i] = t
  end
  return list, used
end

local decode

local function decode_pairs(state, list, set)
  if not json.is_array(list) or #list % 2 ~= 0 then fault 'a table is no list of keys and values' end
  local keys = {}
  for i = 1, #list, 2 do
    local key = decode(state, list[i])
    if not RANKS[type(key)] or key ~= key or keys[key] then fault('a table has the key %s', tostring(key)) end
    keys[key] = true
    set(key, decode(state, list[i + 1]))
  end
end

--- Notes a table under the next number before its contents are read; it can be named once they are.
local function opened(state, t)
  state.count = state.count + 1
  local number = state.count
  return t, function()
    state.tables[number] = t
    return t
  end
end

local forms = {
  table = function(state, list)
    local t, close = opened(state, {})
    decode_pairs(state, list, function(key, value) t[key] = value end)
    return close()
  end,
  state_dict = function(state, list)
    local t, close = opened(state, StateDict.new())
    decode_pairs(state, list, function(key, value)
      if type(key) ~= 'string' then fault('a state dict has the key %s', tostring(key)) end
      t[key] = value
    end)
    return close()
  end,
  ordered_dict = function(state, list)
    local t, close = opened(state, OrderedDict())
    decode_pairs(state, list, function(key, value) t:set(key, value) end)
    return close()
  end,
  tensor = function(state, i)
    return whole(i, 1, #state.tensors) and state.tensors[i] or fault('there is no tensor number %s', tostring(i))
  end,
  same = function(state, i)
    return whole(i, 1, state.count) and state.tables[i] or fault('there is no table number %s yet', tostring(i))
  end,
  number = function(_, name)
    return NAMED_NUMBERS[name] or fault("'%s' is no number", tostring(name))
  end,
  hex = function(_, text)
    if type(text) ~= 'string' or #text % 2 ~= 0 or text:find '[^0-9a-f]' then fault 'a string is not in hexadecimal' end
    return (text:gsub('..', function(pair) return string.char(tonumber(pair, 16)) end))
  end,
}

function decode(state, value)
  if type(value) ~= 'table' then return value end
  if json.is_array(value) then
    local t, close = opened(state, {})
    for i = 1, #value do t[i] = decode(state, value[i]) end
    return close()
  end
  local form, content = next(value)
  if not forms[form] or next(value, form) ~= nil then
    fault('a value is neither plain nor one of the known forms (%s)', tostring(form))
  end
  return forms[form](state, content)
end

local function read(text, get, names)
  local root, message = json.decode(text)
  if not root then fault('%s', message) end
  if type(root) ~= 'table' or json.is_array(root) then fault 'no JSON object' end
  if root.version ~= VERSION then
    fault('version %s, where version %d is known: it was written by another metann', tostring(root.version), VERSION)
  end
  if root.value == nil then fault 'there is no value' end
  local tensors, used = read_tensors(root.tensors, get)
  for _, name in ipairs(names) do
    if not used[name] then fault("it doesn't say what the tensor %s is", name) end
  end
  return { value = decode({ count = 0, tables = {}, tensors = tensors }, root.value) }
end

--- Puts a value together again. Nothing in the text is ever run.
-- @param text as structure.encode gave it, or anything else
-- @param get function(name) that reads a tensor, or returns nil for an unknown name
-- @param names list of all the tensors' names
-- @return {value = ...}; or nil and what is wrong with the text
function structure.decode(text, get, names) return protected(read, text, get, names) end

return structure
