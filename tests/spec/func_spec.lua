-- metann.func against closed forms and, for the products, against Jacobians and Hessians written out.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local func = metann.func

local fails = checks.fails

local function vector(x) return metann.tensor(x, { dtype = 'float64' }) end
local function leaf(x) return metann.tensor(x, { dtype = 'float64', requires_grad = true }) end

describe('func.grad', function()
  it('gives the gradient of a function, and of its gradient', function()
    local function cube(x) return (x ^ 3):sum() end
    local g = func.grad(cube)(vector{ 1, 2 })
    assert.same({ 3, 12 }, g:to_table())
    assert.is_false(g.requires_grad)
    local f = function(x) return x ^ 5 end
    for order, want in ipairs{ 80, 160, 240, 240 } do
      f = func.grad(f)
      assert.equal(want, f(vector(2)):item(), order)
    end
  end)

  it('differentiates the arguments that argnums names', function()
    local function fn(a, b, n) return (a * b ^ n):sum() end
    local a, b = vector{ 1, 2 }, vector{ 3, 4 }
    assert.same({ 9, 16 }, func.grad(fn)(a, b, 2):to_table())
    assert.same({ 6, 16 }, func.grad(fn, { argnums = 2 })(a, b, 2):to_table())
    assert.same({ 6, 16 }, func.grad(fn, 2)(a, b, 2):to_table())
    local both = func.grad(fn, { argnums = { 2, 1 } })(a, b, 2)
    assert.same({ 6, 16 }, both[1]:to_table())
    assert.same({ 9, 16 }, both[2]:to_table())
    assert.equal(2, #func.grad(fn, { 1, 2 })(a, b, 2))
  end)

  it('takes nested tables; what is no float tensor gives false', function()
    local p = { w = vector{ 1, 2 }, layers = { { b = vector(3) }, { b = vector(4) } }, n = 2,
      labels = metann.tensor({ 1LL, 2LL }) }
    local g = func.grad(function(t)
      return (t.w * t.layers[1].b * t.n):sum() + t.layers[2].b ^ 2 + t.labels:sum() * t.w:sum()
    end)(p)
    assert.same({ 3 * 2 + 3, 3 * 2 + 3 }, g.w:to_table())
    assert.equal(6, g.layers[1].b:item())
    assert.equal(8, g.layers[2].b:item())
    assert.is_false(g.n)
    assert.is_false(g.labels)
  end)

  it('passes the value and something beside it', function()
    local value, g, aux = func.value_and_grad(function(x) return (x * x):sum(), { x * 2, 'aux' } end,
      { has_aux = true })(vector{ 1, 2 })
    assert.equal(5, value:item())
    assert.is_false(value.requires_grad)
    assert.same({ 2, 4 }, g:to_table())
    assert.same({ 2, 4 }, aux[1]:to_table())
    assert.is_false(aux[1].requires_grad)
    assert.equal('aux', aux[2])
    local again, beside = func.grad(function(x) return (x * x):sum(), 'beside' end, { has_aux = true })(vector{ 1 })
    assert.equal(2, again:item())
    assert.equal('beside', beside)
    value, g = func.value_and_grad(function(x) return x * x end)(vector(3))
    assert.same({ 9, 6 }, { value:item(), g:item() })
  end)

  it('lets gradients flow on into arguments and captured tensors', function()
    local w, x = leaf(3), leaf(2)
    local g = func.grad(function(t) return t ^ 2 * w end)(x) -- 2 x w
    assert.equal(12, g:item())
    local grads = metann.grad(g, { x, w })
    assert.equal(6, grads[1]:item())
    assert.equal(4, grads[2]:item())
    assert.is_nil(x.grad)
    -- the value as well
    local value = func.value_and_grad(function(t) return t * w end)(vector(5))
    value:backward()
    assert.equal(5, w.grad:item())
    -- not under no_grad, where the gradient itself still works
    metann.no_grad(function()
      local h = func.grad(function(t) return t ^ 2 * w end)(x)
      assert.equal(12, h:item())
      assert.is_false(h.requires_grad)
      assert.is_false(metann.is_grad_enabled())
    end)
  end)

  it('gives zeros where nothing depends on the argument', function()
    local g = func.grad(function(t) return t.a:sum() end)({ a = vector{ 1 }, b = vector{ 1, 2 } })
    assert.same({ 0, 0 }, g.b:to_table())
    assert.same({ 0 }, func.grad(function() return vector(1) end)(vector{ 7 }):to_table())
  end)

  it('takes a step of MAML', function()
    -- the loss after one step of gradient descent, differentiated with respect to the start: (1 - 2 lr)^2 * 2 (p - 1)
    local function loss(p) return ((p - 1) ^ 2):sum() end
    local g = func.grad(function(p) return loss(p - 0.1 * func.grad(loss)(p)) end)(vector{ 3 })
    assert.near(0.8 ^ 2 * 4, g:to_table()[1], 1e-12)
  end)

  it('takes argnums and has_aux by position and by name, lists too, and refuses the rest', function()
    local x = vector{ 1, 2 }
    local function fn(p, q) return (p * p * q):sum(), 'aux' end
    local function alone(p, q) return (fn(p, q)) end
    assert.same({ 1, 4 }, func.grad(alone, 2)(x, x):to_table())
    assert.same({ 1, 4 }, func.grad(alone, { 1, 2 })(x, x)[2]:to_table())
    assert.same({ 1, 4 }, func.grad(alone, { argnums = 2 })(x, x):to_table())
    assert.equal('aux', select(2, func.grad(fn, 2, true)(x, x)))
    assert.equal('aux', select(2, func.grad(fn, { 1, 2, has_aux = true })(x, x)))
    assert.equal('aux', select(3, func.vjp(fn, { x, x }, true)))
    assert.equal('aux', select(2, func.jacobian(fn, { x, x }, { has_aux = true })))
    fails("grad: 'has_aux' must be true or false, got number 1", func.grad, fn, { has_aux = 1 })
    fails('grad: takes 2 arguments, got 3', func.grad, fn, 1, true, 5)
    fails("vjp: 'has_aux' must be true or false, got number 1", func.vjp, fn, { x, x }, { has_aux = 1 })
    fails("hessian: unknown option 'has_aux'", func.hessian, alone, { x, x }, { has_aux = true })
    fails("hessian: unknown option 'has_aux'", func.hessian, alone, { has_aux = true })
  end)

  it('says what is wrong', function()
    local x = vector{ 1, 2 }
    fails('grad: the function must return a 0%-dim tensor, got size %(2%)', func.grad(function(t) return t end), x)
    fails('grad: the function must return a float tensor, got number 3', func.grad(function() return 3 end), x)
    fails('grad: argument 1 must be a float tensor or a table of them, got number 3', func.grad(function(t) return t end), 3)
    fails('got int64 tensor', func.grad(function(t) return t end), metann.tensor{ 1LL })
    fails('grad: argument 2 is to be differentiated, but there are 1', func.grad(function(t) return t end, 2), x)
    fails("'argnums' has 0, but arguments count from 1", func.grad, print, 0)
    fails("unknown option 'argnum', did you mean 'argnums'", func.grad, print, { argnum = 1 })
    fails('grad: expected a function, got nil', func.grad)
    fails('returned 2 values, expected 1', func.grad(function(t) return t:sum(), t end), x)
    local line = debug.getinfo(1, 'l').currentline + 1
    fails('func_spec.lua:' .. line, function() func.grad(function(t) return t end)(x) end)
  end)
end)

describe('func.vjp and func.jvp', function()
  -- y = (a b, sin a), with Jacobians diag(b), diag(a), diag(cos a)
  local function fn(a, b) return { product = a * b, sine = a:sin() } end
  local a, b = { 0.5, 1 }, { 2, 3 }

  it('take cotangents back', function()
    local y, pull = func.vjp(fn, { vector(a), vector(b) })
    assert.same({ 1, 3 }, y.product:to_table())
    assert.is_false(y.product.requires_grad)
    local g = pull{ product = vector{ 1, 10 }, sine = vector{ 5, 0 } }
    assert.near(2 + 5 * math.cos(0.5), g[1]:to_table()[1], 1e-12)
    assert.near(30, g[1]:to_table()[2], 1e-12)
    assert.same({ 0.5, 10 }, g[2]:to_table())
    g = pull{ product = vector{ 1, 1 }, sine = false }
    assert.same({ 2, 3 }, g[1]:to_table())
    local value, back = func.vjp(function(t) return t * t end, vector{ 3 })
    assert.same({ 9 }, value:to_table())
    assert.same({ 6 }, back(vector{ 1 }):to_table())
  end)

  it('push tangents forward', function()
    local y, t = func.jvp(fn, { vector(a), vector(b) }, { vector{ 1, 2 }, vector{ 10, 20 } })
    assert.same({ 1, 3 }, y.product:to_table())
    assert.same({ 1 * 2 + 0.5 * 10, 2 * 3 + 1 * 20 }, t.product:to_table())
    assert.near(math.cos(0.5), t.sine:to_table()[1], 1e-12)
    assert.is_false(t.sine.requires_grad)
    t = select(2, func.jvp(fn, { vector(a), vector(b) }, { false, vector{ 1, 1 } }))
    assert.same({ 0, 0 }, t.sine:to_table())
    local value, tangent, aux = func.jvp(function(p) return p.w ^ 3, 'aux' end, { w = vector{ 2 } }, { w = vector{ 1 } },
      { has_aux = true })
    assert.same({ 8, 12 }, { value:item(), tangent:item() })
    assert.equal('aux', aux)
  end)

  it('push tangents through what is differentiable backward only', function()
    local Cube = metann.autograd.Function{
      forward = function(context, x)
        context:save_for_backward(x)
        return x ^ 3
      end,
      backward = function(context, g) return g * 3 * context:saved_tensors() ^ 2 end,
    }
    local x, along = vector{ 1, 2 }, vector{ 1, 10 }
    local function slope(f) return select(2, func.jvp(f, x, along)):to_table() end
    assert.same({ 6, 240 }, slope(function(t) return Cube(t) * 2 end))
    assert.same({ 3, 120 }, slope(function(t) return metann.checkpoint(function(u) return u ^ 3 end, t) end))
    -- a hook changes gradients, and so the tangents that are made of them
    assert.same({ 5, 50 }, slope(function(t)
      local y = t * 1
      y:register_hook(function(g) return g * 5 end)
      return y
    end))
    -- what doesn't depend on the argument, and the argument itself
    local _, tangents = func.jvp(function(t) return { same = t, other = vector{ 3 }, twice = t + t } end, x, along)
    assert.same({ 1, 10 }, tangents.same:to_table())
    assert.same({ 0 }, tangents.other:to_table())
    assert.same({ 2, 20 }, tangents.twice:to_table())
  end)

  it('push tangents of any order', function()
    -- d^n/dt^n of sin at 0.5, and of a product of matrices with its inverse, which is constant
    local f, want = function(t) return t:sin() end, { math.cos(0.5), -math.sin(0.5), -math.cos(0.5), math.sin(0.5) }
    for n = 1, 4 do
      local inner = f
      f = function(t) return (select(2, func.jvp(inner, t, vector(1)))) end
      assert.near(want[n], f(vector(0.5)):item(), 1e-12)
    end
    local matrix, along = vector{ { 2, 1 }, { 0.5, 3 } }, vector{ { 1, 2 }, { 3, 4 } }
    local function one(m) return m:matmul(m:inverse()) end
    local _, first = func.jvp(one, matrix, along)
    local function swapped(m) return (select(2, func.jvp(one, m, vector{ { 0, 1 }, { 1, 0 } }))) end
    local _, second = func.jvp(swapped, matrix, along)
    assert.near(0, first:abs():max():item(), 1e-12)
    assert.near(0, second:abs():max():item(), 1e-12)
  end)

  it('names what makes a tangent no number', function()
    local ok, said = pcall(metann.detect_anomaly, function()
      return func.jvp(function(t) return t:reciprocal() * 2 end, vector{ 1e-200 }, vector{ 1 })
    end)
    assert.is_false(ok)
    assert.truthy(tostring(said):find('detect_anomaly: the tangent of output 1 of reciprocal has inf', 1, true), said)
  end)

  it('nest and mix', function()
    -- the derivative of the derivative of x^4 along 1: 12 x^2
    local function slope(x)
      local _, t = func.jvp(function(u) return u ^ 4 end, x, vector(1))
      return t
    end
    local _, second = func.jvp(slope, vector(2), vector(1))
    assert.equal(48, second:item())
    assert.equal(48, func.grad(slope)(vector(2)):item())
    local x = leaf(2)
    assert.equal(48, metann.grad(slope(x), x):item())
    local _, pull = func.vjp(function(u) return u ^ 3 end, x)
    assert.equal(12, metann.grad(pull(vector(1)), x):item())
    local c = leaf(2)
    local _, back = func.vjp(function(u) return u ^ 3 end, vector(2))
    assert.equal(12, metann.grad(back(c), c):item())
  end)

  it('say what is wrong', function()
    local x = vector{ 1, 2 }
    local function square(t) return t * t end
    fails("vjp: 'primals' must be a tensor or a list of arguments, got number 3", func.vjp, square, 3)
    fails("vjp: 'primals' holds no float tensor", func.vjp, square, { 1 })
    fails('jvp: tangents%[1%] must have size %(2%), got %(1%)', func.jvp, square, x, vector{ 1 })
    fails('jvp: tangents%[1%]%.w must have size %(2%), got %(1%)', func.jvp, square, { w = x }, { w = vector{ 1 } })
    fails("jvp: 'tangents' must be a tensor or a table", func.jvp, square, x)
    local _, pull = func.vjp(square, x)
    fails('vjp: the cotangent must be a tensor, got nil', pull)
    fails('vjp: cotangents must have size %(2%), got %(%)', pull, vector(1))
    fails('vjp: cotangents must have a float dtype, got int64', pull, metann.tensor{ 1LL, 2LL })
    fails("vjp: unknown option 'aux'; known are has_aux", func.vjp, square, x, { aux = true })
  end)
end)

describe('func.jacobian, hessian and hvp', function()
  local function fn(x) return metann.stack{ x[1] * x[2], x[2]:exp(), x[1] ^ 2 } end
  local x = { 2, 0.5 }

  it('give matrices', function()
    local j = func.jacobian(fn)(vector(x))
    assert.same({ 3, 2 }, j.shape)
    assert.is_false(j.requires_grad)
    local want = { { 0.5, 2 }, { 0, math.exp(0.5) }, { 4, 0 } }
    for i = 1, 3 do
      for k = 1, 2 do assert.near(want[i][k], j:to_table()[i][k], 1e-12) end
    end
    assert.same(j:to_table(), func.jacobian(fn, vector(x)):to_table())
    -- f = x1^3 x2: second derivatives 6 x1 x2, 3 x1^2, 0
    local function cubic(t) return t[1] ^ 3 * t[2] end
    assert.same({ { 6, 12 }, { 12, 0 } }, func.hessian(cubic)(vector(x)):to_table())
    assert.same({ { 6, 12 }, { 12, 0 } }, func.hessian(cubic, vector(x)):to_table())
    assert.same({ 6 * 1 + 12 * 10, 12 * 1 }, func.hvp(cubic, vector(x), vector{ 1, 10 }):to_table())
    local product, value = func.hvp(cubic, vector(x), vector{ 1, 0 })
    assert.same({ 6, 12 }, product:to_table())
    assert.equal(4, value:item())
  end)

  it('have the shapes of values and arguments', function()
    local a, b = metann.randn(2, 3, { dtype = 'float64' }), metann.randn(3, 4, { dtype = 'float64' })
    local j = func.jacobian(function(p, q) return { y = p:matmul(q), s = p:sum() } end, { argnums = { 1, 2 } })(a, b)
    assert.same({ 2, 4, 2, 3 }, j.y[1].shape)
    assert.same({ 2, 4, 3, 4 }, j.y[2].shape)
    assert.same({ 2, 3 }, j.s[1].shape)
    -- d y[2][3] / d p[2][1] = q[1][3]; nothing to p[1]
    assert.equal(b[1][3]:item(), j.y[1][2][3][2][1]:item())
    assert.equal(0, j.y[1][2][3][1][1]:item())
    assert.equal(0, j.s[2]:abs():sum():item())
    local whole = func.jacobian(function(p, q) return p:matmul(q) end, { a, b })
    assert.same({ 2, 4, 3, 4 }, whole[2].shape)
  end)

  it('mix the tensors of tables', function()
    local p = { u = vector{ 1, 2 }, v = vector(3) }
    local function f(t) return (t.u ^ 2 * t.v):sum() end
    local h = func.hessian(f)(p)
    assert.same({ { 6, 0 }, { 0, 6 } }, h.u.u:to_table())
    assert.same({ 2, 4 }, h.u.v:to_table())
    assert.same({ 2, 4 }, h.v.u:to_table())
    assert.equal(0, h.v.v:item())
    local product = func.hvp(f, p, { u = vector{ 1, 1 }, v = vector(10) })
    assert.same({ 6 + 20, 6 + 40 }, product.u:to_table())
    assert.equal(2 + 4, product.v:item())
    h = func.hessian(function(a, b) return a ^ 2 * b end, { vector(2), vector(5) })
    assert.equal(10, h[1][1]:item())
    assert.equal(4, h[1][2]:item())
  end)

  it('are differentiable: the gradient of a Hessian', function()
    local y = leaf{ 1, 2 }
    local h = func.hessian(function(t) return (t ^ 4):sum() end)(y)
    assert.same({ 24, 48 }, metann.grad(h:sum(), y):to_table())
    local product = func.hvp(function(t) return (t ^ 4):sum() end, y, vector{ 1, 1 })
    assert.same({ 24, 48 }, metann.grad(product:sum(), y):to_table())
  end)

  it('work on networks: parameters by name', function()
    local net = metann.nn.Sequential(metann.nn.Linear(2, 3), metann.nn.Tanh(), metann.nn.Linear(3, 1)):to('float64')
    local proto, params = metann.ProtoModule(net), {}
    for name, p in net:named_parameters() do params[name] = p:detach() end
    local input = metann.randn(4, 2, { dtype = 'float64' })
    local function loss(ps) return proto:functional(ps)(input):square():mean() end
    local g = func.grad(loss)(params)
    net(input):square():mean():backward()
    for name, p in net:named_parameters() do
      local want, got = p.grad:to_flat_table(), g[name]:to_flat_table()
      for i = 1, #want do assert.near(want[i], got[i], 1e-12) end
    end
  end)

  it('say what is wrong', function()
    fails('hessian: expected a function, got number 3', func.hessian, 3)
    fails('hvp: the function must return a 0%-dim tensor', func.hvp, fn, vector(x), vector{ 1, 1 })
    fails('must return a 0%-dim tensor', func.hessian(fn), vector(x))
    fails("unknown option 'has_aux'", func.hessian, fn, { has_aux = true })
    fails('jacobian: the function must return a float tensor or a table of them, got nil',
      func.jacobian(function() end), vector(x))
  end)
end)

describe('func.jacfwd and func.jacrev', function()
  local function fn(t) return metann.stack{ t[1] * t[2], t[1] ^ 2, t:sum() } end

  it('are the Jacobian, from either side', function()
    for _, what in ipairs{ 'jacfwd', 'jacrev' } do
      local x = vector{ 3, 5 }
      assert.same({ { 5, 3 }, { 6, 0 }, { 1, 1 } }, func[what](fn)(x):to_table())
      assert.same({ { 5, 3 }, { 6, 0 }, { 1, 1 } }, func[what](fn, x):to_table())
      assert.same({ 3, 2 }, func[what](fn)(x).shape)
      -- of a table, with what goes beside it, and the derivative of that
      local both, aux = func[what](function(p, n) return p.a * p.b ^ n, 'beside' end, { has_aux = true })(
        { a = vector(2), b = vector(3) }, 2)
      assert.equal('beside', aux)
      assert.equal(9, both.a:item())
      assert.equal(12, both.b:item())
      local y = leaf{ 3, 5 }
      assert.same({ 2, 0 }, metann.grad(func[what](fn)(y)[2]:sum(), y):to_table())
    end
  end)

  it('agree with derivatives written in Lua in between', function()
    local square = metann.autograd.Function{
      forward = function(context, t) context:save_for_backward(t) return t * t end,
      backward = function(context, g) return 2 * g * context:saved_tensors() end,
    }
    assert.same({ { 6, 0 }, { 0, 10 } }, func.jacfwd(square)(vector{ 3, 5 }):to_table())
  end)

  it('say their own name', function()
    fails('jacfwd: expected a function, got number 1', func.jacfwd, 1)
    fails("jacrev: 'argnums' has 0, but arguments count from 1", func.jacrev, fn, 0)
    fails('jacfwd: argument 1 must be a float tensor or a table of them', function() func.jacfwd(fn)(2) end)
  end)
end)

describe('func.functional_call', function()
  local nn = metann.nn

  it('runs a module with other parameters and leaves it as it is', function()
    local net = nn.Sequential(nn.Linear(2, 1), nn.BatchNorm1d(1))
    local before = {}
    for name, t in net:named_buffers() do before[name] = t:clone() end
    local x, w = metann.tensor{ { 1, 2 }, { 3, 4 } }, metann.ones(1, 2):requires_grad_(true)
    local function call() return func.functional_call(net[1], { weight = w, bias = metann.zeros(1) }, x) end
    assert.same({ { 3 }, { 7 } }, call():to_table())
    assert.same({ { 4, 6 } }, metann.grad(call():sum(), w):to_table())
    func.functional_call(net, { ['1.weight'] = w }, x)
    for name, t in net:named_buffers() do assert.is_true(t:equal(before[name]), name) end
  end)

  it('says what is wrong', function()
    fails("functional_call: 'module' must be a module, got number 1", func.functional_call, 1)
    fails("'wieght'", func.functional_call, nn.Linear(2, 1), { wieght = metann.ones(1, 2) }, metann.ones(1, 2))
  end)
end)
