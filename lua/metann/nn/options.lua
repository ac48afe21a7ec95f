--- What the layers' arguments may be: checks with one wording, over utils.arguments' reading by position or by name.
local next = require('metann.binding.traversal').next
local arguments = require 'metann.utils.arguments'
local support = require 'metann.nn.support'
local raise, describe = support.raise, support.describe

local options = {}

-- A kind turns a given value into the one to use, or returns nil and what was expected.
local kinds = {}
options.kinds = kinds

local function is_whole(v, least) return type(v) == 'number' and v % 1 == 0 and v >= least and v < math.huge end

function kinds.count(v)
  if is_whole(v, 1) then return v end
  return nil, 'a positive whole number'
end

function kinds.whole(v)
  if is_whole(v, 0) then return v end
  return nil, 'a whole number of at least 0'
end

function kinds.integer(v)
  if is_whole(v, -math.huge) then return v end
  return nil, 'a whole number'
end

function kinds.number(v)
  if type(v) == 'number' then return v end
  return nil, 'a number'
end

function kinds.positive(v)
  if type(v) == 'number' and v > 0 then return v end
  return nil, 'a number above 0'
end

function kinds.nonnegative(v)
  if type(v) == 'number' and v >= 0 then return v end
  return nil, 'a number of at least 0'
end

function kinds.probability(v)
  if type(v) == 'number' and v >= 0 and v <= 1 then return v end
  return nil, 'a number from 0 to 1'
end

function kinds.boolean(v)
  if type(v) == 'boolean' then return v end
  return nil, 'true or false'
end

function kinds.name(v)
  if type(v) == 'string' then return v end
  return nil, 'a name'
end

function kinds.tensor(v)
  if support.is_tensor(v) then return v end
  return nil, 'a tensor'
end

function kinds.callable(v)
  if arguments.is_callable(v) then return v end
  return nil, 'a function'
end

--- A dim, counted from 1; negative ones count from the end.
function kinds.dim(v)
  if is_whole(v, -math.huge) and v ~= 0 then return v end
  return nil, 'a dim (they count from 1, -1 is the last)'
end

--- One of some strings.
function kinds.choice(...)
  local choices, list = {}, { ... }
  for _, choice in ipairs(list) do choices[choice] = true end
  local text = "'" .. table.concat(list, "', '") .. "'"
  return function(v)
    if choices[v] then return v end
    return nil, 'one of ' .. text
  end
end

--- A list of n whole numbers of at least `least`; a number stands for n times itself.
function kinds.sides(n, least)
  return function(v)
    if is_whole(v, least) then
      local list = {}
      for i = 1, n do list[i] = v end
      return list
    end
    if type(v) == 'table' and #v == n then
      local list = {}
      for i = 1, n do
        if not is_whole(v[i], least) then list = nil break end
        list[i] = v[i]
      end
      if list then return list end
    end
    return nil, n == 1 and ('a whole number of at least %d'):format(least)
      or ('a whole number of at least %d or a list of %d of them'):format(least, n)
  end
end

--- A list of positive whole numbers; a number stands for a list of one.
function kinds.sizes(v)
  if is_whole(v, 0) then return { v } end
  if type(v) == 'table' and #v > 0 then
    local list = {}
    for i = 1, #v do
      if not is_whole(v[i], 0) then return nil, 'a list of sizes' end
      list[i] = v[i]
    end
    return list
  end
  return nil, 'a size or a list of sizes'
end

--- Either of two kinds.
function kinds.either(first, second)
  return function(v)
    local value, expected = first(v)
    if value ~= nil then return value end
    local other, expected_too = second(v)
    if other ~= nil then return other end
    return nil, expected .. ' or ' .. expected_too
  end
end

--- The arguments without an empty table at the end: no options.
local function without_empty(...)
  local n = select('#', ...)
  local last = n > 0 and select(n, ...)
  if type(last) ~= 'table' or getmetatable(last) ~= nil or next(last) ~= nil then return ... end
  local given = { ... }
  return unpack(given, 1, n - 1)
end

--- Raises about a value that doesn't fit. A table by names that isn't wanted was meant as options.
local function refuse(what, names, name, given, expected)
  local key = type(given) == 'table' and getmetatable(given) == nil and #given == 0 and next(given)
  if type(key) == 'string' then
    raise("%s: unknown argument '%s'%s", what, key, support.errors.suggestion(key, names))
  end
  raise("%s: '%s' must be %s, got %s", what, name, expected, describe(given))
end

--- Prepares the reading of arguments.
-- @param what the class's or function's name, for messages
-- @param parameters list of {name, kind, default}; without a default a parameter must be given, unless optional=true;
-- named=true (last ones only): by name only
-- @return a function that takes the arguments and returns a table of checked values by name
function options.reader(what, parameters)
  local list, names = {}, {}
  for i, p in ipairs(parameters) do
    names[i] = p[1]
    list[i] = { p[1], default = p[3], required = p[3] == nil and not p.optional, table = true, named = p.named }
  end
  local signature = arguments.signature(what, list)
  return function(...)
    local values = arguments.read(signature, without_empty(...))
    for _, p in ipairs(parameters) do
      local name, given = p[1], values[p[1]]
      if given == false and p.optional then given = nil end
      if given ~= nil then
        local value, expected = p[2](given)
        if value == nil then refuse(what, names, name, given, expected) end
        given = value
      end
      values[name] = given
    end
    return values
  end
end

--- The reader of a layer with parameters of its own: takes `device` and `dtype` too, as PyTorch's do.
function options.layer_reader(what, parameters)
  local list = {}
  for i, p in ipairs(parameters) do list[i] = p end
  list[#list + 1] = { 'device', kinds.name, optional = true, named = true }
  list[#list + 1] = { 'dtype', kinds.name, optional = true, named = true }
  return options.reader(what, list)
end

--- Brings a new layer to the dtype and device that were asked for, if any.
function options.place(module, o)
  if o.dtype or o.device then module:to{ dtype = o.dtype, device = o.device } end
end

return options
