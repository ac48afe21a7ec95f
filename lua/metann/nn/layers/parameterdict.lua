--- ParameterDict: parameters by name. Plain tensors become parameters. `dict[name]` reads one; it computes nothing itself.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local named = require 'metann.nn.shared.named'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local ParameterDict = class.new('ParameterDict', Module)

--- @param parameters a list of {name, parameter} pairs (in that order), or a table by name (in order of the names)
function ParameterDict:init(parameters)
  if parameters ~= nil then self:update(parameters) end
end

--- A tensor as a parameter, checked.
local function parameter_of(name, value)
  if not support.is_tensor(value) then
    raise("ParameterDict: entry '%s' must be a parameter, got %s", tostring(name), describe(value))
  end
  if not support.is_float(value) then
    raise("ParameterDict: entry '%s' must be of a float dtype, got %s", tostring(name), support.dtype(value))
  end
  return support.is_parameter(value) and value or support.parameter(value)
end

--- Adds parameters: a list of {name, parameter} pairs, a table by name or another ParameterDict. All are checked before
-- any is added.
function ParameterDict:update(parameters)
  if class.is(parameters, ParameterDict) then
    local given = {}
    for i, name in ipairs(parameters:keys()) do given[i] = { name, parameters[name] } end
    parameters = given
  end
  return named.add(self, 'ParameterDict', 'parameter', 'parameter', parameters, support.is_tensor, parameter_of)
end

--- The names, a fresh list in order; of a converted dictionary those that became dependents too.
function ParameterDict:keys()
  local names = {}
  for _, kind in ipairs(self:_stores()) do
    for _, name in ipairs(kind ~= '_buffers' and self[kind].names or {}) do names[#names + 1] = name end
  end
  return names
end

--- How many parameters there are.
function ParameterDict:len() return #self:keys() end

--- True when there is a parameter of that name.
function ParameterDict:contains(name)
  for _, other in ipairs(self:keys()) do
    if other == name then return true end
  end
  return false
end

--- The parameter of a name; an unknown name is an error.
function ParameterDict:get(name)
  if not self:contains(name) then raise("ParameterDict:get: no parameter '%s'", tostring(name)) end
  return self[name]
end

--- Adds or replaces a parameter; as `dict[name] = parameter`, but plain tensors become parameters.
function ParameterDict:set(name, parameter) self:update{ { name, parameter } } end

--- Removes a parameter and returns it; an unknown name is an error.
function ParameterDict:pop(name)
  local parameter = self:get(name)
  for _, kind in ipairs(self:_stores()) do
    if kind ~= '_buffers' then slots.remove(self[kind], name) end
  end
  return parameter
end

--- Takes all parameters out.
function ParameterDict:clear()
  for _, name in ipairs(self:keys()) do self:pop(name) end
end

--- The parameters, a fresh list in order.
function ParameterDict:values() return named.values(self) end

--- Iterates over name and parameter.
function ParameterDict:iter() return named.iter(self) end

--- Parameters print with their sizes.
function ParameterDict:extra_repr()
  local lines = {}
  for name, p in self:iter() do
    lines[#lines + 1] = ('(%s): Parameter containing: [%s tensor of size %s]'):format(name, support.dtype(p),
      support.shape_text(p))
  end
  return table.concat(lines, '\n')
end

class.guard(ParameterDict)

return ParameterDict
