--- Kinds: what the value of an argument may be, with one wording for each.
-- A kind is a function that turns a given value into the one to use, or returns nil and what was expected. Kinds that
-- take a list are known to `is_list`: a table without names is their value, and one that mixes a list with names is
-- their list and the options.
local pairs = require('metann.binding.traversal').pairs
local devices = require 'metann.binding.devices'
local dtypes = require 'metann.binding.dtypes'
local errors = require 'metann.binding.errors'
local handle = require 'metann.binding.handle'
local is_callable = require 'metann.binding.callable'

local kinds = {}

local lists = setmetatable({}, { __mode = 'k' })

--- True for a kind whose values are lists.
function kinds.is_list(kind) return lists[kind] == true end

--- Says that the values of a kind are lists; returns the kind.
function kinds.list_kind(kind)
  lists[kind] = true
  return kind
end

--- Any list, unchecked.
kinds.any_list = kinds.list_kind(function(v) return v end)

-- A 64-bit integer stands for the number that it is; nil where a Lua number can't hold it.
local function to_number(v)
  if type(v) == 'number' then return v end
  if not handle.is_int64(v) then return nil end
  local number = tonumber(v)
  return number == v and number or nil
end

local function whole(v, least)
  v = to_number(v)
  return v and v % 1 == 0 and v >= least and v < math.huge and v or nil
end

-- Sizes stay below this, as the core's do.
local LIMIT = 2 ^ 60

--- A kind of whole numbers from `least` on; what is too large is told so.
local function counting(least, expected)
  return function(v)
    local n = whole(v, least)
    if n and n >= LIMIT then return nil, expected .. ' below 2^60' end
    return n, expected
  end
end

kinds.count, kinds.whole = counting(1, 'a positive whole number'), counting(0, 'a whole number of at least 0')
--- A positive whole number up to `most`.
function kinds.count_to(most)
  local expected = ('a whole number from 1 to %d'):format(most)
  return function(v)
    local n = whole(v, 1)
    return n and n <= most and n or nil, expected
  end
end

function kinds.integer(v) return whole(v, -2 ^ 60), 'a whole number' end
function kinds.number(v) return to_number(v), 'a number' end
--- A number; true and false, for sums of bools, are 1 and 0.
function kinds.factor(v)
  if type(v) == 'boolean' then return v and 1 or 0 end
  return kinds.number(v)
end

function kinds.positive(v)
  v = to_number(v)
  return v and v > 0 and v or nil, 'a number above 0'
end

function kinds.nonnegative(v)
  v = to_number(v)
  return v and v >= 0 and v or nil, 'a number of at least 0'
end

function kinds.probability(v)
  v = to_number(v)
  return v and v >= 0 and v <= 1 and v or nil, 'a number from 0 to 1'
end

function kinds.boolean(v)
  if type(v) == 'boolean' then return v end
  return nil, 'true or false'
end

function kinds.name(v) return type(v) == 'string' and v or nil, 'a name' end
function kinds.tensor(v) return handle.is_tensor(v) and v or nil, 'a tensor' end
function kinds.callable(v) return is_callable(v) and v or nil, 'a function' end

--- A tensor or a number that stands for one; a boolean counts as 0 or 1.
function kinds.operand(v)
  if handle.is_tensor(v) then return v end
  if type(v) == 'boolean' then return v and 1 or 0 end
  return to_number(v), 'a tensor or a number'
end

--- A dim, counted from 1; negative ones count from the end.
function kinds.dim(v)
  v = whole(v, -2 ^ 60)
  return v ~= 0 and v or nil, 'a dim (they count from 1, -1 is the last)'
end

--- A dtype's name. What is none is answered by the nearest one.
function kinds.dtype(v)
  if handle.dtypes[v] then return v end
  return nil, ("a dtype such as '%s'"):format(type(v) == 'string' and errors.nearest(v, dtypes.all) or 'float32')
end

--- The name of a device, or an object that stands for one; the name is used.
function kinds.device(v)
  local number = devices.number(v)
  return number and devices.name(number), "'cpu', the only device here"
end

--- One of some strings.
function kinds.choice(...)
  local choices, list = {}, { ... }
  for _, choice in ipairs(list) do choices[choice] = true end
  local text = "one of '" .. table.concat(list, "', '") .. "'"
  return function(v) return choices[v] and v or nil, text end
end

-- The entries of a list as kind reads them, or nil and what was expected. What has names or shows entries it doesn't hold
-- is no empty list.
local function each(v, kind)
  local list = {}
  if #v == 0 and (v[1] ~= nil or next(v) ~= nil) then return nil end
  for i = 1, #v do
    local value, expected = kind(v[i])
    if value == nil then return nil, expected end
    list[i] = value
  end
  return list
end

local function list_of(kind, expected, alone, least)
  return kinds.list_kind(function(v)
    local list, value, said
    if type(v) == 'table' then
      if #v >= least then list, said = each(v, kind) end
    elseif alone then
      value, said = kind(v)
      list = value ~= nil and { value }
    end
    if list then return list end
    return nil, expected .. (said and said:match ' below 2^60$' or '')
  end)
end

--- A list of at least one size; a number stands for a list of one.
kinds.sizes = list_of(kinds.whole, 'a size or a list of sizes', true, 1)
--- The sizes of a tensor: none of a 0-dim one.
kinds.shape = list_of(kinds.whole, 'a size or a list of sizes', true, 0)
--- The same, one of which may be -1.
kinds.open_shape = list_of(function(v) return whole(v, -1) end, 'a size or a list of sizes', true, 0)
--- A dim or a list of them.
kinds.dims = list_of(kinds.dim, 'a dim or a list of dims (they count from 1, -1 is the last)', true, 0)
--- A whole number or a list of them.
kinds.integers = list_of(kinds.integer, 'a whole number or a list of them', true, 0)
--- A list of tensors.
kinds.tensors = list_of(kinds.tensor, 'a list of tensors', false, 0)

--- A list of n whole numbers of at least `least`; a number, or a list of one, stands for n times itself.
function kinds.sides(n, least)
  local expected = n == 1 and ('a whole number of at least %d'):format(least)
    or ('a whole number of at least %d or a list of %d of them'):format(least, n)
  return kinds.list_kind(function(v)
    local alone = whole(v, least)
    if not alone and type(v) == 'table' and #v == 1 then alone = whole(v[1], least) end
    local list = {}
    for i = 1, n do
      local side = alone or (type(v) == 'table' and #v == n and whole(v[i], least))
      if not side then return nil, expected end
      list[i] = side
    end
    return list
  end)
end

--- The first of some kinds that a value is of.
function kinds.either(...)
  local choices = { ... }
  local function kind(v)
    local said = {}
    for i = 1, #choices do
      local value, expected = choices[i](v)
      if value ~= nil then return value end
      said[i] = expected
    end
    return nil, table.concat(said, ' or ')
  end
  for i = 1, #choices do
    if kinds.is_list(choices[i]) then kinds.list_kind(kind) end
  end
  return kind
end

--- A plain table with string keys only: a table by name that an argument takes as its value.
function kinds.table(v)
  if type(v) ~= 'table' or getmetatable(v) ~= nil then return nil, 'a table' end
  for key in pairs(v) do
    if type(key) ~= 'string' then return nil, 'a table by name' end
  end
  return v
end

return kinds
