-- The backward walk: which nodes it visits, sums that don't depend on memory, what .grad may be.
local metann = require 'metann'
local live = require 'tests.support.live'
local checks = require 'tests.support.checks'
local nn, meta = metann.nn, metann.meta

local fails = checks.fails

local function leaf(x) return metann.tensor(x, { requires_grad = true, dtype = 'float64' }) end

--- How many nodes fn's walks visit.
local function visited(fn)
  local before = metann.memory().visited_nodes
  fn()
  return metann.memory().visited_nodes - before
end

--- h after n multiplications of a leaf.
local function chain(n)
  local h = leaf{ 1, 2 }
  for _ = 1, n do h = h * 1 end
  return h
end

describe('nodes that are older than every input', function()
  it('are not visited by grad: not for tensors inside the graph, nor for leaves that were first used later', function()
    for _, n in ipairs{ 10, 5000 } do
      local h = chain(n)
      assert.equal(3, visited(function() metann.grad((h * h):sum(), h) end)) -- sum, mul, h's
      local late = leaf{ 3, 4 }
      local early = metann.grad((h * late):sum(), late)
      assert.same({ 1, 2 }, early:to_table())
      local asked = metann.tensor({ 5, 6 }, { dtype = 'float64' })
      h = h * 1
      asked:requires_grad_(true)
      assert.equal(2, visited(function() metann.grad((h * asked):sum(), asked) end))
      -- one that nothing has used leads nowhere
      assert.equal(1, visited(function()
        assert.is_false(metann.grad((h * 2):sum(), leaf{ 1, 2 }, { allow_unused = true }))
      end))
    end
  end)

  it('are visited where an input is behind them', function()
    local x = leaf{ 1, 2 }
    local h = x * 3
    for _ = 1, 20 do h = h * 1 end
    local late = h * 2
    local g = metann.grad((late * late):sum(), { late, x, h })
    assert.same({ 12, 24 }, g[1]:to_table())
    assert.same({ 2 * 36 * 1, 2 * 36 * 2 }, g[2]:to_table())
    assert.same({ 24, 48 }, g[3]:to_table())
    -- a leaf whose use is old, asked for after it was made a constant and a leaf again
    local y = leaf{ 5 }
    local old = y * 2
    for _ = 1, 5 do old = old * 1 end
    y:requires_grad_(false)
    y:requires_grad_(true)
    assert.same({ 2 + 3 }, metann.grad((old + y * 3):sum(), y):to_table())
  end)

  it('make no difference: random graphs against sums over their paths', function()
    local seed = tonumber(os.getenv 'METANN_TEST_SEED') or 20260101
    local state = seed % 2147483647 + 1
    local function draw(n)
      state = state * 48271 % 2147483647
      return state % n + 1
    end
    for round = 1, 200 do
      -- entries {tensor, of = {number of an input = factor}}; leaves come in between
      local made = { { leaf(1) }, { leaf(2) } }
      for i = 3, 30 do
        if draw(6) == 1 then
          made[i] = { leaf(i) }
        else
          local a, b, p, q = draw(i - 1), draw(i - 1), draw(5), draw(5)
          made[i] = { made[a][1] * p + made[b][1] * q, of = { [a] = p } }
          made[i].of[b] = (made[i].of[b] or 0) + q
        end
      end
      local start = 24 + draw(6)
      local inputs, places, want = {}, {}, {}
      for k = 1, draw(4) do
        places[k] = draw(30)
        inputs[k] = made[places[k]][1]
      end
      want[start] = 1
      for i = start, 1, -1 do
        for k, factor in pairs(want[i] and made[i].of or {}) do want[k] = (want[k] or 0) + want[i] * factor end
      end
      local got = metann.grad(made[start][1], inputs, { allow_unused = true, retain_graph = true })
      for k, place in ipairs(places) do
        assert.equal(want[place] or false, got[k] and got[k]:item(), ('seed %d, round %d'):format(seed, round))
      end
    end
  end)

  it('are not visited by transforms of functions, checkpoints, and second derivatives of what is new', function()
    local counts = {}
    for i, n in ipairs{ 10, 3000 } do
      local h = chain(n)
      counts[i] = table.concat({
        visited(function() metann.func.grad(function(t) return (t * h):sum() end)(leaf{ 1, 1 }) end),
        visited(function() metann.func.hvp(function(t) return (t * t * h):sum() end, h, metann.ones_like(h)) end),
        visited(function() metann.func.jacobian(function(t) return t * h end)(h) end),
        visited(function()
          local late = h * 2
          metann.grad(metann.checkpoint(function(t) return t * h end, late):sum(), late)
        end),
        visited(function()
          local late = h * 2
          local g = metann.grad((late ^ 3):sum(), late, { create_graph = true })
          metann.grad(g:sum(), late)
        end),
      }, ' ')
    end
    assert.equal(counts[1], counts[2])
  end)

  it('make no step of an inner loop longer than the one before', function()
    local function mse(model, data) return ((model(data[1]) - data[2]) ^ 2):mean() end
    local data = { metann.randn(4, 3), metann.randn(4, 2) }
    local net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
    local Unused = nn.class('Unused') -- a parameter that no loss needs must not be looked for in all that is old
    function Unused:init() self.used, self.unused = net, nn.Linear(2, 2) end
    function Unused:forward(x) return self.used(x) end
    local function checkpointed(model, d) return ((metann.checkpoint(model, d[1]) - d[2]) ^ 2):mean() end
    local learners = {
      GDLearner = function(n) return meta.GDLearner(n, 0.01, true, mse) end,
      ['first order'] = function(n) return meta.GDLearner(n, 0.01, false, mse) end,
      RMSPropLearner = function(n) return meta.RMSPropLearner{ steps = n, evaluator = mse } end,
      Adam = function(n) return meta.OptimizerLearner('Adam', { steps = n, evaluator = mse }) end,
      checkpoint = function(n) return meta.GDLearner(n, 0.01, true, checkpointed) end,
    }
    local heads = Unused() -- and one that other losses have needed before
    heads.unused(metann.randn(4, 2)):sum()
    for name, make in pairs(learners) do
      for _, model in ipairs{ net, Unused(), heads } do
        local function steps(n) return visited(function() make(n)(model, data) end) end
        local first, second, third = steps(10), steps(20), steps(60)
        assert.equal(second - first, (third - second) / 4, name)
      end
    end
  end)
end)

describe('a sum of gradients', function()
  it('is added up in one order, also where memory runs out in between', function()
    local n = 30000
    metann.manual_seed(3)
    local x = metann.randn(n, { requires_grad = true })
    -- Six parts of one gradient arrive together, for none of which there is room: they are put aside.
    local factor = metann.randn(6 * n)
    local function loss() return (metann.cat{ x, x, x, x, x, x } * factor):sum() end
    local want = metann.grad(loss(), x)
    local limit, ran, stopped = metann.memory().limit_bytes, 0, 0
    for room = 1, 40 do
      collectgarbage()
      collectgarbage()
      metann.empty_cache()
      local total = loss()
      metann.randn(8 * n) -- there until the collector is asked
      collectgarbage 'stop'
      metann.set_memory_limit(metann.memory().live_bytes + room * n)
      local ok, got = pcall(metann.grad, total, x)
      metann.set_memory_limit(limit)
      collectgarbage 'restart'
      if ok then
        ran = ran + 1
        assert.equal(0, got:ne(want):sum():item(), 'with room for ' .. room * n .. ' bytes')
      else
        stopped = stopped + 1
      end
    end
    assert.is_true(ran > 0 and ran + stopped == 40)
  end)
end)

describe('backward of one element', function()
  it('needs no gradient, whatever its size', function()
    for _, size in ipairs{ { 1 }, { 1, 1 }, { 1, 1, 1 } } do
      local x = metann.full(size, 3, { dtype = 'float64', requires_grad = true })
      local y = x * x
      y:backward()
      assert.same(size, x.grad.shape)
      assert.equal(6, x.grad:item())
      assert.equal(6, metann.grad(x * x, x):item())
    end
    fails('not a scalar', function() (leaf{ 1, 2 } * 2):backward() end)
    fails('not a scalar', function() (metann.zeros(0, { requires_grad = true }) * 2):backward() end)
  end)
end)

describe('a grad', function()
  it('leads back to no tensor that it belongs to', function()
    local a, b, c = leaf{ 1 }, leaf{ 2 }, leaf{ 3 }
    a.grad = b
    fails("grad: a tensor can't be its own gradient, by way of another one's", function() b.grad = a end)
    b.grad = c
    fails("grad: a tensor can't be its own gradient", function() c.grad = a end)
    assert.is_nil(c.grad)
    a.grad = nil
    c.grad = a
    assert.equal(1, c.grad:item())
  end)

  it('gets no history', function()
    local w = leaf{ 2, 3 }
    local loss = (w * w):sum()
    loss:backward()
    local g = w.grad
    fails("add_: a tensor's grad can't get a history; do it in no_grad", g.add_, g, w)
    fails("mul_: a tensor's grad", function() w.grad:mul_(w) end)
    assert.same({ 4, 6 }, g:to_table())
    metann.no_grad(function() g:add_(w) end)
    g:mul_(2) -- no history here
    assert.same({ 12, 18 }, w.grad:to_table())
    w.grad = nil
    g:add_(w) -- it is nobody's now
    assert.is_true(g.requires_grad)
  end)

  it('leaks nothing', function()
    local before = live()
    coroutine.wrap(function()
      for _ = 1, 20 do
        local a, b = leaf{ 1, 2 }, leaf{ 3, 4 }
        a.grad = b
        pcall(function() b.grad = a end)
        local loss = (a * a):sum()
        loss:backward()
        pcall(function() a.grad:add_(a) end)
      end
    end)()
    assert.same(before, live())
  end)
end)
