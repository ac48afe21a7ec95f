--- torch.nn's classes as metann's: constructors with PyTorch's arguments, and calls with PyTorch's inputs.
local metann = require 'metann'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'
local nn = metann.nn

local modules = {}

-- Arguments that have no counterpart in metann, with the values that ask for nothing.
local NEUTRAL = {
  norm_type = 2, scale_grad_by_freq = false, sparse = false, recompute_scale_factor = false, add_bias_kv = false,
  add_zero_attn = false, inplace = false, device = false, dtype = false, antialias = false, proj_size = 0,
  enable_nested_tensor = true, max_norm = false, divisor_override = false, size_average = false, reduce = false,
  min_value = false, max_value = false, foreach = false, fused = false, capturable = false, differentiable = false,
}

--- True for an argument that says nothing and that metann does not have.
function modules.is_neutral(name, value) return NEUTRAL[name] ~= nil and NEUTRAL[name] == value end

local COUNTED = { dim = true, start_dim = true, end_dim = true, padding_idx = true, ignore_index = true }

-- Names of arguments by position, for the classes whose arguments are counted from 0.
local POSITIONAL = {
  Softmax = { 'dim' }, LogSoftmax = { 'dim' }, Flatten = { 'start_dim', 'end_dim' },
  Unflatten = { 'dim', 'unflattened_size' }, Embedding = { 'num_embeddings', 'embedding_dim', 'padding_idx' },
}

--- Makes a module from arguments by PyTorch's names, as Lua values counted from 0.
function modules.build(class, args)
  local given = {}
  for name, value in pairs(args) do
    if COUNTED[name] then value = registry.from_zero(value) end
    if not modules.is_neutral(name, value) then given[name] = value end
  end
  if class:find '^BatchNorm' and args.momentum == nil and args.no_momentum then given.momentum = false end
  given.no_momentum = nil
  local make = nn[class]
  if next(given) == nil then return make() end
  return make(given)
end

-- ---- calls ----

local forwards = {}

local function forward(signature, call)
  local name, fn = registry.function_of(signature, call)
  forwards[name] = fn
end

forward([[MultiheadAttention(module, query, key, value: plain, key_padding_mask=None, need_weights=True, attn_mask=None,
  average_attn_weights=True)]], function(a)
  local out, weights = a.module(a.query, a.key, a.value, {
    key_padding_mask = a.key_padding_mask, need_weights = a.need_weights, attn_mask = a.attn_mask,
    average_attn_weights = a.average_attn_weights,
  })
  return out, weights
end)
forward('TransformerEncoderLayer(module, src, src_mask=None, src_key_padding_mask=None)', function(a)
  local masks = { src_mask = a.src_mask, src_key_padding_mask = a.src_key_padding_mask }
  if not next(masks) then return a.module(a.src) end
  return a.module(a.src, masks)
end)
forward('Embedding(module, input: index)', function(a) return a.module(a.input) end)
for _, class in ipairs{ 'CrossEntropyLoss', 'NLLLoss' } do
  forward(class .. '(module, input, target: labels)', function(a) return a.module(a.input, a.target) end)
end
for _, class in ipairs{ 'MaxPool1d', 'MaxPool2d', 'MaxPool3d', 'AdaptiveMaxPool1d', 'AdaptiveMaxPool2d' } do
  forward(class .. '(module, input)', function(a)
    local out, index = a.module(a.input)
    if index then return out, registry.from_one(index) end
    return out
  end)
end

-- Names that inputs have in PyTorch, in an order that holds in every class.
local INPUTS = { 'input', 'input1', 'anchor', 'input2', 'positive', 'target', 'negative', 'hx' }

--- Inputs by position, those that are given by name behind the others.
local function by_position(args, named)
  local list, n, rest = { unpack(args, 1, args.n) }, args.n, {}
  for key, value in pairs(named) do rest[key] = value end
  for _, name in ipairs(INPUTS) do
    if rest[name] ~= nil then
      n = n + 1
      list[n], rest[name] = rest[name], nil
    end
  end
  list.n = n
  return list, rest
end

--- What Python sees of a module: it can be called, and its parameters read.
function modules.value(module, class)
  local by_signature = forwards[class]
  local pass = registry.pass(module)
  local function call(args, named)
    if not by_signature then return pass(by_position(args, named)) end
    return by_signature({ n = args.n + 1, module, unpack(args, 1, args.n) }, named)
  end
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
  return values.namespace(class, get, call)
end

--- A constructor as Python calls it.
function modules.constructor(class)
  if not pcall(function() return nn[class] end) then return nil end
  local names = POSITIONAL[class] or {}
  return values.callable('nn.' .. class, function(args, named)
    local by_name, list = {}, {}
    for i = 1, args.n do
      if names[i] then by_name[names[i]] = registry.plain(args[i]) else list[#list + 1] = registry.plain(args[i]) end
    end
    for key, value in pairs(named) do by_name[key] = registry.plain(value) end
    local module
    if #list == 0 then
      module = modules.build(class, by_name)
    else
      for key, value in pairs(by_name) do
        if modules.is_neutral(key, value) then by_name[key] = nil end
      end
      if next(by_name) then list[#list + 1] = by_name end
      module = nn[class](unpack(list))
    end
    return modules.value(module:to(metann.get_default_dtype()), class)
  end)
end

return modules
