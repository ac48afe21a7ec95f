--- Arguments by position, or a table by name in place of the rest.
-- Owns the one way in which learners and their like read their arguments. A signature is a list of parameters
-- `{name, default=, required=, opaque=, table=, data=, named=}`: `opaque` means that a table which names no parameter stands
-- for itself (a module, a pair {x, y}); `table` that one does whose keys are not even like the parameters' (a learning rate
-- by parameter name); `data` that any table does; `named` that the parameter is given by name only
-- (such ones come last).
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local raise = errors.raise

local arguments = {}

--- Prepares a signature, so that reading arguments against it is cheap.
-- @param what the function's name, for messages
-- @param parameters list of parameters, in order
function arguments.signature(what, parameters)
  local signature = { what = what, names = {}, index = {}, positional = 0 }
  for i, p in ipairs(parameters) do
    signature[i] = p
    if not p.named then signature.positional = i end
    signature.names[i], signature.index[p[1]] = p[1], i
  end
  return signature
end

local function is_plain(value) return type(value) == 'table' and getmetatable(value) == nil end

--- True when `value`, given in place of parameter number `position`, is the table by name.
local function is_options(signature, position, value)
  if not is_plain(value) then return false end
  local p = signature[position]
  if not p or p.named then return true end
  if p.data then return false end
  if not (p.opaque or p.table) then return true end
  local misspelt = false
  for key in pairs(value) do
    if signature.index[key] then return true end
    if type(key) == 'string' and not key:find('.', 1, true) and errors.nearest(key, signature.names) then
      misspelt = true
    end
  end
  -- a table that may stand for itself is taken for options when its keys look like them
  return misspelt and not p.opaque
end

local function read_options(signature, values, options)
  for key, value in pairs(options) do
    local i = signature.index[key]
    if not i then
      raise("%s: unknown argument '%s'%s", signature.what, tostring(key), errors.suggestion(key, signature.names))
    end
    if values[i] ~= nil then
      raise("%s: argument '%s' is given twice, by position and by name", signature.what, key)
    end
    values[i] = value
  end
end

--- Reads arguments: returns a table by name, defaults filled in.
-- Errors: unknown, missing and doubled names, more arguments than there are parameters.
-- @param signature as arguments.signature made it
function arguments.read(signature, ...)
  local n, given = select('#', ...), { ... }
  while n > 0 and given[n] == nil do n = n - 1 end
  local values, options = {}, nil
  if n > 0 and is_options(signature, n, given[n]) then
    options = given[n]
    n = n - 1
  end
  if n > signature.positional then
    raise('%s: takes %d arguments, got %d', signature.what, signature.positional, n)
  end
  for i = 1, n do values[i] = given[i] end
  if options then read_options(signature, values, options) end
  local result = {}
  for i = 1, #signature do
    local p, value = signature[i], values[i]
    if value == nil then
      if p.required then
        raise("%s: argument '%s' is missing (%s(%s))", signature.what, p[1], signature.what:match('[%w_]+$'),
          table.concat(signature.names, ', ', 1, signature.positional))
      end
      value = p.default
    end
    result[p[1]] = value
  end
  return result
end

local walks, recurses = {}, {}

--- The arguments `prefix` and `recurse` of the iterator `what`, checked; '' when there is no prefix.
function arguments.walk(what, ...)
  walks[what] = walks[what] or arguments.signature(what, { { 'prefix' }, { 'recurse' } })
  local o = arguments.read(walks[what], ...)
  if o.prefix ~= nil and type(o.prefix) ~= 'string' then
    raise("%s: 'prefix' must be a string, got %s", what, errors.describe(o.prefix))
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
    raise("%s: '%s' must be a finite number, got %s", what, name, errors.describe(value))
  end
  return value
end

--- Raises unless `list` is a list of which is_member(member) is true for each; `members` says in words what those are.
function arguments.list(what, name, list, members, is_member)
  if type(list) ~= 'table' then
    raise("%s: '%s' must be a list of %s, got %s", what, name, members, errors.describe(list))
  end
  for key, member in pairs(list) do
    if type(key) ~= 'number' then
      raise("%s: '%s' must be a list of %s, got a table with the key '%s'", what, name, members, tostring(key))
    end
    if not is_member(member) then
      raise("%s: '%s' must be a list of %s, but number %d is %s", what, name, members, key, errors.describe(member))
    end
  end
  return list
end

--- Raises unless `value` is a boolean; nil gives `default`.
function arguments.boolean(what, name, value, default)
  if value == nil then return default end
  if type(value) ~= 'boolean' then
    raise("%s: '%s' must be true or false, got %s", what, name, errors.describe(value))
  end
  return value
end

arguments.is_callable = require 'metann.binding.callable'

--- Raises unless `value` can be called.
function arguments.callable(what, name, value)
  if not arguments.is_callable(value) then
    raise("%s: '%s' must be a function, got %s", what, name, errors.describe(value))
  end
  return value
end

return arguments
