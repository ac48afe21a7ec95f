--- First and second derivatives of the kinds `op` and `layer`: gradients of sum <output, cotangent>, and those of
-- sum <gradient, u>.
local autograd = require 'tests.support.golden.torch.autograd'

local derivatives = {}

--- A leaf with a tensor's values.
function derivatives.leaf(t) return t:clone():requires_grad_(true) end

--- grad_output, or grad_output.NAME where there are several outputs.
local function cotangent_name(case, output)
  return #case.outputs == 1 and 'grad_output' or 'grad_output.' .. output
end

--- Names and tensors of the outputs that have a cotangent, and these cotangents, as leaves.
local function cotangents_of(case, outputs)
  local names, live, cotangents = {}, {}, {}
  for i, output in ipairs(case.outputs) do
    local name = cotangent_name(case, output)
    if case.tensors[name] then
      names[#names + 1], live[#live + 1] = name, outputs[i]
      cotangents[#cotangents + 1] = derivatives.leaf(case.tensors[name])
    end
  end
  return names, live, cotangents
end

--- Compares both orders.
-- @param leaves tensors in the order of case.differentiable
-- @param outputs tensors in the order of case.outputs
function derivatives.compare(case, leaves, outputs)
  if #leaves == 0 then return end
  local names, live, cotangents = cotangents_of(case, outputs)
  local grads = autograd.grad(live, leaves, cotangents)
  local s
  for i, name in ipairs(case.differentiable) do
    case:compare('grad.' .. name, grads[i])
    local term = (grads[i] * case:tensor('u.' .. name)):sum()
    s = s and s + term or term
  end
  local into = { unpack(leaves) }
  for _, c in ipairs(cotangents) do into[#into + 1] = c end
  for i, g in ipairs(autograd.grad({ s }, into)) do
    case:compare('grad2.' .. (case.differentiable[i] or names[i - #leaves]), g)
  end
end

--- Compares outputs by name: `output`, or output.NAME.
function derivatives.compare_outputs(case, outputs)
  if #outputs ~= #case.outputs then
    error(('%d outputs are expected, %d were computed'):format(#case.outputs, #outputs), 0)
  end
  for i, name in ipairs(case.outputs) do
    local plain = #case.outputs == 1 and case.tensors.output
    case:compare(plain and 'output' or 'output.' .. name, outputs[i])
  end
end

derivatives.INPUTS = { '^input%.', '^const%.', '^grad_output', '^u%.', '^param%.', '^buffer%.' }

return derivatives
