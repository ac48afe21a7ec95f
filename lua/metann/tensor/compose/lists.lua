--- Lists of tensors as they are given: a list, a table by name, or an iterator. Internal.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local binding = require 'metann.binding'
local raise, describe = binding.errors.raise, binding.errors.describe
local istype, Handle = binding.handle.ffi.istype, binding.handle.Handle

local lists = {}

local function by_name(source)
  local mt = getmetatable(source)
  local is_dictionary = type(mt) == 'table' and mt.is_dictionary
  local names
  if is_dictionary then
    names = mt.__index(source, 'keys')(source) -- by the class: an entry may be called 'keys'
  else
    names = {}
    for name in pairs(source) do names[#names + 1] = name end
    table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  end
  local list = {}
  for i, name in ipairs(names) do
    if is_dictionary then list[i] = mt.__index(source, 'get')(source, name) else list[i] = source[name] end
  end
  return list, names
end

--- Of an iterator over values, or over names and values. Each is checked as it comes: there may be no end to wrong ones.
local function collected(source, what, check)
  local list, names, n = {}, nil, 0
  for a, b in source do
    n = n + 1
    if type(a) == 'string' and b ~= nil then
      names = names or {}
      names[n], list[n] = a, b
    else
      list[n] = a
    end
    if check then check(list[n], names and names[n] or n, what) end
  end
  return list, names
end

--- The tensors of a list, a table by name (in its own order, or by name) or an iterator (such as `net:parameters()` or
-- `net:named_parameters()`), as a fresh list; `false` stands for none and stays.
-- @param source list, table or iterator
-- @param what the function's name, for messages
-- @param check function(value, its name or number, what), called for each value of an iterator; may be left out
-- @return the list; the names, where the source has names
function lists.to_list(source, what, check)
  if type(source) == 'function' then return collected(source, what, check) end
  if istype(Handle, source) then return { source } end
  local meta = type(source) == 'table' and getmetatable(source)
  if type(meta) == 'table' and rawget(meta, 'class') then
    raise('%s: expected a list of tensors, a table by name or an iterator, got a module: pass its parameters, '
      .. 'net:parameters()', what)
  end
  if type(source) ~= 'table' then
    raise('%s: expected a list of tensors, a table by name or an iterator, got %s', what, describe(source))
  end
  local n = #source
  if n == 0 and next(source) ~= nil then return by_name(source) end
  local list = {}
  for i = 1, n do list[i] = source[i] end
  return list
end

local function check_tensor(value, entry, what)
  if istype(Handle, value) then return end
  raise('%s: entry %s must be a tensor, got %s', what, tostring(entry), describe(value))
end

--- As to_list, but every entry must be a tensor.
function lists.tensors(source, what)
  local list, names = lists.to_list(source, what, check_tensor)
  for i = 1, #list do check_tensor(list[i], names and names[i] or i, what) end
  return list, names
end

return lists
