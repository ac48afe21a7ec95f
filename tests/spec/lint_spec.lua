-- What luacheck, and clang-format where it is installed, say of the tree.
local scratch = require 'tests.support.scratch'
local fixed_varargs = require 'tests.support.fixed_varargs'

describe('lint', function()
  it('finds nothing in the Lua files', function()
    local status, said = scratch.run 'luacheck -q --no-color .'
    assert(status == 0, said)
  end)

  it('finds no read of ... into a fixed number of values, which LuaJIT miscompiles after a loop', function()
    local status, said = scratch.run "find . -name '*.lua' | luajit tests/support/lint.lua"
    assert(status == 0, said)
  end)

  it('knows the reads that are miscompiled from those that are not', function()
    local function found(body)
      return #fixed_varargs.lines('local first, rest = ... return function(n, ...) for i = 1, n do end ' .. body .. ' end')
    end
    for _, body in ipairs{ 'return 1, (...)', 'local a = ... return a', 'local a, b = ... return b', 'if ... then end',
      'n = (...)', 'return function(...) local a = ... return a end' } do
      assert(found(body) > 0, body)
    end
    for _, body in ipairs{ 'return ...', 'return n(...)', 'return { ... }', "return select('#', ...)",
      'return (select(2, ...))', 'local a = select(n, ...) return a', 'return function(a, ...) return a, ... end' } do
      assert(found(body) == 0, body)
    end
  end)

  if scratch.run 'command -v clang-format' == 0 then
    it('finds the C files laid out as .clang-format says', function()
      local status, said = scratch.run
        "find core -name '*.[ch]' | xargs clang-format --dry-run -Werror"
      assert(status == 0, said:sub(1, 3000))
    end)
  end
end)
