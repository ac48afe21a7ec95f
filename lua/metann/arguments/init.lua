--- Arguments: the one way in which functions, layers, optimizers and learners read what they are given.
-- The rule: values by position, then one table by name in place of the rest; whatever has a name may be given by it. A
-- table that mixes a list with names is read as both: `zeros{2, dtype = 'int64'}`, `sum(t, {1, 2, keepdim = true})`.
-- Unknown, missing and doubled names and too many values are errors.
--
-- A parameter is a list {name, kind, default} with these fields besides:
--   optional  may be left out though it has no default; `false` stands for none
--   required  must be given, where it has no kind that says so
--   default   as the third entry
--   named     by name only; such ones come last
--   rest      the first that takes a list one by one: zeros(2, 3)
--   opaque    a table that names no parameter stands for itself (a module, a pair {x, y})
--   table     one does whose keys are not even like the parameters' (a learning rate by parameter name)
--   data      any table does
-- Kinds (kinds.lua) check and convert values. One without a kind takes anything.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local errors = require 'metann.binding.errors'
local handle = require 'metann.binding.handle'
local stub = require 'metann.binding.stub'
local kinds = require 'metann.arguments.kinds'
local raise, describe = errors.raise, errors.describe

local arguments = { kinds = kinds }
stub.arguments = arguments

-- ---- signatures ----

local function parameter(p)
  local default = p.default
  if default == nil then default = p[3] end
  local kind = p[2]
  return {
    name = p[1], kind = kind, default = default, named = p.named, rest = p.rest, optional = p.optional,
    required = p.required or (kind ~= nil and default == nil and not p.optional) or false,
    opaque = p.opaque, table = p.table, data = p.data, list = p.rest or (kind ~= nil and kinds.is_list(kind)),
  }
end

--- Prepares a signature, so that reading arguments against it is cheap.
-- @param what the function's name, for messages
-- @param parameters list of parameters, in order
function arguments.signature(what, parameters)
  local signature = { what = what, names = {}, index = {}, positional = 0 }
  for i, given in ipairs(parameters) do
    local p = parameter(given)
    signature[i] = p
    if not p.named then signature.positional = i end
    if p.rest then signature.rest = i end
    signature.names[i], signature.index[p.name] = p.name, i
  end
  return signature
end

-- ---- errors ----

local function missing(signature, i)
  local name = signature.what:match '[%w_]+$'
  -- a tensor's method lacks its first argument most often because of a dot in place of the colon
  local slip = i == 1 and signature.names[1] == 'input' and rawget(handle.methods, name) ~= nil
  raise("%s: '%s' must be given, as in %s(%s)%s", signature.what, signature.names[i], name,
    table.concat(signature.names, ', ', 1, signature.positional),
    slip and (' (a method is called with a colon: t:%s())'):format(name) or '')
end

--- What was given. A list that sizes one by one have become is not what the caller wrote: its entries are shown.
local function shown(p, value)
  if not p.rest or type(value) ~= 'table' or #value == 0 or #value > 8 then return describe(value) end
  if #value == 1 then return describe(value[1]) end
  local entries = {}
  for i, entry in ipairs(value) do entries[i] = type(entry) == 'number' and entry or describe(entry) end
  return '(' .. table.concat(entries, ', ') .. ')'
end

local function refuse(signature, i, value, expected)
  raise("%s: '%s' must be %s, got %s", signature.what, signature.names[i], expected, shown(signature[i], value))
end

local function too_many(signature, n)
  raise('%s: takes %d argument%s, got %d', signature.what, signature.positional,
    signature.positional == 1 and '' or 's', n)
end

-- ---- positions and names ----

--- How many entries the list part of a table has, and its other entries by name; nil where there are none.
local function split(value)
  local n, named = #value, nil
  local key = next(value)
  while key ~= nil do
    if type(key) ~= 'number' or key % 1 ~= 0 or key < 1 or key > n then
      named = named or {}
      named[key] = value[key]
    end
    key = next(value, key)
  end
  return n, named
end
arguments.split = split

local function is_plain(value) return type(value) == 'table' and getmetatable(value) == nil end

--- True where a table with names is what the parameter takes, and not the options.
local function stands_for_itself(signature, p, named)
  if p.data then return true end
  if not (p.opaque or p.table) then return false end
  local misspelt = false
  for key in pairs(named) do
    if signature.index[key] then return false end
    if type(key) == 'string' and not key:find('.', 1, true) and errors.nearest(key, signature.names) then
      misspelt = true
    end
  end
  -- a table that may stand for itself is taken for options when its keys look like them
  return p.opaque or not misspelt
end

--- Of the last argument, given in place of parameter number `position`: the options by name, and how many entries of
-- its list come before them; nil where it is no table of options.
local function options_in(signature, position, value)
  if not is_plain(value) then return nil end
  local p = signature[position]
  if p and p.named then p = nil end
  local n, named = split(value)
  if named then
    if p and stands_for_itself(signature, p, named) then return nil end
    return named, n
  end
  if n > 0 or (p and (p.opaque or p.table or p.data)) then return nil end
  if p and p.list and (not p.kind or p.kind(value) ~= nil) then return nil end -- an empty list
  return {}, 0
end

local function read_names(signature, values, named)
  for key, value in pairs(named) do
    local i = signature.index[key]
    if not i then
      raise("%s: unknown option '%s'%s", signature.what, tostring(key), errors.suggestion(key, signature.names))
    end
    if values[i] ~= nil then
      raise("%s: '%s' is given twice, by position and by name", signature.what, key)
    end
    values[i] = value
  end
end

--- The entries first .. last of a list.
local function part(list, first, last)
  local entries = {}
  for i = first, last do entries[i - first + 1] = list[i] end
  return entries
end

-- Values given one by one for a parameter that takes a list become one.
local function gather_rest(signature, given, n)
  local at = signature.rest
  if at and n >= at and type(given[at]) ~= 'table' and not (n == at and given[at] == nil) then
    given[at], n = part(given, at, n), at
  end
  return n
end

--- The list part of a mixed table takes the place of parameter `position`, or goes on by position from there.
local function unfold(signature, given, position, value, count)
  local p = signature[position]
  if count == 0 then
    given[position] = nil
    return position - 1
  end
  local entries = part(value, 1, count)
  if p and p.list and not p.named then
    given[position] = entries
    return position
  end
  for i = 1, count do given[position - 1 + i] = entries[i] end
  return position - 1 + count
end

-- Names in a list that is not the last table are nobody's: an option put there would be ignored.
local function check_lists(signature, values)
  for i = 1, #signature do
    if signature[i].list and is_plain(values[i]) then
      local _, named = split(values[i])
      if named then
        raise("%s: '%s' must be a list, got a table with the key '%s', which belongs into the last table",
          signature.what, signature.names[i], tostring((next(named))))
      end
    end
  end
end

--- Values by number out of what was given: a list and how many, nils counted. Not checked yet, no defaults.
local function positions(signature, given, n)
  while n > 0 and given[n] == nil do n = n - 1 end
  local place, value = n, given[n]
  -- after sizes one by one, a table can only be the options
  if signature.rest and n > signature.rest and type(given[signature.rest]) ~= 'table' then place = #signature + 1 end
  local named, count
  if n > 0 then named, count = options_in(signature, place, value) end
  if named then
    if place == n then
      n = unfold(signature, given, n, value, count)
    else
      if count > 0 then too_many(signature, n) end
      given[n], n = nil, n - 1
    end
  end
  n = gather_rest(signature, given, n)
  if n > signature.positional then too_many(signature, n) end
  local values = {}
  for i = 1, n do values[i] = given[i] end
  if named then read_names(signature, values, named) end
  check_lists(signature, values)
  return values
end

arguments.positions = positions

--- The value of parameter i: checked, or its default.
local function checked(signature, i, value)
  local p = signature[i]
  if value == nil or (value == false and p.optional) then
    if p.required then missing(signature, i) end
    value = p.default
    if not p.list then return value end -- a list is made anew: callers may change theirs
  end
  if not p.kind or value == nil then return value end
  local result, expected = p.kind(value)
  if result == nil then refuse(signature, i, value, expected) end
  return result
end

--- Reads arguments: returns a table by name, checked, defaults filled in.
-- @param signature as arguments.signature made it
function arguments.read(signature, ...)
  local values = positions(signature, { ... }, select('#', ...))
  local result = {}
  for i = 1, #signature do result[signature[i].name] = checked(signature, i, values[i]) end
  return result
end

--- A function that reads arguments into a table by name.
-- @param what the class's or function's name, for messages
-- @param parameters list of parameters
function arguments.reader(what, parameters)
  local signature = arguments.signature(what, parameters)
  return function(...) return arguments.read(signature, ...) end
end

-- ---- public functions ----
-- Straight-line code for each: types are looked at once, and only where a table comes is anything taken apart.

local HEAD = [[
local istype, Handle, spread, list_with_names, missing, refuse, pass, signature, fn, kinds, defaults = ...
]]

local function emitter()
  local lines = { HEAD }
  return lines, function(text, ...) lines[#lines + 1] = text:format(...) end
end

local function emit_value(emit, i, p)
  if p.optional then emit('if a%d == false then a%d = nil end', i, i) end
  if p.kind == kinds.tensor then
    emit('if not istype(Handle, a%d) and %s then', i, p.required and 'true' or ('a%d ~= nil'):format(i))
    emit('if a%d == nil then missing(signature, %d) end refuse(signature, %d, a%d, "a tensor") end', i, i, i, i)
    if p.default ~= nil then emit('if a%d == nil then a%d = defaults[%d] end', i, i, i) end
    return
  end
  if p.required then
    emit('if a%d == nil then missing(signature, %d) end', i, i)
  elseif p.default ~= nil and p.list then -- made anew: callers may change theirs
    emit('if a%d == nil then a%d = defaults[%d] end do', i, i, i)
  elseif p.default ~= nil then
    emit('if a%d == nil then a%d = defaults[%d] else', i, i, i)
  else
    emit('if a%d ~= nil then', i)
  end
  if p.kind then
    emit('local v, e = kinds[%d](a%d) if v == nil then refuse(signature, %d, a%d, e) end a%d = v', i, i, i, i, i)
  end
  if not p.required then emit('end') end
end

--- Names a1, a2, ... up to the n-th.
local function variables(first, last)
  local names = {}
  for i = first, last do names[#names + 1] = 'a' .. i end
  return table.concat(names, ', ')
end

local function source(signature)
  local lines, emit = emitter()
  local n, positional = #signature, signature.positional
  local comma = positional > 0 and ', ' or ''
  emit('return function(%s%sextra, more)', variables(1, positional), comma)
  if n > positional then emit('local %s', variables(positional + 1, n)) end
  local tests = { 'extra ~= nil', 'more ~= nil' }
  for i = 1, positional do
    local p = signature[i]
    if not p.data then
      tests[#tests + 1] = ('type(a%d) == "table"%s'):format(i, p.list and (' and list_with_names(a%d)'):format(i) or '')
    end
  end
  emit('if %s then', table.concat(tests, ' or '))
  if n > 0 then emit('%s =', variables(1, n)) end
  emit('spread(signature, %s%sextra, more)', variables(1, positional), comma)
  emit('end')
  for i = 1, n do emit_value(emit, i, signature[i]) end
  emit('return pass(fn(%s))', variables(1, n))
  emit('end')
  return table.concat(lines, '\n')
end

local function spread(signature, ...)
  return unpack(positions(signature, { ... }, select('#', ...)), 1, #signature)
end
-- Compiled from within a caller's loop it becomes a chain of traces of which each gives up at once: 50 us a call, not 7.
if jit then jit.off(spread) end

--- True for a table that isn't just a list of something. Where there are as many keys as the list is long, all are its.
local function list_with_names(value)
  if getmetatable(value) ~= nil then return false end
  local n, keys = #value, 0
  local key = next(value)
  while key ~= nil do
    keys, key = keys + 1, next(value, key)
  end
  return n == 0 or keys ~= n
end

-- Keeps the caller's frame on the stack, by which errors find the function that the user called.
local function pass(...) return ... end

-- ---- sizes one by one ----
-- There is no fixed number of them. Up to four numbers, and one list without names, are read by straight-line code.

--- Code that makes a list of b1 .. b4, or leaves it nil.
local NUMBERS = [[
local list
if b5 == nil and select('#', ...) == 0 then
  if type(b1) == 'number' then
    if b2 == nil then
      if b3 == nil and b4 == nil then list = { b1 } end
    elseif type(b2) == 'number' then
      if b3 == nil then
        if b4 == nil then list = { b1, b2 } end
      elseif type(b3) == 'number' then
        if b4 == nil then
          list = { b1, b2, b3 }
        elseif type(b4) == 'number' then
          list = { b1, b2, b3, b4 }
        end
      end
    end
  elseif type(b1) == 'table' and b2 == nil and b3 == nil and b4 == nil and not list_with_names(b1) then
    list = b1
  end
end
]]

local function open_source(signature)
  local lines, emit = emitter()
  local n, at = #signature, signature.rest
  local before = variables(1, at - 1) .. (at > 1 and ', ' or '')
  emit('return function(%sb1, b2, b3, b4, b5, ...)', before)
  lines[#lines + 1] = NUMBERS
  local tests = { 'list == nil' }
  for i = 1, at - 1 do tests[#tests + 1] = ('type(a%d) == "table"'):format(i) end
  emit('if %s then return spread(%sb1, b2, b3, b4, b5, ...) end', table.concat(tests, ' or '), before)
  emit('local %s = list', variables(at, n))
  for i = 1, n do emit_value(emit, i, signature[i]) end
  emit('return pass(fn(%s))', variables(1, n))
  emit('end')
  return table.concat(lines, '\n')
end

--- The same for everything else.
local function open_function(signature, fn)
  local n = #signature
  return function(...)
    local values = positions(signature, { ... }, select('#', ...))
    for i = 1, n do values[i] = checked(signature, i, values[i]) end
    return pass(fn(unpack(values, 1, n)))
  end
end

local function compile(signature, fn)
  local open = signature.rest and open_function(signature, fn)
  local chunk = assert(loadstring(open and open_source(signature) or source(signature),
    ('@%sarguments %s'):format(errors.root, signature.what)))
  local of_kind, defaults = {}, {}
  for i = 1, #signature do of_kind[i], defaults[i] = signature[i].kind, signature[i].default end
  return chunk(handle.ffi.istype, handle.Handle, open or spread, list_with_names, missing, refuse, pass, signature, fn,
    of_kind, defaults), open
end

-- What a function of the user's raises is not its caller's fault; the user's frame may be gone, by a tail call.
local function calls_back(signature)
  for i = 1, #signature do
    if signature[i].kind == kinds.callable then return true end
  end
  return false
end

-- A public function -> what compiles it: most are never called, so that is left to the first call.
local waiting = setmetatable({}, { __mode = 'k' })
-- And of both the parameters.
local declared = setmetatable({}, { __mode = 'k' })

--- A public function that reads its arguments by the rule and calls fn with all values by position, checked and with
-- defaults. Errors in there name it. What it hands to callers of its own may be had faster by arguments.compiled.
-- @param what its name, for messages
-- @param parameters list of parameters
-- @param fn the function that does the work
function arguments.define(what, parameters, fn)
  local run
  local function compiled()
    if not run then
      local signature = arguments.signature(what, parameters)
      local open
      run, open = compile(signature, fn)
      declared[run] = parameters
      if not calls_back(signature) then
        errors.name(run, what)
        if open then errors.name(open, what) end
      end
    end
    return run
  end
  local function public(...) return (run or compiled())(...) end
  waiting[public], declared[public] = compiled, parameters
  return public
end

--- The parameters that a public function was declared with, lists {name, kind, default}; nil for any other value.
function arguments.parameters(fn) return declared[fn] end

--- What stands behind a public function, without the step between; any other value is itself.
function arguments.compiled(fn)
  local compiled = waiting[fn]
  return compiled and compiled() or fn
end

-- ---- checks of single values ----

local walks, recurses = {}, {}

--- The arguments `prefix` and `recurse` of the iterator `what`, checked; '' when there is no prefix.
function arguments.walk(what, ...)
  walks[what] = walks[what] or arguments.signature(what, { { 'prefix', optional = true }, { 'recurse' } })
  local o = arguments.read(walks[what], ...)
  if o.prefix ~= nil and type(o.prefix) ~= 'string' then
    raise("%s: 'prefix' must be a string, got %s", what, describe(o.prefix))
  end
  return o.prefix or '', arguments.boolean(what, 'recurse', o.recurse)
end

--- The argument `recurse` of the iterator `what`, checked.
function arguments.recurse(what, ...)
  recurses[what] = recurses[what] or arguments.signature(what, { { 'recurse' } })
  return arguments.boolean(what, 'recurse', arguments.read(recurses[what], ...).recurse)
end

arguments.count = errors.check_count

--- Raises unless `value` is a number other than nan and the infinities.
function arguments.finite(what, name, value)
  if type(value) ~= 'number' or value - value ~= 0 then
    raise("%s: '%s' must be a finite number, got %s", what, name, describe(value))
  end
  return value
end

--- Raises unless `list` is a list of which is_member(member) is true for each; `members` says in words what those are.
function arguments.list(what, name, list, members, is_member)
  if type(list) ~= 'table' then
    raise("%s: '%s' must be a list of %s, got %s", what, name, members, describe(list))
  end
  for key, member in pairs(list) do
    if type(key) ~= 'number' then
      raise("%s: '%s' must be a list of %s, got a table with the key '%s'", what, name, members, tostring(key))
    end
    if not is_member(member) then
      raise("%s: '%s' must be a list of %s, but number %d is %s", what, name, members, key, describe(member))
    end
  end
  return list
end

--- Raises unless `value` is a boolean; nil gives `default`.
function arguments.boolean(what, name, value, default)
  if value == nil then return default end
  if type(value) ~= 'boolean' then
    raise("%s: '%s' must be true or false, got %s", what, name, describe(value))
  end
  return value
end

arguments.is_callable = require 'metann.binding.callable'

--- Raises unless `value` can be called.
function arguments.callable(what, name, value)
  if not arguments.is_callable(value) then
    raise("%s: '%s' must be a function, got %s", what, name, describe(value))
  end
  return value
end

return arguments
