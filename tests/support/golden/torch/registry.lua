--- PyTorch's functions by name, each with its signature in Python text, called with Lua values by metann.
-- Arguments are bound by the signature, then turned into metann's conventions: dims and positions count from 1 there,
-- None is nil, lists are Lua lists. What a function returns becomes a Python value; one that returns positions takes
-- away 1 itself, by registry.from_one.
local metann = require 'metann'
local evaluator = require 'tests.support.golden.python.evaluator'
local parser = require 'tests.support.golden.python.parser'
local values = require 'tests.support.golden.python.values'
local handle = require('metann.binding').handle
local is_tensor = handle.is_tensor
local None = values.None

local registry = { is_tensor = is_tensor }

-- ---- conventions ----

--- A Python value in Lua.
function registry.plain(v)
  if v == None then return nil end
  local number = type(v) ~= 'boolean' and values.number(v)
  if number then return number end
  if values.is_sequence(v) then
    local list = {}
    for i = 1, v.n do
      local item = registry.plain(v[i])
      if item == nil then item = false end
      list[i] = item
    end
    return list
  end
  if values.is_namespace(v) and v.dtype then return v.dtype end
  return v
end

local function from_zero(v)
  if v == nil then return nil end
  if type(v) == 'table' and not is_tensor(v) then
    local list = {}
    for i = 1, #v do list[i] = from_zero(v[i]) end
    return list
  end
  if type(v) == 'number' then return v >= 0 and v + 1 or v end
  return v + 1
end

--- Positions as metann gives them to positions as PyTorch does.
function registry.from_one(t) return t - 1 end
registry.from_zero = from_zero

--- Class labels: negative ones, which are there to be ignored, stay.
function registry.labels(t)
  if not is_tensor(t) or t.dtype:find 'float' then return t end
  return metann.where(t:ge(0), t + 1, t)
end

local kinds = {}
kinds.plain = registry.plain
kinds.value = function(v) return v end
kinds.dim = function(v) return from_zero(registry.plain(v)) end
kinds.index = kinds.dim
kinds.labels = function(v) return registry.labels(registry.plain(v)) end

-- What a parameter holds, unless the signature says otherwise by an annotation.
local BY_NAME = {}
for name in ('dim dims dim0 dim1 dim2 start_dim end_dim source destination dimension axis'):gmatch '%S+' do
  BY_NAME[name] = 'dim'
end
BY_NAME.index, BY_NAME.indices = 'index', 'index'
local ALIASES = { axis = 'dim', keepdims = 'keepdim', axes = 'dim' }

-- ---- results ----

--- What metann returned, as a Python value.
local function to_python(v)
  if v == nil then return None end
  if type(v) ~= 'table' or is_tensor(v) or getmetatable(v) ~= nil then return v end
  local list = {}
  for i = 1, #v do list[i] = to_python(v[i]) end
  return values.tuple(list)
end

--- Several returned values as a tuple, one as itself.
function registry.results(...)
  local n = select('#', ...)
  if n == 1 then return to_python((select(1, ...))) end
  local list = {}
  for i = 1, n do list[i] = to_python((select(i, ...))) end
  return values.tuple(list, n)
end

--- (values, indices), which PyTorch gives names.
function registry.with_indices(v, index)
  return values.named({ v, registry.from_one(index) }, { 'values', 'indices' })
end

-- ---- signatures ----

local function default_of(p)
  local node = p.default
  if not node then return nil end
  if node.type == 'constant' then return node.value end
  if node.type == 'unary' then
    local value = node.value.value
    return values.is_float(value) and values.float(-value.value) or -value
  end
  if node.type == 'tuple' then return values.tuple{} end
  return error 'a default of a signature must be a constant'
end

local function kind_of(p)
  local annotation = p.annotation and p.annotation.name
  local kind = kinds[annotation or BY_NAME[p.name] or 'plain']
  return kind or error('no kind ' .. tostring(annotation))
end

--- A star parameter takes its items one by one, as one list, or by name.
local function spread(parameters, args, named)
  for i, p in ipairs(parameters) do
    if p.rest then
      local list = named[p.name]
      if list == nil and args.n == i and values.is_sequence(args[i]) then list = args[i] end
      if list ~= nil and values.is_sequence(list) then
        local flat = { n = i - 1 + list.n, unpack(args, 1, i - 1) }
        for k = 1, list.n do flat[i - 1 + k] = list[k] end
        named[p.name] = nil
        return flat
      end
    end
  end
  return args
end

--- A function from a signature; call(a) gets the arguments by name.
function registry.function_of(signature, call)
  local name, parameters = parser.signature(signature)
  local known, convert, defaults = {}, {}, {}
  for _, p in ipairs(parameters) do
    known[p.name], convert[p.name], defaults[p.name] = true, kind_of(p), default_of(p)
  end
  local function default(p) return defaults[p.name] end
  return name, function(args, named)
    local given = {}
    for key, value in pairs(named) do given[known[key] and key or ALIASES[key] or key] = value end
    -- where a result goes, and how it is laid out in memory, changes no number
    given.out, given.memory_format, given.device, given.layout = nil, nil, nil, nil
    local bound = evaluator.bind(name, parameters, spread(parameters, args, given), given, default)
    local a = {}
    for key, value in pairs(bound) do a[key] = convert[key](value) end
    return registry.results(call(a))
  end
end

--- A set of functions: define(signature, call) adds one, get(name) gives its call(args, named).
function registry.set()
  local set = { calls = {} }
  function set.define(signature, call)
    local name, fn = registry.function_of(signature, call)
    set.calls[name] = fn
    return fn
  end
  function set.alias(new, old) set.calls[new] = assert(set.calls[old], old) end
  function set.get(name) return set.calls[name] end
  return set
end

--- A call for a function of metann that has no signature here: arguments as they are, names by BY_NAME.
function registry.pass(fn)
  return function(args, named)
    local list, options = {}, {}
    for i = 1, args.n do list[i] = registry.plain(args[i]) end
    for key, value in pairs(named) do
      key = ALIASES[key] or key
      options[key] = kinds[BY_NAME[key] or 'plain'](value)
    end
    local n = args.n
    if next(options) then
      n = n + 1
      list[n] = options
    end
    return registry.results(fn(unpack(list, 1, n)))
  end
end

return registry
