--- Finds functions that read `...` into a fixed number of values: `(...)`, `local a, b = ...`, `x = ...`, `if ... then`.
-- LuaJIT (Debian 12's, and others on 64-bit machines) compiles such a read to one of the wrong argument where a trace
-- began in a loop of the function or of one that it calls. Not affected are `f(...)`, `{ ... }`, `return ...` and
-- `select`, and what is named: `function(first, ...)`. A file's own chunk runs once, so it may.
local util, vmdef = require 'jit.util', require 'jit.vmdef'

local fixed_varargs = {}

local function name_of(ins)
  local at = 6 * bit.band(ins, 0xff)
  return (vmdef.bcnames:sub(at + 1, at + 6):gsub('%s+$', ''))
end

local function visit(fn, is_chunk, found)
  local info = util.funcinfo(fn)
  for pc = 1, info.bytecodes - 1 do
    local ins = util.funcbc(fn, pc)
    -- VARG's second operand is one more than the number of values, 0 for all
    if not is_chunk and name_of(ins) == 'VARG' and bit.rshift(ins, 24) ~= 0 then
      found[#found + 1] = util.funcinfo(fn, pc).currentline
    end
  end
  for i = 1, info.gcconsts do
    local const = util.funck(fn, -i)
    if type(const) == 'proto' then visit(const, false, found) end
  end
end

--- The lines of a file's text where one stands, as a list.
function fixed_varargs.lines(text, name)
  local found = {}
  visit(assert(loadstring(text, name)), true, found)
  table.sort(found)
  return found
end

--- The same in files of a list: 'file:line' each.
function fixed_varargs.places(files)
  local places = {}
  for _, path in ipairs(files) do
    local file = assert(io.open(path))
    local text = file:read('*a'):gsub('^#![^\n]*', '')
    file:close()
    for _, line in ipairs(fixed_varargs.lines(text, '@' .. path)) do places[#places + 1] = path .. ':' .. line end
  end
  return places
end

return fixed_varargs
