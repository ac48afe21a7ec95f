--- ParameterList: a list of parameters, registered under their numbers from 1. Plain tensors become parameters.
-- `list[i]` reads one, negative numbers count from the end, `list[{first, last}]` is a plain list of that closed range;
-- writing to the position after the last appends.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local positions = require 'metann.nn.machinery.positions'
local support = require 'metann.support'

local ParameterList = class.new('ParameterList', Module)
ParameterList._numbered = true -- names of entries are positions

--- @param parameters a list, table by name or iterator of tensors; none for an empty list
function ParameterList:init(parameters)
  if parameters ~= nil then self:extend(parameters) end
end

--- Adds a parameter at the end; returns the list.
function ParameterList:append(parameter)
  if not support.is_tensor(parameter) then
    support.raise('ParameterList:append: expected a parameter, got %s', support.describe(parameter))
  end
  if not support.is_float(parameter) then
    support.raise('ParameterList:append: a parameter must be of a float dtype, got %s', support.dtype(parameter))
  end
  if not support.is_parameter(parameter) then parameter = support.parameter(parameter) end
  self:register_parameter(tostring(self:len() + 1), parameter)
  return self
end

--- Adds the parameters of a list; returns the list.
function ParameterList:extend(parameters)
  if class.is(parameters, ParameterList) then parameters = parameters[{ 1, -1 }] end
  local list = support.tensors(parameters, 'ParameterList')
  for i = 1, #list do self:append(list[i]) end
  return self
end

--- How many parameters there are; of a converted list those that became dependents count.
function ParameterList:len()
  local n = 0
  for _, kind in ipairs(self:_stores()) do
    if kind ~= '_buffers' then n = n + #self[kind].names end
  end
  return n
end

--- The parameter at a position; negative ones count from the end.
function ParameterList:get(i)
  return self[tostring(positions.must(class.class_of(self)._name .. ':get', i, self:len()))]
end

--- What reading a key gives that is no name: a parameter by position, or a slice.
function ParameterList:_position(key)
  if type(key) == 'number' then
    local at = positions.find(class.class_of(self)._name, key, self:len())
    return at and self[tostring(at)]
  end
  if not positions.is_range(key) then return nil end
  local list = {}
  for k, i in ipairs(positions.range(class.class_of(self)._name, key, self:len())) do list[k] = self[tostring(i)] end
  return list
end

--- The name that writing to a number means.
function ParameterList:_place(number)
  local n = self:len()
  local at = number == n + 1 and number or positions.must(class.class_of(self)._name, number, n)
  return tostring(at)
end

--- Iterates over position and parameter.
function ParameterList:iter()
  local i = 0
  return function()
    i = i + 1
    if i <= self:len() then return i, self[i] end
  end
end

--- Parameters print with their sizes.
function ParameterList:extra_repr()
  local lines = {}
  for i, p in self:iter() do
    lines[i] = ('(%d): Parameter containing: [%s tensor of size %s]'):format(i, support.dtype(p),
      support.shape_text(p))
  end
  return table.concat(lines, '\n')
end

class.guard(ParameterList)

return ParameterList
