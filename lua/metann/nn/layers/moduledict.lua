--- ModuleDict: modules by name. It computes nothing itself.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local named = require 'metann.nn.shared.named'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local ModuleDict = class.new('ModuleDict', Module)

--- @param modules a list of {name, module} pairs (in that order), or a table by name (in order of the names)
function ModuleDict:init(modules)
  if modules ~= nil then self:update(modules) end
end

local function module_of(name, value)
  if not class.class_of(value) then
    raise("ModuleDict: entry '%s' must be a module, got %s", tostring(name), describe(value))
  end
  return value
end

--- Adds modules: a list of {name, module} pairs, or a table by name. All are checked before any is added.
function ModuleDict:update(modules)
  return named.add(self, 'ModuleDict', 'module', 'submodule', modules, class.class_of, module_of)
end

--- The module of a name; an unknown name is an error.
function ModuleDict:get(name)
  if not self:contains(name) then raise("ModuleDict:get: no module '%s'", tostring(name)) end
  return self[name]
end

--- Adds or replaces a module; the same as `dict[name] = module`.
function ModuleDict:set(name, module) self:update{ { name, module } } end

--- True when there is a module of that name.
function ModuleDict:contains(name) return type(name) == 'string' and self._modules.values[name] and true or false end

--- Removes a module and returns it; an unknown name is an error.
function ModuleDict:pop(name)
  local module = self:get(name)
  slots.remove(self._modules, name)
  return module
end

--- Takes all modules out.
function ModuleDict:clear() slots.clear(self._modules) end

--- How many modules there are.
function ModuleDict:len() return #self._modules.names end

--- The names, a fresh list in order.
function ModuleDict:keys()
  local names = {}
  for i, name in ipairs(self._modules.names) do names[i] = name end
  return names
end

--- The modules, a fresh list in order.
function ModuleDict:values() return named.values(self) end

--- Iterates over name and module.
function ModuleDict:iter() return named.iter(self) end

class.guard(ModuleDict)

return ModuleDict
