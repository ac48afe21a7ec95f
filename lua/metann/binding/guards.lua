--- Methods that say so when they are called with '.' in place of ':', Lua's most frequent slip.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'

local guards = {}

-- Guarded function -> what it guards. Who has made sure of `self` calls that directly.
local inside = errors.inside
guards.inside = inside

--- Raises that a method was called on what is not its own kind.
-- @param label what messages call the method
-- @param name of the method
-- @param what it belongs to, in words, such as 'module'
-- @param value what it was called on
function guards.refuse(label, name, what, value)
  return errors.raise("%s: must be called with ':', as in %s:%s(...), got %s in place of the %s", label, what, name,
    errors.describe(value), what)
end

--- What an object's class is called: its metatable is the class, or has it; nil for what has no name.
local function class_name(self)
  local mt = getmetatable(self)
  local class = type(mt) == 'table' and (rawget(mt, 'class') or mt)
  return class and (rawget(class, '_name') or rawget(class, 'name'))
end

--- Says what errors in a method are called that every class below has: by the object's class.
local function name_method(method, fn, name)
  return errors.name_member(method, function(self)
    local of = not errors.is_users(fn) and class_name(self)
    return of and of .. ':' .. name or nil
  end)
end

-- Keeps the method's frame on the stack, by which errors find what was called.
local function pass(...) return ... end

--- A method that looks at its first argument before it runs.
-- @param name of the method
-- @param fn the method
-- @param what what the first argument must be, in words, such as 'module'
-- @param is_self function: whether a value is one
-- @param label what messages call the method, its name unless given
function guards.guarded(name, fn, what, is_self, label)
  local function method(self, ...)
    if is_self(self) then return pass(fn(self, ...)) end
    return guards.refuse(label or name, name, what, self)
  end
  inside[method] = fn
  return label and errors.name_member(method, label) or name_method(method, fn, name)
end

--- Guards the public methods of a table: all functions but those of names that begin with '_', `init` and `statics`.
-- @param of the table
-- @param what in words, as for guarded
-- @param is_self function
-- @param statics set of the names of functions that take no `self`
function guards.guard(of, what, is_self, statics)
  local list = {}
  for name, fn in pairs(of) do
    local public = type(name) == 'string' and type(fn) == 'function' and name:sub(1, 1) ~= '_' and name ~= 'init'
    if public and not inside[fn] and not (statics and statics[name]) then list[name] = fn end
  end
  for name, fn in pairs(list) do rawset(of, name, guards.guarded(name, fn, what, is_self)) end
end

return guards
