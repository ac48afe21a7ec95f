--- What nn.ModuleDict and nn.ParameterDict share: entries by name.
local class = require 'metann.nn.machinery.class'
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local named = {}

--- Adds entries to a dictionary, all of which are checked before any is added.
-- @param self the dictionary
-- @param what its class's name
-- @param noun what it holds: 'module' or 'parameter'
-- @param kind what a name is checked as: 'submodule' or 'parameter'
-- @param given a list of {name, value} pairs, or a table by name
-- @param is_value whether a thing is what it holds, so that it can't be a pair
-- @param value_of (name, value): the value to add, or an error
function named.add(self, what, noun, kind, given, is_value, value_of)
  if type(given) ~= 'table' then raise('%s: expected a table of %ss by name, got %s', what, noun, describe(given)) end
  local list, names = support.to_list(given, what)
  local entries = {}
  for i, entry in ipairs(list) do
    local name, value = names and names[i], entry
    if not names then
      if type(entry) ~= 'table' or is_value(entry) then
        raise('%s: entry %d must be a {name, %s} pair, got %s', what, i, noun, describe(entry))
      end
      name, value = entry[1], entry[2]
    end
    value = value_of(name, value)
    if type(name) == 'number' then name = tostring(name) end
    class.check_name(self, kind, name)
    entries[i] = { name, value }
  end
  for _, entry in ipairs(entries) do self[entry[1]] = entry[2] end
  return self
end

--- The values, a fresh list in the order of the keys.
function named.values(self)
  local list = {}
  for i, name in ipairs(self:keys()) do list[i] = self[name] end
  return list
end

--- Iterates over name and value.
function named.iter(self)
  local names, i = self:keys(), 0
  return function()
    i = i + 1
    if names[i] then return names[i], self[names[i]] end
  end
end

return named
