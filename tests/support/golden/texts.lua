--- What the kinds share whose cases are Python text: variables for it, and tensors out of its values.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local json = require 'metann.binding.json'
local derivatives = require 'tests.support.golden.derivatives'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'

local texts = {}

--- Python variables: args, inputs (leaves, those that are in `differentiable`), consts.
-- @param differentiable set of names
function texts.variables(case, differentiable)
  local variables = {}
  local args = case.raw.args
  for name, value in pairs(args ~= json.null and args or {}) do variables[name] = values.from_lua(value, json.null) end
  for _, name in ipairs(case.inputs or {}) do
    local t = case:tensor('input.' .. name)
    variables[name] = differentiable[name] and derivatives.leaf(t) or t
  end
  for _, name in ipairs(case.consts or {}) do variables[name] = case:tensor('const.' .. name) end
  return variables
end

--- The tensors in a value, nested tuples flattened.
function texts.tensors(value)
  local list = {}
  local function add(v)
    if registry.is_tensor(v) then
      list[#list + 1] = v
    elseif values.is_sequence(v) then
      for i = 1, v.n do add(v[i]) end
    elseif type(v) == 'boolean' then
      list[#list + 1] = metann.tensor(v, { device = cases.device })
    elseif values.number(v) then
      local dtype = not values.is_float(v) and 'int64' or nil
      list[#list + 1] = metann.tensor(values.number(v), { dtype = dtype, device = cases.device })
    end
  end
  add(value)
  return list
end

--- A list as a set.
function texts.set(list)
  local set = {}
  for _, name in ipairs(list) do set[name] = true end
  return set
end

return texts
