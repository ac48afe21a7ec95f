--- One call: its text, running it, and what it left.
-- A case is {entry, args, seed}; args is a list of nodes of values.lua.
local metann = require 'metann'
local values = require 'tests.fuzz.values'

local call = {}

-- Where errors must say they come from: the chunk that makes the call.
call.PLACE = 'fuzz:1: '

local released
metann.scope(function() released = metann.ones(2, 2) end)

--- The text of the call, of arguments a[1] ... a[n].
local function call_text(entry, n)
  local names = {}
  for i = 1, n do names[i] = ('a[%d]'):format(i) end
  if entry.style == 'operator' then return entry.path end
  if entry.style == 'function' or entry.style == 'class' then return ('%s(%s)'):format(entry.path, table.concat(names, ', ')) end
  local receiver = table.remove(names, 1)
  local method = entry.name ~= '()' and ':' .. entry.name or ''
  return ('%s%s(%s)'):format(receiver, method, table.concat(names, ', '))
end

local chunks = {}

--- The chunk that makes the call, as a function of the arguments; each is compiled once.
local function chunk_of(entry, n)
  local text = call_text(entry, n)
  local chunk = chunks[text]
  if not chunk then
    -- not a tail call, so that this line is on the stack
    chunk = assert(loadstring(('local metann, a, pack = ... return pack(%s)'):format(text), '=fuzz'))
    chunks[text] = chunk
  end
  return chunk
end

local function pack(...) return { n = select('#', ...), ... } end

--- The call as a line of Lua that can be run by itself.
function call.line(case)
  local parts = {}
  for i, node in ipairs(case.args) do
    local text = values.render(node)
    if node.kind == 'text' and text:find '^function' then text = '(' .. text .. ')' end
    parts[i] = text
  end
  local text = call_text(case.entry, #parts)
  if case.entry.style == 'operator' then
    return ("local metann = require 'metann'; local a = {%s}; print(%s)"):format(table.concat(parts, ', '), text)
  end
  local line = text:gsub('a%[(%d+)%]', function(i)
    local part = parts[tonumber(i)]
    return tonumber(i) == 1 and text:find '^a%[1%]' and part:find '^metann.*%*' and '(' .. part .. ')' or part
  end)
  local needs = line:find('released', 1, true) and 'local released; metann.scope(function() released = metann.ones(2, 2) end); ' or ''
  return ("local metann = require 'metann'; %sprint(%s)"):format(needs, line)
end

--- The arguments as Lua values; nil where one of them can't be made (too large for the memory limit).
-- @param render values.render, or values.render_dense
function call.arguments(case, render)
  local parts = {}
  for i, node in ipairs(case.args) do parts[i] = render(node) end
  local chunk = assert(loadstring(('local metann, released = ... return {%s}'):format(table.concat(parts, ', ')), '=fuzz'))
  metann.manual_seed(case.seed)
  local ok, list = pcall(chunk, metann, released)
  if not ok then return nil end
  list.n = #case.args
  return list
end

--- Makes the call.
-- @return true and its results {n, ...}, or false and the error
function call.run(case, arguments)
  metann.manual_seed(case.seed)
  return pcall(chunk_of(case.entry, #case.args), metann, arguments, pack)
end

--- Calls fn(tensor) for each tensor in a value, inside plain tables too.
function call.each_tensor(value, fn, depth)
  if metann.is_tensor(value) then return fn(value) end
  if type(value) ~= 'table' or getmetatable(value) ~= nil or (depth or 0) > 3 then return end
  -- n is how many there are in a packed list, and an option of that name in a table among them
  local packed = not depth and type(value.n) == 'number'
  for i = 1, packed and value.n or #value do call.each_tensor(value[i], fn, (depth or 0) + 1) end
  local names = {}
  for key in pairs(value) do
    if type(key) == 'string' and not (packed and key == 'n') then names[#names + 1] = key end
  end
  table.sort(names)
  for _, key in ipairs(names) do call.each_tensor(value[key], fn, (depth or 0) + 1) end
end

--- The tensors in a value, as a list.
function call.tensors(value)
  local list = {}
  call.each_tensor(value, function(t) list[#list + 1] = t end)
  return list
end

return call
