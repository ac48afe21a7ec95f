--- Python's values in Lua: numbers are ints, Float boxes a float; booleans and strings are Lua's; None and Ellipsis are
-- marks; tuples, lists and dicts are tables with a count; tensors are metann's, counted from 0.
local values = {}

local function mark(name) return setmetatable({}, { __tostring = function() return name end }) end

values.None = mark 'None'
values.Ellipsis = mark 'Ellipsis'

local Float = { __tostring = function(f) return ('%.17g'):format(f.value) end }
local Tuple, List, Dict, Slice, Function, Namespace = {}, {}, {}, {}, {}, {}

function values.float(number) return setmetatable({ value = number }, Float) end
function values.is_float(v) return getmetatable(v) == Float end

--- The number behind an int, a float or a bool, else nil.
function values.number(v)
  if type(v) == 'number' then return v end
  if type(v) == 'boolean' then return v and 1 or 0 end
  if values.is_float(v) then return v.value end
  return nil
end

local function sequence(class, list, n)
  list.n = n or #list
  return setmetatable(list, class)
end

--- From a Lua list, which becomes the value.
function values.tuple(list, n) return sequence(Tuple, list, n) end
function values.list(list, n) return sequence(List, list, n) end
function values.is_tuple(v) return getmetatable(v) == Tuple end
function values.is_list(v) return getmetatable(v) == List end
function values.is_sequence(v)
  local class = getmetatable(v)
  return class == Tuple or class == List
end

--- A tuple whose items also have names.
function values.named(list, names)
  local t = values.tuple(list)
  t.names = names
  return t
end

function values.slice(start, stop, step) return setmetatable({ start = start, stop = stop, step = step }, Slice) end
function values.is_slice(v) return getmetatable(v) == Slice end

--- @param call function(args, named): args a Lua list with n, named a table
function values.callable(name, call) return setmetatable({ name = name, call = call }, Function) end
function values.is_callable(v) return getmetatable(v) == Function end

--- Something with attributes: get(name) gives a value or nil. `call` makes it callable too.
function values.namespace(name, get, call) return setmetatable({ name = name, get = get, call = call }, Namespace) end
function values.is_namespace(v) return getmetatable(v) == Namespace end

-- ---- dicts: entries in order, found by a text made of the key ----

local function key_text(key)
  if type(key) == 'string' then return 's' .. key end
  if values.is_tuple(key) then
    local parts = {}
    for i = 1, key.n do parts[i] = key_text(key[i]) end
    return '(' .. table.concat(parts, ',') .. ')'
  end
  local number = values.number(key)
  if number then return 'n' .. ('%.17g'):format(number) end
  if key == values.None then return 'None' end
  return error('a dict has a key that is not understood', 0)
end

function values.dict() return setmetatable({ keys = {}, items = {}, n = 0 }, Dict) end
function values.is_dict(v) return getmetatable(v) == Dict end

function values.dict_set(dict, key, value)
  local text = key_text(key)
  if dict.items[text] == nil then
    dict.n = dict.n + 1
    dict.keys[dict.n] = key
  end
  dict.items[text] = value
end

function values.dict_get(dict, key) return dict.items[key_text(key)] end

--- Lua data (decoded JSON: null is `none`) as Python values.
function values.from_lua(v, none)
  if v == nil or v == none then return values.None end
  if type(v) == 'number' then return v % 1 ~= 0 and values.float(v) or v end
  if type(v) ~= 'table' then return v end
  if #v > 0 or next(v) == nil then
    local list = {}
    for i = 1, #v do list[i] = values.from_lua(v[i], none) end
    return values.list(list)
  end
  local dict = values.dict()
  for key, value in pairs(v) do values.dict_set(dict, key, values.from_lua(value, none)) end
  return dict
end

--- Python's name of a value's type.
function values.type_name(v, is_tensor)
  local class = getmetatable(v)
  if v == values.None then return 'None' end
  if is_tensor and is_tensor(v) then return 'Tensor' end
  local names = { [Float] = 'float', [Tuple] = 'tuple', [List] = 'list', [Dict] = 'dict', [Slice] = 'slice',
    [Function] = 'function', [Namespace] = 'object' }
  return names[class] or ({ number = 'int', boolean = 'bool', string = 'str' })[type(v)] or type(v)
end

return values
