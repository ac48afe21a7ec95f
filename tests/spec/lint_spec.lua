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

  it('finds one wording for each fault', function()
    -- what 'can not' and 'do not' are written as everywhere
    local long = { 'cannot', 'does not', 'do not' }
    local _, said = scratch.run("grep -rnwE '" .. table.concat(long, '|') .. "' lua core docs examples tests README.md "
      .. "CHANGELOG.md --include='*.lua' --include='*.[ch]' --include='*.inc' --include='*.def' --include='*.md'")
    for line in said:gmatch '[^\n]+' do
      -- LuaJIT's own words stay
      local own = line:find '^tests/spec/lint_spec' or line:find 'cannot convert'
      assert(own, "can't, doesn't and don't are this tree's words: " .. line)
    end
    -- what has a name "must be" something, what has none is "expected"
    _, said = scratch.run [[grep -rnE "'[a-z_%]+' expected" lua core --include='*.lua' --include='*.[ch]']]
    assert(said == '', 'what has a name "must be" something: ' .. said)
  end)

  -- All memory is asked of the allocator, and by it of a backend. The context itself, in which the allocator stands, is the
  -- one piece that isn't counted.
  it('finds no memory of the core that is not counted', function()
    local _, said = scratch.run "grep -rnE '\\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup|free)\\(' core | sort"
    local found = 0
    for path, code in said:gmatch '(core/[%w_/]+%.%w+):%d+:([^\n]*)' do
      found = found + 1
      local own = code:find('malloc(sizeof(mn_context))', 1, true) or code:find('free(ctx)', 1, true)
      assert(path == 'core/engine/context.c' and own or path == 'core/cpu/backend.c', path .. ': ' .. code)
    end
    assert(found >= 4, said)
  end)

  if scratch.run 'command -v clang-format' == 0 then
    it('finds the C files laid out as .clang-format says', function()
      local status, said = scratch.run
        "find core -name '*.[ch]' | xargs clang-format --dry-run -Werror"
      assert(status == 0, said:sub(1, 3000))
    end)
  end
end)
