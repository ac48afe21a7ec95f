-- The core is ready for programs: whatever a training step computes passes one door, so the list of rows noted there,
-- run again by a few lines of interpreter, is the step.
local metann = require 'metann'
local record = require 'metann.binding.record'
local nn = metann.nn

--- Runs rows on the tensors of `known` (id -> tensor). Returns all tensors by id.
local function interpret(rows, known)
  local env = setmetatable({}, { __index = known })
  metann.no_grad(function()
    for i, row in ipairs(rows) do
      local inputs = {}
      for k, ref in ipairs(row.inputs) do
        inputs[k] = ref and assert(env[ref.tensor], ('row %d (%s) reads a tensor nobody made'):format(i, row.op))
      end
      for k, tensor in ipairs(record.apply(row, inputs)) do env[row.outputs[k].tensor] = tensor end
    end
  end)
  return env
end

local function net_and_optimizer()
  metann.manual_seed(3)
  local net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.25), nn.Linear(8, 1))
  return net, metann.optim.Adam(net:parameters(), { lr = 0.05 })
end

--- One MAML step: adapt to the support set by one second-order gradient step, then train on the query set.
local function meta_step(net, optimizer, data)
  optimizer:zero_grad()
  local function mse(model, d) return nn.functional.mse_loss(model(d[1]), d[2]) end
  local adapted = metann.meta.MAML(net, { steps_train = 1, steps_eval = 1, lr = 0.1, evaluator = mse })(data[1])
  local loss = mse(adapted, data[2])
  loss:backward()
  optimizer:step()
  -- The running statistics of the user's model are trained too, so that a buffer takes part in the step.
  net(data[1][1])
  return loss
end

local function random_data()
  local function batch() return { metann.randn(6, 4), metann.randn(6, 1) } end
  return { batch(), batch() }
end

local function state(net)
  local list = {}
  for _, t in net:named_parameters() do list[#list + 1] = t:to_table() end
  for _, t in net:named_buffers() do list[#list + 1] = t:to_table() end
  return list
end

describe('a recorded meta-step', function()
  it('run again by an interpreter gives the numbers of the eager step, and of the one after it', function()
    metann.manual_seed(1)
    local data = { random_data(), random_data(), random_data() }
    -- The eager run: three steps.
    local net, optimizer = net_and_optimizer()
    metann.manual_seed(7)
    local losses, states = {}, {}
    for i = 1, 3 do
      losses[i] = meta_step(net, optimizer, data[i]):item()
      states[i] = state(net)
    end
    -- The same first step, recorded nowhere; the second recorded; then rewound and replayed on the data of 2 and 3.
    local again, optimizer2 = net_and_optimizer()
    metann.manual_seed(7)
    meta_step(again, optimizer2, data[1])
    local known, before = {}, {}
    local function know(t)
      known[t:id()] = t
      before[#before + 1] = { t, t:clone() }
    end
    metann.no_grad(function()
      for _, p in again:named_parameters() do know(p) end
      for _, b in again:named_buffers() do know(b) end
      for _, tensors in pairs(optimizer2.state) do
        for _, s in pairs(tensors) do know(s) end
      end
    end)
    local random = metann.get_rng_state()
    local rows, loss = record.run(meta_step, again, optimizer2, data[2])
    assert.are.equal(losses[2], loss:item())
    local loss_id = loss:id()
    local inputs = { data[2][1][1]:id(), data[2][1][2]:id(), data[2][2][1]:id(), data[2][2][2]:id() }
    metann.no_grad(function() for _, pair in ipairs(before) do pair[1]:copy_(pair[2]) end end)
    metann.set_rng_state(random)
    for step = 2, 3 do
      local d = data[step]
      for i, t in ipairs{ d[1][1], d[1][2], d[2][1], d[2][2] } do known[inputs[i]] = t end
      local env = interpret(rows, known)
      assert.are.equal(losses[step], env[loss_id]:item())
      assert.are.same(states[step], state(again))
    end
  end)

  it('notes op, place, storage and views', function()
    local x = metann.randn(2, 3)
    local rows = record.run(function() return x:t():exp():add_(1) end)
    assert.are.same({ 'transpose', 'exp', 'add' }, { rows[1].op, rows[2].op, rows[3].op })
    assert.is_true(rows[1].outputs[1].view)
    assert.are.equal(rows[1].inputs[1].storage, rows[1].outputs[1].storage)
    assert.are.same({ 3, 2 }, rows[1].outputs[1].shape)
    assert.are.same({ 1, 3 }, rows[1].outputs[1].stride)
    assert.are_not.equal(rows[1].outputs[1].storage, rows[2].outputs[1].storage)
    assert.is_true(rows[3].inplace)
    assert.are.equal(rows[2].outputs[1].tensor, rows[3].outputs[1].tensor)
  end)

  it('raises what the function raised, and records anew afterwards', function()
    assert.has_error(function() record.run(function() error('stop', 0) end) end, 'stop')
    assert.are.equal(1, #record.run(function() return metann.zeros(2) end))
    assert.has_error(function() record.run(function() record.run(function() end) end) end)
  end)
end)
