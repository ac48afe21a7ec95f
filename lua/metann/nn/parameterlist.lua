--- ParameterList: a list of parameters, registered under their numbers from 1. Plain tensors become parameters.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local support = require 'metann.nn.support'

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
  if not support.is_parameter(parameter) then parameter = support.parameter(parameter) end
  self:register_parameter(tostring(self:len() + 1), parameter)
  return self
end

--- Adds the parameters of a list; returns the list.
function ParameterList:extend(parameters)
  local list = support.tensors(parameters, 'ParameterList')
  for i = 1, #list do self:append(list[i]) end
  return self
end

--- How many parameters there are.
function ParameterList:len() return #self._parameters.names end

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

return ParameterList
