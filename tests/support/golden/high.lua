--- Kind `high`: programs that differentiate what they differentiated.
local texts = require 'tests.support.golden.texts'
local torch = require 'tests.support.golden.torch.names'

local high = { inputs = { '^input%.', '^const%.' } }

function high.run(case)
  local floats = {}
  for _, name in ipairs(case.inputs) do floats[name] = case:tensor('input.' .. name).dtype:find 'float' ~= nil end
  local names = torch.run(case.program, texts.variables(case, floats))
  for _, name in ipairs(case.outputs) do
    if names[name] == nil then error(("the program makes no '%s'"):format(name), 0) end
    local tensors = texts.tensors(names[name])
    if #tensors ~= 1 then error(("'%s' is not one tensor but %d"):format(name, #tensors), 0) end
    case:compare('output.' .. name, tensors[1])
  end
end

return high
