--- grad as the programs of kind `high` use it, and torch.no_grad and torch.enable_grad.
local metann = require 'metann'
local evaluator = require 'tests.support.golden.python.evaluator'
local parser = require 'tests.support.golden.python.parser'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'
local plain, is_tensor, None = registry.plain, registry.is_tensor, values.None

local autograd = {}

local function list_of(v)
  if is_tensor(v) then return { v } end
  return plain(v)
end

--- Gradients that can be differentiated again; zeros where there is none.
function autograd.grad(outputs, inputs, cotangents)
  local live, seeds = {}, {}
  for i, y in ipairs(outputs) do
    if y.requires_grad then
      live[#live + 1] = y
      seeds[#live] = cotangents and cotangents[i] or false
    end
  end
  local grads = {}
  if #live > 0 then
    grads = metann.grad(live, inputs, { grad_outputs = seeds, create_graph = true, allow_unused = true })
  end
  local result = {}
  for i, x in ipairs(inputs) do result[i] = grads[i] or metann.zeros_like(x) end
  return result
end

local NAME, PARAMETERS = parser.signature [[grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=True,
  only_inputs=True, allow_unused=True, is_grads_batched=False)]]

--- grad(outputs, inputs, grad_outputs): every program wants gradients with a history, zeros where there is none.
function autograd.call(args, named)
  local a = evaluator.bind(NAME, PARAMETERS, args, named, function(p) return p.default and None end)
  local seeds = a.grad_outputs ~= None and list_of(a.grad_outputs) or nil
  return values.tuple(autograd.grad(list_of(a.outputs), list_of(a.inputs), seeds))
end

--- torch.no_grad() and torch.enable_grad(), as contexts.
function autograd.mode(name)
  return values.callable(name, function()
    local context = values.namespace(name, function() return nil end)
    function context.around(body) metann[name](body) end
    return context
  end)
end

return autograd
