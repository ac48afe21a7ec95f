-- Scopes and the garbage that the core's memory is.
local metann = require 'metann'
local binding = require 'metann.binding'
local checks = require 'tests.support.checks'
local settled = require 'tests.support.live'

local function live() return settled().tensors end

local fails = checks.fails

describe('scope', function()
  it('releases at once what is not returned', function()
    local before = live()
    collectgarbage('stop')
    local result, other = metann.scope(function(n)
      local sum = metann.zeros(2)
      for i = 1, n do sum = sum + i end
      return sum, 'other'
    end, 100)
    assert.equal(before + 1, metann.memory().live_tensors)
    collectgarbage('restart')
    assert.same({ 5050, 5050 }, result:to_table())
    assert.equal('other', other)
  end)

  it('leaves nothing behind of a result that an in-place call made apart', function()
    local t = metann.tensor{ { 1, 2 }, { 3, 4 } }
    local turned = t:t() -- the same memory in another order: the sum can't be written over it as it goes
    local before = live()
    t:add_(turned)
    assert.equal(before, metann.memory().live_tensors)
    assert.same({ { 2, 5 }, { 5, 8 } }, t:to_table())
  end)

  it('keeps tensors in tables of results, cycles and all', function()
    local r = metann.scope(function()
      local t = { deep = { metann.ones(2) } }
      t.self = t
      t[metann.zeros(1)] = true
      return t
    end)
    assert.same({ 1, 1 }, r.deep[1]:to_table())
    for k in pairs(r) do
      if metann.is_tensor(k) then assert.equal(0, k:item()) end
    end
  end)

  it('says where a released tensor was released', function()
    local lost
    local line = debug.getinfo(1, 'l').currentline + 1
    metann.scope(function() lost = metann.ones(2) end)
    local pattern = 'released at the end of metann%.scope at .*scope_spec%.lua:' .. line
    fails(pattern, function() return lost + 1 end)
    fails(pattern, function() return lost.shape end)
    fails(pattern, function() return metann.cat{ metann.ones(2), lost } end)
    fails(pattern, function() lost:add_(1) end)
    fails(pattern, function() lost:backward() end)
    fails(pattern, function() return lost[1] end)
    assert.equal('[released tensor]', tostring(lost))
  end)

  it('releases on errors too', function()
    local before = live()
    collectgarbage('stop')
    local lost
    fails('oh', metann.scope, function()
      lost = metann.ones(2)
      error('oh')
    end)
    assert.equal(before, metann.memory().live_tensors)
    collectgarbage('restart')
    fails('was released', function() return lost + 1 end)
  end)

  it('nests: a kept tensor moves to the scope around', function()
    local inner, outer
    metann.scope(function()
      metann.scope(function() inner = metann.keep(metann.ones(1)) end)
      assert.equal(1, inner:item())
      outer = metann.scope(function() return metann.ones(1) * 2 end)
      assert.equal(2, outer:item())
    end)
    fails('was released', function() return inner:item() end)
    fails('was released', function() return outer:item() end)
    fails('keep: expected a tensor', metann.keep, 3)
  end)

  it('leaves filed tensors alone at any depth, and graphs live on', function()
    local filed, x = nil, metann.ones(1, { requires_grad = true })
    local loss = metann.scope(function()
      metann.scope(function() filed = binding.scope.keep(metann.ones(1)) end)
      local h = x * 3
      x.grad = metann.ones(1)
      return (h * h):sum()
    end)
    assert.equal(1, filed:item())
    loss:backward()
    assert.equal(1 + 18, x.grad:item())
    filed, x, loss = nil, nil, nil -- luacheck: ignore
    live()
  end)

  it('yields: handles made outside meanwhile are not its own', function()
    local co = coroutine.wrap(function()
      return metann.scope(function()
        local a = metann.ones(1)
        coroutine.yield()
        return a + 1
      end)
    end)
    co()
    local outside = metann.ones(1)
    local result = co()
    assert.equal(2, result:item())
    assert.equal(1, outside:item())
  end)

  it('dropped in the middle gives back what it holds', function()
    local before = live()
    local co = coroutine.wrap(function()
      metann.scope(function()
        local t = { metann.ones(1), metann.ones(1) }
        coroutine.yield(#t)
      end)
    end)
    co()
    assert.equal(before + 2, live())
    co = nil -- luacheck: ignore
    live()
    assert.equal(before, live())
  end)
end)

describe('garbage', function()
  it('is collected by what the core holds, not by the size of the Lua heap', function()
    live()
    local base = metann.memory().live_bytes
    local largest = 0
    for _ = 1, 400 do
      metann.zeros(1e6) -- 4 MB each
      largest = math.max(largest, metann.memory().live_bytes)
    end
    assert(largest - base < 300e6, ('%d bytes were live at once'):format(largest - base))
  end)

  it('gives back all that is no longer held, graphs included', function()
    local before = live()
    local x = metann.ones(4, { requires_grad = true })
    local y = x
    for _ = 1, 1000 do y = y * 1 end
    y:sum():backward()
    x, y = nil, nil -- luacheck: ignore
    assert.equal(before, live())
  end)

  it('is collected when memory runs out, before that is an error', function()
    live()
    local device = metann.get_default_device()
    local limit = metann.memory(device).limit_bytes
    metann.set_memory_limit(metann.memory(device).live_bytes + 40e6, device)
    local ok, message = pcall(function()
      for _ = 1, 20 do metann.zeros(2e6) end -- 8 MB each
    end)
    local too_much, why = pcall(metann.zeros, 20e6)
    metann.set_memory_limit(limit, device)
    assert(ok, message)
    assert.is_false(too_much)
    assert.truthy(why:find('memory'), why)
  end)

  it('that is cached for reuse counts once it is used, whatever the limit was before', function()
    metann.zeros(2e6)
    live() -- 8 MB lie in the cache now
    local limit = metann.memory().limit_bytes
    metann.set_memory_limit(metann.memory().live_bytes + 1e6)
    local too_much, why = pcall(metann.zeros, 2e6)
    local within = pcall(metann.zeros, 1e5)
    metann.set_memory_limit(limit)
    assert.is_false(too_much)
    assert.truthy(why:find('out of memory'), why)
    assert.is_true(within)
  end)
end)
