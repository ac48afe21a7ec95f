--- Calls of PyTorch's functions as calls of metann's by the same name. What stands by position in the text is given by
-- position, what has a name goes into a table at the end; nothing is put together here that metann doesn't have.
-- A signature, in Python text, says which arguments and results are counted from 0 there and from 1 here, and refuses
-- what PyTorch doesn't take.
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

--- Positions counted from 1 where they were counted from 0: a number, a tensor or a list of them. Negative ones, which
-- count from the end or are there to be ignored, and masks stay.
local function from_zero(v)
  if v == nil then return nil end
  if type(v) == 'table' and not is_tensor(v) then
    local list = {}
    for i = 1, #v do list[i] = from_zero(v[i]) end
    return list
  end
  if type(v) == 'number' then return v >= 0 and v + 1 or v end
  if not is_tensor(v) or v.dtype == 'bool' or v.dtype:find 'float' then return v end
  return metann.where(v:ge(0), v + 1, v)
end
registry.from_zero = from_zero

--- Positions as metann gives them to positions as PyTorch does.
local function from_one(v)
  if v == nil then return nil end
  if type(v) ~= 'table' or is_tensor(v) then return v - 1 end
  local list = {}
  for i = 1, #v do list[i] = from_one(v[i]) end
  return list
end

local kinds = {}
kinds.plain = registry.plain
kinds.number = registry.plain -- one of two operands: see pairing below
kinds.position = function(v) return from_zero(registry.plain(v)) end
--- max(x, 1) or max(x, other): a dim, or a tensor of numbers
kinds.dim_or_tensor = function(v)
  if is_tensor(v) then return v end
  return kinds.position(v)
end
--- tensordot: a list of dims, or how many there are
kinds.dims_or_count = function(v)
  if values.is_sequence(v) then return kinds.position(v) end
  return registry.plain(v)
end

--- tensor_split: the positions at which parts begin, or how many parts there are
kinds.split_points = kinds.dims_or_count

-- What a parameter holds, unless the signature says otherwise by an annotation.
local BY_NAME = {}
for name in ([[dim dims dim0 dim1 dim2 start_dim end_dim source destination dimension index indices padding_idx
    ignore_index blank]]):gmatch '%S+' do
  BY_NAME[name] = 'position'
end

--- The value of an argument by its parameter's name.
function registry.by_name(name, value) return kinds[BY_NAME[name] or 'plain'](value) end

-- ---- results ----

--- What metann returned, as a Python value.
local function to_python(v)
  if v == nil then return None end
  if type(v) ~= 'table' or is_tensor(v) or getmetatable(v) ~= nil then return v end
  local list = {}
  for i = 1, #v do list[i] = to_python(v[i]) end
  return values.tuple(list)
end

--- Several returned values as a tuple, one as itself. `names` are the results' names in PyTorch, of which `indices` are
-- positions; where fewer come, the call was one without positions, such as max(x), unless `always` says that Python
-- gets None for the rest.
local function results(names, ...)
  local n = select('#', ...)
  local list = {}
  if names and names.always then n = #names end
  while n > 1 and not (names and names.always) and select(n, ...) == nil do n = n - 1 end
  for i = 1, n do
    local v = (select(i, ...))
    if names and n == #names and names[i] == 'indices' then v = from_one(v) end
    list[i] = to_python(v)
  end
  if n == 1 then return list[1] end
  local tuple = values.tuple(list, n)
  if names and n == #names then tuple.names = names end
  return tuple
end

-- ---- signatures ----

local Signature = {}
Signature.__index = Signature

-- From these parameters on, PyTorch's order is one of its past, which metann doesn't have: the rest goes by name.
local NAMED_FROM = { size_average = true, reduce = true, unbiased = true }

--- From text: 'name(parameters)', or 'name(parameters) -> result, ...', with => where there are always as many.
function registry.signature(text)
  local call, arrow, returned = text:match '^(.-)%s*([-=])>%s*(.*)$'
  local name, parameters = parser.signature(call or text)
  local self = { name = name, parameters = parameters, kinds = {}, positions = math.huge }
  for i, p in ipairs(parameters) do
    if NAMED_FROM[p.name] then self.positions = math.min(self.positions, i - 1) end
    local kind = p.annotation and p.annotation.name or BY_NAME[p.name] or 'plain'
    self.kinds[p.name] = assert(kinds[kind], kind)
    self.paired = self.paired or kind == 'number'
  end
  if returned then
    self.results = { always = arrow == '=' or nil }
    for result in returned:gmatch '[%w_]+' do self.results[#self.results + 1] = result end
  end
  return setmetatable(self, Signature)
end

local function has_default(p) return p.default and None or nil end

--- The parameter that stands at a place; a star parameter takes all from its own on.
function Signature:at(i)
  local parameters = self.parameters
  for k = 1, math.min(i, #parameters) do
    if parameters[k].rest then return parameters[k] end
  end
  return parameters[i]
end

--- Integer tensors become floats beside a Python float, for which Lua has no number of its own.
function Signature:pair(args, host)
  if not self.paired or args.n < 2 then return args end
  local first, second = host.pair(args[1], args[2])
  return { n = args.n, first, second, unpack(args, 3, args.n) }
end

--- Raises an error where PyTorch doesn't take the arguments; what a star stands before may also have a name.
function Signature:check(args, named)
  local others = {}
  for name, value in pairs(named) do others[name] = value end
  for _, p in ipairs(self.parameters) do
    if p.rest then others[p.name] = nil end
  end
  evaluator.bind(self.name, self.parameters, args, others, has_default)
end

-- var(x, true) is one without a dim.
local SPREAD = { var = true, std = true, var_mean = true, std_mean = true }

--- Calls fn in the form of the text.
-- @param host what tensors do, for the pairs of operands
function Signature:call(fn, args, named, host)
  self:check(args, named)
  args = self:pair(args, host)
  local list, n, options = {}, 0, {}
  for i = 1, args.n do
    local name = self:at(i).name
    local value = self.kinds[name](args[i])
    if i > self.positions or SPREAD[self.name] and type(value) == 'boolean' then
      options[i > self.positions and name or 'unbiased'] = value
    elseif value ~= nil then
      list[i], n = value, i
    end
  end
  for name, value in pairs(named) do options[name] = self.kinds[name](value) end
  if next(options) ~= nil then
    n = n + 1
    list[n] = options
  end
  return results(self.results, fn(unpack(list, 1, n)))
end

--- Calls a function that has no signature: arguments as they are, those with a name by their names.
function registry.pass(fn, args, named)
  local list, n, options = {}, args.n, {}
  for i = 1, n do list[i] = registry.plain(args[i]) end
  for name, value in pairs(named) do options[name] = registry.by_name(name, value) end
  if next(options) ~= nil then
    n = n + 1
    list[n] = options
  end
  return results(nil, fn(unpack(list, 1, n)))
end

--- Signatures by name, from a text with one on each line; a line that begins with a blank goes on the one before.
function registry.signatures(text)
  local all = {}
  for line in text:gsub('\n%s+', ' '):gmatch '[^\n]+' do
    local names, rest = line:match '^([%w_ ]+)(%(.*)$'
    for name in names:gmatch '%S+' do all[name] = registry.signature(name .. rest) end
  end
  return all
end

return registry
