--- What Sequential and ModuleList share: submodules numbered from 1.
-- Reads its entries through `self._modules` for their names only, and through `self[name]` for the modules, so that a
-- view of a container gives views of its entries.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local slots = require 'metann.nn.slots'
local support = require 'metann.nn.support'
local raise, describe = support.raise, support.describe

local Container = class.new('Container', Module)
Container._numbered = true -- names of entries are positions

local function label(self) return class.class_of(self)._name end

--- How many modules there are.
function Container:len() return #self._modules.names end

--- The module at a position (from 1), whatever its name.
function Container:_at(i) return self[self._modules.names[i]] end

--- The module at a position; negative ones count from the end.
function Container:get(i)
  local n = self:len()
  if type(i) ~= 'number' or i % 1 ~= 0 then
    raise('%s:get: position must be a whole number, got %s', label(self), describe(i))
  end
  if i == 0 then raise('%s:get: position is 0, but positions count from 1', label(self)) end
  local at = i < 0 and n + 1 + i or i
  if at < 1 or at > n then raise('%s:get: position %d is out of range, there are %d modules', label(self), i, n) end
  return self:_at(at)
end

--- Adds a module at the end; returns the container.
function Container:append(module)
  if not class.class_of(module) then
    raise('%s:append: expected a module, got %s', label(self), describe(module))
  end
  self:add_module(tostring(self:len() + 1), module)
  return self
end

--- Adds the modules of a list; returns the container.
function Container:extend(list)
  local modules = support.to_list(list, label(self) .. ':extend')
  for i = 1, #modules do self:append(modules[i]) end
  return self
end

--- Puts a module at a position, from which on all move up by one; returns the container.
function Container:insert(i, module)
  local n = self:len()
  if type(i) ~= 'number' or i % 1 ~= 0 or i < 1 or i > n + 1 then
    raise('%s:insert: position must be a whole number from 1 to %d, got %s', label(self), n + 1, describe(i))
  end
  if not class.class_of(module) then
    raise('%s:insert: expected a module, got %s', label(self), describe(module))
  end
  local modules = {}
  for k = 1, n do modules[k] = self:_at(k) end
  table.insert(modules, i, module)
  slots.clear(self._modules)
  for k = 1, n + 1 do self:add_module(tostring(k), modules[k]) end
  return self
end

--- Iterates over position and module: `for i, m in list:iter() do`.
function Container:iter()
  local i = 0
  return function()
    i = i + 1
    if i <= self:len() then return i, self:_at(i) end
  end
end

return Container
