-- luajit tests/support/lint.lua <LIST: names the places where a file of the list reads `...` into a fixed number of values.
package.path = './?.lua;' .. package.path
local files = {}
for path in io.lines() do files[#files + 1] = path end
local places = require('tests.support.fixed_varargs').places(files)
for _, place in ipairs(places) do
  print(place .. ': reads ... into a fixed number of values, which LuaJIT miscompiles after a loop; name the parameters')
end
os.exit(#places == 0)
