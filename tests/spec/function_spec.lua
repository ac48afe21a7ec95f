-- Derivatives written in Lua and tensor hooks, against closed forms; errors; leaks.
local metann = require 'metann'
local live = require 'tests.support.live'
local checks = require 'tests.support.checks'
local Function = metann.autograd.Function

local fails = checks.fails

local function leaf(x) return metann.tensor(x, { requires_grad = true, dtype = 'float64' }) end
local function random(size) return metann.randn(size, { dtype = 'float64', requires_grad = true }) end

--- Runs fn on a stack of its own, so that no slot of this one keeps what fn made.
local function apart(fn) coroutine.wrap(fn)() end

local Cube = Function{
  name = 'Cube',
  forward = function(context, x)
    context:save_for_backward(x)
    return x * x * x
  end,
  backward = function(context, g)
    local x = context:saved_tensors()
    return g * 3 * x * x
  end,
}

-- exp, whose derivative is its own result
local Exp = Function{
  name = 'Exp',
  forward = function(context, x)
    local y = x:exp()
    context:save_for_backward(y)
    return y
  end,
  backward = function(context, g) return g * context:saved_tensors() end,
}

-- two results, a number between two tensors: a * b and a + k * b
local Both = Function{
  name = 'Both',
  forward = function(context, a, k, b)
    context.k = k
    context:save_for_backward(a, b)
    return a * b, a + b * k
  end,
  backward = function(context, p, q)
    local a, b = context:saved_tensors()
    return p * b + q, nil, p * a + q * context.k
  end,
}

describe('Function', function()
  metann.manual_seed(21)

  it('gives its results a node with its name and its derivative', function()
    local x = leaf{ 1, 2, 3 }
    local y = Cube(x)
    assert.same({ 1, 8, 27 }, y:to_table())
    assert.equal('Cube', y.grad_fn)
    assert.is_false(y.is_leaf)
    y:sum():backward()
    assert.same({ 3, 12, 27 }, x.grad:to_table())
    assert.equal('Function(Cube)', tostring(Cube))
  end)

  it('is differentiable again: orders 1 to 3 against differences', function()
    assert.is_true(metann.gradcheck(Cube, { random(3) }, { order = 3 }))
    assert.is_true(metann.gradcheck(Exp, { random(3) }, { order = 3 }))
    assert.is_true(metann.gradcheck(function(a, b) return Both(a, 0.5, b) end, { random(3), random(3) }, { order = 3 }))
    assert.is_true(metann.gradcheck(function(a) return Cube(Exp(a) * Cube(a)) end, { random(2) }, { order = 3 }))
  end)

  it('gives the derivatives of x^3 at every order by create_graph', function()
    local x = leaf(2)
    local f, expected = Cube(x), { 12, 12, 6 }
    for order = 1, 3 do
      f = metann.grad(f, x, { create_graph = true })
      assert.equal(expected[order], f:item())
    end
  end)

  it('can be called by its apply, with a point or a colon', function()
    assert.equal(8, Cube.apply(leaf(2)):item())
    assert.equal(8, Cube:apply(leaf(2)):item())
  end)

  it('has results whose cotangents are zeros, or nil on request, where nothing depends on them', function()
    local seen
    local function make(zeros)
      return Function{
        forward = function(context, x)
          context:set_materialize_grads(zeros)
          return x * 2, x * 3
        end,
        backward = function(_, p, q)
          seen = { p, q }
          return (p and p * 2 or 0) + (q and q * 3 or 0)
        end,
      }
    end
    local x = leaf{ 1, 2 }
    local _, second = make(true)(x)
    assert.same({ 3, 3 }, metann.grad(second:sum(), x):to_table())
    assert.same({ 0, 0 }, seen[1]:to_table())
    _, second = make(false)(x)
    assert.same({ 3, 3 }, metann.grad(second:sum(), x):to_table())
    assert.is_nil(seen[1])
  end)

  it('passes other results through and leaves marked and integer ones without derivative', function()
    local F = Function{
      forward = function(context, x)
        local sign, order = x:sign(), x:argmax()
        context:mark_non_differentiable(sign)
        return x * 2, sign, order, 'text'
      end,
      backward = function(_, g, ...)
        assert.equal(3, select('#', ...))
        assert.same({}, { ... })
        return g * 2
      end,
    }
    local x = leaf{ 1, -2 }
    local y, sign, order, text = F(x)
    assert.is_true(y.requires_grad)
    assert.is_false(sign.requires_grad)
    assert.equal(1, order:item())
    assert.equal('text', text)
    assert.same({ 2, 2 }, metann.grad(y:sum(), x):to_table())
  end)

  it('tells which arguments need gradients', function()
    local at_forward, at_backward
    local F = Function{
      forward = function(context, a, b, c)
        at_forward = context.needs_input_grad
        return a * b * c
      end,
      backward = function(context, g)
        at_backward = context.needs_input_grad
        return g, g, nil
      end,
    }
    local a, b = leaf(1), leaf(2)
    local y = F(a, b, 3)
    assert.same({ true, true, false }, at_forward)
    metann.grad(y, b, { retain_graph = true })
    assert.same({ false, true, false }, at_backward)
    metann.grad(y, { a, b })
    assert.same({ true, true, false }, at_backward)
    metann.no_grad(function() assert.is_false(F(a, b, 3).requires_grad) end)
    assert.is_false(F(a:detach(), b:detach(), 3).requires_grad)
  end)

  it('takes an argument twice, returns an argument, has many results', function()
    local x = leaf(3)
    local y = Both(x, 2, x)
    assert.equal(6, metann.grad(y, x):item()) -- x^2
    local Same = Function{ forward = function(_, t) return t end, backward = function(_, g) return g * 5 end }
    y = Same(x)
    assert.is_false(y == x)
    assert.equal(5, metann.grad(y, x):item())
    local Many = Function{
      forward = function(_, t)
        local list = {}
        for i = 1, 9 do list[i] = t * i end
        return unpack(list)
      end,
      backward = function(_, ...)
        local sum = 0
        for i = 1, 9 do sum = sum + select(i, ...) * i end
        return sum
      end,
    }
    local list = { Many(x) }
    for i = 1, 9 do list[i]:retain_grad() end
    local total = 0
    for i = 1, 9 do total = total + list[i] * i end
    total:backward()
    assert.equal(285, x.grad:item()) -- sum of squares
    assert.equal(9, list[9].grad:item())
  end)

  it('works inside scopes, coroutines and nested walks, and under yields', function()
    local x = leaf{ 1, 2 }
    local loss = metann.scope(function()
      local h = x * 1
      return Cube(h):sum()
    end)
    metann.scope(function() loss:backward() end)
    assert.same({ 3, 12 }, x.grad:to_table())
    -- the backward differentiates something else, and yields in the middle
    local Nested = Function{
      forward = function(context, t)
        context:save_for_backward(t)
        return t ^ 2
      end,
      backward = function(context, g)
        local t = context:saved_tensors()
        local slope = metann.enable_grad(function()
          local u = t:detach():requires_grad_(true)
          return metann.grad(Cube(u):sum(), u) / (u * 1.5)
        end)
        coroutine.yield('half way')
        return g * slope:detach()
      end,
    }
    local co = coroutine.create(function() return metann.grad(Nested(x):sum(), x) end)
    local _, said = coroutine.resume(co)
    assert.equal('half way', said)
    assert.is_true(metann.is_grad_enabled())
    local _, g = coroutine.resume(co)
    assert.same({ 2, 4 }, g:to_table())
  end)

  it('records rows: a recording runs again to the same numbers', function()
    local record = require 'metann.binding.record'
    local x = leaf{ 1, 2 }
    local y
    local rows, g = record.run(function()
      y = Exp(x)
      return metann.grad((y * y):sum(), x)
    end)
    local other = metann.tensor({ 0.5, -1 }, { dtype = 'float64' })
    local env = { [x:id()] = other }
    metann.no_grad(function()
      for _, row in ipairs(rows) do
        local inputs = {}
        for k, ref in ipairs(row.inputs) do inputs[k] = ref and assert(env[ref.tensor], row.op) end
        for k, t in ipairs(record.apply(row, inputs)) do env[row.outputs[k].tensor] = t end
      end
    end)
    for i, v in ipairs{ 0.5, -1 } do
      assert.near(2 * math.exp(2 * v), env[g:id()]:to_table()[i], 1e-12)
      assert.near(math.exp(v), env[y:id()]:to_table()[i], 1e-12)
    end
  end)

  it('says what is wrong, at the caller\'s line, and leaves everything usable', function()
    local x = leaf{ 1, 2 }
    local function backward_of(fn, ...)
      return Function{ name = 'Wrong', forward = function(_, a) return a * 2 end, backward = fn }(x, ...):square():sum()
    end
    fails('Wrong: backward must return a gradient %(or nil%) for each of the 1 arguments, got 0', metann.grad,
      backward_of(function() end), x)
    fails('Wrong: backward returned 2 gradients for 1 arguments', metann.grad,
      backward_of(function(_, g) return g, g end), x)
    fails('Wrong: gradient 1 of backward must have size %(2%), got %(1%)', metann.grad,
      backward_of(function(_, g) return g[{ { 1, 1 } }] end), x)
    fails('Wrong: gradient 1 of backward must be a tensor or nil, got number 3', metann.grad,
      backward_of(function() return 3 end), x)
    fails('Wrong: gradient 1 of backward must have a float dtype, got int64', metann.grad,
      backward_of(function(_, g) return g:long() end), x)
    fails('Wrong: gradient 2 of backward must be nil, as argument 2 is not a tensor', metann.grad,
      backward_of(function(_, g) return g, g end, 7), x)
    fails('Wrong: backward changed the gradient of result 1 in place', metann.grad,
      backward_of(function(_, g) return g:mul_(2) end), x)
    local object = {}
    local ok, message = pcall(metann.grad, backward_of(function() error(object) end), x)
    assert.is_false(ok)
    assert.equal(object, message)
    local line = debug.getinfo(1, 'l').currentline + 1
    fails('function_spec.lua:' .. line, function() metann.grad(backward_of(function() return 3 end), x) end)
    fails('Function: expected a table', Function, function() end)
    fails("Function: 'backward' must be a function, got nil", Function, { forward = print })
    fails("Function: unknown option 'backwards', did you mean 'backward'", Function, { forward = print, backwards = print })
    fails("Function: keep tensors by save_for_backward, not in a field %('x'%)",
      Function{ forward = function(c, a) c.x = a return a end, backward = print }, x)
    fails('forward changed argument 1 in place',
      Function{ forward = function(_, a) return a:add_(1) end, backward = print }, metann.tensor{ 1, 2 })
    fails('saved_tensors belongs in backward',
      Function{ forward = function(c) return c:saved_tensors() end, backward = print }, x)
    fails('save_for_backward: argument 1 must be a tensor, got number 3',
      Function{ forward = function(c) c:save_for_backward(3) end, backward = print }, x)
    assert.is_nil(x.grad)
    assert.is_true(metann.is_grad_enabled())
    Cube(x):sum():backward()
    assert.same({ 3, 12 }, x.grad:to_table())
  end)

  it('checks what it saved: freed graphs, writes in place, strange histories', function()
    local x = leaf{ 1, 2 }
    local h = x * 1
    local y = Cube(h):sum()
    h:add_(1)
    fails('a tensor that Cube saved for its derivative has been changed in place', metann.grad, y, x)
    y = Cube(x):sum()
    metann.grad(y, x)
    fails('the graph through Cube has been freed', metann.grad, y, x)
    local inner -- what its own derivative walks through, and frees, before it reads
    local Greedy = Function{
      name = 'Greedy',
      forward = function(c, a)
        c:save_for_backward(a)
        return a * a
      end,
      backward = function(c, g)
        if inner then
          local loss = inner
          inner = nil
          loss:backward()
        end
        return g * 2 * c:saved_tensors()
      end,
    }
    inner = Greedy(x):sum()
    fails('the graph through Greedy has been freed', inner.backward, inner)
    x.grad = nil
    fails('Odd: saved tensor 1 has a history of its own but is neither an input nor an output', Function{
      name = 'Odd',
      forward = function(c, a)
        c:save_for_backward(h)
        return a * 2
      end,
      backward = print,
    }, x)
    local View = Function{ forward = function(_, a) return a:view(1, 2) end, backward = function(_, g) return g:view(2) end }
    fails('a view', function() View(x):add_(1) end)
    assert.same({ 1, 1 }, metann.grad(View(x):sum(), x):to_table())
  end)

  it('leaks nothing, whatever becomes of it', function()
    local before = live()
    apart(function()
      for i = 1, 50 do
        local x = leaf{ 1, 2 }
        local y = Both(Exp(x), 2, Cube(x))
        if i % 3 == 0 then y:sum():backward() end
        if i % 3 == 1 then metann.grad(metann.grad(y:sum(), x, { create_graph = true }):sum(), x) end
        if i % 5 == 0 then
          local z = Function{ forward = function(_, t) return t * 2 end, backward = function() error('no') end }(x)
          pcall(z.backward, z:sum())
        end
      end
      -- a coroutine dropped in the middle of a backward
      local co = coroutine.wrap(function()
        Function{ forward = function(_, t) return t * 2 end, backward = function() coroutine.yield() end }(leaf(1)):backward()
      end)
      co()
    end)
    assert.same(before, live())
  end)
end)

describe('hooks', function()
  it('see gradients of tensors inside and of leaves, and may replace them', function()
    local x, seen = leaf{ 1, 2 }, {}
    local y = x * 2
    y:register_hook(function(g)
      seen[#seen + 1] = g:to_table()
      return g * 10
    end)
    x:register_hook(function(g)
      seen[#seen + 1] = g:to_table()
      return g + 1
    end)
    local z = (y * y):sum()
    z:backward()
    assert.same({ { 4, 8 }, { 80, 160 } }, seen) -- 2 y; 2 * 10 * 2 y
    assert.same({ 81, 161 }, x.grad:to_table())
    assert.is_false(x.grad.requires_grad)
  end)

  it('see the whole gradient once, however many uses there are', function()
    local x, calls = leaf(3), 0
    local y = x * 1
    for _, t in ipairs{ x, y } do
      t:register_hook(function(g)
        calls = calls + 1
        assert.equal(2 * 3 + 5, g:item())
      end)
    end
    local z = y * y + y * 5
    z:backward()
    assert.equal(2, calls)
    assert.equal(11, x.grad:item())
  end)

  it("run in order, each on what the one before returned; removed ones don't", function()
    local x, order = leaf(1), {}
    local handles = {}
    for i = 1, 4 do
      handles[i] = x:register_hook(function(g)
        order[#order + 1] = i
        return g * 2
      end)
    end
    handles[2]:remove()
    handles[2]:remove()
    local y = x * 1
    y:backward()
    assert.same({ 1, 3, 4 }, order)
    assert.equal(8, x.grad:item())
  end)

  it('apply to metann.grad of leaves and of tensors inside, with retain_grad after them', function()
    local x = leaf(3)
    local y = x * 2
    y:retain_grad()
    y:register_hook(function(g) return g * 10 end)
    local z = y * y
    assert.equal(120, metann.grad(z, y, { retain_graph = true }):item())
    x:register_hook(function(g) return g + 1 end)
    assert.equal(241, metann.grad(z, x, { retain_graph = true }):item())
    z:backward()
    assert.equal(120, y.grad:item())
    assert.equal(241, x.grad:item())
  end)

  it('are differentiable under create_graph', function()
    -- the hook multiplies the gradient of x^2 by x: 2 x^2, whose derivative is 4 x
    local x = leaf(3)
    local y = x * 1
    local modes = {}
    y:register_hook(function(g)
      modes[#modes + 1] = metann.is_grad_enabled()
      return g * x
    end)
    local g = metann.grad(y * y, x, { create_graph = true })
    assert.equal(18, g:item())
    -- the second walk passes the hook as well, for the path through y: 4 x = 12 = 2x(direct) + 2x(through y), the
    -- latter times x once more
    assert.equal(6 + 6 * 3, metann.grad(g, x):item())
    assert.same({ true, false }, modes)
  end)

  it('of a Function\'s results and of one tensor among several', function()
    local x = leaf(2)
    local p, q = Both(x, 3, leaf(5))
    p:register_hook(function(g) return g * 10 end)
    assert.equal(10 * 5 + 1, metann.grad(p + q, x):item())
  end)

  it('say what is wrong', function()
    local x = leaf{ 1, 2 }
    fails('register_hook: expected a function, got number 3', x.register_hook, x, 3)
    fails("register_hook: the tensor doesn't require grad", x.register_hook, metann.zeros(1), print)
    local function with(fn)
      local y = x * 2
      y:register_hook(fn)
      return y:square():sum()
    end
    fails('what a hook returns must have size %(2%), got %(%)', metann.grad, with(function(g) return g:sum() end), x)
    fails('what a hook returns must be a tensor or nil, got string', metann.grad, with(function() return 'x' end), x)
    fails('must not change its gradient in place', metann.grad, with(function(g) g:mul_(2) end), x)
    fails('oh no', metann.grad, with(function() error('oh no') end), x)
    assert.same({ 2, 2 }, metann.grad((x * 2):sum(), x):to_table())
  end)

  it('die with their node', function()
    local before = live()
    apart(function()
      local x = leaf{ 1, 2 }
      x:register_hook(function(g) return g * 2 end)
      local y = x * 2
      y:register_hook(function(g) return g end)
      y:sum():backward()
      y = x * 3
      local handle = y:register_hook(function(g) return g end)
      handle:remove()
      assert.same({ 4, 4 }, x.grad:to_table())
    end)
    assert.same(before, live())
  end)
end)
