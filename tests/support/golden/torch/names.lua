--- The names that Python texts about tensors know: torch, F, nn, grad, Python's own.
local metann = require 'metann'
local autograd = require 'tests.support.golden.torch.autograd'
local builtins = require 'tests.support.golden.python.builtins'
local evaluator = require 'tests.support.golden.python.evaluator'
local host = require 'tests.support.golden.torch.tensors'
local modules = require 'tests.support.golden.torch.modules'
local parser = require 'tests.support.golden.python.parser'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'

local functions, linalg, functional = registry.set(), registry.set(), registry.set()
require 'tests.support.golden.torch.pointwise'(functions)
require 'tests.support.golden.torch.shapes'(functions)
require 'tests.support.golden.torch.linalg'(functions, linalg)
require 'tests.support.golden.torch.functional'(functional)

--- A function of metann's by its own name, for what has no signature here; nil where there is none either.
local function metann_function(name)
  local ok, fn = pcall(function() return metann[name] end)
  if ok and type(fn) == 'function' then return registry.pass(fn) end
  return nil
end

--- A method in place of a function that has none: the function, then the copy.
local function in_place(name)
  local base = name:match '^(%w.*)_$' and functions.get(name:sub(1, -2))
  if not base then return nil end
  return function(args, named) return args[1]:copy_(base(args, named)) end
end

function host.methods(name)
  return functions.get(name) or linalg.get(name) or functional.get(name) or in_place(name) or metann_function(name)
end

--- Functions of several sets, the first that has a name, as a namespace; `more` are other names in it.
local function namespace(name, sets, more)
  return values.namespace(name, function(attribute)
    if more and more[attribute] ~= nil then return more[attribute] end
    for _, set in ipairs(sets) do
      local call = set.get(attribute)
      if call then return values.callable(name .. '.' .. attribute, call) end
    end
    return nil
  end)
end

local DTYPES = {
  float32 = 'float32', float = 'float32', float64 = 'float64', double = 'float64', int64 = 'int64', long = 'int64',
  int32 = 'int32', int = 'int32', uint8 = 'uint8', bool = 'bool', float16 = 'float16', half = 'float16',
  bfloat16 = 'bfloat16',
}

local fallback = { get = metann_function }

local function torch_names(self)
  local names = { inf = values.float(math.huge), nan = values.float(0 / 0), pi = values.float(math.pi) }
  for python, dtype in pairs(DTYPES) do names[python] = host.dtype(dtype) end
  names.linalg = namespace('torch.linalg', { linalg })
  names.special = namespace('torch.special', { functions, functional })
  local F = namespace('F', { functional, functions })
  names.nn = values.namespace('torch.nn', function(attribute)
    if attribute == 'functional' then return F end
    return modules.constructor(attribute)
  end)
  names.autograd = namespace('torch.autograd', {}, {
    grad = values.callable('grad', autograd.call),
    functional = namespace('torch.autograd.functional', {
      autograd.functional(function(fn, args) return self:call(fn, args) end),
    }),
  })
  names.no_grad, names.enable_grad = autograd.mode 'no_grad', autograd.mode 'enable_grad'
  names.Tensor = values.namespace('torch.Tensor', function(attribute)
    local call = host.methods(attribute)
    return call and values.callable(attribute, call)
  end)
  return namespace('torch', { functions, functional, fallback }, names), F
end

--- All names of a text.
local function all_names(self)
  local names = builtins.names(self)
  local torch, F = torch_names(self)
  names.torch, names.F, names.nn, names.grad = torch, F, torch.get 'nn', values.callable('grad', autograd.call)
  names.np, names.numpy = names.math, names.math
  return names
end

local torch = {}

local function start(variables)
  local self = evaluator.new(host, all_names, builtins.methods)
  return self, evaluator.environment(self, variables)
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
