--- What Sequential and ModuleList share: submodules numbered from 1. `list[i]` reads one, negative numbers count from
-- the end, `list[{first, last}]` is a container of its own with that closed range of the same modules. Writing to a
-- position replaces the module, to the one after the last appends, and nil takes it out. Modules without a name of
-- their own are renumbered, so that names and positions agree.
-- Reads its entries through `self._modules` for their names only, and through `self[name]` for the modules, so that a
-- view of a container gives views of its entries.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local positions = require 'metann.nn.machinery.positions'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local Container = class.new('Container', Module)
Container._numbered = true -- names of entries are positions

local function label(self) return class.class_of(self)._name end

--- How many modules there are.
function Container:len() return #self._modules.names end

--- The module at a position (from 1), whatever its name.
function Container:_at(i) return self[self._modules.names[i]] end

--- The module at a position; negative ones count from the end.
function Container:get(i) return self:_at(positions.must(label(self) .. ':get', i, self:len())) end

--- What reading a key gives that is no name: a module by position, or a slice.
function Container:_position(key)
  if type(key) == 'number' then
    local at = positions.find(label(self), key, self:len())
    return at and self:_at(at)
  end
  if positions.is_range(key) then return self:slice(key[1], key[2], key[3]) end
  return nil
end

--- A container of its own that holds the same modules from position `first` to `last` (1 and -1 when left out).
-- @param first position
-- @param last position
-- @param step 1 when left out
function Container:slice(first, last, step)
  local made, names = class.class_of(self)._plain(), self._modules.names
  for _, i in ipairs(positions.range(label(self) .. ':slice', { first, last, step }, self:len())) do
    local name = names[i]
    made:add_module(tonumber(name) and tostring(made:len() + 1) or name, self:_at(i))
  end
  return made
end

local function check_module(self, what, module)
  if not class.class_of(module) then raise('%s:%s: expected a module, got %s', label(self), what, describe(module)) end
end

--- Adds a module at the end; returns the container.
function Container:append(module)
  check_module(self, 'append', module)
  self:add_module(tostring(self:len() + 1), module)
  return self
end

--- The same by Torch7's name.
function Container:add(module)
  check_module(self, 'add', module)
  return self:append(module)
end

--- Adds the modules of a list, another container or an iterator; returns the container.
function Container:extend(list)
  local modules
  if class.is(list, Container) then
    modules = {}
    for i, module in list:iter() do modules[i] = module end
  else
    modules = support.to_list(list, label(self) .. ':extend', function(module) check_module(self, 'extend', module) end)
  end
  for i = 1, #modules do check_module(self, 'extend', modules[i]) end
  for i = 1, #modules do self:append(modules[i]) end
  return self
end

--- Files modules anew: a list of {name or false, module}; those without a name are numbered.
local function refill(self, entries)
  if not rawequal(self:_owner(), self) then
    raise("%s: a view's modules are those of its base: use deepcopy()", label(self))
  end
  slots.clear(self._modules)
  for i, entry in ipairs(entries) do self:add_module(entry[1] or tostring(i), entry[2]) end
end

local function entries_of(self)
  local entries = {}
  for i, name in ipairs(self._modules.names) do entries[i] = { not tonumber(name) and name, self:_at(i) } end
  return entries
end

--- Puts a module at a position, from which on all move up by one; returns the container. Negative positions count from
-- the end; the one after the last appends.
function Container:insert(i, module)
  local n = self:len()
  check_module(self, 'insert', module)
  if type(i) ~= 'number' or i % 1 ~= 0 or i == 0 or i > n + 1 or i < -n then
    raise('%s:insert: position must be a whole number from 1 to %d, got %s', label(self), n + 1, describe(i))
  end
  local entries = entries_of(self)
  table.insert(entries, i < 0 and n + 1 + i or i, { false, module })
  refill(self, entries)
  return self
end

--- Takes the module at a position out and returns it; the last when no position is given.
function Container:pop(i)
  local at = positions.must(label(self) .. ':pop', i == nil and -1 or i, self:len())
  local entries = entries_of(self)
  local entry = table.remove(entries, at)
  refill(self, entries)
  return entry[2]
end

--- The name that writing to a number means; nil as value takes the module out at once.
function Container:_place(number, value)
  local n = self:len()
  if number == n + 1 then return value ~= nil and tostring(number) end
  local at = positions.find(label(self), number, n)
  if not at then
    if value == nil then return false end
    raise('%s: position %d is out of range, there are %d entries (append adds one)', label(self), number, n)
  end
  if value ~= nil then return self._modules.names[at] end
  self:pop(at)
  return false
end

--- Iterates over position and module: `for i, m in list:iter() do`.
function Container:iter()
  local i = 0
  return function()
    i = i + 1
    if i <= self:len() then return i, self:_at(i) end
  end
end

class.guard(Container)

return Container
