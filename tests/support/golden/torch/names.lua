--- The names that Python texts about tensors know: torch, F, nn, grad, Python's own. torch.NAME is metann.NAME, a method
-- of a tensor is metann's of that name, and so on: what metann doesn't have is not known.
local metann = require 'metann'
local autograd = require 'tests.support.golden.torch.autograd'
local builtins = require 'tests.support.golden.python.builtins'
local creation = require 'tests.support.golden.torch.creation'
local evaluator = require 'tests.support.golden.python.evaluator'
local host = require 'tests.support.golden.torch.tensors'
local modules = require 'tests.support.golden.torch.modules'
local parser = require 'tests.support.golden.python.parser'
local registry = require 'tests.support.golden.torch.registry'
local signatures = require 'tests.support.golden.torch.signatures'
local values = require 'tests.support.golden.python.values'

creation.add(signatures.torch)

-- Names that Lua keeps for itself.
local RENAMED = { ['repeat'] = 'repeat_' }

local function callable(v)
  local mt = getmetatable(v)
  return type(v) == 'function' or (type(mt) == 'table' and mt.__call ~= nil)
end

--- The member of that name; nil where there is none. A namespace of metann's raises an error for a name it hasn't.
local function member(of, name)
  local ok, value = pcall(function() return of[RENAMED[name] or name] end)
  return ok and value or nil
end

--- Calls a function by PyTorch's arguments.
local function call(signature, name, fn, args, named)
  if not signature then return registry.pass(fn, args, named) end
  return signature:call(fn, args, creation.named(name, args, named), host)
end

--- A namespace of functions: metann's members of `of`.
-- @param set their signatures
-- @param more other names in it
local function namespace(name, of, set, more)
  return values.namespace(name, function(attribute)
    if more and more[attribute] ~= nil then return more[attribute] end
    local fn = member(of, attribute)
    if not callable(fn) then return nil end
    return values.callable(name .. '.' .. attribute, function(args, named)
      return call(set[attribute], attribute, fn, args, named)
    end)
  end)
end

--- The signature of a method: a function's, or that of the function without the _ where it changes the tensor.
local function method_signature(name)
  return signatures.torch[name] or signatures.torch[name:match '^(%w.*)_$'] or signatures.linalg[name]
end

--- A method of t as a call; nil where it has none.
function host.method(t, name)
  local fn = member(t, name)
  if type(fn) ~= 'function' then return nil end
  return function(args, named)
    return call(method_signature(name), name, fn, { n = args.n + 1, t, unpack(args, 1, args.n) }, named)
  end
end

local DTYPES = {
  float32 = 'float32', float = 'float32', float64 = 'float64', double = 'float64', int64 = 'int64', long = 'int64',
  int32 = 'int32', int = 'int32', uint8 = 'uint8', bool = 'bool', float16 = 'float16', half = 'float16',
  bfloat16 = 'bfloat16',
}

local function torch_names()
  local names = { inf = values.float(math.huge), nan = values.float(0 / 0), pi = values.float(math.pi) }
  for python, dtype in pairs(DTYPES) do names[python] = host.dtype(dtype) end
  names.linalg = namespace('torch.linalg', metann.linalg, signatures.linalg)
  names.special = namespace('torch.special', metann.special, signatures.torch)
  local F = namespace('F', metann.nn.functional, signatures.functional)
  names.nn = values.namespace('torch.nn', function(attribute)
    if attribute == 'functional' then return F end
    return modules.constructor(attribute)
  end)
  names.autograd = namespace('torch.autograd', {}, {}, { grad = values.callable('grad', autograd.call) })
  names.no_grad, names.enable_grad = autograd.mode 'no_grad', autograd.mode 'enable_grad'
  names.device = values.callable('torch.device', function(args) return args[1] end)
  names.Tensor = values.namespace('torch.Tensor', function(attribute)
    return values.callable(attribute, function(args, named)
      local method = host.method(args[1], attribute)
      if not method then error(("a Tensor has no '%s' that is understood"):format(attribute), 0) end
      return method({ n = args.n - 1, unpack(args, 2, args.n) }, named)
    end)
  end)
  return namespace('torch', metann, signatures.torch, names), F
end

--- All names of a text.
local function all_names(self)
  local names = builtins.names(self)
  local torch, F = torch_names()
  names.torch, names.F, names.nn, names.grad = torch, F, torch.get 'nn', values.callable('grad', autograd.call)
  names.np, names.numpy = names.math, names.math
  return names
end

local torch = {}

local function start(variables)
  local self = evaluator.new(host, all_names, builtins.methods)
  return self, evaluator.environment(self, variables)
end

--- The value of an expression that has been parsed, such as a signature's default.
function torch.value(node)
  local self, environment = start{}
  return self:eval(node, environment)
end

--- The value of one expression.
-- @param variables Python values by name
function torch.evaluate(text, variables)
  local self, env = start(variables)
  return self:eval(parser.expression(text), env)
end

--- Runs a program; returns its variables by name.
function torch.run(text, variables)
  local self, env = start(variables)
  self:run(parser.program(text), env)
  return env.names
end

return torch
