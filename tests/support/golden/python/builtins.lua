--- Python's own functions, the module math, and the methods of lists, dicts and strings, as far as programs on tensors
-- use them.
local arithmetic = require 'tests.support.golden.python.arithmetic'
local values = require 'tests.support.golden.python.values'
local None = values.None

local builtins = {}

local LONGEST = 1e6

local function integer(v)
  if type(v) ~= 'number' and type(v) ~= 'boolean' then error('expected an integer', 0) end
  return values.number(v)
end

local function range(args)
  local start, stop, step = 0, integer(args[1]), 1
  if args.n > 1 then start, stop = stop, integer(args[2]) end
  if args.n > 2 then step = integer(args[3]) end
  if step == 0 or (stop - start) / step > LONGEST then error('range: too long', 0) end
  local list = {}
  for i = start, stop - (step > 0 and 1 or -1), step do list[#list + 1] = i end
  return values.list(list)
end

local function zip(self, args)
  local lists, shortest = {}, args.n > 0 and math.huge or 0
  for k = 1, args.n do
    local items, n = self:items(args[k])
    lists[k], shortest = items, math.min(shortest, n)
  end
  local out = {}
  for i = 1, shortest do
    local row = {}
    for k = 1, args.n do row[k] = lists[k][i] end
    out[i] = values.tuple(row, args.n)
  end
  return values.list(out, shortest)
end

local function copied(self, v)
  local items, n = {}, 0
  if v ~= nil then
    local source
    source, n = self:items(v)
    for i = 1, n do items[i] = source[i] end
  end
  return items, n
end

--- The first of the items that no other comes before.
local function extreme(self, op, args, named)
  local items, n = args, args.n
  if n == 1 then items, n = self:items(args[1]) end
  local best, best_key
  for i = 1, n do
    local key = named.key and self:call(named.key, { items[i] }) or items[i]
    if i == 1 or self:truth(arithmetic.compare(self, op, key, best_key)) then best, best_key = items[i], key end
  end
  if n == 0 then error('of no items', 0) end
  return best
end

local function sorted(self, args, named)
  local items, n = copied(self, args[1])
  local function key(v) return named.key and self:call(named.key, { v }) or v end
  local op = named.reverse == true and '>' or '<'
  for i = 2, n do -- insertion: stable, and lists are short
    local v, k = items[i], i
    while k > 1 and self:truth(arithmetic.compare(self, op, key(v), key(items[k - 1]))) do
      items[k] = items[k - 1]
      k = k - 1
    end
    items[k] = v
  end
  return values.list(items, n)
end

local function to_number(self, v)
  local number = values.number(v)
  if number then return number end
  if self.host.is_tensor(v) then return self.host.number(v) end
  if type(v) == 'string' then
    local text = v:lower():gsub('^%+', '')
    local special = ({ inf = math.huge, ['-inf'] = -math.huge, nan = 0 / 0, infinity = math.huge })[text]
    if special or tonumber(text) then return special or tonumber(text) end
  end
  return error('not a number', 0)
end

local function round(x, digits)
  local scale = 10 ^ (digits or 0)
  local scaled = x * scale
  local floor = math.floor(scaled)
  local part = scaled - floor
  if part > 0.5 or (part == 0.5 and floor % 2 == 1) then floor = floor + 1 end
  return floor / scale
end

local function arithmetic_functions(self, names)
  function names.abs(args)
    if self.host.is_tensor(args[1]) then return self.host.attribute(args[1], 'abs').call({ n = 0 }, {}) end
    local number = math.abs(to_number(self, args[1]))
    return values.is_float(args[1]) and values.float(number) or number
  end
  function names.float(args) return values.float(args.n == 0 and 0 or to_number(self, args[1])) end
  function names.int(args)
    local x = args.n == 0 and 0 or to_number(self, args[1])
    return x < 0 and math.ceil(x) or math.floor(x)
  end
  function names.bool(args) return args.n > 0 and self:truth(args[1]) end
  function names.round(args)
    if args.n > 1 then return values.float(round(to_number(self, args[1]), integer(args[2]))) end
    return round(to_number(self, args[1]))
  end
  function names.pow(args) return arithmetic.binary(self, '**', args[1], args[2]) end
  function names.divmod(args)
    return values.tuple{ arithmetic.binary(self, '//', args[1], args[2]), arithmetic.binary(self, '%', args[1], args[2]) }
  end
  function names.sum(args, named)
    local total = args[2] or named.start or 0
    local items, n = self:items(args[1])
    for i = 1, n do total = arithmetic.binary(self, '+', total, items[i]) end
    return total
  end
  function names.min(args, named) return extreme(self, '<', args, named) end
  function names.max(args, named) return extreme(self, '>', args, named) end
end

local function makers(self, names)
  names.range = range
  function names.zip(args) return zip(self, args) end
  function names.sorted(args, named) return sorted(self, args, named) end
  function names.list(args) return values.list(copied(self, args[1])) end
  function names.tuple(args) return values.tuple(copied(self, args[1])) end
  function names.len(args)
    if type(args[1]) == 'string' then return #args[1] end
    if values.is_namespace(args[1]) and args[1].length then return args[1].length() end
    local _, n = self:items(args[1])
    return n
  end
  function names.slice(args)
    if args.n == 1 then return values.slice(None, args[1], None) end
    return values.slice(args[1], args[2], args[3] or None)
  end
  function names.enumerate(args, named)
    local items, n = self:items(args[1])
    local out, start = {}, integer(args[2] or named.start or 0)
    for i = 1, n do out[i] = values.tuple{ start + i - 1, items[i] } end
    return values.list(out, n)
  end
  function names.reversed(args)
    local items, n = self:items(args[1])
    local out = {}
    for i = 1, n do out[i] = items[n + 1 - i] end
    return values.list(out, n)
  end
end

local function walks(self, names)
  function names.map(args)
    local rows = zip(self, { n = args.n - 1, unpack(args, 2, args.n) })
    local out = {}
    for i = 1, rows.n do out[i] = self:call(args[1], { n = rows[i].n, unpack(rows[i], 1, rows[i].n) }) end
    return values.list(out, rows.n)
  end
  function names.filter(args)
    local items, n = self:items(args[2])
    local out = {}
    for i = 1, n do
      if self:truth(args[1] == None and items[i] or self:call(args[1], { items[i] })) then out[#out + 1] = items[i] end
    end
    return values.list(out)
  end
  function names.all(args)
    local items, n = self:items(args[1])
    for i = 1, n do if not self:truth(items[i]) then return false end end
    return true
  end
  function names.any(args)
    local items, n = self:items(args[1])
    for i = 1, n do if self:truth(items[i]) then return true end end
    return false
  end
end

local function others(self, names)
  function names.dict(args, named)
    local dict = values.dict()
    if args[1] then
      local items, n = self:items(args[1])
      for i = 1, n do
        if values.is_dict(args[1]) then
          values.dict_set(dict, items[i], values.dict_get(args[1], items[i]))
        else
          values.dict_set(dict, items[i][1], items[i][2])
        end
      end
    end
    for key, value in pairs(named) do values.dict_set(dict, key, value) end
    return dict
  end
  function names.reduce(args)
    local items, n = self:items(args[2])
    local total, first = args[3], 1
    if total == nil then total, first = items[1], 2 end
    for i = first, n do total = self:call(args[1], { total, items[i] }) end
    return total
  end
  function names.print() return None end
  function names.getattr(args)
    local value = self:attribute(args[1], args[2])
    if value == nil then value = args[3] end
    if value == nil then error(("there is no '%s' that is understood"):format(tostring(args[2])), 0) end
    return value
  end
  function names.isinstance(args)
    local classes, n = { args[2] }, 1
    if values.is_tuple(args[2]) then classes, n = args[2], args[2].n end
    local name = self:type_name(args[1])
    for i = 1, n do
      if classes[i].name == name or classes[i].name == 'torch.' .. name then return true end
    end
    return false
  end
end

--- The module math (also numpy's functions of numbers).
local function math_module(self)
  local constants = { pi = math.pi, e = math.exp(1), inf = math.huge, nan = 0 / 0, tau = 2 * math.pi }
  local floats = { log2 = function(x) return math.log(x) / math.log(2) end, log1p = function(x) return math.log(1 + x) end }
  for _, name in ipairs{
    'sqrt', 'exp', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'atan2', 'sinh', 'cosh', 'tanh', 'log10', 'pow', 'fmod',
  } do floats[name] = math[name] end
  function floats.log(x, base) return base and math.log(x) / math.log(base) or math.log(x) end
  function floats.hypot(a, b) return math.sqrt(a * a + b * b) end
  floats.fabs = math.abs
  local whole = { floor = math.floor, ceil = math.ceil }
  function whole.prod(first, ...) return first == nil and 1 or first * whole.prod(...) end
  function whole.factorial(n) return n <= 1 and 1 or n * whole.factorial(n - 1) end
  return values.namespace('math', function(name)
    if constants[name] then return values.float(constants[name]) end
    local fn = floats[name] or whole[name]
    if not fn then return nil end
    return values.callable('math.' .. name, function(args)
      local numbers = {}
      local list, n = args, args.n
      if n == 1 and not values.number(args[1]) and not self.host.is_tensor(args[1]) then list, n = self:items(args[1]) end
      for i = 1, n do numbers[i] = to_number(self, list[i]) end
      local result = fn(unpack(numbers, 1, n))
      return floats[name] and values.float(result) or result
    end)
  end)
end

--- Names for evaluator.new.
function builtins.names(self)
  local functions, names = {}, {}
  arithmetic_functions(self, functions)
  makers(self, functions)
  walks(self, functions)
  others(self, functions)
  for name, call in pairs(functions) do names[name] = values.callable(name, call) end
  names.math = math_module(self)
  names.inf, names.nan, names.pi = values.float(math.huge), values.float(0 / 0), values.float(math.pi)
  return names
end

-- ---- methods ----

local list_methods = {}

function list_methods.append(list, item)
  list.n = list.n + 1
  list[list.n] = item
  return None
end

function list_methods.pop(list, at)
  local i = at == nil and list.n or integer(at) % list.n + 1
  list.n = list.n - 1
  return table.remove(list, i)
end

function list_methods.insert(list, at, item)
  table.insert(list, math.min(integer(at), list.n) + 1, item)
  list.n = list.n + 1
  return None
end

function list_methods.extend(list, other)
  for i = 1, other.n do list_methods.append(list, other[i]) end
  return None
end

function list_methods.reverse(list)
  for i = 1, math.floor(list.n / 2) do list[i], list[list.n + 1 - i] = list[list.n + 1 - i], list[i] end
  return None
end

local dict_methods = {}

function dict_methods.get(dict, key, default)
  local value = values.dict_get(dict, key)
  if value == nil then return default or None end
  return value
end

function dict_methods.keys(dict) return values.list({ unpack(dict.keys) }, dict.n) end

function dict_methods.values(dict)
  local list = {}
  for i, key in ipairs(dict.keys) do list[i] = values.dict_get(dict, key) end
  return values.list(list)
end

function dict_methods.items(dict)
  local list = {}
  for i, key in ipairs(dict.keys) do list[i] = values.tuple{ key, values.dict_get(dict, key) } end
  return values.list(list)
end

--- Attributes of what is neither a tensor nor a namespace; nil where there is none.
function builtins.methods(_, object, name)
  if values.is_tuple(object) and object.names then
    for i, item in ipairs(object.names) do
      if item == name then return object[i] end
    end
  end
  local methods = values.is_list(object) and list_methods or values.is_dict(object) and dict_methods or nil
  local method = methods and methods[name]
  if not method then return nil end
  return values.callable(name, function(args) return method(object, unpack(args, 1, args.n)) end)
end

return builtins
