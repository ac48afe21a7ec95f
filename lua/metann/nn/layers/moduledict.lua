--- ModuleDict: modules by name. It computes nothing itself.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local ModuleDict = class.new('ModuleDict', Module)

--- @param modules a list of {name, module} pairs (in that order), or a table by name (in order of the names)
function ModuleDict:init(modules)
  if modules ~= nil then self:update(modules) end
end

--- Adds modules: a list of {name, module} pairs, or a table by name. All are checked before any is added.
function ModuleDict:update(modules)
  if type(modules) ~= 'table' then
    raise('ModuleDict: expected a table of modules by name, got %s', describe(modules))
  end
  local list, names = support.to_list(modules, 'ModuleDict')
  local pairs_of = {}
  for i, entry in ipairs(list) do
    local name, module = names and names[i], entry
    if not names then
      if type(entry) ~= 'table' or class.class_of(entry) then
        raise('ModuleDict: entry %d must be a {name, module} pair, got %s', i, describe(entry))
      end
      name, module = entry[1], entry[2]
    end
    if not class.class_of(module) then
      raise("ModuleDict: entry '%s' must be a module, got %s", tostring(name), describe(module))
    end
    if type(name) == 'number' then name = tostring(name) end
    class.check_name(self, 'submodule', name)
    pairs_of[i] = { name, module }
  end
  for _, pair in ipairs(pairs_of) do self[pair[1]] = pair[2] end
  return self
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
function ModuleDict:values()
  local list = {}
  for i, name in ipairs(self._modules.names) do list[i] = self[name] end
  return list
end

--- Iterates over name and module.
function ModuleDict:iter()
  local names, i = self:keys(), 0
  return function()
    i = i + 1
    if names[i] then return names[i], self[names[i]] end
  end
end

class.guard(ModuleDict)

return ModuleDict
