--- Layers with inputs that fit them: those of tests/support/layer_cases.lua, called with tensors of these sizes.
local layer_cases = require 'tests.support.layer_cases'
local values = require 'tests.fuzz.values'

local layers = {}

--- An entry for each case: calling the layer.
function layers.entries()
  local list = {}
  for i, case in ipairs(layer_cases) do
    list[i] = {
      name = '()', path = ('metann.nn.%s:() (%d)'):format(case.class, i), style = 'object', of = 'metann.nn.' .. case.class,
      object = ("require('tests.support.layer_cases')[%d].make()"):format(i), inputs = case.inputs, number = i,
    }
  end
  return list
end

--- Inputs of an entry's layer, as nodes.
-- @param context a context of generator.lua
function layers.inputs(context, entry)
  local list = {}
  for k, input in ipairs(entry.inputs) do
    if type(input) == 'function' then
      list[k] = values.text(("require('tests.support.layer_cases')[%d].inputs[%d]()"):format(entry.number, k))
    else
      local size = input.parts or input
      list[k] = context:tensor({ unpack(size) }, { style = input.parts and 'unit' or nil, dtype = context:chance(6) and nil or 'float32' })
    end
  end
  if context:chance(6) then list[context.draw(#list)] = context:garbage() end
  return list
end

return layers
