-- Walking tables by key: as Lua's own functions do, and kept out of compiled code where LuaJIT gets that wrong.
local traversal = require 'metann.binding.traversal'

describe('traversal', function()
  it('walks what next and pairs walk', function()
    local source, seen = { 'a', 'b', x = 1, [2.5] = false }, {}
    for key, value in traversal.pairs(source) do seen[key] = value end
    assert.same(source, seen)
    seen = {}
    for key, value in traversal.next, source do seen[key] = value end
    assert.same(source, seen)
    assert.is_nil(traversal.next{})
    assert.equal('x', (traversal.next{ x = 1 }))
    assert.has_error(function() traversal.next({}, 'no key') end)
  end)

  it('is a function of its own where the compiler is wrong, else Lua\'s', function()
    local affected = jit.arch == 'x64' and jit.version == 'LuaJIT 2.1.0-beta3'
    for _, fn in ipairs{ traversal.next, traversal.pairs } do
      assert.equal(affected and 'Lua' or 'C', debug.getinfo(fn, 'S').what)
    end
  end)
end)
