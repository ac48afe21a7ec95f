-- A recording tells the truth: numbers that it computes can't be read, what is made from Lua's numbers is in it with its
-- values and line, so is what becomes of .grad, and what was there before is bound. The library's own steps record
-- without a read, and run again they are the steps.
local metann = require 'metann'
local devices = require 'metann.binding.devices'
local record = require 'metann.binding.record'
local layer_cases = require 'tests.support.layer_cases'
local live = require 'tests.support.live'
local optimizers = require 'tests.support.optimizers'
local namespace = require 'tests.support.namespace'
local rows_of = require 'tests.support.rows'
require 'tests.support.guarded'
local ffi = require 'ffi'
local nn, optim = metann.nn, metann.optim

local function ops(rows)
  local list = {}
  for i, row in ipairs(rows) do list[i] = row.op end
  return list
end

--- The message of a recording that fails, and whether nothing is left of it.
local function refused(fn)
  local ok, message = pcall(record.run, fn)
  assert.is_false(ok)
  assert.equal(1, #record.run(function() return metann.zeros(2) end))
  return tostring(message)
end

describe('while recording, the numbers of what is computed', function()
  local x = metann.tensor{ 1, 2, 3 }
  local path = os.tmpname()

  local READS = {
    item = function() local v = (x * 2):sum():item() return v end,
    to_table = function() local v = (x * 2):to_table() return v end,
    tostring = function() local v = tostring(x * 2) return v end,
    print = function() local printed = print(x * 2) return printed end,
    equal = function() local v = (x * 2):equal(x) return v end,
    allclose = function() local v = metann.allclose(x * 2, x) return v end,
    data_ptr = function() local v = (x * 2):data_ptr() return v end,
    narrow = function() local v = x:narrow(1, (x:sum() * 0 + 1):long(), 1) return v end,
  }
  for name, read in pairs(READS) do
    it("can't be read by " .. name, function()
      local message = refused(read)
      local line = debug.getinfo(read, 'S').linedefined
      assert.is_truthy(message:find(('recording_spec.lua:%d: '):format(line), 1, true), message)
      assert.is_truthy(message:find(": a recording can't take numbers of a tensor that it computes", 1, true), message)
      assert.matches(': ' .. (name == 'print' and 'tostring' or name) .. ': ', message)
    end)
  end

  it("can't be read of an integer, an element, a view or what is written in place", function()
    assert.matches('item: a recording', refused(function() local v = x:long():sum():item() return v end))
    assert.matches('item: a recording', refused(function() local v = (x * 2)[1]:item() return v end))
    assert.matches('to_table: a recording', refused(function() local v = (x * 2):detach():reshape(3, 1):to_table() return v end))
    local y = x:clone()
    assert.matches('to_table: a recording', refused(function()
      y:add_(1)
      local v = y:to_table()
      return v
    end))
    assert.same({ 2, 3, 4 }, y:to_table())
  end)

  it("can't be saved", function()
    assert.matches('a recording', refused(function() metann.save(path, { a = x * 2 }) end))
    assert.matches('a recording', refused(function() require 'metann.io.npy'.save(path, x * 2) end))
    os.remove(path)
  end)

  it("can't give a size", function()
    local whole = x:long()
    for name, fn in pairs{
      nonzero = function() local v = x:nonzero() return v end, bincount = function() local v = metann.bincount(whole) return v end,
      masked_select = function() local v = metann.masked_select(x, x:gt(1)) return v end,
    } do
      local message = refused(fn)
      assert.matches('recording_spec.lua:%d+: ' .. name .. ": a recording can't hold a row whose result's size depends on data", message)
    end
    assert.matches("a recording can't hold a row", refused(function() local v = x[x:gt(1)] return v end))
  end)

  it('are not asked for by what can do without, and others say what they need', function()
    local labels, matrix = x:long(), metann.eye(2)
    assert.matches("one_hot: 'num_classes' must be given while recording", refused(function()
      local v = metann.one_hot(labels)
      return v
    end))
    assert.matches("matrix_exp: can't be recorded", refused(function() local v = metann.matrix_exp(matrix) return v end))
    assert.matches('clip_grad_norm_: a recording', refused(function()
      local p = nn.Parameter(metann.ones(2))
      p:sum():backward()
      nn.utils.clip_grad_norm_({ p }, { max_norm = 1, error_if_nonfinite = true })
    end))
    local rows, y = record.run(function() return metann.one_hot(labels, 4) end)
    assert.same({ 3, 4 }, y.shape)
    assert.same({ 'one_hot' }, ops(rows))
    local planes = metann.randn(1, 2, 7, 5)
    local want = metann.adaptive_max_pool2d(planes, 3)
    local _, got = record.run(metann.adaptive_max_pool2d, planes, 3)
    assert.is_true(want:equal(got))
  end)

  it("can't be looked at by a check, which is rows then: NaN of what is an error outside, the same bits of the rest", function()
    local p, target = metann.tensor({ 0.5, 0, 1, 0.25 }, { requires_grad = true }), metann.tensor{ 1, 0, 0.5, 0.75 }
    local function loss_of(input, wanted)
      local loss = nn.functional.binary_cross_entropy(input, wanted, { reduction = 'none' })
      return loss, metann.grad(loss:sum(), p)
    end
    local want, want_grad = loss_of(p * 1, target)
    local rows, got, got_grad = record.run(function() return loss_of(p * 1, target) end)
    assert.is_true(#rows > 0 and rows_of.bytes(want) == rows_of.bytes(got))
    assert.is_true(rows_of.bytes(want_grad) == rows_of.bytes(got_grad))
    local function nans(t)
      local list = {}
      for i, v in ipairs(t:to_table()) do list[i] = v ~= v end
      return list
    end
    for _, bad in ipairs{ -0.5, 1.5, 0 / 0, 1 / 0 } do
      local off = metann.tensor{ 0, bad, 0, 0 }
      assert.is_false((pcall(loss_of, p + off, target)))
      assert.is_false((pcall(loss_of, p, target + off)))
      for _, pair in ipairs{ { p + off, target }, { p * 1, target + off } } do
        local _, loss = record.run(function() return (loss_of(pair[1], pair[2])) end)
        assert.same({ false, true, false, false }, nans(loss))
      end
    end
    local std = metann.tensor{ 1, -1, 0 / 0, 0 }
    assert.is_false((pcall(metann.normal, 0, std)))
    local _, drawn = record.run(metann.normal, 0, std)
    assert.same({ false, true, true, false }, nans(drawn))
    metann.manual_seed(4)
    local draw = metann.normal(x, x)
    metann.manual_seed(4)
    local _, again = record.run(metann.normal, x, x)
    assert.is_true(rows_of.bytes(draw) == rows_of.bytes(again))
  end)

  it('can be read of what was there before, and of constants', function()
    record.run(function()
      assert.same({ 1, 2, 3 }, x:to_table())
      local c = metann.tensor{ 4, 5 }
      assert.same({ 4, 5 }, c:to_table())
      assert.equal(5, c[2]:item())
    end)
    local _, y = record.run(function() return x * 2 end)
    assert.same({ 2, 4, 6 }, y:to_table()) -- and afterwards
    record.run(function() assert.same({ 2, 4, 6 }, y:to_table()) end)
  end)
end)

describe('a tensor made from Lua numbers', function()
  it('is a constant with its values and line', function()
    local line
    local rows, y = record.run(function()
      line = debug.getinfo(1, 'l').currentline + 1
      local c = metann.tensor({ { 1, 2 }, { 3, 4 } }, { dtype = 'float64' })
      return c * 2
    end)
    assert.same({ 'constant', 'mul' }, ops(rows))
    assert.matches('recording_spec.lua:' .. line .. '$', rows[1].where)
    assert.same({ 2, 2 }, rows[1].outputs[1].shape)
    local values = ffi.cast('const double *', rows[1].row.values)
    for i = 1, 4 do assert.equal(i, values[i - 1]) end
    assert.equal(rows[1].outputs[1].tensor, rows[2].inputs[1].tensor)
    assert.same({}, rows.bound)
    local c = record.apply(rows[1], {})[1]
    assert.same({ { 1, 2 }, { 3, 4 } }, c:to_table())
    assert.is_true(record.apply(rows[2], { c })[1]:equal(y))
  end)

  it('is one in every dtype and size, and each has its own line', function()
    local rows = record.run(function()
      metann.tensor{ true, false }
      metann.tensor({ 7 }, { dtype = 'int64' })
      metann.tensor({}, { dtype = 'float32' })
      metann.tensor(2.5)
    end)
    assert.same({ 'constant', 'constant', 'constant', 'constant' }, ops(rows))
    for i = 2, 4 do assert.are_not.equal(rows[i - 1].where, rows[i].where) end
    assert.equal('bool', rows[1].outputs[1].dtype)
    assert.equal(7LL, ffi.cast('const int64_t *', rows[2].row.values)[0])
    assert.equal(2.5, ffi.cast('const float *', rows[4].row.values)[0])
  end)

  it('is one on a device, and comes back there', function()
    local rows = record.run(function() return metann.tensor({ 1, 2 }, { device = 'guarded' }) end)
    local constant = rows[#rows].op == 'transfer' and rows[#rows - 1] or rows[#rows]
    assert.equal('constant', constant.op)
    local made = record.apply(constant, {})[1]
    assert.equal(constant.outputs[1].device, devices.number(made.device))
    assert.same({ 1, 2 }, made:to_table())
    rows = record.run(function() return devices.on(devices.number 'guarded', metann.tensor, { 3 }) end)
    assert.equal('guarded:0', record.apply(rows[1], {})[1].device)
  end)

  it('is one when a task draws it', function()
    local wave = metann.data.Sinusoid{ seed = 3 }:sample(4)
    local rows, batch = record.run(function() return wave:points(4) end)
    local made = {}
    for _, op in ipairs(ops(rows)) do
      if op ~= 'transfer' then made[#made + 1] = op end -- to the default device, where that is another one
    end
    assert.same({ 'constant', 'constant', 'cast', 'cast' }, made)
    local values = ffi.cast('const double *', rows[1].row.values)
    for i, row in ipairs(batch[1]:double():to_table()) do assert.is_true(math.abs(row[1] - values[i - 1]) < 1e-6) end
    assert.same({}, rows.bound)
  end)

  it('is no constant any more when a row has written it', function()
    assert.matches('a recording', refused(function()
      local c = metann.tensor{ 1, 2 }
      c:mul_(2)
      local v = c:to_table()
      return v
    end))
  end)
end)

describe('what becomes of .grad', function()
  it('is a row: set, added to, cleared', function()
    local w = metann.tensor({ 1, 2 }, { requires_grad = true })
    local rows = record.run(function()
      w:square():sum():backward()
      w:sum():backward()
      w.grad = nil
    end)
    local grads = {}
    for i, row in ipairs(rows) do
      if row.op == 'grad' then grads[#grads + 1] = { i, row } end
    end
    assert.equal(3, #grads)
    for _, found in ipairs(grads) do assert.equal(w:id(), found[2].inputs[1].tensor) end
    -- what is added to is what was set, and the sum is set
    local add = rows[grads[2][1] - 1]
    assert.equal('add', add.op)
    assert.equal(grads[1][2].inputs[2].tensor, add.inputs[1].tensor)
    assert.equal(add.outputs[1].tensor, grads[2][2].inputs[2].tensor)
    assert.is_false(grads[3][2].inputs[2])
    assert.is_nil(w.grad)
    record.apply(grads[1][2], { w, metann.ones(2) })
    assert.same({ 1, 1 }, w.grad:to_table())
    record.apply(grads[3][2], { w, false })
    assert.is_nil(w.grad)
  end)

  it('is a row when it is assigned, zeroed, or kept by a tensor inside', function()
    local w, g = metann.tensor({ 1, 2 }, { requires_grad = true }), metann.ones(2)
    local net = nn.Linear(2, 1)
    net(w):sum():backward()
    local rows = record.run(function()
      w.grad = g
      net:zero_grad(false)
      net:zero_grad()
    end)
    assert.equal('grad', rows[1].op)
    assert.equal(g:id(), rows[1].inputs[2].tensor)
    assert.same({ 'grad', 'fill', 'fill', 'grad', 'grad' }, ops(rows))
    rows = record.run(function()
      local y = w * 2
      y:retain_grad()
      y:sum():backward()
    end)
    local last = {}
    for _, row in ipairs(rows) do
      if row.op == 'grad' then last[#last + 1] = row.inputs[1].tensor end
    end
    assert.equal(2, #last)
  end)
end)

describe('what was there before', function()
  it('is bound, each storage once, as it was met first', function()
    local x, w = metann.randn(2, 3), metann.randn(3)
    local rows = record.run(function() return (x:t():t() + w) * w + metann.tensor{ 1, 2, 3 } end)
    assert.equal(2, #rows.bound)
    assert.equal(x:id(), rows.bound[1]:id())
    assert.equal(w:id(), rows.bound[2]:id())
    assert.is_true(rows.bound[1]:equal(x))
    w:fill_(7)
    assert.same({ 7, 7, 7 }, rows.bound[2]:to_table()) -- the same memory
  end)

  it('lives as long as the program, and no longer', function()
    local before = live()
    do
      local rows = record.run(function(x) return x:exp() end, metann.ones(5)) -- nobody else has the ones
      collectgarbage()
      assert.same({ 1, 1, 1, 1, 1 }, rows.bound[1]:to_table())
    end
    collectgarbage()
    assert.same(before, live())
  end)

  it('is bound when it is written first', function()
    local x = metann.ones(2)
    local rows = record.run(function() x:zero_() end)
    assert.equal(x:id(), rows.bound[1]:id())
  end)
end)

-- ---- the library's own steps ----

local function a_net()
  metann.manual_seed(3)
  return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)):double()
end

local function train(net, optimizer, x, clip)
  optimizer:zero_grad()
  nn.functional.mse_loss(net(x), x:sum(2):unsqueeze(2)):backward()
  if clip then nn.utils.clip_grad_norm_(net:parameters(), 0.05) end
  optimizer:step()
end

--- Runs rows again on what they are bound to.
local function replay(rows)
  local known = {}
  for _, t in ipairs(rows.bound) do known[t:id()] = t end
  metann.no_grad(function()
    for i, row in ipairs(rows) do
      local inputs = {}
      for k, ref in ipairs(row.inputs) do
        inputs[k] = ref and assert(known[ref.tensor], ('row %d (%s) takes a tensor nobody made'):format(i, row.op))
      end
      for k, t in ipairs(record.apply(row, inputs)) do known[row.outputs[k].tensor] = t end
    end
  end)
end

local function text_of(net)
  local parts = {}
  for _, t in net:state_dict():pairs() do parts[#parts + 1] = rows_of.bytes(t) end
  return table.concat(parts)
end

describe('without a read are recorded', function()
  for _, name in ipairs(namespace.optimizers()) do
    it('steps of ' .. name .. ', the first and later ones; run again they are the steps after', function()
      local x = metann.randn({ 5, 3 }, { dtype = 'float64' })
      local options = { lr = 0.05 }
      for option, value in pairs(optimizers[name].full) do options[option] = value end
      local net, twin = a_net(), a_net()
      local optimizer, other = optim[name](net:parameters(), options), optim[name](twin:parameters(), options)
      record.run(train, net, optimizer, x, true)
      train(net, optimizer, x, true)
      local rows = record.run(train, net, optimizer, x, true)
      for _ = 1, 3 do train(twin, other, x, true) end
      assert.equal(text_of(twin), text_of(net))
      for _ = 4, 8 do
        replay(rows)
        train(twin, other, x, true)
        assert.equal(text_of(twin), text_of(net))
      end
    end)
  end

  for _, name in ipairs(namespace.schedules()) do
    it('a step of ' .. name, function()
      local net, S = a_net(), optim.lr_scheduler
      local optimizer = optim.SGD(net:parameters(), { lr = 0.1, momentum = 0.9 })
      local function half() return 0.5 end
      local function list() return { S.ConstantLR(optimizer), S.StepLR(optimizer, 2) } end
      local arguments = {
        StepLR = { 2 }, MultiStepLR = { { 1, 2 } }, ExponentialLR = { 0.5 }, CosineAnnealingLR = { 5 }, LinearLR = {},
        LambdaLR = { half }, OneCycleLR = { 1, 10 }, ReduceLROnPlateau = {}, ConstantLR = {}, PolynomialLR = {},
        MultiplicativeLR = { half }, CyclicLR = { 0.1, 0.5 }, CosineAnnealingWarmRestarts = { 2 },
        SequentialLR = { list(), { 2 } }, ChainedScheduler = {},
      }
      local given = assert(arguments[name], name .. ' has no case here')
      local schedule = name == 'ChainedScheduler' and S[name](list()) or S[name](optimizer, unpack(given))
      for _ = 1, 3 do
        assert.same({}, ops((record.run(function() schedule:step(name == 'ReduceLROnPlateau' and 1 or nil) end))))
      end
    end)
  end

  it('clipping by value', function()
    local net = a_net()
    net(metann.randn({ 5, 3 }, { dtype = 'float64' })):sum():backward()
    record.run(nn.utils.clip_grad_value_, net:parameters(), 0.01)
  end)

  for i, case in ipairs(layer_cases) do
    it(('%s forwards and back (%d)'):format(case.class, i), function()
      local module, inputs = case.make():double(), {}
      for k, input in ipairs(case.inputs) do
        if type(input) == 'function' then
          inputs[k] = input()
        else
          inputs[k] = (metann.rand(input.parts or input, { dtype = 'float64' }) * 0.8 + 0.1):requires_grad_(true)
        end
      end
      record.run(function()
        local out
        if case.class == 'MultiheadAttention' and inputs[4] then
          out = module(inputs[1], inputs[2], inputs[3], { key_padding_mask = inputs[4] })
        else
          out = module(unpack(inputs))
        end
        if out.requires_grad then out:sum():backward() end
      end)
    end)
  end

  it('every learner', function()
    local net = a_net()
    local function evaluator(model, d) return nn.functional.mse_loss(model(d), d:sum(2):unsqueeze(2)) end
    local data = metann.randn({ 5, 3 }, { dtype = 'float64' })
    local meta = metann.meta
    for _, learner in ipairs{
      meta.GDLearner(2, 0.1, true, evaluator), meta.SequentialGDLearner{ lr = 0.1, evaluator = evaluator },
      meta.RMSPropLearner{ evaluator = evaluator, steps = 2 },
      meta.OptimizerLearner('Adam', { lr = 0.1, steps = 2, evaluator = evaluator }),
    } do
      local given = tostring(learner):find '^SequentialGDLearner' and { data, data } or data
      record.run(function() evaluator(learner(net, given), data):backward() end)
    end
    record.run(function() evaluator(meta.MAML(net, 2, 2, 0.1, evaluator)(data), data):backward() end)
  end)
end)

