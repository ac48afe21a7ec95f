-- Runs one spec file by busted under LuaJIT: luajit tests/support/run.lua FILE [busted's options].
package.path = './?.lua;' .. package.path
-- Not only the library's loops over tables could be compiled wrongly by some versions of LuaJIT, busted's too.
local traversal = require 'metann.binding.traversal'
_G.next, _G.pairs = traversal.next, traversal.pairs
_G.arg = { [0] = 'busted', '--output=tests/support/handler.lua', unpack(arg) }
if os.getenv 'METANN_TEST_DEVICE' then table.insert(_G.arg, 1, '--helper=tests/support/on_device.lua') end

-- busted ends a failed run by an error under Lua 5.1; the state is closed either way, so that leaks show.
local ok, message = pcall(require 'busted.runner', { standalone = false })
if not ok then
  if message then io.stderr:write(tostring(message), '\n') end
  os.exit(1, true)
end
