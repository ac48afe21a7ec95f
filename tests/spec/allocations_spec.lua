-- Every place where the core asks for memory, failed: each row of the table, in place and on a device too, walks backward
-- of order one and two and forward, an optimizer's step, a MAML step, a recording, functions of the user's own. The n-th
-- request and all after it fail, for every n until none does: an error, nothing changed, nothing leaked, and the next call
-- is right. The same with the n-th request alone, which the binding's second try gets over: the call is right, or an error
-- like the others.
local ffi = require 'ffi'
local metann = require 'metann'
local binding = require 'metann.binding'
local devices = require 'metann.binding.devices'
local live = require 'tests.support.live'
local record = require 'metann.binding.record'
local rows = require 'tests.support.rows'
local samples_of = require 'tests.support.samples'
require 'tests.support.guarded'
local nn = metann.nn
local handle, table_rows, order = binding.handle, binding.stub.rows, binding.stub.order
local C, ctx, stats = handle.C, handle.ctx, handle.stats

local ALWAYS = 2 ^ 30
local HOST, DEVICE = 0, devices.number 'guarded:0'

--- fn() with the n-th request for memory and those after it failing, `times` in all.
-- @return how many failed, then what pcall returns
local function starve(n, times, fn)
  C.mn_fail_allocation(ctx, n, times)
  local ok, result = pcall(fn)
  return C.mn_fail_allocation(ctx, 0, 0), ok, result
end

--- Calls check(ok, result) after fn() with each of its requests failed in turn; returns how many there are.
local function each_place(times, fn, check)
  for n = 1, 1e5 do
    local failed, ok, result = starve(n, times, fn)
    if failed == 0 then
      assert(ok, result)
      return n - 1
    end
    if not ok then assert.matches('out of memory', tostring(result)) end
    check(ok, result)
  end
end

local total = {}
local function note(kind, n) total[kind] = (total[kind] or 0) + n end

-- ---- rows ----

--- The first sample of a row that is no error.
local samples = {}
for op, list in pairs(samples_of.load(table_rows)) do
  for _, sample in ipairs(list) do
    if not sample.error then
      samples[op] = sample
      break
    end
  end
end

--- What make(t) gives in place of t, which is freed.
local function turned(t, make)
  local made = make(t)
  C.mn_handle_free(t)
  return made
end

--- A sample's tensors on a device; what can need gradients does. The target of a call in place is no leaf then.
local function make_inputs(op, sample, in_place, device)
  local inputs = {}
  for i = 1, #sample.inputs do
    local description = sample.inputs[i]
    local t = description and rows.tensor(description) or false
    if t and device ~= HOST then t = turned(t, function(x) return (binding.stub.ops.transfer(x, devices.name(device))) end) end
    if t and description.dtype:find 'float' and not rows.has(table_rows[op], 'NODIFF') then
      rows.requires_grad(t)
      if in_place and i == 1 then t = turned(t, function(x) return (binding.stub.ops.clone(x)) end) end
    end
    inputs[i] = t
  end
  return inputs
end

--- Every bit of some tensors, without making others.
local function text_of(list)
  local parts = {}
  for i = 1, #list do
    local t = list[i]
    parts[i] = '-'
    if t then
      local values, n = handle.read(t)
      parts[i] = ffi.string(values, n * ffi.sizeof(values) / math.max(n, 1))
    end
  end
  return table.concat(parts, '|')
end

local function free(list)
  for i = 1, #list do
    if list[i] then C.mn_handle_free(list[i]) end
  end
end

local function counts()
  return ('%d tensors, %d storages, %d nodes, %d bytes, %d on the device'):format(stats.live_tensors, stats.live_storages,
    stats.live_nodes, stats.live_bytes - stats.list_bytes, C.mn_device_memory(ctx, DEVICE).live_bytes)
end

--- Fails every request of a row's call. Tensors are freed by hand: collecting garbage each time would take minutes.
-- @param name the row's, with '_' at its end in place
local function check_row(op, name, device)
  local sample, in_place = samples[op], name ~= op
  local inputs = make_inputs(op, sample, in_place, device)
  local before, random = text_of(inputs), metann.get_rng_state()
  local function call()
    metann.set_rng_state(random)
    return devices.on(device, rows.call, name, inputs, sample.attrs)
  end
  local function result_of(outputs)
    local text = text_of(outputs)
    if not in_place then return free(outputs) or text end
    free(inputs)
    inputs = make_inputs(op, sample, true, device)
    return text
  end
  local want = result_of(call())
  collectgarbage()
  local base = counts()
  -- the binding's second try collects garbage, which takes its time, and is the same for each device
  for _, times in ipairs(device == HOST and { ALWAYS, 1 } or { ALWAYS }) do
    local n = each_place(times, call, function(ok, result)
      if ok then
        assert.equal(1, times, name .. ' succeeded without memory')
        assert.equal(want, result_of(result), name)
      else
        assert.equal(base, counts(), name .. ' leaks')
        assert.equal(before, text_of(inputs), name .. ' changed its inputs')
        assert.same(random, metann.get_rng_state())
        assert.equal(want, result_of(call()), name .. ' after a failure')
      end
    end)
    note((in_place and 'rows in place' or 'rows') .. (device == HOST and '' or ' on a device'), n)
    if in_place then result_of(inputs) else assert.is_true(n > 0, name .. ' asks for no memory') end
    collectgarbage()
  end
end

describe('without memory', function()
  for _, op in ipairs(order) do
    it(op .. ' fails and changes nothing', function()
      assert(samples[op], op .. ' has no samples')
      for _, device in ipairs{ HOST, DEVICE } do
        check_row(op, op, device)
        if rows.has(table_rows[op], 'INPLACE') then check_row(op, op .. '_', device) end
      end
    end)
  end
end)

-- ---- steps ----

--- Fails where more is live than before: after one collection, which is enough nearly always, or else after all that
-- count, each of which takes as long as many a step.
local function check_live(before, kind)
  collectgarbage()
  if counts() == before then return end
  live()
  assert.equal(before, counts(), kind .. ' leaks')
end

--- Fails every request of step(subject).
-- @param make gives a subject
-- @param observe what step changes, as a text
local function check_step(kind, make, step, observe)
  local function run(subject)
    metann.manual_seed(9)
    return step(subject)
  end
  local subject = make()
  local start = observe(subject)
  run(subject)
  local want = observe(subject)
  assert.are_not.equal(start, want)
  for _, times in ipairs{ ALWAYS, 1 } do
    subject = make()
    live()
    local base = counts()
    local n = each_place(times, function() run(subject) end, function(ok)
      if ok then
        assert.equal(want, observe(subject), kind)
        subject = make()
        return
      end
      assert.equal(start, observe(subject), kind .. ' changed something')
      check_live(base, kind)
    end)
    assert.equal(want, observe(subject), kind .. ' after failures')
    assert.is_true(n > 0)
    note(kind, n)
  end
end

local function make_net()
  metann.manual_seed(3)
  local net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)):double()
  local x = metann.randn({ 4, 2 }, { dtype = 'float64' })
  return { net = net, x = x, y = x:sum(2):reshape(4, 1) }
end

local function mse(net, data) return nn.functional.mse_loss(net(data[1]), data[2]) end

local function state_of(subject)
  local list = {}
  for p in subject.net:parameters() do
    list[#list + 1] = p
    list[#list + 1] = p.grad or false
  end
  for _, t in ipairs(subject.found or {}) do list[#list + 1] = t end
  return text_of(list)
end

local function gradients_of(create_graph)
  return function(subject)
    local list = {}
    for p in subject.net:parameters() do list[#list + 1] = p end
    subject.found = metann.grad(subject.loss, list, { create_graph = create_graph, retain_graph = true })
  end
end

local function with_loss()
  local subject = make_net()
  subject.loss = mse(subject.net, { subject.x, subject.y })
  return subject
end

--- An optimizer that has taken `steps` steps, and gradients for the next.
local function with_optimizer(name, options, steps)
  return function()
    local subject = make_net()
    subject.net = nn.Linear(2, 1):double()
    subject.optimizer = metann.optim[name](subject.net:parameters(), options)
    for taken = 0, steps do
      subject.optimizer:zero_grad()
      mse(subject.net, { subject.x, subject.y }):backward()
      if taken < steps then subject.optimizer:step() end
    end
    return subject
  end
end

describe('without memory', function()
  it('a backward walk fails and changes nothing', function()
    check_step('backward', with_loss, function(s) s.loss:backward{ retain_graph = true } end, state_of)
    check_step('a walk', with_loss, gradients_of(false), state_of)
    check_step('a walk with create_graph', with_loss, gradients_of(true), state_of)
  end)

  it('a second derivative fails and changes nothing', function()
    check_step('a walk of order two', function()
      local s = with_loss()
      gradients_of(true)(s)
      s.loss = s.found[1]:square():sum() + s.found[3]:square():sum()
      s.found = nil
      return s
    end, gradients_of(false), state_of)
  end)

  it('more gradients than are kept on the stack', function()
    check_step('a walk through cat', function()
      local s = make_net()
      local parts = {}
      for p in s.net:parameters() do
        for _ = 1, 3 do parts[#parts + 1] = p:reshape(-1) end
      end
      s.loss = metann.cat(parts):square():sum()
      return s
    end, gradients_of(false), state_of)
  end)

  it('an optimizer\'s step fails and changes nothing', function()
    local function step(s) s.optimizer:step() end
    check_step('a step of SGD', with_optimizer('SGD', { lr = 0.1, momentum = 0.9 }, 1), step, state_of)
    check_step('a first step of Adam', with_optimizer('Adam', { lr = 0.1 }, 0), step, state_of)
    check_step('a step of Adam', with_optimizer('Adam', { lr = 0.1 }, 1), step, state_of)
  end)

  it('a MAML step fails and changes nothing', function()
    check_step('a MAML step', function()
      local s = make_net()
      s.maml = metann.meta.MAML(s.net, 1, 1, 0.1, mse)
      return s
    end, function(s)
      mse(s.maml{ s.x, s.y }, { s.x * 2, s.y }):backward()
    end, state_of)
  end)

  it('a forward walk fails and changes nothing', function()
    local function tangents_of(fn)
      return function(s) s.found = { metann.func.jvp(fn(s), { s.x }, { s.y:expand(4, 2) }) } end
    end
    local function net(s) return function(x) return s.net(x) end end
    check_step('forward', make_net, tangents_of(net), state_of)
    check_step('forward of rows with rules by two derivatives', make_net, tangents_of(function()
      return function(x) return metann.softmax(x, 2):cumprod(1):var(2) + metann.logsumexp(x, 2) end
    end), state_of)
    check_step('forward through many inputs', make_net, tangents_of(function()
      return function(x)
        local parts = {}
        for i = 1, 12 do parts[i] = x * i end
        return metann.cat(parts)
      end
    end), state_of)
    check_step('forward, then backward', make_net, function(s)
      local _, tangent = metann.func.jvp(net(s), { s.x }, { s.y:expand(4, 2) })
      tangent:square():sum():backward()
    end, state_of)
  end)

  it('a call in place whose result is made apart fails and changes nothing', function()
    local w = metann.ones(3, { dtype = 'float32', requires_grad = true })
    check_step('in place, apart', function()
      return { net = nn.Identity(), found = { w * 2 } }
    end, function(s)
      s.found[1]:add_(metann.tensor({ 1, 2, 3 }, { dtype = 'float64', requires_grad = true }))
    end, state_of)
  end)

  it('a derivative of one\'s own, hooks and a checkpoint fail and change nothing', function()
    local double = metann.autograd.Function{
      forward = function(saved, x) saved:save_for_backward(x) return x * 2 end,
      backward = function(_, g) return g * 2 end,
    }
    check_step('a Function', make_net, function(s)
      local p = s.net[1].weight
      s.found = { metann.grad(double(p):square():sum(), p) }
    end, state_of)
    check_step('a checkpoint', make_net, function(s)
      local out = metann.checkpoint(function(x) return s.net(x) end, s.x)
      out:square():sum():backward()
    end, state_of)
  end)

  it('a recording fails and changes nothing', function()
    check_step('a recording', make_net, function(s)
      local found
      local list = record.run(function()
        found = s.net(s.x) * metann.tensor({ 2 }, { dtype = 'float64' })
        s.x.grad = nil
      end)
      s.found = { found, unpack(list.bound) }
    end, state_of)
  end)

  it('one call while a recording is on fails and changes nothing', function()
    local function recorded(fn)
      return function(s)
        if C.mn_record_begin(ctx) ~= 0 then handle.fail() end
        local ok, failure = pcall(fn, s)
        C.mn_program_free(C.mn_record_end(ctx))
        if not ok then error(failure, 0) end
      end
    end
    local function pair(dtype)
      return { net = nn.Identity(), found = { metann.ones(3) }, by = metann.tensor({ 1, 2, 3 }, { dtype = dtype }) }
    end
    check_step('a recorded backward', with_loss, recorded(function(s) s.loss:backward{ retain_graph = true } end), state_of)
    check_step('recorded in place', pair, recorded(function(s) s.found[1]:mul_(s.by) end), state_of)
    check_step('recorded in place, apart', function() return pair 'float64' end,
      recorded(function(s) s.found[1]:add_(s.by) end), state_of)
    check_step('recorded writes', pair, recorded(function(s) metann.zero_(s.found[1]) end), state_of)
    check_step('recorded numbers', pair, recorded(function(s)
      handle.write(s.found[1], ffi.new('float[3]', 4, 5, 6))
    end), state_of)
    check_step('a recorded .grad', function()
      local s = make_net()
      s.g = metann.ones(3, 2):double()
      return s
    end, recorded(function(s) s.net[1].weight.grad = s.g end), state_of)
  end)

  it('room for more handles fails and takes nothing', function()
    local before = counts()
    local n = each_place(ALWAYS, function()
      local first = C.mn_places_reserve(ctx, 2)
      if first == 0 then
        C.mn_error_clear(ctx)
        error('out of memory', 0)
      end
      C.mn_places_open(ctx, first, 2 * 4096)
    end, function(ok)
      assert.is_false(ok)
      assert.equal(before, counts()) -- the lists are longer from the third request on, which is why there is no fourth
    end)
    assert.equal(3, n)
  end)

  it('was tried in thousands of places', function()
    local sum, lines = 0, {}
    for kind, n in pairs(total) do
      sum = sum + n
      lines[#lines + 1] = ('%s %d'):format(kind, n)
    end
    table.sort(lines)
    if os.getenv 'METANN_COVERAGE_TABLE' then print(table.concat(lines, '\n') .. '\nin all ' .. sum) end
    assert.is_true(sum > 2500, sum)
  end)
end)
