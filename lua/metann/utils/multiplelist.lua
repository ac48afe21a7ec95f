--- MultipleList: a list that is also indexed by a list of positions.
-- The elements stand raw in the instance, so `#`, ipairs and unpack work as on any list.
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local guarded = require('metann.utils.methods').guarded
local raise, describe = errors.raise, errors.describe

local MultipleList = {}
local methods = {}

--- How many elements there are.
function methods:len() return #self end

--- Iterates over position, element: `for i, v in l:iter() do`.
function methods:iter()
  local i = 0
  return function()
    i = i + 1
    local value = rawget(self, i)
    if value ~= nil then return i, value end
  end
end

local function check(self, index)
  if type(index) ~= 'number' or index % 1 ~= 0 or index < 1 or index > #self then
    raise('MultipleList: index %s is out of range 1..%d', tostring(index), #self)
  end
  return index
end

local lookup = guarded(MultipleList, 'MultipleList', methods)

function MultipleList.__index(self, key)
  if type(key) == 'string' then return lookup[key] end
  if type(key) ~= 'table' then return rawget(self, check(self, key)) end
  local picked = {}
  for i = 1, #key do picked[i] = rawget(self, check(self, key[i])) end
  return MultipleList.new(picked)
end

function MultipleList.__newindex(self, key, value)
  if type(key) ~= 'table' then
    check(self, key)
    return rawset(self, key, value)
  end
  if type(value) ~= 'table' then
    raise('MultipleList: assigning by a list takes a list of values, got %s', describe(value))
  end
  if #value ~= #key then raise('MultipleList: %d positions, but %d values', #key, #value) end
  for i = 1, #key do check(self, key[i]) end
  for i = 1, #key do rawset(self, key[i], value[i]) end
end

--- Takes a fresh list over as it is.
function MultipleList.new(list) return setmetatable(list, MultipleList) end

--- `MultipleList(list)`: a copy of the list's elements. Index by a number or a list of numbers, which gives a
-- MultipleList; assign by number or, a list of values, by list. Positions out of range are errors.
-- @function MultipleList
-- @param list of any values; false stands for none
local construct = arguments.define('MultipleList', { { 'list', data = true } }, function(list)
  if list == nil then list = {} end
  if type(list) ~= 'table' then raise('MultipleList: expected a list, got %s', describe(list)) end
  local copy = {}
  for i = 1, #list do copy[i] = list[i] end
  return MultipleList.new(copy)
end)

return setmetatable(MultipleList, { __call = function(_, ...) return construct(...) end })
