--- Classes of modules: how they are made, and what reading, writing, calling and printing an instance does.
-- An instance is a table with the raw fields `_parameters`, `_buffers`, `_modules` (slots), `_tensors` (plain tensor
-- fields by name), `training`, `_forward_hooks` and `_forward_pre_hooks` (lists, once there are any), and the user's
-- plain fields; `_computed`, once there is any, has functions of the instance by the names that they are read under
-- (computed.lua). Tensors and modules never stand raw in it: `__newindex` files them and `__index` finds them.
--
-- The metatable of an instance is `class._meta`; its field `class` is the class. A class may give its subclasses
-- another one by defining `_make_meta(class)`, and may define `_construct(class, ...)`, what calling the class does.
-- A class of containers says what reading a key that is no name gives (`_position(self, key)`), and which name writing
-- to a number means (`_place(self, number, value)`, false when it has done the writing). What kinds of modules that are
-- made elsewhere have of their own is asked by `_stores` and `_owner` (module.lua).
local next = require('metann.binding.traversal').next
local guards = require 'metann.binding.guards'
local misspelt = require 'metann.nn.machinery.misspelt'
local where = require 'metann.nn.machinery.where'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local errors, raise, describe, keep = support.errors, support.raise, support.describe, support.keep
local is_tensor, is_parameter = support.is_tensor, support.is_parameter

local class = {}

--- The class of an instance, or nil for what is no module.
local function class_of(value)
  if type(value) ~= 'table' then return nil end
  local mt = getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'class') or nil
end
class.class_of = class_of

--- True for a class made by class.new.
local function is_class(value)
  if type(value) ~= 'table' then return false end
  local mt = getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'is_class') == true
end
class.is_class = is_class

--- True when `value` is an instance of `of` or of a class below it. A class's `_mixins` (a list) count as parents.
function class.is(value, of)
  local first = class_of(value)
  local pending, n = { first }, first and 1 or 0
  while n > 0 do
    local c = pending[n]
    pending[n] = nil
    n = n - 1
    if c == of then return true end
    local parent, mixins = rawget(c, '_parent'), rawget(c, '_mixins')
    if parent then
      n = n + 1
      pending[n] = parent
    end
    for _, mixin in ipairs(mixins or {}) do
      n = n + 1
      pending[n] = mixin
    end
  end
  return false
end

-- ---- filing ----

--- Raises unless `name` can name a slot of `self`.
function class.check_name(self, what, name)
  local label = class_of(self)._name
  if type(name) ~= 'string' then raise('%s: %s name must be a string, got %s', label, what, describe(name)) end
  if name == '' then raise('%s: %s name is empty', label, what) end
  if name:find('.', 1, true) then raise("%s: %s name '%s' must not contain a dot", label, what, name) end
  if type(class_of(self)[name]) == 'function' then
    raise("%s: '%s' can't name a %s, it is a method", label, name, what)
  end
end

--- Puts a value into one of the kinds of slots and takes the name out of the others.
function class.file(self, kind, name, value)
  for _, other in ipairs{ '_parameters', '_buffers', '_modules' } do
    local dict = rawget(self, other)
    if other ~= kind and dict.values[name] ~= nil then slots.remove(dict, name) end
  end
  self._tensors[name] = nil
  if rawget(self, name) ~= nil then rawset(self, name, nil) end
  if is_tensor(value) then keep(value) end
  slots.set(rawget(self, kind), name, value)
end

-- So many entries of a plain table are looked at for modules: every walk looks again, as tables change unseen.
local LOOKED_AT = 1000

--- What a plain table holds, or one below it, that would have to be registered: 'modules', 'parameters' or false.
local function holds_modules(value, seen)
  if is_tensor(value) then return is_parameter(value) and 'parameters' end
  if type(value) ~= 'table' then return false end
  if class_of(value) then return 'modules' end
  if getmetatable(value) ~= nil or seen[value] then return false end
  seen[value] = true
  for _, entry in next, value do
    seen.n = (seen.n or 0) + 1
    if seen.n > LOOKED_AT then return false end
    local found = holds_modules(entry, seen)
    if found then return found end
  end
  return false
end

local LISTS = { modules = 'nn.ModuleList (or nn.ModuleDict)', parameters = 'nn.ParameterList' }

local function refuse(self, kind, name, value)
  raise("%s: can't assign %s to %s '%s' (expected %s or nil)", class_of(self)._name, describe(value), kind, name,
    kind == 'parameter' and 'an nn.Parameter' or kind == 'buffer' and 'a tensor' or 'a module')
end

local function assign_tensor(self, name, value)
  if is_parameter(value) then
    class.check_name(self, 'parameter', name)
    return class.file(self, '_parameters', name, value)
  end
  if self._parameters.values[name] ~= nil then
    if not support.is_leaf(value) then
      raise("%s: parameter '%s' can't take a tensor with a history: call the module through a view "
        .. '(ProtoModule:functional) or make it a DependentModule', class_of(self)._name, name)
    end
    refuse(self, 'parameter', name, value)
  end
  if self._modules.values[name] then refuse(self, 'submodule', name, value) end
  if self._buffers.values[name] ~= nil then return slots.set(self._buffers, name, keep(value)) end
  self._tensors[name] = keep(value)
end

local function assign_nil(self, name)
  for _, kind in ipairs{ '_parameters', '_buffers', '_modules' } do
    local dict = rawget(self, kind)
    if dict.values[name] ~= nil then slots.set(dict, name, nil) end
  end
  self._tensors[name] = nil
end

--- Raises when a plain table in a field holds modules or parameters.
local function check_plain(self, name, value)
  local found = holds_modules(value, {})
  if found then
    raise("%s: field '%s' is a plain table that holds %s, which would not be registered: use %s",
      class_of(self)._name, tostring(name), found, LISTS[found])
  end
end

local function assign_plain(self, name, value)
  if self._parameters.values[name] then refuse(self, 'parameter', name, value) end
  if self._buffers.values[name] then refuse(self, 'buffer', name, value) end
  if self._modules.values[name] then refuse(self, 'submodule', name, value) end
  if type(value) == 'table' then check_plain(self, name, value) end
  self._tensors[name] = nil
  rawset(self, name, value)
end

--- The name that writing to a number means, or false when all is done.
local function place_of(self, number, value)
  local place = class_of(self)._place
  if place then return place(self, number, value) end
  return tostring(number)
end

--- Raises where a name is what the module computes when it is read.
-- @param computed its functions that do, by name, or nil
function class.check_written(self, computed, name)
  if computed and computed[name] then
    raise("%s: '%s' is computed from other parameters when it is read: write those, or take that away first",
      class_of(self)._name, name)
  end
end

--- What `self[name] = value` does for a name that is no raw field.
function class.assign(self, name, value)
  class.check_written(self, rawget(self, '_computed'), name)
  if type(name) == 'number' then
    name = place_of(self, name, value)
    if not name then return end
  end
  if value == nil then return assign_nil(self, name) end
  if is_tensor(value) then return assign_tensor(self, name, value) end
  if class_of(value) then
    class.check_name(self, 'submodule', name)
    return class.file(self, '_modules', name, value)
  end
  return assign_plain(self, name, value)
end

-- Raw fields that are the library's.
local own = {
  _parameters = true, _buffers = true, _modules = true, _tensors = true, _transient = true, _forward_hooks = true,
  _forward_pre_hooks = true, _computed = true,
}

--- Says that a raw field of instances is the library's, in which the walks look for nothing that is the user's.
function class.own_field(name) own[name] = true end

--- Files what was written over a raw plain field, which __newindex never saw, and looks into plain tables, which
-- modules may have been put into since. Every walk begins with it, and so does an instance's first call.
function class.adopt(self)
  for name, value in next, self do
    if type(value) == 'table' and getmetatable(value) == nil then
      if not own[name] then check_plain(self, name, value) end
    elseif class_of(value) or (is_tensor(value) and is_parameter(value)) then
      rawset(self, name, nil)
      class.assign(self, name, value)
    end
  end
end

-- ---- instances ----

local inside = guards.inside

--- What a call of a module gives: what forward returned, which must be something.
local function finished(self, ...)
  if select('#', ...) == 0 then raise("%s: 'forward' returned nothing", class_of(self)._name) end
  return ...
end
class.finished = finished

--- The metatable of a class's instances.
local function make_meta(of)
  local meta = { class = of }

  function meta.__index(self, name)
    local value = self._parameters.values[name]
    if value == nil then value = self._modules.values[name] end
    if value == nil then value = self._buffers.values[name] end
    if value ~= nil then return value or nil end
    value = self._tensors[name]
    if value ~= nil then return value end
    value = of[name]
    if value ~= nil then return value end
    local computed = rawget(self, '_computed')
    if computed and computed[name] then return computed[name](self) end
    if type(name) == 'string' then return misspelt.check(of, name) end
    local position = of._position
    return position and position(self, name)
  end

  meta.__newindex = class.assign

  -- A frame of its own, which says where an error happened, stays on the stack until the module has returned.
  meta.__call = where.announce(function(self, ...)
    if self._hooked then return finished(self, self:_call_with_hooks(...)) end
    local forward = rawget(self, 'forward') or of.forward
    return finished(self, (inside[forward] or forward)(self, ...))
  end, of._name)

  function meta.__tostring(self) return self:_print() end

  return meta
end

local function construct(of, ...)
  local self = setmetatable({
    _parameters = slots.new(), _buffers = slots.new(), _modules = slots.new(), _tensors = {}, _hooked = true,
    training = true, -- the first call is a slow one that looks for what would be wrong with all
  }, of._meta)
  of.init(self, ...)
  return self
end

-- A frame of its own, which says what class the user called.
local function made(instance) return instance end
local function call_class(of, ...) return made(of._construct(of, ...)) end
errors.name_member(call_class, function(of) return not errors.is_users(of.init) and of._name or nil end)

local function is_module(value) return class_of(value) ~= nil end

--- Defines a method of a class; one that stands in a guarded one's place is guarded too.
local function define(of, name, value)
  local parent = rawget(of, '_parent')
  if type(value) == 'function' and parent and inside[parent[name]] and not inside[value] then
    value = guards.guarded(name, value, 'module', is_module)
    if name == 'forward' then errors.name_class(value, of._name, true) end
  end
  rawset(of, name, value)
end

--- Guards the public methods of a class, and those that subclasses put in their place, against '.' for ':'.
-- @param of the class
-- @param statics set of names of functions that take no instance
function class.guard(of, statics) guards.guard(of, 'module', is_module, statics) end

--- Makes a class.
-- @param name of the class, as it prints
-- @param parent a class; nil only for Module itself
-- @return the class: a table for methods; calling it makes an instance and runs its method `init`
function class.new(name, parent)
  local of = setmetatable({ _name = name, _parent = parent }, {
    __index = parent, __newindex = define, __call = call_class, is_class = true,
    __tostring = function() return 'class ' .. name end,
  })
  if not parent then of._make_meta, of._construct = make_meta, construct end
  of._meta = of._make_meta(of)
  return of
end

return class
