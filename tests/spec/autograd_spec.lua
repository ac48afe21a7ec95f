-- grad, backward and the modes, from Lua. Values against closed forms.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local live = require 'tests.support.live'

local fails = checks.fails

local function leaf(x) return metann.tensor(x, { requires_grad = true, dtype = 'float64' }) end

describe('grad', function()
  it('gives a tensor for a tensor and a list for a list', function()
    local x, y = leaf{ 1, 2 }, leaf{ 3, 5 }
    local loss = (x * x * y):sum()
    assert.same({ 6, 20 }, metann.grad(loss, x, { retain_graph = true }):to_table())
    local grads = metann.grad(loss, { x, y })
    assert.same({ 6, 20 }, grads[1]:to_table())
    assert.same({ 1, 4 }, grads[2]:to_table())
    assert.is_nil(x.grad)
    assert.is_false(grads[1].requires_grad)
  end)

  it('differentiates again and again with create_graph', function()
    local x = leaf(2)
    local f = x ^ 4
    local expected = { 32, 48, 48, 24 }
    for order = 1, 4 do
      f = metann.grad(f, x, { create_graph = true })
      assert.equal(expected[order], f:item())
    end
  end)

  it('stops at its inputs: the graph behind them can be walked from there', function()
    local x = leaf{ 2, 3 }
    local h = x:square() -- saves what its derivative needs
    local g = metann.grad((h * h):sum(), h)
    assert.same({ 8, 18 }, g:to_table())
    h:backward(g)
    assert.same({ 4 * 8, 4 * 27 }, x.grad:to_table())
    fails('the graph through square has been freed', h.backward, h, g)
  end)

  it('takes cotangents, several outputs, and iterators of inputs', function()
    local x = leaf{ 1, 2 }
    local g = metann.grad({ x * 3, x ^ 2 }, x, { grad_outputs = { leaf{ 1, 10 }, leaf{ 1, 1 } } })
    assert.same({ 3 + 2, 30 + 4 }, g:to_table())
    local left = { x }
    g = metann.grad((x * 2):sum(), function() return table.remove(left) end)
    assert.same({ 2, 2 }, g[1]:to_table())
  end)

  it('takes a table by name, and answers by name', function()
    local p = { w = leaf{ 1, 2 }, b = leaf(3) }
    local g = metann.grad((p.w * p.w):sum() + 5 * p.b, p)
    assert.same({ 2, 4 }, g.w:to_table())
    assert.equal(5, g.b:item())
    assert.is_nil(g[1])
    fails('grad: inputs: entry c must be a tensor, got number 3', metann.grad, p.b * 1, { b = p.b, c = 3 })
  end)

  it("takes its options by position or by name, checks their types, and refuses what it doesn't know", function()
    local x = leaf{ 1, 2 }
    local function loss() return (x * x):sum() end
    assert.same({ 6, 12 }, metann.grad(loss(), x, leaf(3)):to_table())
    assert.is_true(metann.grad(loss(), x, nil, nil, true).requires_grad)
    local g = metann.grad({ loss() }, x, { leaf(3), create_graph = true })
    assert.same({ 6, 12 }, g:to_table())
    assert.is_true(g.requires_grad)
    fails("grad: 'create_graph' must be true or false, got string 'yes'", metann.grad, loss(), x, { create_graph = 'yes' })
    fails("grad: 'allow_unused' must be true or false, got number 1", metann.grad, loss(), x, { allow_unused = 1 })
    fails('grad: takes 6 arguments, got 7', metann.grad, loss(), x, nil, nil, nil, nil, 5)
    fails("grad: 'grad_outputs' is given twice", metann.grad, loss(), x, leaf(1), { grad_outputs = leaf(2) })
    local y = loss()
    y:backward(leaf(2), true)
    y:backward{ gradient = leaf(1) }
    assert.same({ 6, 12 }, x.grad:to_table())
    fails("backward: 'gradient' is given twice, by position and by name", y.backward, y, leaf(1), { gradient = leaf(2) })
    fails("backward: 'retain_graph' must be true or false, got number 1", y.backward, y, { retain_graph = 1 })
    fails("backward: 'gradient' must be a tensor, got number 3", y.backward, y, 3)
    fails("backward: unknown option 'retain'", y.backward, y, { retain = true })
  end)

  it('refuses cotangents that fit no output', function()
    local x = leaf{ 1, 2 }
    local function with(given) return { grad_outputs = given } end
    fails("'grad_outputs' must be a tensor or a list of tensors, got number 5", metann.grad, x * 2, x, with(5))
    fails("'grad_outputs' must be a tensor or a list of tensors, got string", metann.grad, x:sum(), x, with('x'))
    fails("'grad_outputs' has an entry 2, but the outputs are a list of 1", metann.grad, x * 2, x,
      with{ leaf{ 1, 1 }, leaf{ 1, 1 } })
    fails("'grad_outputs' has an entry y, but the outputs are a list of 1", metann.grad, x:sum(), x, with{ y = leaf(1) })
  end)

  it('names an input that is out of reach, or gives false', function()
    local x, y = leaf(1), leaf(2)
    fails('input 2 was not used', metann.grad, x * 2, { x, y })
    local grads = metann.grad(x * 2, { x, y }, { allow_unused = true })
    assert.equal(2, grads[1]:item())
    assert.is_false(grads[2])
  end)

  it('says what is wrong', function()
    local x = leaf{ 1, 2 }
    fails('not a scalar %(size 2%)', metann.grad, x * 2, x)
    fails("unknown option 'creategraph', did you mean 'create_graph'", metann.grad, x:sum(), x,
      { creategraph = true })
    fails('inputs: entry 2 must be a tensor, got number 3', metann.grad, x:sum(), { x, 3 })
    assert.has_error(function() metann.grad(metann.zeros(1):sum(), x) end)
    local loss = (x * x):sum()
    metann.grad(loss, x)
    assert.has_error(function() metann.grad(loss, x) end)
  end)
end)

describe('backward', function()
  it('adds to the grad of leaves', function()
    local x = leaf{ 1, 2 }
    local y = x * x
    y:sum():backward()
    assert.same({ 2, 4 }, x.grad:to_table())
    y = x * 3
    y:backward(metann.tensor({ 1, 2 }, { dtype = 'float64' }))
    assert.same({ 5, 10 }, x.grad:to_table())
    assert.is_false(x.grad.requires_grad)
    x.grad = nil
    assert.is_nil(x.grad)
  end)

  it('keeps the graph when told to', function()
    local x = leaf(3)
    local y = x * x
    y:backward{ retain_graph = true }
    y:backward()
    assert.equal(12, x.grad:item())
  end)

  it('says what is wrong', function()
    fails('backward: output 1 is not a scalar', function() return (leaf{ 1, 2 } * 2):backward() end)
    local x = leaf{ 1, 2 }
    fails('grad', function() x.grad = (x * 2) end)
    fails('expected a tensor or nil', function() x.grad = 3 end)
    fails("grad: a tensor can't be its own gradient", function() x.grad = x end) -- it would never be freed
  end)

  it('keeps gradients inside the graph on request', function()
    local x = leaf(3)
    local y = x * 2
    y:retain_grad()
    local z = y * y
    z:backward()
    assert.equal(12, y.grad:item())
    assert.equal(24, x.grad:item())
  end)

  it('keeps the gradient of what a tensor holds after it was written to in place', function()
    local x = leaf(3)
    local y = x * 2
    y:retain_grad()
    y:mul_(5) -- 10 x
    local z = y * 7
    z:backward{ retain_graph = true }
    assert.equal(7, y.grad:item())
    assert.equal(70, x.grad:item())
    y = nil -- its first node outlives it
    local before = live()
    for _ = 1, 3 do z:backward{ retain_graph = true } end
    assert.same(before, live())
    assert.equal(280, x.grad:item())
    assert.is_nil(y)
  end)
end)

describe('flags', function()
  it('tell leaves, histories and what made a tensor', function()
    local x = leaf{ 1, 2 }
    local y = x:exp()
    assert.is_true(x.is_leaf)
    assert.is_nil(x.grad_fn)
    assert.is_false(y.is_leaf)
    assert.equal('exp', y.grad_fn)
    assert.is_false(y:detach().requires_grad)
    assert.is_true(y:detach():shares_storage(y))
    assert.is_true(metann.zeros(1):requires_grad_().requires_grad)
    fails('requires_grad', function() metann.tensor{ 1LL }:requires_grad_() end)
  end)
end)

describe('writing in place', function()
  it('to what an operation saved is an error that names the operation', function()
    local x = leaf{ 1, 2 }
    local y = x:exp() -- saves its result
    y:mul_(2)
    fails('a tensor that exp saved for its derivative has been changed in place', function() y:sum():backward() end)
    local h = x * 1
    local z = h:sin() -- saves its argument
    metann.no_grad(function() h:zero_() end)
    fails('a tensor that sin saved', function() z:sum():backward() end)
    local w = leaf{ 3, 4 } -- a leaf that was saved, written as an optimizer does
    z = x * w
    metann.no_grad(function() w:add_(1) end)
    fails('a tensor that mul saved', function() z:sum():backward() end)
    assert.is_nil(x.grad)
  end)

  it('with another input in the memory that is written to is an error, too', function()
    local x = leaf{ 2, 3 }
    for i, write in ipairs{
      function(y) return y:mul_(y) end,
      function(y) return y:mul_(y:detach()) end,
      function(y) return y:detach():mul_(y) end,
      function(y) return y:pow_(y:detach()) end,
      function(y) return y:detach():atan2_(y) end,
    } do
      local z = write(x * 1)
      local ok, message = pcall(metann.grad, z:sum(), x)
      assert.is_false(ok, 'write ' .. i)
      assert.truthy(message:find('saved for its derivative has been changed', 1, true), message)
    end
  end)

  it('is seen through views, detached tensors, slices and assignment by index', function()
    for i, write in ipairs{
      function(h) h:detach():add_(1) end,
      function(h) metann.no_grad(function() h:view(2, 1):add_(1) end) end,
      function(h) metann.no_grad(function() h[{ { 1, 1 } }]:fill_(9) end) end,
      function(h) h[1] = 7 end,
      function(h) metann.no_grad(function() h:copy_(metann.zeros(2)) end) end,
    } do
      local x = leaf{ 1, 2 }
      local h = x * 1
      local z = (h * h):sum()
      write(h)
      local ok, message = pcall(metann.grad, z, x)
      assert.is_false(ok, 'write ' .. i)
      assert.truthy(message:find('a tensor that mul saved', 1, true), message)
    end
  end)

  it('after operations that saved nothing is part of the graph', function()
    local x = leaf{ 1, 2 }
    local y = x + 1
    y:add_(x):mul_(3)
    y[1] = 2 * x[2]
    assert.same({ 4, (2 * 2 + 1) * 3 }, y:to_table())
    assert.same({ 0, 2 + 6 }, metann.grad(y:sum(), x):to_table())
  end)

  it('to a leaf, through a view, or under live views is refused where gradients flow', function()
    local x = leaf{ 1, 2 }
    fails('add_: a leaf that requires grad', function() x:add_(1) end)
    fails('mul_: a view', function() (x * 1):view(2, 1):mul_(x:view(2, 1)) end)
    local y = x * 1
    local view = y:view(2, 1)
    fails('mul_: a tensor with live views', function() y:mul_(x) end)
    assert.same({ 1, 2 }, y:to_table())
    assert.equal(2, view:numel())
    local line = debug.getinfo(1, 'l').currentline + 1
    fails('autograd_spec.lua:' .. line, function() x:add_(1) end)
    metann.no_grad(function() x:add_(1) end)
    assert.same({ 2, 3 }, x:to_table())
  end)
end)

describe('modes', function()
  it('hold while the function runs, and pass its results', function()
    local x = leaf(1)
    local inside, a, hole, b = metann.no_grad(function(p)
      local again = metann.enable_grad(function() return metann.is_grad_enabled() end)
      return { metann.is_grad_enabled(), again, (x * 2).requires_grad }, p, nil, 'end'
    end, 'given')
    assert.same({ false, true, false }, inside)
    assert.equal('given', a)
    assert.is_nil(hole)
    assert.equal('end', b)
    assert.is_true(metann.is_grad_enabled())
  end)

  it('are put back when the function raises, with its message and its tables', function()
    local ok, message = pcall(metann.no_grad, function() error('oh', 0) end)
    assert.is_false(ok)
    assert.equal('oh', message)
    local object = {}
    ok, message = pcall(metann.no_grad, function() error(object) end)
    assert.is_false(ok)
    assert.equal(object, message)
    assert.is_true(metann.is_grad_enabled())
    fails('no_grad: expected a function, got number 3', metann.no_grad, 3)
  end)

  it('are left at a yield and entered again at the resume', function()
    local trace = {}
    local co = coroutine.create(function(first)
      return metann.no_grad(function(x)
        trace[#trace + 1] = metann.is_grad_enabled()
        local y = coroutine.yield(x + 1)
        trace[#trace + 1] = metann.is_grad_enabled()
        metann.enable_grad(function() coroutine.yield(y + 1) end)
        trace[#trace + 1] = metann.is_grad_enabled()
        return 'done'
      end, first)
    end)
    assert.same({ true, 2 }, { coroutine.resume(co, 1) })
    assert.is_true(metann.is_grad_enabled())
    assert.same({ true, 11 }, { coroutine.resume(co, 10) })
    assert.is_true(metann.is_grad_enabled())
    assert.same({ true, 'done' }, { coroutine.resume(co) })
    assert.same({ false, false, false }, trace)
    assert.is_true(metann.is_grad_enabled())
    co = coroutine.create(function() metann.no_grad(function() error('in here', 0) end) end)
    assert.same({ false, 'in here' }, { coroutine.resume(co) })
    assert.is_true(metann.is_grad_enabled())
  end)
end)
