--- torch.nn's modules: made by metann.nn's classes of the same names, from the arguments as they are given.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local registry = require 'tests.support.golden.torch.registry'
local signatures = require 'tests.support.golden.torch.signatures'
local values = require 'tests.support.golden.python.values'
local nn = metann.nn

local modules = {}

-- Names of arguments by position, for the classes whose arguments are counted from 0.
local POSITIONAL = {
  Softmax = { 'dim' }, LogSoftmax = { 'dim' }, Flatten = { 'start_dim', 'end_dim' },
  Unflatten = { 'dim', 'unflattened_size' }, Embedding = { 'num_embeddings', 'embedding_dim', 'padding_idx' },
}

--- Makes a module from arguments by PyTorch's names, as Lua values counted from 0. A module among them is {module, args}.
-- @param no_momentum whether momentum is None, which in metann is false
function modules.build(class, args, no_momentum)
  local given = {}
  for name, value in pairs(args) do
    local module = type(value) == 'table' and not registry.is_tensor(value) and value.module
    given[name] = module and modules.build(module, value.args) or registry.by_name(name, value)
  end
  if no_momentum then given.momentum = false end
  local make = nn[class]
  local module = next(given) == nil and make() or make(given)
  return cases.device and module:to(cases.device) or module
end

--- Calls a module on tensors.
local function call(module, class, args, named)
  local signature = signatures.forward[class]
  if not signature then return registry.pass(module, args, named) end
  return signature:call(module, args, named)
end

--- What Python sees of a module: it can be called, and its parameters read.
function modules.value(module, class)
  local function get(name)
    if name == 'eval' or name == 'train' then
      return values.callable(name, function(args)
        module:train(name == 'train' and args[1] ~= false)
        return modules.value(module, class)
      end)
    end
    local ok, value = pcall(function() return module[name] end)
    return ok and registry.is_tensor(value) and value or nil
  end
  return values.namespace(class, get, function(args, named) return call(module, class, args, named) end)
end

--- A constructor as Python calls it.
function modules.constructor(class)
  if not pcall(function() return nn[class] end) then return nil end
  local names = POSITIONAL[class] or {}
  return values.callable('nn.' .. class, function(args, named)
    local list, options = {}, {}
    for i = 1, args.n do list[i] = registry.by_name(names[i], args[i]) end
    for name, value in pairs(named) do options[name] = registry.by_name(name, value) end
    if next(options) ~= nil then list[args.n + 1] = options end
    local module = nn[class](unpack(list, 1, args.n + 1))
    return modules.value(module:to(metann.get_default_dtype()), class)
  end)
end

return modules
