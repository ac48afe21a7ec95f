--- Ordered dictionaries in which a module keeps its parameters, buffers, submodules (and dependents).
-- `{names = {...}, values = {name = value}}`; `false` is a known name without a value (a bias left out). A name that is
-- a number's text (container entries) is found under the number too: `values[1]` is `values['1']`. Change them through
-- this file only; reading `values[name]` and walking `names` is free. `version` goes up at each change.
local pairs = require('metann.binding.traversal').pairs
local slots = {}

function slots.new() return { names = {}, values = {}, version = 0 } end

--- True for such a dictionary.
function slots.is_slots(value)
  return type(rawget(value, 'names')) == 'table' and type(rawget(value, 'version')) == 'number'
end

--- The number that a name is the text of, or nil.
local function number_of(name)
  if not name:find('^[1-9]%d*$') then return nil end
  return tonumber(name)
end

--- Gives a name a value; nil keeps the name without one.
function slots.set(dict, name, value)
  local values = dict.values
  if values[name] == nil then dict.names[#dict.names + 1] = name end
  if value == nil then value = false end
  values[name] = value
  dict.version = dict.version + 1
  local number = number_of(name)
  if number then values[number] = value end
end

--- Forgets a name.
function slots.remove(dict, name)
  local values = dict.values
  if values[name] == nil then return end
  values[name] = nil
  dict.version = dict.version + 1
  local number = number_of(name)
  if number then values[number] = nil end
  for i, other in ipairs(dict.names) do
    if other == name then
      table.remove(dict.names, i)
      return
    end
  end
end

--- Forgets all names.
function slots.clear(dict) dict.names, dict.values, dict.version = {}, {}, dict.version + 1 end

--- A copy with the same values.
function slots.copy(dict)
  local copy = { names = {}, values = {}, version = dict.version }
  for i, name in ipairs(dict.names) do copy.names[i] = name end
  for name, value in pairs(dict.values) do copy.values[name] = value end
  return copy
end

return slots
