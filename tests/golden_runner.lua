--- luajit tests/golden_runner.lua FILE...: checks metann against reference vectors of the kinds `layer` and `optim`.
-- Prints what fails, and how many passed.
local here = arg[0]:match('^(.*)/[^/]*$') or '.'
package.path = ('%s/../lua/?.lua;%s/../lua/?/init.lua;%s/?.lua;'):format(here, here, here) .. package.path
local golden = require 'support.golden'

local passed, failed = 0, 0
for _, path in ipairs(arg) do
  local ok, message = pcall(golden.check, path)
  if ok then
    passed = passed + 1
  else
    failed = failed + 1
    print(message)
  end
end
print(('%d passed, %d failed'):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
