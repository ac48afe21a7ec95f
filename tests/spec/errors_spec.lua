-- Errors: whose line they point at and what they say. Arguments of generated functions.
local metann = require 'metann'
local errors = require('metann.binding').errors

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(message)
end

local function here() return debug.getinfo(2, 'l').currentline end

describe('the place of an error', function()
  local a, b = metann.zeros(2, 3), metann.zeros(2, 3)

  it("is the caller's line", function()
    local line
    local cases = {
      function() line = here() local _ = a:matmul(b) end,
      function() line = here() local _ = a + metann.zeros(5) end,
      function() line = here() a:add_(metann.zeros(5)) end,
      function() line = here() local _ = a[9] end,
      function() line = here() a[9] = 1 end,
      function() line = here() a:backward() end,
      function() line = here() metann.zeros('x') end,
      function() line = here() local _ = a.nothing end,
      function() line = here() metann.no_grad(function() a:matmul(b) end) end,
      function() line = here() metann.scope(function() a:matmul(b) end) end,
      function() line = here() metann.sum(3) end,
    }
    for i, case in ipairs(cases) do
      local message = message_of(case)
      assert.truthy(message:find('errors_spec%.lua:' .. line .. ':'), i .. ': ' .. message)
    end
  end)

  it("is also found from a function called by pcall itself, and in a coroutine", function()
    local message = message_of(metann.matmul, a, b)
    assert.truthy(message:find('errors_spec%.lua:'), message)
    local _, inside = coroutine.resume(coroutine.create(function() return (a:matmul(b)) end))
    assert.truthy(inside:find('errors_spec%.lua:%d+: matmul'), inside)
  end)

  -- there the library runs what it does under a mode in coroutines of its own, whose stacks begin inside it
  it("is the caller's line in a coroutine too, also for what runs under a mode", function()
    local line
    local twice = metann.autograd.Function{
      forward = function(_, x) return x * 2 end, backward = function() return 5 end, name = 'twice',
    }
    local y = twice(metann.ones(2, { requires_grad = true })):sum()
    local p = metann.nn.Parameter(metann.ones(2))
    p.grad = metann.ones(2)
    local optimizer = metann.optim.SGD({ p }, 0.1)
    optimizer.param_groups[1].lr = metann.ones(3)
    local cases = {
      function() line = here() optimizer:step() end,
      function() line = here() y:backward() end,
      function() metann.no_grad(function() line = here() optimizer:step() end) end,
    }
    for i, case in ipairs(cases) do
      local ok, message = coroutine.resume(coroutine.create(case))
      assert.is_false(ok)
      assert.truthy(message:find('errors_spec%.lua:' .. line .. ':'), i .. ': ' .. message)
    end
  end)
end)

describe('a list longer than the stack', function()
  it('fails by what is wrong with it, and leaves nothing behind', function()
    local list = {}
    for i = 1, 9000 do list[i] = metann.ones(1) end
    list[9000] = metann.ones(2, 2)
    assert.truthy(message_of(metann.cat, list):find('cat: tensor 9000', 1, true))
    list[9000] = metann.scope(function()
      local t = { metann.ones(1) }
      return function() return t[1] end
    end)()
    assert.truthy(message_of(metann.cat, list):find('released at the end of metann.scope', 1, true))
    local x = metann.ones(2, { requires_grad = true })
    for i = 1, 9000 do list[i] = (x * x):sum() end
    metann.grad(list, x)
    assert.truthy(message_of(metann.grad, list, x):find('has been freed by an earlier backward', 1, true))
  end)
end)

describe('arguments', function()
  local t = metann.tensor{ { 1, 2 }, { 3, 4 } }

  it('stand by position or by name', function()
    assert.same({ { 3 }, { 7 } }, t:sum(2, true):to_table())
    assert.same({ { 3 }, { 7 } }, t:sum{ dim = 2, keepdim = true }:to_table())
    assert.same({ { 3 }, { 7 } }, t:sum(2, { keepdim = true }):to_table())
    assert.same({ 3, 7 }, t:sum{ dim = -1 }:to_table())
    assert.equal(10, t:sum{ 1, 2 }:item())
    assert.equal(10, t:sum():item())
    assert.same({ 4, 6 }, t:sum(1):to_table())
    assert.same({ { 1, 3 }, { 2, 4 } }, t:permute(2, 1):to_table())
    assert.same({ { 1, 3 }, { 2, 4 } }, t:permute{ 2, 1 }:to_table())
    assert.same({ 4 }, t:view(-1).shape)
    assert.same({ 2, 2, 2 }, t:expand(2, -1, -1).shape)
    assert.same({ { 3, 6 }, { 9, 12 } }, t:add(t, { alpha = 2 }):to_table())
    assert.same({ { 2, 4 }, { 6, 8 } }, t:add(t):to_table())
    local reduced = metann.ops.nll_loss(t, metann.tensor{ 1LL, 2LL }, { reduction = 'sum' })
    assert.equal(-5, reduced:item())
  end)

  it('are checked, with the nearest name suggested', function()
    assert.truthy(message_of(t.sum, t, { dims = 1 }):find("sum: unknown option 'dims', did you mean 'dim'", 1, true))
    assert.truthy(message_of(t.sum, t, 1, { dim = 1 }):find("'dim' is given twice", 1, true))
    assert.truthy(message_of(t.sum, t, t):find("'dim' must be a list of integers, got tensor", 1, true))
    assert.truthy(message_of(metann.zeros, { 2, -1 })
      :find("zeros: 'size' must be a size or a list of sizes, got (2, -1)", 1, true))
    assert.truthy(message_of(t.sum, t, 0):find("'dim' is 0, but dims count from 1", 1, true))
    assert.truthy(message_of(t.sum, t, 1.5):find("'dim' must be an integer", 1, true))
    assert.truthy(message_of(t.sum, t, 1, 'yes'):find("'keepdim' must be true or false, got string 'yes'", 1, true))
    assert.truthy(message_of(t.select, t, 1, 0):find('indices count from 1', 1, true))
    assert.truthy(message_of(t.cumsum, t):find("cumsum: 'dim' must be given", 1, true))
    assert.truthy(message_of(t.gelu, t, 'exact'):find("must be one of none, tanh", 1, true))
    assert.truthy(message_of(t.add, t, 'x'):find("'other' must be a tensor or a number, got string 'x'", 1, true))
    assert.truthy(message_of(metann.add, 1, 2):find("add: 'input' must be a tensor", 1, true))
    assert.truthy(message_of(metann.cat, { t, 3 }):find('entry 2 of the list must be a tensor', 1, true))
    assert.truthy(message_of(t.sum, t, 5):find('5', 1, true))
  end)

  it('of memory name the function that was called', function()
    for _, name in ipairs{ 'zeros', 'ones', 'rand', 'randn', 'empty' } do
      local message = message_of(metann[name], 2 ^ 30, 2 ^ 20)
      assert.truthy(message:find('errors_spec.lua:%d+: ' .. name .. ': out of memory: asked for %d+ bytes$'), message)
    end
    local huge = metann.ones(1):expand(2 ^ 42)
    for name, call in pairs{ exp = huge.exp, add = huge.add, ['repeat_'] = huge.repeat_, clone = huge.clone } do
      local message = message_of(call, huge, 1)
      if name == 'exp' or name == 'clone' then message = message_of(call, huge) end
      assert.truthy(message:find(': ' .. name .. ': out of memory: asked for %d+ bytes'), message)
    end
    assert.truthy(message_of(t.new_zeros, t, 2 ^ 50):find('new_zeros: out of memory: asked for', 1, true))
    assert.truthy(message_of(huge.to_table, huge):find('to_table: 4398046511104 elements are too many', 1, true))
    assert.truthy(message_of(huge.to_flat_table, huge):find('to_flat_table: 4398046511104 elements are too', 1, true))
  end)

  it("of one call don't reach the next", function()
    t:sum(2, true)
    assert.same({}, t:sum().shape)
    t:squeeze(1)
    assert.same({ 2 }, metann.zeros(1, 2, 1):squeeze().shape)
    t:add(t, { alpha = 3 })
    assert.same({ { 2, 4 }, { 6, 8 } }, (t + t):to_table())
  end)
end)

describe('suggestions', function()
  it('name the nearest, or all', function()
    assert.equal('dtype', errors.nearest('dtyp', { 'device', 'dtype' }))
    assert.is_nil(errors.nearest('zzz', { 'device', 'dtype' }))
    assert.equal('; known are a, b', errors.suggestion('zzzz', { 'a', 'b' }))
  end)
end)
