--- Kind `op`: one expression, its value and derivatives.
local derivatives = require 'tests.support.golden.derivatives'
local texts = require 'tests.support.golden.texts'
local torch = require 'tests.support.golden.torch.names'

local op = { inputs = derivatives.INPUTS }

function op.run(case)
  local variables = texts.variables(case, texts.set(case.differentiable))
  local outputs = texts.tensors(torch.evaluate(case.expr, variables))
  derivatives.compare_outputs(case, outputs)
  local leaves = {}
  for i, name in ipairs(case.differentiable) do leaves[i] = variables[name] end
  derivatives.compare(case, leaves, outputs)
end

return op
