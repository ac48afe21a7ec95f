--- Errors that point at the caller's line, and the wording that arguments' errors share.
-- Usable without the library. A level is found by walking out of metann's own files, so that a message names the line
-- of the user's script however many of our functions lie between.
local pairs = require('metann.binding.traversal').pairs
local errors = {}

-- A host may have no debug library. Then messages have no line, and files are looked for where Lua looks for modules.
local getinfo, running = debug and debug.getinfo, coroutine.running

local function path_of_this()
  if getinfo then return (getinfo(1, 'S').source:gsub('^@', '')) end
  for template in package.path:gmatch('[^;]+') do
    local path = template:gsub('%?', 'metann/binding/errors')
    local file = io.open(path, 'rb')
    if file then
      file:close()
      return path
    end
  end
  return ''
end

--- The folder of the module `metann`, with a slash at its end.
errors.root = path_of_this():match('^(.-)binding/[^/]*$') or 'metann/'
local prefix = '@' .. errors.root

-- Which functions are ours, or C's, as far as seen: scopes ask at each of their ends.
local passed = setmetatable({}, { __mode = 'k' })

local function is_passed(fn)
  local answer = passed[fn]
  if answer == nil then
    local info = getinfo(fn, 'S')
    answer = info.what == 'C' or info.source:sub(1, #prefix) == prefix
    passed[fn] = answer
  end
  return answer
end

-- A coroutine that metann made -> the one that resumed it, where the stack goes on.
local resumed_by = setmetatable({}, { __mode = 'kv' })

--- For scope.lua, before it resumes a coroutine of its own.
function errors.resuming(co) resumed_by[co] = running() end

-- ---- the function that was called ----
-- A function may be made of others, and what fails in there speaks of them. The one that the user called is the last
-- of ours before the user's on the stack.

-- A public function -> its name, or what says the name by the call's first argument; and what messages may begin with.
-- '?: ...' is what a helper says that knows no name.
local name_of, known = setmetatable({}, { __mode = 'k' }), { ['?'] = true }

-- Public functions that may call functions of the user's.
local may_call = setmetatable({}, { __mode = 'k' })

--- Says what a public function is called in messages, also in those of what it is made of. The first name holds.
function errors.name(fn, name)
  known[name] = true
  if not name_of[fn] then name_of[fn] = name end
end

--- The same of what makes the objects of a class and of their methods, which may call functions of the user's.
-- @param name a string; of a function that many classes share a function that says the name by the first argument, or
-- nil where the call is the user's own
-- @return fn
function errors.name_member(fn, name)
  if not name_of[fn] then name_of[fn], may_call[fn] = name, true end
  return fn
end

-- What calls an object of a class. What it is made of speaks in that class's name, whatever called it.
local of_class = setmetatable({}, { __mode = 'k' })

--- Says what class `fn` calls objects of. Of those that call one another, the innermost is named: it found the fault. A
-- message that begins with a class's name stays as it is.
-- @param inherited true where fn may have come to the object's class from another one: what calls it knows better
function errors.name_class(fn, name, inherited)
  name_of[fn], may_call[fn], of_class[fn] = name, true, not inherited or nil
end

--- Says that messages may begin with a name that is no public function's (a class's, a row's).
function errors.inner_name(name) known[name] = true end

-- A function of ours -> the one that it runs, which may be the user's.
errors.inside = setmetatable({}, { __mode = 'k' })

--- Whether a function is the user's, or runs one that is.
function errors.is_users(fn) return not is_passed(errors.inside[fn] or fn) end
local is_users = errors.is_users

--- The message with the name of the function that the user called in place of the one that found the fault.
-- @param inner set of the names of what was called in there, or nil. A class that is none of them is no function's name:
-- one of its objects is at fault.
local function renamed(message, wanted, inner)
  local name = message:match '^([%w_%.:?]-): '
  -- of memory the core doesn't say what it was for, or names the row
  local asked = wanted and message:match '^out of memory: (.*)$'
  if asked then return ('%s: out of memory: %s'):format(wanted, (asked:gsub('^[%w_]+ asks for', 'asked for'))) end
  local is_name = known[name] or inner and inner[name]
  if not wanted or name == wanted or not is_name then return (message:gsub('^%?: ', '')) end
  return wanted .. message:sub(#name + 1)
end

--- Variable i of a function: its name and value. The level is the one that the caller of the caller of this sees it at.
local function variable(co, level, i)
  local name, value
  if co ~= running() then
    name, value = debug.getlocal(co, level, i)
  else
    name, value = debug.getlocal(level + 2, i)
  end
  return name, value
end

--- Whether one of our functions runs one of the user's, or has one in a variable. It may have called it, and of a
-- function that ended with a call of ours there is no trace on the stack. Then what failed is the user's, and keeps its
-- name, unless it was called by what calls none.
local function calls_users(fn, co, level)
  if is_users(fn) then return true end
  for i = 1, math.huge do
    local name, value = variable(co, level, i)
    if not name or name == '(*temporary)' then return false end
    if type(value) == 'function' and is_users(value) then return true end
  end
end

--- The name of a call of one of our functions, nil where it has none.
local function name_of_call(fn, co, level)
  local name = name_of[fn]
  if type(name) ~= 'function' then return name end
  return name(select(2, variable(co, level, 1)))
end

--- What debug.getinfo says of the nearest function that is not metann's; nil where there is none, for example at the
-- bottom of a coroutine. And, with `names`, the name of the function of ours that it called, and a set of what that called
-- in turn.
local function user_frame(names)
  if not getinfo then return nil end
  local level, co, called, settled, users, inner = 3, running(), nil, false, false, nil
  local info = getinfo(level, 'f')
  while true do
    if not info then
      co = co and resumed_by[co]
      if not co then return nil, called, inner end
      level = 0
    elseif not is_passed(info.func) then
      return co and getinfo(co, level, 'Sl') or getinfo(level, 'Sl'), called, inner
    elseif not names then
      level = level + 1
    else
      users = users or calls_users(info.func, co, level)
      local name = not settled and not (users and may_call[info.func]) and name_of_call(info.func, co, level)
      if name then
        if called then
          inner = inner or {}
          inner[called] = true
        end
        called, settled = name, of_class[info.func]
      end
      level = level + 1
    end
    -- at the end of a coroutine's stack there is nothing: that level of this one is another function
    if co then info = getinfo(co, level, 'f') else info = getinfo(level, 'f') end
  end
end

--- The nearest function that is not metann's, and the line that it is at; nil where there is none on this stack.
function errors.user_function()
  if not getinfo then return nil end -- a host may have no debug library
  local level = 2
  local info = getinfo(level, 'f')
  while info and is_passed(info.func) do
    level = level + 1
    info = getinfo(level, 'f')
  end
  if info then return info.func, getinfo(level, 'l').currentline end
end

--- Calls visit(fn, read) for the functions on the stack, the nearest first; read(i) gives a function's local number i.
function errors.each_frame(visit)
  if not getinfo then return end
  local level, co = 2, nil
  local function read(i)
    if co then return select(2, debug.getlocal(co, level, i)) end
    return select(2, debug.getlocal(level + 2, i))
  end
  while true do
    local info
    if co then info = getinfo(co, level, 'f') else info = getinfo(level, 'f') end
    if info then
      visit(info.func, read)
      level = level + 1
    else
      co = resumed_by[co or running()]
      if not co then return end
      level = 0
    end
  end
end

--- For nn, which puts its own here: " (in Net.features[3])" while a call of a module runs, or ''.
function errors.in_module() return '' end

local function place_of(info) return info.short_src .. ':' .. info.currentline end

--- Raises `message` at the line of the user's code that led here.
-- Only the first `%`-format arguments are used when more than one argument is given.
function errors.raise(message, ...)
  if select('#', ...) > 0 then message = message:format(...) end
  local info, called, inner = user_frame(true)
  message = renamed(message, called, inner) .. errors.in_module()
  if info and info.currentline >= 0 then message = place_of(info) .. ': ' .. message end
  error(message, 0)
end
local raise = errors.raise

--- "file:line" of the nearest function that is not metann's, or "?".
function errors.where()
  local info = user_frame()
  return info and info.currentline >= 0 and place_of(info) or '?'
end

--- The same, for a function that is mostly called by the user: looks at its caller before it walks the stack, as each
-- frame costs more than a small operation.
function errors.where_called()
  local info = getinfo and getinfo(3, 'Sl')
  if not info or info.what == 'C' or info.currentline < 0 or info.source:sub(1, #prefix) == prefix then
    return errors.where()
  end
  return place_of(info)
end

--- A message that errors.raise gave, without the place, and where memory was short without what it was for, which the
-- caller says; other values as they are.
function errors.without_place(failure)
  if type(failure) ~= 'string' then return failure end
  local place = errors.where() .. ': '
  if failure:sub(1, #place) == place then failure = failure:sub(#place + 1) end
  return (failure:gsub('^[%w_%.: ]-: (out of memory: )', '%1'))
end

--- How many letters must be changed, added, left out or swapped with the next to make b of a.
local function distance(a, b)
  local before, last, row = {}, {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    before, last, row = last, row, before
    row[0] = i
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
  end
  return row[#b]
end

--- The name in `names` (a list) nearest to `name`, or nil when none is near.
function errors.nearest(name, names)
  local best, least
  name = tostring(name)
  for _, candidate in ipairs(names) do
    local d = distance(name:lower(), candidate:lower())
    if not least or d < least then best, least = candidate, d end
  end
  if best and (least <= math.max(1, math.floor(math.max(#name, #best) * 0.4))) then return best end
  return nil
end

--- ", did you mean 'x'?" or, when nothing is near, "; known are a, b, c".
function errors.suggestion(name, names)
  local near = errors.nearest(name, names)
  if near then return (", did you mean '%s'?"):format(near) end
  if #names == 0 then return '; it takes no options' end
  return '; known are ' .. table.concat(names, ', ')
end

--- Raises that `what` has no `name`, with the nearest of `names`, or all of a short list.
function errors.no_member(what, name, names)
  local hint
  if #names > 12 then
    local near = errors.nearest(name, names)
    hint = near and (", did you mean '%s'?"):format(near) or ''
  else
    hint = errors.suggestion(name, names)
  end
  raise("?: %s has no '%s'%s", what, tostring(name), hint)
end

--- Raises unless `value` is a whole number of at least `least`, and at most `most` where that is given; returns it.
function errors.check_count(what, name, value, least, most)
  if type(value) ~= 'number' or value % 1 ~= 0 or value < least or value > (most or math.huge) or value == math.huge then
    local range = most and ('from %.0f to %.0f'):format(least, most) or ('of at least %.0f'):format(least)
    raise("%s: '%s' must be a whole number %s, got %s", what, name, range, errors.describe(value))
  end
  return value
end

--- Raises unless every key of `options` is in `known`, a list of names that may also be a set.
function errors.check_options(what, options, names)
  if type(options) ~= 'table' then raise('%s: options must be a table, got %s', what, errors.describe(options)) end
  for key in pairs(options) do
    local ok = false
    for i = 1, #names do
      if names[i] == key then ok = true end
    end
    if not ok then raise("%s: unknown option '%s'%s", what, tostring(key), errors.suggestion(key, names)) end
  end
end

--- What a cdata value is, for a message; handle.lua puts its own here.
function errors.describe_cdata() return 'cdata' end

--- What a value is, for a message: 'number 3', "string 'x'", 'nil', 'table', 'tensor'.
function errors.describe(value)
  local kind = type(value)
  if kind == 'number' then return 'number ' .. tostring(value) end
  if kind == 'string' then return ("string '%s'"):format(#value > 40 and value:sub(1, 40) .. '...' or value) end
  if kind == 'boolean' then return tostring(value) end
  if kind == 'cdata' then return errors.describe_cdata(value) end
  return kind
end

return errors
