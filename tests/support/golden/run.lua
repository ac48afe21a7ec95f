-- luajit tests/support/golden/run.lua DIR: checks the reference vectors of a folder. Prints a line for each case that
-- fails, then how many of each kind passed. The numbers also go to the file that METANN_TEST_TALLY names.
package.path = './?.lua;' .. package.path
local runner = require 'tests.support.golden.runner'

local device = os.getenv 'METANN_TEST_DEVICE'
if device then
  require('tests.support.' .. device)
  require('metann').set_default_device(device)
end

local folder = assert(arg[1], 'usage: luajit tests/support/golden/run.lua DIR')
local clock = os.clock()
local found, cases = pcall(runner.cases, folder)
local tally = os.getenv 'METANN_TEST_TALLY'
local passed, failed, kinds, counts = 0, 0, {}, {}

if not found then
  print('FAILED ' .. cases)
  failed, cases = 1, {}
end
-- The case at hand stands in a file, so that one that ends the process can be named.
local at = tally and assert(io.open(tally .. '.case', 'w'))
for _, case in ipairs(cases) do
  if at then
    at:seek('set')
    at:write(case.name, (' '):rep(80), '\n')
    at:flush()
  end
  local fault, kind = runner.check(case)
  if not counts[kind] then
    kinds[#kinds + 1] = kind
    counts[kind] = { passed = 0, all = 0 }
  end
  counts[kind].all = counts[kind].all + 1
  if fault then
    failed = failed + 1
    print('FAILED ' .. fault)
  else
    passed = passed + 1
    counts[kind].passed = counts[kind].passed + 1
  end
end

table.sort(kinds)
for i, kind in ipairs(kinds) do kinds[i] = ('%s %d of %d'):format(kind, counts[kind].passed, counts[kind].all) end
print(('%s (%.1f s): %s: %d passed, %d failed'):format(folder, os.clock() - clock, table.concat(kinds, ', '), passed,
  failed))
if tally then
  at:close()
  os.remove(tally .. '.case')
  local file = assert(io.open(tally, 'w'))
  file:write(passed, ' ', failed, ' 0\n')
  file:close()
end
os.exit(failed == 0 and 0 or 1, true)
