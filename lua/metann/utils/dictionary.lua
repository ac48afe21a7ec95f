--- What OrderedDict and SubDict share: a dictionary's face over four primitives of the class.
-- A class gives `_find(self, key)` (the value or nil), `_store(self, key, value)`, `_remove(self, key)` and
-- `_order(self)` (a fresh list of the present keys, in order). State is kept under keys no caller can name, so that
-- indexing is free for the dictionary's own keys, but for method names.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local guarded = require('metann.utils.methods').guarded
local raise, describe = errors.raise, errors.describe

local dictionary = {}

--- Calls `fn(key, value)` for the entries of a dictionary, a list of `{key, value}` pairs or a table by name.
function dictionary.each(what, source, fn)
  if type(source) ~= 'table' then
    raise('%s: expected a dictionary or a list of {key, value} pairs, got %s', what, describe(source))
  end
  local mt = getmetatable(source)
  if type(mt) == 'table' and mt.is_dictionary then
    for _, key in ipairs(source:keys()) do fn(key, source:get(key)) end
    return
  end
  local n = #source
  if n == 0 then
    for key, value in pairs(source) do fn(key, value) end
    return
  end
  for i = 1, n do
    local pair = source[i]
    if type(pair) ~= 'table' or pair[1] == nil or pair[2] == nil or #pair ~= 2 then
      raise('%s: entry %d must be a {key, value} pair, got %s', what, i, describe(pair))
    end
  end
  for i = 1, n do fn(source[i][1], source[i][2]) end
end

local function missing(class, key) return raise('%s: no key %s', class.name, describe(key)) end

local methods = {}

--- The value of a key; for a missing one the default, when one is given (nil counts), else an error.
function methods:get(key, ...)
  local value = self:_find(key)
  if value ~= nil then return value end
  if select('#', ...) > 0 then return (select(1, ...)) end
  return missing(getmetatable(self), key)
end

--- Gives a key a value; nil deletes it.
function methods:set(key, value)
  local class = getmetatable(self)
  if key == nil or key ~= key then raise('%s: a key must not be %s', class.name, tostring(key)) end
  if value == nil then return methods.delete(self, key) end
  self:_store(key, value)
end

--- Deletes a key; a missing one is an error.
function methods:delete(key)
  if self:_find(key) == nil then missing(getmetatable(self), key) end
  self:_remove(key)
end

--- True when the key is there.
function methods:contains(key) return key ~= nil and self:_find(key) ~= nil end

--- How many keys there are.
function methods:len() return #self:_order() end

--- The keys, a fresh list in order.
function methods:keys() return self:_order() end

--- The values, a fresh list in the order of the keys.
function methods:values()
  local values = {}
  for i, key in ipairs(self:_order()) do values[i] = self:_find(key) end
  return values
end

--- Iterates over key, value in order: `for k, v in d:pairs() do`. Keys present at the start and deleted on the way are
-- passed over.
function methods:pairs()
  local order, i = self:_order(), 0
  return function()
    while true do
      i = i + 1
      local key = order[i]
      if key == nil then return nil end
      local value = self:_find(key)
      if value ~= nil then return key, value end
    end
  end
end

--- Deletes a key and returns its value; for a missing one the default, when one is given, else an error.
function methods:pop(key, ...)
  local value = self:_find(key)
  if value == nil then
    if select('#', ...) > 0 then return (select(1, ...)) end
    missing(getmetatable(self), key)
  end
  self:_remove(key)
  return value
end

--- Deletes all keys.
function methods:clear()
  for _, key in ipairs(self:_order()) do self:_remove(key) end
end

--- Takes over the entries of a dictionary, a list of `{key, value}` pairs, or a table by name.
function methods:update(source)
  local class, entries = getmetatable(self), {}
  dictionary.each(class.name .. ':update', source, function(key, value) entries[#entries + 1] = { key, value } end)
  for _, entry in ipairs(entries) do self:_store(entry[1], entry[2]) end
end

--- A class of dictionaries: callable, with the methods above and the primitives and methods in `class`.
-- @param name for messages
-- @param class table with the primitives, `parameters` (what arguments.define takes) and `init(self, ...)`
function dictionary.class(name, class)
  class.name, class.is_dictionary = name, true
  local own = {}
  for key, fn in pairs(methods) do own[key] = fn end
  for key, fn in pairs(class) do
    if type(fn) == 'function' and key ~= 'init' then own[key] = fn end
  end
  local lookup = guarded(class, name, own)
  function class.__index(self, key)
    local method = lookup[key]
    if method then return method end
    return methods.get(self, key)
  end
  function class.__newindex(self, key, value)
    if lookup[key] then
      raise("%s: '%s' is a method's name: use set('%s', value)", name, tostring(key), tostring(key))
    end
    methods.set(self, key, value)
  end
  local printing = {} -- the dictionaries whose text is being made: one that holds itself is not printed again
  function class.__tostring(self)
    if printing[self] then return name .. '{...}' end
    printing[self] = true
    local parts = {}
    local ok, message = pcall(function()
      for key, value in methods.pairs(self) do parts[#parts + 1] = ('%s=%s'):format(tostring(key), tostring(value)) end
    end)
    printing[self] = nil
    if not ok then error(message, 0) end
    return name .. '{' .. table.concat(parts, ', ') .. '}'
  end
  local construct = arguments.define(name, class.parameters, function(...)
    local self = setmetatable({}, class)
    class.init(self, ...)
    return self
  end)
  return setmetatable(class, { __call = function(_, ...) return construct(...) end })
end

return dictionary
