-- Where things are put when several devices are in use: devices by name and as objects, `device=`, what moves modules,
-- what optimizers and state dicts bring over, the default device while a derivative runs, memory of each device, files.
local metann = require 'metann'
local binding = require 'metann.binding'
local checks = require 'tests.support.checks'
local record = require 'metann.binding.record'
local namespace = require 'tests.support.namespace'
local scratch = require 'tests.support.scratch'
require 'tests.support.guarded'
local nn = metann.nn
local ffi = binding.handle.ffi
local HERE, THERE, OTHER = 'cpu', 'guarded:0', 'guarded:1'

local before
before_each(function()
  before = metann.get_default_device()
  metann.set_default_device(HERE)
end)
after_each(function() metann.set_default_device(before) end)

local function devices_of(iterator)
  local seen, list = {}, {}
  for _, t in iterator do
    if not seen[t.device] then list[#list + 1] = t.device end
    seen[t.device] = true
  end
  return list
end

describe('a device', function()
  it('is a name or an object', function()
    local device = metann.device(OTHER)
    assert.equal('guarded', device.type)
    assert.equal(1, device.index)
    assert.equal(OTHER, tostring(device))
    assert.is_true(device == metann.device 'guarded:1')
    assert.is_false(device == metann.device 'guarded')
    assert.is_nil(metann.device('cpu').index)
    assert.equal(OTHER, metann.zeros(2, { device = device }).device)
    assert.equal(OTHER, metann.zeros(2):to(device).device)
    assert.equal(OTHER, nn.Linear(2, 2):to(device).weight.device)
    metann.set_default_device(device)
    assert.equal(OTHER, metann.get_default_device())
    checks.fails("device: there is no 'cuda' here", metann.device, 'cuda')
    checks.fails("has no field 'name', it has type and index", function() return device.name end)
  end)

  it('that is not there is an error with advice', function()
    local t, net = metann.zeros(2), nn.Linear(2, 2)
    checks.fails("cuda: there is no device 'cuda' here, only 'cpu'", t.cuda, t)
    checks.fails("there is no device 'cuda' here", net.cuda, net)
    checks.fails("'device' must be 'cpu', the only device here", metann.zeros, 2, { device = 'cuda:1' })
    checks.fails("there is no device 'guarded:9' here", t.to, t, 'guarded:9')
    checks.fails("set_default_device: expected a device such as 'cpu', got number 3", metann.set_default_device, 3)
  end)
end)

describe('device=', function()
  it('is an option of whatever makes tensors', function()
    local options = { device = THERE }
    local t = metann.zeros(2, 2)
    for _, made in ipairs{
      metann.tensor({ 1 }, options), metann.zeros(2, options), metann.ones(2, options), metann.full({ 2 }, 3, options),
      metann.empty(2, options), metann.eye(2, options), metann.arange(1, 3, options), metann.linspace(0, 1, 3, options),
      metann.rand(2, options), metann.randn(2, options), metann.randint(1, 3, { 2 }, options), metann.randperm(3, options),
      metann.normal(0, 1, { 2 }, options), metann.zeros_like(t, options), metann.ones_like(t, options),
      metann.full_like(t, 2, options), metann.rand_like(t, options), metann.randn_like(t, options),
      metann.empty_like(t, options), t:new_tensor({ 1 }, options), t:new_zeros(2, options), t:new_ones(2, options),
      t:new_empty(2, options), t:new_full({ 2 }, 1, options), metann.tensor(t, options),
      metann.from_buffer(ffi.new('float[2]'), { 2 }, options), nn.Linear(2, 2, options).weight,
      nn.BatchNorm1d(2, options).running_mean, nn.Embedding(2, 2, options).weight,
    } do
      assert.equal(THERE, made.device)
    end
    for _, name in ipairs{ 'new_zeros', 'new_ones', 'new_empty' } do
      local far = metann.ones(2, options)
      assert.equal(THERE, far[name](far, 3).device)
    end
  end)

  it('is an attribute of rows without inputs, and says in a recording where they ran', function()
    metann.set_default_device(OTHER)
    local raw = binding.stub.ops
    local rows = record.run(function()
      return raw.full({ 2 }, 1), raw.full({ 2 }, 1, nil, THERE), raw.arange(0, 1, 3, nil, HERE)
    end)
    metann.set_default_device(HERE)
    local again = {}
    for i, row in ipairs(rows) do again[i] = record.apply(row, {})[1].device end
    assert.same({ OTHER, THERE, HERE }, again)
  end)
end)

describe('modules', function()
  local function net() return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)) end

  it('are moved whole, and copies stay where they are', function()
    local moved = net():to(THERE)
    assert.same({ THERE }, devices_of(moved:named_parameters()))
    assert.same({ THERE }, devices_of(moved:named_buffers()))
    assert.same({ THERE }, devices_of(moved:deepcopy():named_parameters()))
    assert.equal(THERE, moved[1].weight:clone().device)
    assert.same({ OTHER }, devices_of(moved:to(metann.zeros(1, { device = OTHER })):named_parameters()))
    assert.same({ HERE }, devices_of(moved:cpu():named_parameters()))
  end)

  it('load states of other devices, where they are', function()
    local from, to = net():to(THERE), net():to(OTHER)
    to:load_state_dict(from:state_dict())
    assert.same({ OTHER }, devices_of(to:named_parameters()))
    for name, p in from:named_parameters() do
      local i, slot = name:match '^(%d+)%.(.*)$'
      assert.same(p:to_table(), to[tonumber(i)][slot]:to_table())
    end
  end)
end)

describe('optimizers', function()
  --- Three steps on two parameters, which lie on these devices, under gradients that are given.
  local function steps(class, options, first, second, state)
    local p = metann.tensor({ 1, 2 }, { device = first, requires_grad = true })
    local q = metann.tensor({ 3, 4 }, { device = second, requires_grad = true })
    local optimizer = class({ p, q }, options)
    if state then optimizer:load_state_dict(state) end
    for k = 1, 3 do
      p.grad = metann.tensor({ k, -1 }, { device = first })
      q.grad = metann.tensor({ 0.5, k }, { device = second })
      optimizer:step()
    end
    return { p:to_table(), q:to_table() }, optimizer
  end

  it('keep their state beside each parameter, and a state of another device is brought over', function()
    for _, name in ipairs(namespace.optimizers()) do
      local class, options = metann.optim[name], { lr = 0.01 }
      local wanted, host = steps(class, options, HERE, HERE)
      local got, optimizer = steps(class, options, THERE, OTHER)
      assert.same(wanted, got, name)
      for _, p in ipairs(optimizer.param_groups[1].params) do
        for field, t in pairs(optimizer.state[p:id()] or {}) do assert.equal(p.device, t.device, name .. ' ' .. field) end
      end
      wanted = steps(class, options, HERE, HERE, host:state_dict())
      got = steps(class, options, OTHER, THERE, host:state_dict())
      assert.same(wanted, got, name)
    end
  end)
end)

describe('while a derivative runs', function()
  it('what it makes without a device lies on its node\'s, also in a function of the user\'s', function()
    local seen = {}
    local double = metann.autograd.Function{
      forward = function(_, t) return t * 2, t * 3 end,
      backward = function(_, g, unused)
        seen[#seen + 1] = metann.get_default_device()
        return g * metann.full({ 2 }, 2) + unused
      end,
    }
    local t = metann.tensor({ 1, 2 }, { device = THERE, requires_grad = true })
    double(t):sum():backward()
    assert.same({ THERE }, seen)
    assert.same({ 2, 2 }, t.grad:to_table())
    assert.equal(HERE, metann.get_default_device())
  end)

  it('the default is put back after an error and while it yields', function()
    local t = metann.tensor({ 1, 2 }, { device = THERE, requires_grad = true })
    local function of(backward)
      return metann.autograd.Function{ forward = function(_, x) return x * 2 end, backward = backward }(t):sum()
    end
    assert.is_false(pcall(of(function() error 'broken' end).backward, of(function() error 'broken' end)))
    assert.equal(HERE, metann.get_default_device())
    local co = coroutine.wrap(function()
      of(function(_, g)
        coroutine.yield()
        return g
      end):backward()
    end)
    co()
    assert.equal(HERE, metann.get_default_device())
    co()
    assert.equal(HERE, metann.get_default_device())
  end)

  it('tangents go forward there', function()
    local t, v = metann.tensor({ 1, 2 }, { device = THERE }), metann.tensor({ 1, 0 }, { device = THERE })
    local _, tangent = metann.func.jvp(function(x) return (x * x):prod() + x:var() end, t, v)
    assert.equal(THERE, tangent.device)
    local _, wanted = metann.func.jvp(function(x) return (x * x):prod() + x:var() end, t:cpu(), v:cpu())
    assert.equal(wanted:item(), tangent:item())
  end)
end)

describe('memory', function()
  it('is counted and limited for each device', function()
    collectgarbage()
    collectgarbage()
    local start = metann.memory(OTHER)
    local t = metann.zeros(250, { device = OTHER })
    local now = metann.memory(OTHER)
    assert.equal(start.live_bytes + 1000, now.live_bytes)
    assert.equal(start.live_storages + 1, now.live_storages)
    assert.equal(metann.memory().live_bytes, metann.memory('cpu').live_bytes)
    metann.set_memory_limit(now.live_bytes + 100, OTHER)
    checks.fails('out of memory on guarded:1: asked for 1000 bytes', metann.zeros, 250, { device = OTHER })
    assert.equal(250, metann.ones(250, { device = THERE }):sum():item())
    metann.set_memory_limit(2 ^ 30, OTHER)
    assert.equal(2 ^ 30, metann.memory(OTHER).limit_bytes)
    assert.equal(0, t:sum():item())
    checks.fails("memory: there is no 'none' here", metann.memory, 'none')
    checks.fails("set_memory_limit: there is no 'none' here", metann.set_memory_limit, 1, 'none')
    checks.fails('set_memory_limit: expected a number of bytes, got number 0', metann.set_memory_limit, 0, OTHER)
  end)

  it('of a device makes the collector run, though the host has little', function()
    collectgarbage()
    local most = 0
    for _ = 1, 400 do
      metann.zeros(2 ^ 18, { device = OTHER })
      most = math.max(most, metann.memory(OTHER).peak_bytes)
    end
    assert.is_true(most < 300 * 2 ^ 20, most)
  end)
end)

describe('files', function()
  it('give tensors of the device that is asked for, the default one unless said; pages are the host\'s', function()
    local folder = scratch.folder()
    local path = folder .. '/t'
    local t = metann.randn(3, 4)
    metann.save(path, { whole = t, part = t[2] })
    metann.io.npy.save(path .. '.npy', t)
    for _, options in ipairs{ {}, { map = true } } do
      assert.equal(HERE, metann.load(path, options).whole.device)
      options.device = THERE
      local far = metann.load(path, options)
      assert.equal(THERE, far.whole.device)
      assert.is_true(far.part:shares_storage(far.whole))
      assert.same(t:to_table(), far.whole:to_table())
      assert.equal(THERE, metann.io.safetensors.load(path, options).whole.device)
    end
    metann.set_default_device(OTHER)
    assert.equal(OTHER, metann.load(path).part.device)
    assert.equal(HERE, metann.load(path, { device = HERE }).part.device)
    assert.equal(OTHER, metann.io.npy.load(path .. '.npy').device)
    scratch.remove(folder)
  end)
end)
