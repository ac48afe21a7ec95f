-- What long runs need: no recursion however long the graph, memory that stays where it is, and a way to stop.
local ffi = require 'ffi'
local live = require 'tests.support.live'
local metann = require 'metann'
local nn, meta = metann.nn, metann.meta

--- Runs fn on a stack of its own, so that no slot of this one keeps what fn made.
local function apart(fn) coroutine.wrap(fn)() end

local function resident_pages()
  local file = assert(io.open('/proc/self/statm'))
  local pages = tonumber(file:read('*l'):match('^%d+ (%d+)'))
  file:close()
  return pages
end

describe('a long chain', function()
  it('of a million additions runs forward and backward and is freed without recursion', function()
    local before = live()
    local n = 1000000
    apart(function()
      local x = metann.tensor(1, { requires_grad = true })
      local t = x
      for _ = 1, n do t = t + 1 end
      assert.are.equal(n + 1, t:item())
      t:backward()
      assert.are.equal(1, x.grad:item())
    end)
    assert.are.same(before, live())
  end)

  it('is freed as well when it was never differentiated', function()
    local before = live()
    apart(function()
      local t = metann.tensor(1, { requires_grad = true })
      for _ = 1, 500000 do t = t * 1 end
    end)
    assert.are.same(before, live())
  end)
end)

describe('ten thousand meta-steps', function()
  it('hold memory flat without a collectgarbage in the script', function()
    local before = live()
    local function run()
      local net = nn.Sequential(nn.Linear(1, 10), nn.ReLU(), nn.Linear(10, 1))
      local function mse(model, d) return nn.functional.mse_loss(model(d[1]), d[2]) end
      local maml = meta.MAML(net, { steps_train = 1, steps_eval = 1, lr = 0.01, evaluator = mse })
      local optimizer = metann.optim.Adam(net:parameters(), { lr = 1e-3 })
      local total = 10000
      local warm
      for step = 1, total do
        local support, query = { metann.randn(5, 1), metann.randn(5, 1) }, { metann.randn(5, 1), metann.randn(5, 1) }
        optimizer:zero_grad()
        mse(maml(support), query):backward()
        optimizer:step()
        if step == total / 5 then warm = resident_pages() end
      end
      local pages = resident_pages()
      assert.is_true(pages <= 1.05 * warm, ('%d pages after warming up, %d at the end'):format(warm, pages))
    end
    apart(run)
    assert.are.same(before, live())
  end)
end)

describe('twenty thousand steps', function()
  it('with a Function, hooks and a checkpoint hold memory, nodes and what Lua keeps for them flat', function()
    local before = live()
    local function run()
      local Square = metann.autograd.Function{
        forward = function(context, x)
          context.exponent = 2
          context:save_for_backward(x)
          return x * x
        end,
        backward = function(context, g) return g * context.exponent * context:saved_tensors() end,
      }
      local w = metann.randn(4, 4, { requires_grad = true })
      local calls = 0
      w:register_hook(function(g)
        calls = calls + 1
        return g * 0.5
      end)
      local x = metann.randn(3, 4)
      local total = 20000
      local warm, lua_warm
      for step = 1, total do
        local h = x:matmul(w)
        local hook = h:register_hook(function(g) return g:clamp(-1, 1) end)
        local y = Square(metann.checkpoint(function(t) return t:tanh() * w[1] end, h)):sum()
        if step % 3 == 0 then
          metann.grad(metann.grad(y, w, { create_graph = true }):sum(), w)
        elseif step % 3 == 1 then
          y:backward()
          w.grad = nil
        end
        if step % 2 == 0 then hook:remove() end
        if step == total / 4 then
          collectgarbage()
          warm, lua_warm = resident_pages(), collectgarbage('count')
        end
      end
      collectgarbage()
      assert.is_true(calls >= total / 3)
      local pages, lua = resident_pages(), collectgarbage('count')
      assert.is_true(pages <= 1.05 * warm, ('%d pages after warming up, %d at the end'):format(warm, pages))
      assert.is_true(lua <= 1.1 * lua_warm + 200, ('%d KiB of Lua after warming up, %d at the end'):format(lua_warm, lua))
    end
    apart(run)
    assert.are.same(before, live())
  end)
end)

describe('interruption', function()
  ffi.cdef 'int raise(int signum);'
  local SIGALRM = 14

  --- Runs fn; it must end by the error 'interrupted'.
  local function interrupted(fn)
    local ok, message = pcall(fn)
    assert.is_false(ok)
    assert.is_truthy(tostring(message):find('interrupted', 1, true), message)
  end

  it('by a signal stops the next operation of a compiled loop and leaves everything usable', function()
    local before = live()
    apart(function()
      local x = metann.randn(8, 8)
      local done = 0
      metann.interrupt_on_signal(SIGALRM)
      interrupted(function()
        local y = x
        while done < 20000 do
          if done == 10000 then ffi.C.raise(SIGALRM) end
          y = (y + x):tanh()
          done = done + 1
        end
      end)
      metann.interrupt_on_signal(0)
      assert.are.equal(10000, done)
      assert.are.equal(8, (x + 1):size(1))
    end)
    assert.are.same(before, live())
  end)

  it('stops a backward walk; no gradient is written', function()
    local x = metann.tensor(1, { requires_grad = true })
    local t = x
    for _ = 1, 1000 do t = t + 1 end
    metann.interrupt()
    interrupted(function() t:backward() end)
    assert.is_nil(x.grad)
    t:backward()
    assert.are.equal(1, x.grad:item())
  end)

  it('stops a walk between its nodes: none runs after it, also where derivatives call no operation', function()
    local before = live()
    apart(function()
      local runs = 0
      local Step = metann.autograd.Function{
        forward = function(_, t) return t * 1 end,
        backward = function(_, g)
          runs = runs + 1
          if runs == 7 then metann.interrupt() end
          return g
        end,
      }
      local x = metann.tensor(1, { requires_grad = true })
      local t = x
      for _ = 1, 20 do t = Step(t) end
      interrupted(function() t:backward() end)
      assert.are.equal(7, runs)
      assert.is_nil(x.grad)
      local y = x -- of a clone the derivative is the cotangent itself
      for _ = 1, 20 do y = y:clone() end
      local hook = y:register_hook(function() metann.interrupt() end)
      interrupted(function() metann.grad(y, x, { retain_graph = true }) end)
      hook:remove()
      assert.are.equal(1, metann.grad(y, x):item())
    end)
    assert.are.same(before, live())
  end)
end)
