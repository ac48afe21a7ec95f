--- The names of a state dict there and here: entries of containers count from 0 in PyTorch and from 1 here. All other
-- names are the same.
local class = require 'metann.nn.machinery.class'
local StateDict = require 'metann.nn.machinery.statedict'
local support = require 'metann.support'
local raise, describe, class_of = support.raise, support.describe, class.class_of

local pytorch = {}

--- A part of a name plus `by`, where it is a number.
local function moved(part, by)
  if not (part == '0' or part:find '^[1-9]%d*$') then return part end
  local number = tonumber(part) + by
  return number >= 0 and number < 2 ^ 53 and ('%.0f'):format(number) or part
end

--- A PyTorch name with every number in it counted from 1: '0.weight' becomes '1.weight'. For when there is no module to
-- tell which numbers are positions.
function pytorch.shifted(name)
  return (name:gsub('[^.]+', function(part) return moved(part, 1) end))
end

--- What holds the names: the module itself, or the submodule that has no name of its own.
local function holder(module)
  while module and module._modules.values[''] do module = module._modules.values[''] end
  return module
end

--- A name below a module with the positions in its containers moved by `by`.
local function translated(module, name, by)
  local current, parts = holder(module), {}
  for part in (name .. '.'):gmatch '(.-)%.' do
    local numbered = current and class_of(current)._numbered
    parts[#parts + 1] = numbered and moved(part, by) or part
    local own = numbered and by > 0 and moved(part, by) or part
    current = current and holder(current._modules.values[own] or nil)
  end
  return table.concat(parts, '.')
end

local function renamed(module, state, by, what)
  local result = StateDict.new()
  local list, names = support.to_list(state, what)
  if not names then return state end
  for i, name in ipairs(names) do result[type(name) == 'string' and translated(module, name, by) or name] = list[i] end
  return result
end

--- A state dict that PyTorch named, with the names that it has in `module`.
local function from_pytorch(module, state, what)
  if type(state) ~= 'table' and type(state) ~= 'function' then return state end
  return renamed(module, state, 1, what)
end

--- Reads the options of a state_dict: {to='pytorch'}, and renames accordingly.
-- @return the state
function pytorch.export(module, state, options)
  if options == nil then return state end
  local what = class_of(module)._name .. ':state_dict'
  if type(options) ~= 'table' then raise('%s: options must be a table, got %s', what, describe(options)) end
  support.errors.check_options(what, options, { 'to' })
  if options.to == nil then return state end
  if options.to ~= 'pytorch' then raise("%s: 'to' must be 'pytorch', got %s", what, describe(options.to)) end
  return renamed(module, state, -1, what)
end

--- Reads the options of a load_state_dict, {strict=true, from='pytorch'}, or strict alone.
-- @return the state with the names that it has in `module`; strict
function pytorch.import(module, state, options)
  local what = class_of(module)._name .. ':load_state_dict'
  if class_of(state) then
    raise('%s: expected a table of tensors by name, got a module: pass its state, net:state_dict()', what)
  end
  local strict = options
  if type(options) == 'table' then
    support.errors.check_options(what, options, { 'strict', 'from' })
    strict = options.strict
    if options.from ~= nil then
      if options.from ~= 'pytorch' then raise("%s: 'from' must be 'pytorch', got %s", what, describe(options.from)) end
      state = from_pytorch(module, state, what)
    end
  end
  if strict == nil then strict = true end
  if type(strict) ~= 'boolean' then raise("%s: 'strict' must be true or false, got %s", what, describe(strict)) end
  return state, strict
end

return pytorch
