--- Python's operators: on numbers here, on tensors by the host.
local values = require 'tests.support.golden.python.values'
local None = values.None

local arithmetic = {}

local function type_error(self, op, a, b)
  error(("'%s' of %s and %s is not understood"):format(op, self:type_name(a), self:type_name(b)), 0)
end

-- ---- numbers ----

local function floor_mod(a, b) return a - math.floor(a / b) * b end

local numeric = {
  ['+'] = function(a, b) return a + b end,
  ['-'] = function(a, b) return a - b end,
  ['*'] = function(a, b) return a * b end,
  ['/'] = function(a, b) return a / b end,
  ['//'] = function(a, b) return math.floor(a / b) end,
  ['%'] = floor_mod,
  ['**'] = function(a, b) return a ^ b end,
  ['&'] = function(a, b) return require('bit').band(a, b) end,
  ['|'] = function(a, b) return require('bit').bor(a, b) end,
  ['^'] = function(a, b) return require('bit').bxor(a, b) end,
  ['<<'] = function(a, b) return a * 2 ^ b end,
  ['>>'] = function(a, b) return math.floor(a / 2 ^ b) end,
}

local DIVIDES = { ['/'] = true, ['//'] = true, ['%'] = true }

local function numbers(op, a, b)
  local x, y = values.number(a), values.number(b)
  if y == 0 and DIVIDES[op] then error('division by zero', 0) end
  local result = numeric[op](x, y)
  local float = op == '/' or values.is_float(a) or values.is_float(b) or (op == '**' and y < 0)
  return float and values.float(result) or result
end

-- ---- sequences ----

local function joined(a, b)
  local list = {}
  for i = 1, a.n do list[i] = a[i] end
  for i = 1, b.n do list[a.n + i] = b[i] end
  local make = values.is_tuple(a) and values.tuple or values.list
  return make(list, a.n + b.n)
end

local LONGEST = 1e5

local function repeated(list, times)
  local out, n = {}, 0
  if list.n * times > LONGEST then error('a list becomes too long', 0) end
  for _ = 1, times do
    for i = 1, list.n do out[n + i] = list[i] end
    n = n + list.n
  end
  local make = values.is_tuple(list) and values.tuple or values.list
  return make(out, n)
end

--- a op b
function arithmetic.binary(self, op, a, b)
  if self.host.is_tensor(a) or self.host.is_tensor(b) then return self.host.binary(op, a, b) end
  if values.number(a) and values.number(b) then
    if (op == '&' or op == '|' or op == '^') and type(a) == 'boolean' and type(b) == 'boolean' then
      return numbers(op, a, b) ~= 0
    end
    return numbers(op, a, b)
  end
  if op == '+' and values.is_sequence(a) and values.is_sequence(b) then return joined(a, b) end
  if op == '+' and type(a) == 'string' and type(b) == 'string' then return a .. b end
  if op == '*' then
    if values.is_sequence(a) and type(b) == 'number' then return repeated(a, b) end
    if values.is_sequence(b) and type(a) == 'number' then return repeated(b, a) end
    if type(a) == 'string' and type(b) == 'number' then return a:rep(math.min(b, LONGEST)) end
  end
  return type_error(self, op, a, b)
end

function arithmetic.unary(op, v)
  local number = values.number(v)
  if not number then error(("'%s' of this is not understood"):format(op), 0) end
  if op == '~' then return -number - 1 end
  number = op == '-' and -number or number
  return values.is_float(v) and values.float(number) or number
end

-- ---- comparisons ----

local function equal(self, a, b)
  local x, y = values.number(a), values.number(b)
  if x and y then return x == y end
  if values.is_sequence(a) and values.is_sequence(b) then
    if a.n ~= b.n or values.is_tuple(a) ~= values.is_tuple(b) then return false end
    for i = 1, a.n do
      if not equal(self, a[i], b[i]) then return false end
    end
    return true
  end
  return rawequal(a, b)
end

local ordered = {
  ['<'] = function(a, b) return a < b end,
  ['<='] = function(a, b) return a <= b end,
  ['>'] = function(a, b) return a > b end,
  ['>='] = function(a, b) return a >= b end,
}

local function contains(self, container, item)
  if type(container) == 'string' and type(item) == 'string' then return container:find(item, 1, true) ~= nil end
  if values.is_dict(container) then return values.dict_get(container, item) ~= nil end
  local items, n = self:items(container)
  for i = 1, n do
    if equal(self, items[i], item) then return true end
  end
  return false
end

function arithmetic.compare(self, op, a, b)
  if op == 'is' then return rawequal(a, b) end
  if op == 'is not' then return not rawequal(a, b) end
  if op == 'in' then return contains(self, b, a) end
  if op == 'not in' then return not contains(self, b, a) end
  if (self.host.is_tensor(a) or self.host.is_tensor(b)) and a ~= None and b ~= None then
    return self.host.compare(op, a, b)
  end
  if op == '==' then return equal(self, a, b) end
  if op == '!=' then return not equal(self, a, b) end
  local x, y = values.number(a), values.number(b)
  if x and y then return ordered[op](x, y) end
  if type(a) == 'string' and type(b) == 'string' then return ordered[op](a, b) end
  return type_error(self, op, a, b)
end

-- ---- indexing ----

local function whole(v)
  if type(v) ~= 'number' and type(v) ~= 'boolean' then error('an index must be an integer', 0) end
  return values.number(v)
end

--- The positions (from 0) that a slice picks out of n: first, count, step.
function arithmetic.slice_range(slice, n)
  local step = slice.step == None and 1 or whole(slice.step)
  if step == 0 then error('the step of a slice is 0', 0) end
  local low, high = step > 0 and 0 or -1, step > 0 and n or n - 1
  local function clamp(v, default)
    if v == None then return default end
    v = whole(v)
    if v < 0 then v = v + n end
    return math.max(low, math.min(high, v))
  end
  local start = clamp(slice.start, step > 0 and low or high)
  local stop = clamp(slice.stop, step > 0 and high or low)
  return start, math.max(0, math.ceil((stop - start) / step)), step
end

local function position(index, n)
  local i = whole(index)
  if i < 0 then i = i + n end
  if i < 0 or i >= n then error(('the index %d is out of range for %d items'):format(whole(index), n), 0) end
  return i + 1
end

function arithmetic.index(self, object, index)
  if self.host.is_tensor(object) then return self.host.get(object, index) end
  if values.is_dict(object) then
    local value = values.dict_get(object, index)
    if value == nil then error('a dict has no such key', 0) end
    return value
  end
  if self.host.is_tensor(index) then index = self.host.number(index) end
  if type(object) == 'string' and type(index) == 'number' then
    local i = position(index, #object)
    return object:sub(i, i)
  end
  if values.is_namespace(object) and object.item then return object.item(index) end
  if not values.is_sequence(object) then error('a ' .. self:type_name(object) .. " can't be indexed", 0) end
  if not values.is_slice(index) then return object[position(index, object.n)] end
  local start, count, step = arithmetic.slice_range(index, object.n)
  local list = {}
  for i = 1, count do list[i] = object[start + (i - 1) * step + 1] end
  local make = values.is_tuple(object) and values.tuple or values.list
  return make(list, count)
end

function arithmetic.set_index(self, object, index, value)
  if self.host.is_tensor(object) then return self.host.set(object, index, value) end
  if values.is_dict(object) then return values.dict_set(object, index, value) end
  if not values.is_list(object) then error('a ' .. self:type_name(object) .. " can't be written to", 0) end
  object[position(index, object.n)] = value
end

return arithmetic
