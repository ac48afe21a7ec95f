--- Kind `layer`: a module or loss built from PyTorch's arguments, called as the case says.
local cases = require 'tests.support.golden.case'
local derivatives = require 'tests.support.golden.derivatives'
local json = require 'metann.binding.json'
local modules = require 'tests.support.golden.torch.modules'
local texts = require 'tests.support.golden.texts'
local torch = require 'tests.support.golden.torch.names'

local layer = { inputs = derivatives.INPUTS }

--- The module with the case's parameters and buffers.
local function build(case)
  local args, has_tensors = {}, false
  for name, value in pairs(case.args or {}) do
    if type(value) == 'table' and value.tensor then
      value, has_tensors = case:tensor(value.tensor), true
    end
    args[name] = value
  end
  local no_momentum = case.raw.args ~= json.null and (case.raw.args or {}).momentum == json.null
  local module = modules.build(case.layer, args, no_momentum):to(case.dtype)
  local state = {}
  for name, t in pairs(case.tensors) do
    local slot = name:match '^param%.(.*)$' or name:match '^buffer%.(.*)$'
    if slot then state[cases.lua_name(slot)] = t end
  end
  -- tensors given as arguments are buffers of the module that the case doesn't list
  module:load_state_dict(state, { strict = not has_tensors })
  return module:train(case.training)
end

local function by_name(iterator)
  local list = {}
  for name, t in iterator do list[name] = t end
  return list
end

function layer.run(case)
  local module = build(case)
  local variables = texts.variables(case, texts.set(case.differentiable))
  variables.module = modules.value(module, case.layer)
  local outputs
  for _ = 1, case.forward_passes or 1 do outputs = texts.tensors(torch.evaluate(case.call, variables)) end
  derivatives.compare_outputs(case, outputs)
  for name, buffer in module:named_buffers() do
    for file_name in pairs(case.tensors) do
      local slot = file_name:match '^buffer_after%.(.*)$'
      if slot and cases.lua_name(slot) == name then case:compare(file_name, buffer) end
    end
  end
  local parameters, leaves = by_name(module:named_parameters()), {}
  local is_input = texts.set(case.inputs)
  for i, name in ipairs(case.differentiable) do
    leaves[i] = is_input[name] and variables[name] or parameters[cases.lua_name(name)]
    if not leaves[i] then error(("there is no parameter '%s'"):format(name), 0) end
  end
  derivatives.compare(case, leaves, outputs)
end

return layer
