--- DefaultList: a list without an end, whose places are made by a factory when they are first read.
local errors = require 'metann.binding.errors'
local arguments = require 'metann.arguments'
local guarded = require('metann.utils.methods').guarded
local raise, describe = errors.raise, errors.describe

-- What a place holds that was made as nil: read again, it must not be made again.
local NIL = {}

local DefaultList = {}
local methods = {}

local function check(index)
  if type(index) ~= 'number' or index % 1 ~= 0 or index < 1 then
    raise('DefaultList: an index must be a whole number from 1, got %s', describe(index))
  end
  return index
end

--- The value at a place, made and kept when there is none.
function methods:get(index)
  local items = rawget(self, 'items')
  local value = items[check(index)]
  if value == nil then
    local factory = rawget(self, 'factory')
    value = factory()
    items[index] = value == nil and NIL or value
    return value
  end
  if value == NIL then return nil end
  return value
end

--- Puts a value at a place; nil is kept as such.
function methods:set(index, value) rawget(self, 'items')[check(index)] = value == nil and NIL or value end

--- Iterates over place, value from 1, making what isn't there; it never ends: `for i, v in l:iter() do`.
function methods:iter()
  local i = 0
  return function()
    i = i + 1
    return i, methods.get(self, i)
  end
end

--- Overwrites the first places with the values of a list.
function methods:fill(list)
  if type(list) ~= 'table' then raise('DefaultList:fill: expected a list, got %s', describe(list)) end
  for i = 1, #list do methods.set(self, i, list[i]) end
end

local lookup = guarded(DefaultList, 'DefaultList', methods)

function DefaultList.__index(self, key)
  if type(key) == 'string' then return lookup[key] end
  return methods.get(self, key)
end
function DefaultList.__newindex(self, key, value) methods.set(self, key, value) end

--- `DefaultList(factory, fill)`: `factory()` makes what a place holds when it is first read (nil when there is no
-- factory); `fill` is a list that the first places start from. Methods: get set iter fill, and indexing by number.
-- @function DefaultList
-- @param[opt] factory function without arguments
-- @param[opt] fill list
local construct = arguments.define('DefaultList', { { 'factory' }, { 'fill', data = true } }, function(factory, fill)
  if factory ~= nil then arguments.callable('DefaultList', 'factory', factory) end
  local self = setmetatable({ items = {}, factory = factory or function() end }, DefaultList)
  if fill ~= nil then methods.fill(self, fill) end
  return self
end)

return setmetatable(DefaultList, { __call = function(_, ...) return construct(...) end })
