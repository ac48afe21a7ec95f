--- Methods of small classes (an object is a table whose metatable is the class): they read their arguments by the rule of
-- metann.arguments, and one that is called with a dot in place of the colon says so.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local guards = require 'metann.binding.guards'

local methods = {}

-- Keeps a frame on the stack, by which errors find what was called.
local function pass(...) return ... end

-- As many as any of these methods takes; kept by position, so that a call without tables costs no more than itself.
local MOST = 2

--- Prepares to define the methods of a class.
-- @param class the metatable of its objects; methods are put into it
-- @param name of the class, for messages
-- @return a function(method, parameters, fn) that defines one; fn gets the object and the values by position, and gives up
-- to two values
function methods.definer(class, name)
  return function(method, parameters, fn)
    local label = name .. ':' .. method
    local signature = arguments.signature(label, parameters)
    local n = #parameters
    assert(n <= MOST)
    local first, second = signature.names[1] or '', signature.names[2] or ''
    class[method] = function(self, a, b, more)
      if getmetatable(self) ~= class then guards.refuse(label, method, name, self) end
      if more ~= nil or type(a) == 'table' or type(b) == 'table' or (b ~= nil and n < 2) or (a ~= nil and n < 1) then
        local values = arguments.read(signature, a, b, more)
        a, b = values[first], values[second]
      end
      -- no tail call, so that the frame stays; to pass on any number of results takes three times as long
      local result, more_of_it = fn(self, a, b)
      if more_of_it ~= nil then return result, more_of_it end
      return result
    end
    errors.name_member(class[method], label)
  end
end

--- What `__call` of a class is: makes an object by new(...), whose errors name the class.
function methods.constructor(name, new)
  return errors.name_member(function(_, ...) return pass(new(...)) end, name)
end

--- The functions of a table, each of which raises unless it is called on an object of the class; private ones (_name) as
-- they are.
function methods.guarded(class, name, functions)
  local function is_self(value) return getmetatable(value) == class end
  local result = {}
  for key, fn in pairs(functions) do
    result[key] = key:sub(1, 1) == '_' and fn or guards.guarded(key, fn, name, is_self, name .. ':' .. key)
  end
  return result
end

return methods
