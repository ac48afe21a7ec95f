--- What there is to call: found by walking the namespaces, so that what is new is called too.
-- An entry is {name, path, style, value, of}: `name` as errors have it, `path` the text that reaches it, `style` one of
-- 'function', 'method' (of a tensor), 'class' (calling it makes an object), 'object' (a method of such an object, whose
-- class's path is `of`; the name '()' calls the object itself), 'operator' (whose `path` is the expression).
local metann = require 'metann'
local binding = require 'metann.binding'
local class = require 'metann.nn.machinery.class'
local util = require 'jit.util'

local inventory = {}

-- Public and not called at random, with the reason.
local LEFT_OUT = {
  manual_seed = 'state', get_rng_state = 'state', set_rng_state = 'state', set_default_dtype = 'state',
  set_num_threads = 'state', set_memory_limit = 'state', empty_cache = 'state', interrupt = 'state',
  interrupt_on_signal = 'state', catch_interrupt = 'state', detect_anomaly = 'state',
  data_ptr = 'an address', id = 'a number that is new each time', version = 'counts writes',
  Progress = 'prints', keep = 'inside a scope only', from_buffer = 'reads an address',
  ops = 'the same functions once more', Optimizer = 'a base of classes',
  rules = 'what optimizers and learners call, with their state',
}

-- Methods that are not for callers.
local INNER = {
  set_up = 'of learners, which have checked the options', forward_pure = 'of learners, which have checked the arguments',
  class = 'of optimizers, makes the classes',
  forward_inplace = 'of learners, which have checked the arguments', init = 'of classes, which are called instead',
}

-- ---- members of anything ----

local function is_name(key) return type(key) == 'string' and key:find '^%a[%w_]*$' ~= nil end

local harvest

local function harvest_function(fn, names, depth, seen)
  for i = -1, -200, -1 do -- the strings in its text
    local ok, constant = pcall(util.funck, fn, i)
    if not ok or constant == nil then break end
    if is_name(constant) then names[constant] = true end
  end
  for i = 1, 60 do
    local name, value = debug.getupvalue(fn, i)
    if not name then return end
    if type(value) == 'table' or (type(value) == 'function' and depth > 0) then harvest(value, names, depth - 1, seen) end
  end
end

--- Adds every string that a table, or the tables behind a function, hold: the names that may be members.
function harvest(value, names, depth, seen)
  if depth < 0 or seen[value] then return end
  seen[value] = true
  if type(value) == 'function' then return harvest_function(value, names, depth, seen) end
  for key, item in next, value do
    if is_name(key) then names[key] = true end
    if is_name(item) then names[item] = true end
  end
  local mt = getmetatable(value)
  local index = type(mt) == 'table' and rawget(mt, '__index')
  if type(index) == 'table' or type(index) == 'function' then harvest(index, names, depth, seen) end
end

--- The members of a table or object by name, those included that are loaded when they are first read.
function inventory.members(value)
  local candidates, members = {}, {}
  harvest(value, candidates, 2, {})
  if value == metann then
    for _, name in ipairs(binding.stub.order) do candidates[name], candidates[name .. '_'] = true, true end
  end
  for name in pairs(candidates) do
    local ok, member = pcall(function() return value[name] end)
    if ok and member ~= nil then members[name] = member end
  end
  return members
end

local function sorted(members)
  local names = {}
  for name in pairs(members) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- ---- namespaces ----

local function is_callable_table(value)
  local mt = getmetatable(value)
  return type(mt) == 'table' and type(mt.__call) == 'function'
end

local function is_class(value)
  return class.is_class(value) or metann.optim.is_class(value) or is_callable_table(value)
end

local function add(list, seen, entry)
  if LEFT_OUT[entry.name] or seen[entry.path] then return end
  seen[entry.path] = true
  list[#list + 1] = entry
end

local walk

local function walk_member(list, seen, path, name, value, depth)
  local full = path .. '.' .. name
  if type(value) == 'function' then
    add(list, seen, { name = name, path = full, style = 'function', value = value })
  elseif type(value) == 'table' and is_class(value) then
    add(list, seen, { name = name, path = full, style = 'class', value = value })
  elseif type(value) == 'table' and depth > 0 and not seen[value] and not LEFT_OUT[name] then
    seen[value] = true
    walk(list, seen, full, value, depth - 1)
  end
end

function walk(list, seen, path, namespace, depth)
  local members = inventory.members(namespace)
  for _, name in ipairs(sorted(members)) do walk_member(list, seen, path, name, members[name], depth) end
end

--- Methods of tensors: those that are only methods, and all functions, which are methods too.
local function add_methods(list, seen)
  local names = {}
  for name in pairs(binding.handle.methods) do names[name] = true end
  for _, name in ipairs(binding.stub.order) do names[name], names[name .. '_'] = true, true end
  for _, entry in ipairs(list) do
    if entry.path == 'metann.' .. entry.name then names[entry.name] = true end
  end
  local t = metann.ones(2)
  for _, name in ipairs(sorted(names)) do
    local ok, fn = pcall(function() return t[name] end)
    if ok and type(fn) == 'function' then
      add(list, seen, { name = name, path = 't:' .. name, style = 'method', value = fn })
    end
  end
end

local OPERATORS = {
  add = 'a[1] + a[2]', sub = 'a[1] - a[2]', mul = 'a[1] * a[2]', div = 'a[1] / a[2]', remainder = 'a[1] % a[2]',
  pow = 'a[1] ^ a[2]', neg = '-a[1]', lt = 'a[1] < a[2]', le = 'a[1] <= a[2]', eq = 'a[1] == a[2]',
  index = 'a[1][a[2]]', length = '#a[1]', tostring = 'tostring(a[1])', reversed = '2 - a[1]',
}

--- All that is to be called, in an order that depends on nothing else.
function inventory.entries()
  local list, seen = {}, { [metann] = true }
  walk(list, seen, 'metann', metann, 3)
  add_methods(list, seen)
  for _, name in ipairs(sorted(OPERATORS)) do
    add(list, seen, { name = name, path = OPERATORS[name], style = 'operator' })
  end
  add(list, seen, { name = 'newindex', path = '(function() a[1][a[2]] = a[3] end)()', style = 'operator' })
  return list
end

local MOST_TIMES = 2 -- that a method which many classes share is taken

--- The methods of an object that a class made, and the object itself where it can be called.
-- @param taken a table that says how often each function was, kept over all calls
function inventory.methods(entry, object, taken)
  local list, seen, members = {}, {}, inventory.members(object)
  for _, name in ipairs(sorted(members)) do
    local fn = members[name]
    local times = type(fn) == 'function' and not INNER[name] and (taken[fn] or 0)
    if times and times < MOST_TIMES then
      taken[fn] = times + 1
      add(list, seen, { name = name, path = entry.path .. ':' .. name, style = 'object', of = entry.path, value = fn })
    end
  end
  local mt = getmetatable(object)
  if type(mt) == 'table' and mt.__call then
    add(list, seen, { name = '()', path = entry.path .. ':()', style = 'object', of = entry.path, value = members.forward })
  end
  return list
end

return inventory
