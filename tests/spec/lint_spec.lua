-- What luacheck, and clang-format where it is installed, say of the tree.
local scratch = require 'tests.support.scratch'

describe('lint', function()
  it('finds nothing in the Lua files', function()
    local status, said = scratch.run 'luacheck -q --no-color .'
    assert(status == 0, said)
  end)

  if scratch.run 'command -v clang-format' == 0 then
    it('finds the C files laid out as .clang-format says', function()
      local status, said = scratch.run
        "find core -name '*.[ch]' | xargs clang-format --dry-run -Werror"
      assert(status == 0, said:sub(1, 3000))
    end)
  end
end)
