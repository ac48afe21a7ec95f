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

  it('is not compiled where the compiler is wrong', function()
    local affected = jit.arch == 'x64' and jit.version == 'LuaJIT 2.1.0-beta3'
    assert.equal(not affected, traversal.next == next)
    assert.equal(not affected, traversal.pairs == pairs)
  end)
end)
