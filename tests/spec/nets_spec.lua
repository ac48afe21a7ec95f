-- A ResNet-12, an LSTM classifier and a transformer encoder: each trains, and the gradient through one inner SGD step
-- (the meta-gradient) and that gradient's own derivative agree with central differences.
local metann = require 'metann'
local nets = require 'tests.support.nets'
local nn, meta, optim = metann.nn, metann.meta, metann.optim
local cross_entropy = nn.functional.cross_entropy

local function int64(values) return metann.tensor(values, { dtype = 'int64' }) end

local function images(n) return metann.randn(n, 2, 16, 16) end

local SENTENCES = { { 2, 5, 3, 4 }, { 6, 2, 7, 1 }, { 3, 3, 1, 1 }, { 7, 6, 5, 2 }, { 4, 2, 6, 1 }, { 5, 5, 2, 3 } }
local function sentences(first, last)
  local list = {}
  for i = first, last do list[#list + 1] = SENTENCES[i] end
  return int64(list)
end

-- For each net: how to make it (with dropout or without), data to train on, two tasks' halves to adapt to and to judge.
local CASES = {
  ['ResNet-12'] = {
    make = function() return nets.resnet12(2, { 3, 4, 5, 6 }, 3) end,
    train = function() return { images(6), int64{ 1, 2, 3, 1, 2, 3 } } end,
    support = function() return { images(3), int64{ 1, 2, 3 } } end,
    query = function() return { images(3), int64{ 2, 1, 3 } } end,
    names = { '1.body.1.weight', '4.shortcut.2.bias', '7.bias' }, parameters = 4 * 12 + 2,
    lr = 0.01,
  },
  ['the LSTM classifier'] = {
    make = function() return nets.lstm_classifier(7, 3, 4, 3) end,
    train = function() return { sentences(1, 6), int64{ 1, 2, 3, 1, 2, 3 } } end,
    support = function() return { sentences(1, 3), int64{ 1, 2, 3 } } end,
    query = function() return { sentences(4, 6), int64{ 1, 2, 3 } } end,
    names = { 'words.weight', 'lstm.weight_hh_l1_reverse', 'head.bias' }, parameters = 1 + 16 + 2,
    lr = 0.05,
  },
  ['the transformer encoder'] = {
    make = function(dropout) return nets.transformer_encoder(7, 4, 4, 2, 3, dropout) end,
    train = function() return { sentences(1, 6), int64{ 1, 2, 3, 1, 2, 3 } } end,
    support = function() return { sentences(1, 3), int64{ 1, 2, 3 } } end,
    query = function() return { sentences(4, 6), int64{ 1, 2, 3 } } end,
    names = { 'places', 'layers.2.self_attn.in_proj_weight', 'norm.weight' }, parameters = 1 + 1 + 24 + 4,
    lr = 0.01,
  },
}

local function loss_of(model, data) return cross_entropy(model(data[1]), data[2]) end

local function dot(list, others)
  local sum
  for i, t in ipairs(list) do
    local part = (t * others[i]):sum()
    sum = sum and sum + part or part
  end
  return sum
end

--- Weights moved along a direction, as fresh leaves.
local function moved(weights, direction, by)
  local list = {}
  for i, w in ipairs(weights) do list[i] = (w + direction[i] * by):detach():requires_grad_(true) end
  return list
end

--- The loss on the query after one SGD step on the support, as a function of the weights.
local function meta_loss(proto, weights, task)
  local grads = metann.grad(loss_of(proto:functional(weights, true), task.support), weights, { create_graph = true })
  local adapted = {}
  for i, w in ipairs(weights) do adapted[i] = w - grads[i] * 0.1 end
  return loss_of(proto:functional(adapted, true), task.query)
end

local function meta_gradient(proto, weights, task)
  return metann.grad(meta_loss(proto, weights, task), weights, { create_graph = true })
end

for name, case in pairs(CASES) do
  describe(name, function()
    it('has the parameters it should have', function()
      local net, state, count = case.make(0), {}, 0
      for path in net:named_parameters() do state[path], count = true, count + 1 end
      for _, path in ipairs(case.names) do assert.is_true(state[path] or false, path) end
      assert.equal(case.parameters, count)
    end)

    it('trains: the loss goes down', function()
      metann.manual_seed(3)
      local net, data = case.make(0.1), case.train()
      local optimizer, first, last = optim.Adam(net:parameters(), { lr = case.lr }), nil, nil
      for _ = 1, 12 do
        optimizer:zero_grad()
        local loss = loss_of(net, data)
        loss:backward()
        nn.utils.clip_grad_norm_(net:parameters(), 5)
        optimizer:step()
        first, last = first or loss:item(), loss:item()
      end
      assert.is_true(last < 0.8 * first, ('from %g to %g'):format(first, last))
    end)

    it('passes derivatives through an inner step, twice', function()
      metann.manual_seed(8)
      local net = case.make(0):double()
      local function double(data) return { data[1].dtype == 'float32' and data[1]:double() or data[1], data[2] } end
      local task = { support = double(case.support()), query = double(case.query()) }
      local proto, weights, direction = metann.ProtoModule(net), {}, {}
      for p in net:parameters() do
        weights[#weights + 1] = p:detach():clone():requires_grad_(true)
        direction[#direction + 1] = metann.randn(p.shape, { dtype = 'float64' }) * 0.1
      end
      local gradient = meta_gradient(proto, weights, task)
      local along = dot(gradient, direction)
      local second = dot(metann.grad(along, weights), direction):item()

      local eps = 1e-5
      local up, down = moved(weights, direction, eps), moved(weights, direction, -eps)
      local slope = (meta_loss(proto, up, task) - meta_loss(proto, down, task)):item() / (2 * eps)
      assert.near(slope, along:item(), 1e-6 * (1 + math.abs(slope)))
      local curvature = (dot(meta_gradient(proto, up, task), direction)
        - dot(meta_gradient(proto, down, task), direction)):item() / (2 * eps)
      assert.near(curvature, second, 1e-5 * (1 + math.abs(curvature)))
      assert.is_true(math.abs(slope) > 1e-3 and math.abs(curvature) > 1e-3)

      -- MAML takes the same step
      local maml = meta.MAML(net, { steps_train = 1, steps_eval = 1, lr = 0.1, evaluator = loss_of })
      loss_of(maml(task.support), task.query):backward()
      local i = 0
      for p in net:parameters() do
        i = i + 1
        assert.is_true((p.grad - gradient[i]):abs():max():item() < 1e-10)
      end
    end)
  end)
end
