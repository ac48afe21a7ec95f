-- Code of the user's that runs in the middle of metann's own: finalizers and debug hooks that call it, hooks that raise
-- an error at any instruction, and finalizers at the end of the process. Each in a process of its own, compiled and
-- interpreted.
local scratch = require 'tests.support.scratch'

-- What the results must be is known without metann: sums, sizes and positions of small tensors.
local CALLS = [[
local ffi, metann = require 'ffi', require 'metann'
local x, zeros = metann.arange(6):view(2, 3), metann.zeros(2)
local function other_calls()
  local _ = x:sum(1), x:sum(), metann.cat{ zeros, zeros, zeros }, x:select(1, 1), metann.zeros(3), x:clamp(1, 2)
  _ = x:max(1), x + 7, metann.full({ 3 }, 2):sum():item(), x:view(3, 2), x:permute{ 2, 1 }, zeros:clone():add_(1)
  _ = metann.scope(function() return metann.scope(function() return x * 3 end) end)
end
local wrong = 0
local function check(right) if not right then wrong = wrong + 1 end end
local function calls(ones)
  check(x:sum(2):numel() == 2 and x:sum(2)[2]:item() == 12)
  check(metann.cat{ ones, ones }:numel() == 4)
  check((x + 3):sum():item() == 33)
  check(metann.zeros(4):numel() == 4)
  local v, i = x:max(2)
  check(v:numel() == 2 and v[1]:item() == 2 and i[1]:item() == 3)
  check(x:clamp(2, 3):sum():item() == 15)
  check(x:select(1, 2):sum():item() == 12)
  check(x:view(6)[6]:item() == 5 and x:permute{ 2, 1 }.shape[1] == 3)
  check(ones:clone():add_(4):sum():item() == 10)
  check(metann.scope(function() local a = x * 2 return a + 1 end):sum():item() == 36)
end
local function live()
  collectgarbage()
  collectgarbage()
  return metann.memory().live_tensors
end
]]

local FINALIZERS = CALLS .. [[
local function arm() ffi.gc(ffi.new 'char[1]', function() other_calls() arm() end) end
for _ = 1, 10 do arm() end
collectgarbage('setpause', 1)
collectgarbage('setstepmul', 100000)
local ones = metann.ones(2)
for _ = 1, tonumber(arg[1]) do
  local t = {}
  for k = 1, 20 do t[k] = { k } end
  calls(ones)
end
print(wrong, live() < 2000)
]]

local HOOKS = CALLS .. [[
calls(metann.ones(2))
local before = live()
debug.sethook(other_calls, '', tonumber(arg[2]))
local ones = metann.ones(2)
for _ = 1, tonumber(arg[1]) do calls(ones) end
debug.sethook()
ones = nil
print(wrong, live() - before)
]]

-- A training step with modes, scopes, an inner loop by hand and a derivative in Lua, ended by an error at some
-- instruction or other.
local RAISING = CALLS .. [[
local seed = tonumber(arg[2])
math.randomseed(seed)
local w = metann.randn(4, 4)
w:requires_grad_(true)
local Double = metann.autograd.Function{ name = 'Double',
  forward = function(_, a) return a * 2 end,
  backward = function(_, g) return g * 2 end,
}
local function step()
  metann.scope(function()
    local fast = w
    for _ = 1, 2 do
      local loss = (fast:matmul(fast) + 1):sum()
      fast = fast - 0.01 * metann.grad(loss, fast, { create_graph = true })
    end
    local norm = metann.no_grad(function() return metann.scope(function() return (fast * fast):sum() end) end)
    local y = metann.checkpoint(function(a) return (a * a):tanh() end, fast)
    metann.detect_anomaly(function() (Double(y):sum() + norm):backward() end)
  end)
end
local function in_coroutine()
  local co = coroutine.create(function() metann.enable_grad(function() coroutine.yield() step() metann.scope(coroutine.yield) end) end)
  while coroutine.status(co) ~= 'dead' do
    local ok, message = coroutine.resume(co)
    if not ok then error(message, 0) end
  end
end
step()
in_coroutine()
w.grad = nil
local handle, bad = require('metann.binding').handle, 0
local before, count = live(), tonumber(arg[1])
for i = 1, count do
  local fn = i % 4 == 0 and in_coroutine or step
  local ok, message = pcall(function()
    debug.sethook(function() debug.sethook() error('timeout', 0) end, '', math.random(1, 4000))
    fn()
    debug.sethook()
  end)
  w.grad = nil
  if not ok and message ~= 'timeout' then bad = bad + 1 print(message) end
  if not metann.is_grad_enabled() or handle.open_scope() or handle.C.mn_anomaly(handle.ctx) ~= 0 then
    bad = bad + 1
    metann.enable_grad(step)
    print('a mode stayed on', i)
    break
  end
end
print(bad, (live() - before) / count)
]]

-- Running statistics and updates, which are written by lists of tensors, while a hook does the like to other ones.
local WRITES = [[
local metann = require 'metann'
local function training()
  local norm = metann.nn.BatchNorm1d(2)
  local x = metann.tensor{ { 1, 5 }, { 3, 9 } }
  local optimizer = metann.optim.SGD({ norm.weight }, { lr = 0.5 })
  norm.weight.grad = metann.ones(2)
  return norm, function() norm(x) optimizer:step() end
end
local norm, step = training()
local _, other_step = training()
local period, count = tonumber(arg[1]), 40
debug.sethook(other_step, '', period)
for _ = 1, count do step() end
debug.sethook()
-- means 2 and 7, variances 2 and 8, a tenth of the way in each step; the weight loses a half in each
local function near(t, i, want) return math.abs(t[i]:item() - want) < 1e-4 end
local left = 0.9 ^ count
print(near(norm.running_mean, 1, 2 - 2 * left) and near(norm.running_mean, 2, 7 - 7 * left)
  and near(norm.running_var, 1, 2 - left) and near(norm.running_var, 2, 8 - 7 * left)
  and near(norm.weight, 1, 1 - count / 2) and norm.num_batches_tracked:item() == count)
]]

local function child(options, text, ...)
  local folder = scratch.folder()
  local path = folder .. '/child.lua'
  local file = assert(io.open(path, 'w'))
  file:write(text)
  file:close()
  local status, said = scratch.run(('luajit %s %s %s'):format(options, path, table.concat({ ... }, ' ')))
  scratch.remove(folder)
  assert(status == 0, said)
  return said
end

describe('metann called in the middle of its own calls', function()
  for _, options in ipairs{ '', '-joff', '-Ohotloop=2' } do
    it('by finalizers gives right results ' .. options, function()
      assert.equal('0\ttrue\n', child(options, FINALIZERS, 2))
    end)

    it('by a debug hook gives right results and leaks nothing ' .. options, function()
      for _, period in ipairs{ 7, 61, 499 } do
        local said = child(options, HOOKS, math.min(period, 100), period)
        assert(said:find '^0\t%d\n$', said)
      end
    end)

    it('leaves what others write alone ' .. options, function()
      for _, period in ipairs{ 13, 61 } do assert.equal('true\n', child(options, WRITES, period)) end
    end)

    it('and ended by an error at any instruction is whole afterwards ' .. options, function()
      local seed = 20261130
      local said = child(options, RAISING, 1000, seed)
      local bad, leaked = said:match '(%d+)\t(%S+)\n$'
      assert(bad == '0' and tonumber(leaked) < 0.2, ('seed %d: %s'):format(seed, said))
    end)
  end
end)

describe('the end of the process', function()
  it('lets finalizers that come late see an error, not freed memory', function()
    local text = [[
      local ffi, metann = require 'ffi', require 'metann'
      local x = metann.arange(6)
      local refused, good = 0, 0
      local function late()
        local ok, message = pcall(function() return ((x + 1):sum() + metann.ones(1)):item() end)
        if ok then good = good + 1 else refused = refused + 1 last = message end
      end
      anchors = {}
      for i = 1, 100 do
        anchors[i] = ffi.gc(ffi.new 'char[1]', late)
        local proxy = newproxy(true)
        getmetatable(proxy).__gc = function()
          late()
          if i == 1 then io.write(good + refused, ' ', tostring(last):match 'released' or tostring(last):match 'closed' or 'none') end
        end
        anchors[-i] = proxy
      end
      metann.scope(function() x = x + 0 os.exit(0, true) end)
    ]]
    for _, options in ipairs{ '', '-joff' } do
      for _ = 1, 3 do
        local said = child(options, text)
        assert(said == '200 released' or said == '200 closed', said)
      end
    end
  end)

  it('lets finalizers that come late call what other libraries do', function()
    local text = [[
      local path, done, known, json, zip = arg[1], 0, {}
      local function late()
        local archive = zip.open(path .. '.npz')
        local text = json.encode(known)
        known[#known + 1] = json.decode('{"a": [1, 2]}')
        archive:close() -- nobody would any more
        if text then done = done + 1 end
        if done == 50 then io.write('done') end
      end
      proxies = {} -- older than the libraries: their finalizers run after those have been closed
      for i = 1, 50 do
        proxies[i] = newproxy(true)
        getmetatable(proxies[i]).__gc = late
      end
      local metann = require 'metann'
      json, zip = require 'metann.binding.json', require 'metann.binding.zip'
      require('metann.io.npz').save(path .. '.npz', { a = metann.ones(2) })
      zip.open(path .. '.npz')
      known[1] = json.decode(json.encode{ 1 })
    ]]
    local folder = scratch.folder()
    for _, options in ipairs{ '', '-joff' } do assert.equal('done', child(options, text, folder .. '/x')) end
    scratch.remove(folder)
  end)
end)
