-- checkpoint and detect_anomaly. Derivatives against those of the same function called plainly, and differences.
local metann = require 'metann'
local live = require 'tests.support.live'
local checks = require 'tests.support.checks'
local nn = metann.nn

local fails = checks.fails

local function random(size) return metann.randn(size, { dtype = 'float64', requires_grad = true }) end

local function apart(fn) coroutine.wrap(fn)() end

local function near(want, got)
  want, got = want:to_flat_table(), got:to_flat_table()
  assert.equal(#want, #got)
  for i = 1, #want do assert.near(want[i], got[i], 1e-12 * (1 + math.abs(want[i]))) end
end

--- Gradients of orders 1 and 2 of the sum of fn's results with respect to inputs.
local function two_orders(fn, inputs)
  local total = 0
  for i, y in ipairs{ fn() } do total = total + (y * i):sum() end
  local first = metann.grad(total, inputs, { create_graph = true })
  local dot = 0
  for i, g in ipairs(first) do dot = dot + (g * g * i):sum() end
  local second = metann.grad(dot, inputs)
  for _, g in ipairs(second) do first[#first + 1] = g end
  return first
end

describe('checkpoint', function()
  metann.manual_seed(31)

  it('gives the values and gradients of a plain call, for arguments and what the function captured', function()
    local w, b, x = random{ 3, 4 }, random(4), random{ 2, 3 }
    local function layer(t) return (t:matmul(w) + b):tanh(), t * 2 end
    local plain = two_orders(function() return layer(x) end, { x, w, b })
    local kept = two_orders(function() return metann.checkpoint(layer, x) end, { x, w, b })
    for i = 1, #plain do near(plain[i], kept[i]) end
    near((layer(x)), (metann.checkpoint(layer, x)))
    assert.equal('checkpoint', metann.checkpoint(layer, x).grad_fn)
    metann.checkpoint(layer, x):sum():backward()
    near(metann.grad(layer(x):sum(), w), w.grad)
  end)

  it('is right where arguments and captured tensors depend on each other', function()
    -- Partial derivatives only may come back from the inside: the outside adds what leads from one input to another.
    local x = random(3)
    local function function_of(call)
      return function()
        local a = x:sin()
        local b = a * x
        local c = (a + b):exp()
        return call(function(p, q) return p * q * c + p * p * x, q:tanh() * b end, a, b)
      end
    end
    local plain = two_orders(function_of(function(fn, ...) return fn(...) end), { x })
    local kept = two_orders(function_of(metann.checkpoint), { x })
    near(plain[1], kept[1])
    near(plain[2], kept[2])
  end)

  it('is differentiable to any order: 1 to 3 against differences', function()
    local function product(a, b) return a * b end
    local function fn(x, w)
      return metann.checkpoint(function(t) return (t * w):tanh() * t end, x), metann.checkpoint(product, x, x)
    end
    assert.is_true(metann.gradcheck(fn, { random(2), random(2) }, { order = 3 }))
  end)

  it('nests, chains, and holds gradients of its own inside', function()
    local w, x = random(3), random(3)
    -- an inner step of gradient descent, as in meta-learning
    local function adapted(t)
      local u = w * 1
      local loss = ((u * t) ^ 3):sum()
      return u - 0.1 * metann.grad(loss, u, { create_graph = true })
    end
    local function net(call)
      return function()
        local h = call(function(t) return call(function(s) return (s * w):sin() end, t) + t end, x)
        return call(adapted, h)
      end
    end
    local plain = two_orders(net(function(fn, ...) return fn(...) end), { x, w })
    local kept = two_orders(net(metann.checkpoint), { x, w })
    for i = 1, #plain do near(plain[i], kept[i]) end
  end)

  it('takes and returns nested tables and other values', function()
    local x, y = random(2), random(2)
    local label, result = metann.checkpoint(function(t, name)
      return name, { product = t.a * t.b, list = { t.a:detach(), 7 } }
    end, { a = x, b = y }, 'name')
    assert.equal('name', label)
    assert.equal(7, result.list[2])
    assert.is_false(result.list[1].requires_grad)
    near(y, metann.grad(result.product:sum(), x))
  end)

  it('draws the same random numbers in both runs, and none from those after it', function()
    local x = random(200)
    local function drop(t) return t:dropout(0.5) * 3 end
    metann.manual_seed(5)
    local plain = drop(x)
    local after = metann.rand(3)
    local want = metann.grad(plain:sum(), x)
    metann.manual_seed(5)
    local y = metann.checkpoint(drop, x)
    near(plain, y)
    assert.same(after:to_table(), metann.rand(3):to_table())
    local before = metann.get_rng_state()
    near(want, metann.grad(y:sum(), x))
    assert.same(before, metann.get_rng_state())
  end)

  it('can be recorded: in a rerun, too, both runs draw the same numbers', function()
    local record = require 'metann.binding.record'
    local x = random(50)
    local mask -- dropout's factor for each element is its derivative
    local rows, g = record.run(function()
      metann.rand(7)
      return metann.grad(metann.checkpoint(function(t)
        local y = t:dropout(0.5)
        mask = y:id()
        return y
      end, x):sum(), x)
    end)
    local counters = {}
    for _, row in ipairs(rows) do counters[#counters + 1] = row.counter end
    assert.same({ 0, 8, 8 }, counters) -- rand, and twice dropout
    metann.manual_seed(99)
    local state = metann.get_rng_state()
    local ones = metann.ones(50, { dtype = 'float64' })
    local env = { [x:id()] = ones }
    metann.no_grad(function()
      for _, row in ipairs(rows) do
        local inputs = {}
        for k, ref in ipairs(row.inputs) do inputs[k] = ref and env[ref.tensor] end
        for k, t in ipairs(record.apply(row, inputs, state)) do env[row.outputs[k].tensor] = t end
      end
    end)
    near(env[mask], env[g:id()])
    assert.is_true(env[mask]:sum():item() > 0)
  end)

  it('is a plain call without gradients', function()
    local x, calls = random(2), 0
    local function fn(t)
      calls = calls + 1
      return t * 2
    end
    metann.no_grad(function() assert.is_false(metann.checkpoint(fn, x).requires_grad) end)
    local y = metann.checkpoint(fn, x:detach())
    assert.is_false(y.requires_grad)
    assert.equal(2, calls)
  end)

  it('trains modules: gradients of parameters and buffers stay right', function()
    local net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    local x = metann.randn(5, 4)
    net(x):square():sum():backward()
    local want = {}
    for _, p in net:named_parameters() do want[#want + 1] = p.grad end
    net:zero_grad()
    metann.checkpoint(net, x):square():sum():backward()
    local i = 0
    for _, p in net:named_parameters() do
      i = i + 1
      for k, v in ipairs(want[i]:to_flat_table()) do assert.near(v, p.grad:to_flat_table()[k], 1e-5) end
    end
  end)

  it('lowers the peak of memory', function()
    local function peak(call)
      local answer
      apart(function()
        local x = metann.randn(64, 256, { requires_grad = true })
        local w = metann.randn(256, 256) * 0.05
        collectgarbage()
        local start = metann.memory().live_bytes
        local largest = 0
        local function block(t)
          for _ = 1, 8 do t = t:matmul(w):tanh() end
          return t
        end
        metann.scope(function()
          local h = x
          for _ = 1, 8 do
            h = call(block, h)
            largest = math.max(largest, metann.memory().live_bytes)
          end
          local tail = h * 1
          tail:register_hook(function() largest = math.max(largest, metann.memory().live_bytes) end)
          tail:sum():backward()
        end)
        answer = largest - start
      end)
      live()
      return answer
    end
    local plain, kept = peak(function(fn, ...) return fn(...) end), peak(metann.checkpoint)
    -- 64 x 256 floats are 64 KiB; 8 blocks of 8 steps keep 64 to 128 of them, checkpoints 8
    assert(plain >= 64 * 65536, plain)
    assert(kept <= 12 * 65536, kept)
  end)

  it('says what is wrong, and leaves everything usable', function()
    local x, w = random(2), random(2)
    fails('checkpoint: expected a function, got nil', metann.checkpoint, nil, x)
    fails('inside', metann.checkpoint, function() error('inside') end, x)
    local times = 0
    local function unsteady(...)
      local results = { ... }
      return function(t)
        times = times + 1
        return results[times](t)
      end
    end
    local function twice(...)
      times = 0
      metann.grad(metann.checkpoint(unsteady(...), x):sum(), x)
    end
    local function double(t) return t * 2 end
    fails('oh', twice, double, function() error('oh') end)
    fails('run again, the function gave 0 results', twice, double, function() end)
    fails('run again, the function gave result 1 another size', twice, double, function(t) return t:sum() end)
    fails('run again, the function depended on other tensors', twice, double, function(t) return t * w end)
    local y = metann.checkpoint(function(t) return t * w end, x)
    metann.no_grad(function() w:add_(1) end)
    fails('a tensor that checkpoint saved for its derivative has been changed in place', metann.grad, y:sum(), x)
    assert.is_true(metann.is_grad_enabled())
    near(w, metann.grad(metann.checkpoint(function(t) return t * w end, x):sum(), x))
  end)

  it('leaks nothing', function()
    local before = live()
    apart(function()
      local w = random(3)
      for i = 1, 20 do
        local x = random(3)
        local y = metann.checkpoint(function(t) return (t * w):tanh() end, x)
        if i % 2 == 0 then metann.grad(metann.grad(y:sum(), x, { create_graph = true }):sum(), { x, w }) end
        if i % 5 == 0 then pcall(metann.checkpoint, function() error('no') end, x) end
      end
    end)
    assert.same(before, live())
  end)
end)

describe('detect_anomaly', function()
  local function leaf(x) return metann.tensor(x, { requires_grad = true, dtype = 'float64' }) end
  local function line() return debug.getinfo(2, 'l').currentline end

  it('passes what is finite, with its results', function()
    local x = leaf{ 1, 2 }
    local a, b, c = metann.detect_anomaly(function(n)
      local y = (x * n):log()
      y:add_(1)
      local z = metann.cat{ y, y:float():double() }:sum()
      z:backward()
      return z, nil, 'end'
    end, 3)
    assert.near(2 * (math.log(3) + math.log(6) + 2), a:item(), 1e-6)
    assert.is_nil(b)
    assert.equal('end', c)
    assert.same({ 2, 1 }, x.grad:to_table())
  end)

  it('names the op and the line of the first result that has NaN or an infinity', function()
    local at
    local ok, message = pcall(metann.detect_anomaly, function()
      local x = leaf{ 1, -1 }
      at = line() + 1
      local y = x:log()
      return y:exp()
    end)
    assert.is_false(ok)
    assert.truthy(message:find('checkpoint_spec.lua:' .. at .. ': detect_anomaly: the result of log has nan', 1, true),
      message)
    fails('the result of div has inf', metann.detect_anomaly, function() return metann.ones(2) / 0 end)
    fails('the result of exp has inf', metann.detect_anomaly, function() return metann.full({ 2 }, 1000):exp_() end)
    fails('the result of mul has nan', metann.detect_anomaly, function() return metann.tensor(0 / 0) * 2 end)
    fails('the result of cat has nan', metann.detect_anomaly, function()
      return metann.cat{ metann.ones(1), metann.tensor{ 0 / 0 } }
    end)
    fails('the result of linear has inf', metann.detect_anomaly, function()
      local big = metann.full({ 2, 2 }, 1e30)
      return nn.functional.linear(big, big)
    end)
    fails('the result of cast has inf', metann.detect_anomaly, function() return metann.full({ 2 }, 1e6):half() end)
  end)

  it('needs no memory of its own: where the result fits, its NaN is found', function()
    local t = metann.full({ 1e5 }, -1)
    local before = metann.memory()
    local seen = {}
    for room = 0, 65536, 512 do -- beside the 400,000 bytes of the result (blocks come in steps of 32 KiB)
      collectgarbage()
      metann.set_memory_limit(metann.memory().live_bytes + 4e5 + room)
      local ok, message = pcall(metann.detect_anomaly, t.log, t)
      metann.set_memory_limit(before.limit_bytes)
      assert.is_false(ok)
      seen[#seen + 1] = message:match('result of log has nan') or message:match('out of memory') or message
    end
    assert.equal('out of memory', seen[1])
    assert.equal('result of log has nan', seen[#seen])
    for i = 2, #seen do assert.truthy(seen[i] == seen[1] or seen[i] == seen[#seen], seen[i]) end
  end)

  it('leaves infinities alone that were given', function()
    metann.detect_anomaly(function()
      local mask = metann.full({ 2, 2 }, -math.huge)
      local scores = metann.zeros(2, 2):masked_fill(metann.eye(2):bool(), -math.huge)
      assert.same({ { 0, 1 }, { 1, 0 } }, scores:softmax(2):to_table())
      assert.equal(-math.huge, (mask + 1)[1][1]:item())
    end)
  end)

  it('names the op whose derivative is bad, and the line where that was called', function()
    local at
    local function loss()
      local x = leaf{ 1e-320, 1 }
      local z = x * 1
      at = line() + 1
      local y = z:log()
      return y:sum()
    end
    local ok, message = pcall(metann.detect_anomaly, function()
      local value = loss()
      value:backward()
    end)
    assert.is_false(ok)
    assert.truthy(message:find('the derivative of log for its input 1 has inf, called at tests/spec/checkpoint_spec.lua:' .. at,
      1, true), message)
    local outside = loss()
    fails('the derivative of log .* called outside detect_anomaly', metann.detect_anomaly, function() outside:backward() end)
    -- a second derivative: 1e-200 is small enough for 1 / x^2 to overflow, and not for 1 / x
    fails('called at tests/spec/checkpoint_spec.lua', metann.detect_anomaly, function()
      local x = leaf(1e-200)
      local first = metann.grad(x:log(), x, { create_graph = true })
      metann.grad(first, x)
    end)
    local Bad = metann.autograd.Function{
      name = 'Bad', forward = function(_, t) return t * 1 end,
      backward = function(_, g) return g:new_tensor{ 0 / 0 } end,
    }
    fails('the derivative of Bad for its input 1 has nan', metann.detect_anomaly, function() Bad(leaf{ 1 }):sum():backward() end)
  end)

  it('is put back on return, error and yield, and nests', function()
    local function bad() return metann.ones(1) / 0 end
    fails('inf', metann.detect_anomaly, bad)
    assert.equal(math.huge, bad():item())
    metann.detect_anomaly(function()
      metann.detect_anomaly(function() end)
      fails('inf', bad)
    end)
    local co = coroutine.wrap(function()
      metann.detect_anomaly(function()
        coroutine.yield()
        bad()
      end)
    end)
    co()
    assert.equal(math.huge, bad():item())
    assert.has_error(co)
    assert.equal(math.huge, bad():item())
    fails('detect_anomaly: expected a function', metann.detect_anomaly, 3)
  end)

  it('works with tensors that are garbage in the way, and in compiled loops', function()
    local ok, message = pcall(metann.detect_anomaly, function()
      local x = metann.ones(4)
      for i = 1, 200 do
        x = x * 1.5
        if i == 150 then x = x / 0 end
      end
    end)
    assert.is_false(ok)
    assert.truthy(message:find('the result of div has inf'), message)
    metann.detect_anomaly(function()
      local w = leaf{ 1, 2 }
      local t = w * 1
      t:view(2, 1) -- garbage soon
      t:add_(1)
      assert.same({ 2, 3 }, t:to_table())
    end)
  end)
end)
