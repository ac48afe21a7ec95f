-- luajit tests/fuzz/crash.lua PATH SEED FILE: makes a call that ends its process simple, trying each in a process of its own,
-- and prints it as a line of Lua; prints nothing where the call alone ends well.
local root = assert(arg[0]:match '^(.*)/tests/fuzz/[^/]*$', 'give the whole path of this script')
package.path = root .. '/?.lua;' .. package.path
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local calls = require 'tests.fuzz.calls'
local scratch = require 'tests.support.scratch'

local path, seed, file = arg[1], tonumber(arg[2]), arg[3]
metann.set_memory_limit(calls.MEMORY)
local everything = calls.everything()
local entry = assert(everything.by_path[path], path)

--- Whether a line of Lua ends its process by a signal, or a sanitizer does.
local function crashes(case)
  local settings = ('metann.set_memory_limit(%d) metann.manual_seed(%d) '):format(calls.MEMORY, case.seed)
  local line = call.line(case):gsub("require 'metann'; ", "%0" .. settings, 1)
  scratch.overwrite(file, line .. '\n')
  local status, said = scratch.run(("timeout 10 luajit '%s'"):format(file))
  return status >= 124 or said:find('Sanitizer', 1, true) ~= nil or said:find('runtime error:', 1, true) ~= nil
end

local case = calls.case(entry, seed, everything.list)
if not crashes(case) then os.exit(0, true) end
case = calls.shrink(case, crashes)
crashes(case)
print(call.line(case))
os.exit(0, true)
