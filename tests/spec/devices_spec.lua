-- A second device, of which the host can't read the memory (tests/device/guarded.c): rows, derivatives, writes, files
-- and modules give there what they give on the CPU, bit for bit, and go by the backend's copies.
local metann = require 'metann'
local binding = require 'metann.binding'
local devices = require 'metann.binding.devices'
local rows = require 'tests.support.rows'
local scratch = require 'tests.support.scratch'
require 'tests.support.guarded'
local nn, raw, handle = metann.nn, binding.stub.ops, binding.handle
local C, ctx = handle.C, handle.ctx
local DEVICE = 'guarded:0'

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return (tostring(err):gsub('^[^:]*:%d+: ', ''))
end

--- What fn() returns while tensors are made on the device.
local function there(fn, ...) return devices.on(devices.number(DEVICE), fn, ...) end

describe('a device', function()
  it('has a name, a number and memory of its own', function()
    local number = devices.number(DEVICE)
    assert.is_true(number > 0)
    assert.equal(number, devices.number 'guarded')
    assert.equal(DEVICE, devices.name(number))
    assert.is_true(devices.number 'guarded:1' > number)
    assert.is_nil(devices.number 'guarded:2')
    assert.is_nil(devices.number 'guard')
    assert.is_nil(devices.number 'guarded:0x')
    collectgarbage()
    collectgarbage()
    metann.memory()
    local before = devices.memory(DEVICE).live_bytes
    local t = metann.ones(100, { device = DEVICE })
    assert.equal(before + 400, devices.memory(DEVICE).live_bytes)
    assert.equal(DEVICE, t.device)
    assert.equal('cpu', t:cpu().device)
  end)

  it('has a limit', function()
    C.mn_set_device_limit(ctx, devices.number(DEVICE), devices.memory(DEVICE).live_bytes + 1000)
    local said = message(metann.ones, 1000, { device = DEVICE })
    C.mn_set_device_limit(ctx, devices.number(DEVICE), 0)
    assert.is_truthy(said:find('out of memory on guarded:0: asked for 4000 bytes', 1, true))
    assert.equal(1000, metann.ones(1000, { device = DEVICE }):sum():item())
  end)

  -- Stray reads: in the binding, in a composition, in a derivative; and a write.
  local STRAY = {
    binding = 'peek(t)',
    composition = 'local function plus(a, b) return peek(a) == 7 and a or a + b end plus(t * 2, t)',
    derivative = 'local f = metann.autograd.Function{ forward = function(_, x) return x * 2 end, '
      .. 'backward = function(_, g) return peek(g) == 1 and g end } f(t):sum():backward()',
    write = "handle.ffi.cast('float *', handle.array(t).data)[0] = 1",
  }
  local function run(device, code)
    -- under the sanitizers, too, the fault is to end the process as it does elsewhere
    return scratch.run(([[ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0" luajit -e "
      require 'tests.support.guarded'
      local metann = require 'metann'
      local handle = require('metann.binding').handle
      local function peek(x) return handle.ffi.cast('float *', handle.array(x).data)[0] end
      local t = metann.ones(3, { device = '%s', requires_grad = true })
      %s"]]):format(device, code))
  end

  it('has memory that the host can neither read nor write', function()
    local all = {}
    for what, code in pairs(STRAY) do
      all[#all + 1] = 'do ' .. code .. ' end'
      assert.equal(128 + 11, run('guarded', code), what)
    end
    assert.equal(0, run('cpu', table.concat(all, ' ')))
  end)
end)

describe('the guarded device', function()
  local ffi = handle.ffi

  --- Runs `full` on an array of n float32 at that address; the error or nil.
  local function fill(address, n)
    local number = devices.number(DEVICE)
    local row = binding.stub.rows.full
    local slots, out, call = ffi.new('mn_slot[?]', row.n_slots), ffi.new 'mn_array', ffi.new 'mn_call'
    ffi.copy(slots, row.defaults, row.n_slots * 8)
    for _, a in ipairs(row.attrs) do
      if a.name == 'value' then slots[a.slot].f = 1 end
    end
    out.data, out.numel, out.ndim, out.device, out.contiguous = address, n, 1, number, 1
    out.size[0], out.stride[0] = n, 1
    local outs = ffi.new('mn_array *[1]', out)
    call.out, call.n_out, call.attrs, call.device = outs, 1, slots, C.mn_context_device(ctx, number)
    if C.mn_execute(row.index, call) ~= 0 then return ffi.string(call.error) end
  end

  it('refuses what is not its own, what was given back, and a write beyond the end', function()
    local t = metann.empty(50, { device = DEVICE })
    assert.is_nil(fill(handle.array(t).data, 50))
    assert.equal(50, t:sum():item())
    assert.equal("a write beyond an array's end", fill(handle.array(t).data, 52))
    local buffer = ffi.new('float[50]')
    assert.equal("memory that is not the device's", fill(ffi.cast('void *', buffer), 50))
    local address
    metann.scope(function() address = handle.array(metann.ones(50, { device = DEVICE })).data end)
    assert.equal('memory that was given back', fill(address, 50))
  end)

  it('begins with NaN everywhere, and takes copies of what is written to it', function()
    local t = metann.empty(5, 7, { device = DEVICE })
    assert.equal(35, t:isnan():sum():item())
    local buffer = ffi.new('float[2]', { 1, 2 })
    local u = metann.from_buffer(buffer, { 2 }, { device = DEVICE })
    buffer[0] = 9 -- before anything has waited
    assert.same({ 1, 2 }, u:to_table())
  end)
end)

describe('rows', function()
  it('give on a device what they give on the CPU, for every sample', function()
    local samples, n = rows.samples(), 0
    for _, op in ipairs(binding.stub.order) do
      for _, sample in ipairs(samples[op]) do
        local here, far = {}, {}
        for i = 1, #sample.inputs do
          here[i] = sample.inputs[i] and rows.tensor(sample.inputs[i])
          far[i] = here[i] and here[i]:to(DEVICE)
        end
        metann.manual_seed(3)
        local fine, wanted = pcall(rows.call, op, here, sample.attrs)
        metann.manual_seed(3)
        local also, got = pcall(there, rows.call, op, far, sample.attrs)
        assert.equal(fine, also, op)
        if not fine then
          assert.equal(tostring(wanted), tostring(got))
        else
          for k, t in ipairs(wanted) do
            assert.equal(op == 'transfer' and 'cpu' or DEVICE, got[k].device, op)
            assert.is_true(rows.bytes(t) == rows.bytes(got[k]), op .. ': other bits')
            n = n + 1
          end
        end
      end
    end
    assert.is_true(n > #binding.stub.order)
  end)

  it('run where their inputs are, which must be one place', function()
    local here, far = metann.ones(2, { device = 'cpu' }), metann.ones(2, { device = DEVICE })
    assert.equal("add: inputs on cpu and guarded:0 ('other'); move one with :to()", message(raw.add, here, far))
    assert.equal("linear: inputs on guarded:0 and cpu ('bias'); move one with :to()",
      message(raw.linear, metann.ones(1, 2, { device = DEVICE }), metann.ones(2, 2, { device = DEVICE }), here))
    assert.equal('cat: inputs on cpu and guarded:0 (input 2); move one with :to()', message(raw.cat, { here, far }, 1))
    assert.equal(DEVICE, (far * 2):sum().device)
    assert.same({ 3, 3 }, (far + here:to(DEVICE) * 2):to_table())
  end)

  it('without inputs run on the default device', function()
    metann.set_default_device(DEVICE)
    local t, u = metann.zeros(2), metann.tensor{ 1, 2 }
    metann.set_default_device 'cpu'
    assert.equal('cpu', metann.get_default_device())
    assert.equal(DEVICE, t.device)
    assert.same({ 1, 2 }, u:to_table())
    assert.equal(DEVICE, metann.zeros_like(t).device)
    assert.equal(DEVICE, t:new_ones(2).device)
    assert.equal('cpu', t:new_ones(2, { device = 'cpu' }).device)
    assert.equal("set_default_device: there is no 'gpu' here", message(metann.set_default_device, 'gpu'))
  end)
end)

local function net_of(device)
  metann.manual_seed(5)
  local net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 4))
  return net:to(device)
end

--- Three steps of MAML by Adam; the loss of each, and the parameters after them.
local function train(device)
  local function work()
    local net = net_of(device)
    local optimizer = metann.optim.Adam(net:parameters(), { lr = 0.01 })
    local losses = {}
    for step = 1, 3 do
      metann.manual_seed(step)
      local x, y = metann.randn(6, 1, 8, 8):to(device), metann.randint(1, 5, { 6 }):to(device)
      local function loss_of(model) return nn.functional.cross_entropy(model(x), y) end
      optimizer:zero_grad()
      local adapted = metann.meta.MAML(net, { steps_train = 2, steps_eval = 2, lr = 0.1, evaluator = loss_of })(x)
      local loss = loss_of(adapted)
      loss:backward()
      optimizer:step()
      losses[step] = loss:item()
    end
    local parameters = {}
    for _, p in net:named_parameters() do parameters[#parameters + 1] = p end
    return losses, parameters
  end
  return devices.on(devices.number(device), work)
end

describe('derivatives', function()
  it('of every order are made on the device of their node', function()
    local t = metann.tensor({ 1, 2, 3 }, { device = DEVICE, requires_grad = true })
    local cube = (t * t * t):sum()
    local g = metann.autograd.grad(cube, t, { create_graph = true })
    g = type(g) == 'table' and g[1] or g
    local h = metann.autograd.grad(g:sum(), t)
    h = type(h) == 'table' and h[1] or h
    assert.equal(DEVICE, h.device)
    assert.same({ 6, 12, 18 }, h:to_table())
  end)

  it('go through a transfer', function()
    local t = metann.tensor({ 1, 2 }, { requires_grad = true });
    (t:to(DEVICE) * 3):cpu():sum():backward()
    assert.equal('cpu', t.grad.device)
    assert.same({ 3, 3 }, t.grad:to_table())
    local p = metann.tensor({ 1, 2 }, { device = DEVICE, requires_grad = true });
    (p:cpu() * 3):sum():backward()
    assert.equal(DEVICE, p.grad.device)
    assert.same({ 3, 3 }, p.grad:to_table())
  end)

  it('train a network by MAML to the same bits', function()
    local losses, parameters = train 'cpu'
    local losses_there, parameters_there = train(DEVICE)
    assert.same(losses, losses_there)
    for i, p in ipairs(parameters) do
      assert.equal(DEVICE, parameters_there[i].device)
      assert.is_true(rows.bytes(p) == rows.bytes(parameters_there[i]))
    end
  end)
end)

describe('tensors of a device', function()
  it('are printed, read, written and changed in place', function()
    local t = metann.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }, { device = DEVICE })
    assert.is_truthy(tostring(t):find('on guarded:0', 1, true))
    assert.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, t:t():to_table())
    assert.equal(6, t[2][3]:item())
    t:t():add_(1)
    t[1]:copy_(metann.zeros(3, { device = DEVICE }))
    assert.same({ { 0, 0, 0 }, { 5, 6, 7 } }, t:to_table())
    handle.write(t:t(), handle.ffi.new('float[6]', 1, 2, 3, 4, 5, 6))
    assert.same({ { 1, 3, 5 }, { 2, 4, 6 } }, t:to_table())
    assert.same({ { 2, 3 } }, t:ge(6):nonzero():to_table())
    assert.equal('data_ptr: this tensor is on guarded:0; take a copy with :cpu()', message(t.data_ptr, t))
  end)

  it('take what compositions make of numbers beside them', function()
    local t = metann.tensor({ { 4, 1 }, { 1, 3 } }, { device = DEVICE })
    local here = t:cpu()
    assert.same(metann.where(here:gt(2), here, 0):to_table(), metann.where(t:gt(2), t, 0):to_table())
    assert.same(here:masked_fill(here:lt(2), 9):to_table(), t:masked_fill(t:lt(2), 9):to_table())
    assert.same(metann.matrix_exp(here):to_table(), metann.matrix_exp(t):to_table())
    t[2]:copy_(metann.tensor{ 7, 8 })
    assert.same({ { 4, 1 }, { 7, 8 } }, t:to_table())
    local net = net_of(DEVICE)
    net:load_state_dict(net_of('cpu'):state_dict())
    assert.equal(DEVICE, net[1].weight.device)
  end)

  it('have digests, so that a checkpoint sees what it saw', function()
    local x = metann.tensor({ 1, 2 }, { device = DEVICE, requires_grad = true })
    local y = metann.checkpoint(function(v) return (v * v):sum() end, x)
    y:backward()
    assert.same({ 2, 4 }, x.grad:to_table())
  end)

  it('are looked at by detect_anomaly', function()
    local t = metann.tensor({ 0 }, { device = DEVICE })
    local said = message(metann.autograd.detect_anomaly, function() return t / t end)
    assert.is_truthy(said:find('the result of div has nan', 1, true), said)
  end)

  it('are saved, and come back to main memory', function()
    local folder = scratch.folder()
    local t = metann.randn(3, 4, { device = DEVICE })
    metann.save(folder .. '/a.mt', { whole = t, part = t:t()[2], row = t[1] })
    local back = metann.load(folder .. '/a.mt')
    scratch.remove(folder)
    assert.equal('cpu', back.whole.device)
    assert.same(t:to_table(), back.whole:to_table())
    assert.same(t:t()[2]:to_table(), back.part:to_table())
  end)
end)
