-- What holds where no option is given, of every optimizer, schedule, layer, loss and learner. Numbers are PyTorch's, in
-- the cases NAME-defaults of tests/golden (which golden_spec checks), and plain Lua's for learners. Names come from the
-- namespaces, so that what is new fails here until it has its case.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local modules = require 'tests.support.golden.torch.modules'
local namespace = require 'tests.support.namespace'
local python = require 'tests.support.golden.torch.names'
local schedule_of = require('tests.support.golden.optim').schedule
local signatures = require 'tests.support.golden.torch.signatures'
local arguments = require 'metann.arguments'
local nn, optim, meta = metann.nn, metann.optim, metann.meta

-- They only hold modules and parameters, which are all they take.
local CONTAINERS = { Sequential = true, ModuleList = true, ModuleDict = true, ParameterList = true, ParameterDict = true }
-- They draw numbers: what they draw is looked at below.
local DRAWS = {
  AlphaDropout = true, Dropout = true, Dropout1d = true, Dropout2d = true, Dropout3d = true, FeatureAlphaDropout = true,
  FractionalMaxPool2d = true, FractionalMaxPool3d = true,
}
-- Too large for a file: its parts are looked at below.
local LARGE = { Transformer = true }

local function case_of(kind, name)
  local path = ('tests/golden/%s/%s-defaults.safetensors'):format(kind, name)
  local file = io.open(path, 'rb')
  assert(file, ('%s has no case without options: %s (tests/golden/make_defaults.py makes it)'):format(name, path))
  file:close()
  return cases.load{ path }
end

--- The case gives nothing that could be left out: without any one of its arguments there is an error.
local function check_needed(name, args, make)
  for left_out in pairs(args) do
    local others = {}
    for argument, value in pairs(args) do
      if argument ~= left_out then others[argument] = value end
    end
    assert(not pcall(make, others), ("%s: the case gives '%s', which has a default"):format(name, left_out))
  end
end

local function a_parameter() return nn.Parameter(metann.zeros(1)) end

describe('without options', function()
  it('every optimizer has a case', function()
    -- lbfgs_spec has the other's
    assert.equal('LBFGS', table.concat(namespace.every_optimizer(), ' ', #namespace.optimizers() + 1))
    for _, name in ipairs(namespace.optimizers()) do
      local case = case_of('optim', name)
      assert.equal(name, case.optimizer)
      check_needed(name, case.args, function(o) return optim[name]({ a_parameter() }, o) end)
      assert.same(namespace.required(name), case.args)
    end
  end)

  it('every schedule has a case', function()
    for _, name in ipairs(namespace.schedules()) do
      local case = case_of('optim', name)
      assert.equal(name, case.scheduler)
      check_needed(name, case.args, function(o)
        return schedule_of(name, optim.SGD({ a_parameter() }, { lr = 1, momentum = 0.9 }), o)
      end)
    end
  end)

  it('every layer and loss has a case', function()
    for _, name in ipairs(namespace.layers()) do
      if not (CONTAINERS[name] or DRAWS[name] or LARGE[name]) then
        local case = case_of('layer', name)
        assert.equal(name, case.layer)
        check_needed(name, case.args, function(o) return modules.build(name, o) end)
      end
    end
  end)

  it('a dropped number or plane is one of two, the others twice as large', function()
    metann.manual_seed(4)
    for name, size in pairs{
      Dropout = { 20000 }, Dropout1d = { 20000, 1 }, Dropout2d = { 20000, 1, 1 }, Dropout3d = { 20000, 1, 1, 1 },
    } do
      local y = nn[name]()(metann.ones(size))
      local kept = y:sum():item() / 2
      assert.near(10000, kept, 300)
      assert.equal(2, y:max():item())
    end
  end)

  it('a dropped number in a net of SELU is one of two', function()
    metann.manual_seed(4)
    for _, name in ipairs{ 'AlphaDropout', 'FeatureAlphaDropout' } do
      local y = nn[name]()(metann.ones(200, 100, 1))
      assert.near(0.5, y:lt(0):float():mean():item(), 0.02)
    end
    metann.manual_seed(4)
    local y = nn.RReLU()(metann.full({ 20000 }, -1))
    assert.near(-1 / 8, y:max():item(), 1e-3)
    assert.near(-1 / 3, y:min():item(), 1e-3)
  end)

  it('windows drawn by chance give no indices', function()
    local planes, volumes = metann.randn(2, 1, 5, 5), metann.randn(2, 1, 5, 5, 5)
    assert.same({ 2, 1, 3, 3 }, nn.FractionalMaxPool2d{ kernel_size = 2, output_size = 3 }(planes).shape)
    assert.equal(1, select('#', nn.FractionalMaxPool3d{ kernel_size = 2, output_size = 3 }(volumes)))
    assert.equal('FractionalMaxPool2d(kernel_size=2, output_size=3)', tostring(nn.FractionalMaxPool2d(2, 3)))
  end)

  it('an encoder layer drops one number of ten', function()
    metann.manual_seed(4)
    local layer = nn.TransformerEncoderLayer(2, 1)
    for _, part in ipairs{ layer.dropout, layer.dropout1, layer.dropout2 } do
      assert.near(0.1, part(metann.ones(20000)):eq(0):float():mean():item(), 0.01)
    end
    assert.equal(0.1, layer.self_attn.dropout)
  end)

  it("a transformer has PyTorch's sizes", function()
    local net = nn.Transformer()
    assert.equal(6, net.encoder.layers:len())
    assert.equal(6, net.decoder.layers:len())
    for _, layer in ipairs{ net.encoder.layers[1], net.decoder.layers[6] } do
      assert.same({ 2048, 512 }, layer.linear1.weight.shape)
      assert.equal(8, layer.self_attn.num_heads)
      assert.same({ 0.1, 0.1 }, { layer.dropout.p, layer.dropout2.p })
      assert.same({ 'relu', false, false }, { layer.activation, layer.norm_first, layer.self_attn.batch_first })
      assert.same({ 1e-5, 512 }, { layer.norm2.eps, layer.norm2.bias:numel() })
    end
    assert.same({ 1e-5, 512 }, { net.decoder.norm.eps, net.encoder.norm.bias:numel() })
    -- Glorot-uniform
    local bound = math.sqrt(6 / (512 + 2048))
    local weight = net.decoder.layers[2].linear2.weight
    assert.is_true(weight:abs():max():item() <= bound and weight:abs():max():item() > 0.99 * bound)
  end)

  it('layers that scale start with ones and zeros, PReLU with a quarter', function()
    for _, layer in ipairs{
      nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3),
      nn.InstanceNorm2d{ num_features = 3, affine = true },
    } do
      assert.same({ 1, 1, 1 }, layer.weight:to_table())
      assert.same({ 0, 0, 0 }, layer.bias:to_table())
    end
    assert.same({ 0.25 }, nn.PReLU().weight:to_table())
    assert.is_nil(nn.InstanceNorm2d(3).weight)
    assert.is_nil(nn.InstanceNorm2d(3).running_mean)
    assert.same({ 0, 0, 0 }, nn.BatchNorm1d(3).running_mean:to_table())
    assert.same({ 1, 1, 1 }, nn.BatchNorm1d(3).running_var:to_table())
  end)
end)

-- ---- functions ----

-- Defaults that are written in another way than in PyTorch's signature; false where there is none, as what is left out
-- is told from what is given.
local OTHERWISE = {
  ['mode: dim'] = -1, ['norm: p'] = 2, ['pad: value'] = 0, ['cond: p'] = 2, ['matrix_norm: dim'] = { -2, -1 },
  ['arange: step'] = false, ['qr: some'] = false, ['qr: mode'] = false, ['var: unbiased'] = false,
  ['std: unbiased'] = false, ['std_mean: unbiased'] = false, ['var_mean: unbiased'] = false,
  ['sort: stable'] = true, ['argsort: stable'] = true, -- equal ones always keep their order
}

describe('without options', function()
  for what, room in pairs{
    functional = nn.functional, torch = metann, linalg = metann.linalg, init = nn.init, utils = nn.utils,
  } do
    it('functions do what PyTorch\'s do by their signatures: ' .. what, function()
      local compared = 0
      for name, signature in pairs(signatures[what]) do
        local found, fn = pcall(function() return room[name] end)
        local own = {}
        for _, p in ipairs(found and arguments.parameters(fn) or {}) do own[p[1]] = p end
        for _, p in ipairs(signature.parameters) do
          local mine, said = own[p.name], name .. ': ' .. p.name
          if mine and p.default then
            local value = OTHERWISE[said]
            if value == nil then value = signature.kinds[p.name](python.value(p.default)) or false end
            local default = mine.default
            if default == nil then default = mine[3] end
            assert.same(value, default or false, said)
            compared = compared + 1
          end
        end
      end
      assert.is_true(compared > 0, compared .. ' defaults')
    end)
  end
end)

-- ---- learners ----

-- Two weights w give the scores w * x of two classes; the loss is the mean of -log softmax, whose gradient with respect
-- to w[k] is the mean of (softmax[k] - [label is k]) * x.
local BATCHES = {
  { x = { 0.5, -1.25, 2 }, labels = { 1, 2, 2 } },
  { x = { 1.5, 0.75, -0.5 }, labels = { 2, 1, 1 } },
  { x = { -2, 0.25, 1 }, labels = { 1, 1, 2 } },
}
local START = { 0.3, -0.7 }

local function tensors(batch)
  return { metann.tensor(batch.x, { dtype = 'float64' }):reshape(3, 1), metann.tensor(batch.labels, { dtype = 'int64' }) }
end

local function each_batch()
  local list = {}
  for i, batch in ipairs(BATCHES) do list[i] = tensors(batch) end
  return list
end

--- Loss and gradient, in plain Lua.
local function plain(w, batch)
  local loss, g, n = 0, { 0, 0 }, #batch.x
  for i, x in ipairs(batch.x) do
    local a, b = math.exp(w[1] * x), math.exp(w[2] * x)
    local p = { a / (a + b), b / (a + b) }
    loss = loss - math.log(p[batch.labels[i]]) / n
    for k = 1, 2 do g[k] = g[k] + (p[k] - (batch.labels[i] == k and 1 or 0)) * x / n end
  end
  return loss, g
end

--- What a rule of plain Lua makes of the weights: rule(w, g, state, step) gives new ones.
local function descend(rule, batches, w)
  local state = {}
  w = { w[1], w[2] }
  for step, batch in ipairs(batches) do
    local _, g = plain(w, batch)
    for k = 1, 2 do
      state[k] = state[k] or {}
      w[k] = rule(w[k], g[k], state[k], step)
    end
  end
  return w
end

local function gradient_descent(lr) return function(w, g) return w - lr * g end end

local function momentum(lr, part)
  return function(w, g, s)
    s.v = s.v and part * s.v + g or g
    return w - lr * s.v
  end
end

local function rmsprop(w, g, s)
  s.mean = 0.99 * (s.mean or 0) + 0.01 * g * g
  return w - 0.01 * g / (math.sqrt(s.mean) + 1e-8)
end

local function adam(w, g, s, step)
  s.m, s.v = 0.9 * (s.m or 0) + 0.1 * g, 0.999 * (s.v or 0) + 0.001 * g * g
  return w - 1e-3 * (s.m / (1 - 0.9 ^ step)) / (math.sqrt(s.v / (1 - 0.999 ^ step)) + 1e-8)
end

local function net_of(w)
  local net = nn.Linear(1, 2, false):double()
  metann.no_grad(function() net.weight:copy_(metann.tensor(w, { dtype = 'float64' }):reshape(2, 1)) end)
  return net
end

local function weights_of(model) return model.weight:detach():reshape(-1):to_table() end

--- The adapted weights, and what the meta-gradient of another batch's loss is, are plain Lua's.
-- @param adapt of a net, to a model
-- @param second_order whether the default is to differentiate through the adaptation
local function check_adapted(adapt, rule, batches, second_order)
  local net = net_of(START)
  local adapted = adapt(net)
  local want = descend(rule, batches, START)
  for k, w in ipairs(weights_of(adapted)) do assert.near(want[k], w, 1e-13) end
  local query = BATCHES[2]
  local loss = meta.default_evaluator_classification(adapted, tensors(query))
  assert.near(plain(want, query), loss:item(), 1e-13)
  local slopes = metann.grad(loss, net.weight):reshape(-1):to_table()
  local _, first_order = plain(want, query)
  for k = 1, 2 do
    local above, below = { unpack(START) }, { unpack(START) }
    above[k], below[k] = START[k] + 1e-5, START[k] - 1e-5
    local difference = (plain(descend(rule, batches, above), query) - plain(descend(rule, batches, below), query)) / 2e-5
    assert.near(second_order and difference or first_order[k], slopes[k], 1e-8)
    assert.is_true(math.abs(difference - first_order[k]) > 1e-5) -- the two can be told apart
  end
end

local function same_batch(n)
  local list = {}
  for i = 1, n do list[i] = BATCHES[1] end
  return list
end

--- A step in which no weight gets a gradient is an error.
local function check_unused(make)
  local elsewhere = net_of(START)
  local learner = make(function() return elsewhere.weight:sum() end)
  assert.is_false((pcall(learner, net_of(START), tensors(BATCHES[1]))))
end

local LEARNERS = {
  GDLearner = function()
    local function adapt(net) return meta.GDLearner(2, 0.3)(net, tensors(BATCHES[1])) end
    check_adapted(adapt, gradient_descent(0.3), same_batch(2), true)
    check_unused(function(evaluator) return meta.GDLearner{ steps = 1, lr = 0.3, evaluator = evaluator } end)
  end,
  SequentialGDLearner = function()
    check_adapted(function(net) return meta.SequentialGDLearner(0.3)(net, each_batch()) end, momentum(0.3, 0.5), BATCHES, true)
  end,
  RMSPropLearner = function()
    check_adapted(function(net) return meta.RMSPropLearner()(net, each_batch()) end, rmsprop, BATCHES, true)
  end,
  OptimizerLearner = function()
    check_adapted(function(net) return meta.OptimizerLearner('Adam')(net, each_batch()) end, adam, BATCHES, true)
    for _, name in ipairs(namespace.optimizers()) do
      local learner = meta.OptimizerLearner(name, namespace.required(name))
      local net, copy = net_of(START), net_of(START)
      local adapted, optimizer = learner(net, each_batch()), optim[name](copy:parameters(), namespace.required(name))
      for i = 1, #BATCHES do -- as many steps as batches
        optimizer:zero_grad()
        meta.default_evaluator_classification(copy, tensors(BATCHES[i])):backward()
        optimizer:step()
      end
      for k, w in ipairs(weights_of(copy)) do assert.near(w, weights_of(adapted)[k], 1e-13, name) end
    end
  end,
  Reptile = function()
    local net = net_of(START)
    local reptile = meta.Reptile(2, 0.3)
    local adapted, want = reptile(net, tensors(BATCHES[1])), descend(gradient_descent(0.3), same_batch(2), START)
    assert.is_true(adapted.weight.is_leaf)
    local distance = reptile:distance(net, adapted)
    local slopes, square = metann.grad(distance, net.weight):reshape(-1):to_table(), 0
    for k, w in ipairs(weights_of(adapted)) do
      assert.near(want[k], w, 1e-13)
      assert.near(START[k] - want[k], slopes[k], 1e-13)
      square = square + (START[k] - want[k]) ^ 2
    end
    assert.near(square / 2, distance:item(), 1e-13)
    check_unused(function(evaluator) return meta.Reptile(1, 0.3, evaluator) end)
  end,
  MAML = function()
    local function adapt(net) return meta.MAML(net, 2, 3, 0.3)(tensors(BATCHES[1])) end
    check_adapted(adapt, gradient_descent(0.3), same_batch(2), true)
    local evaluated = meta.MAML(net_of(START), 2, 3, 0.3):eval()(tensors(BATCHES[1]))
    local want = descend(gradient_descent(0.3), same_batch(3), START)
    for k, w in ipairs(weights_of(evaluated)) do assert.near(want[k], w, 1e-13) end
    assert.is_true(evaluated.weight.is_leaf)
  end,
  MAMLpp = function()
    local models = meta.MAMLpp(net_of(START), 2, 3, 0.3)(tensors(BATCHES[1]))
    assert.equal(3, models:len())
    check_adapted(function(net) return meta.MAMLpp(net, 2, 3, 0.3)(tensors(BATCHES[1]))[3] end, gradient_descent(0.3),
      same_batch(2), true)
  end,
}
-- The abstract one, and what MAMLpp returns: they have no options.
local WITHOUT = { Learner = true, MultiModel = true }

local FUNCTIONS = {
  -- each step's loss counts 0.6 times the next one's
  mamlpp_evaluator = function()
    local models = meta.MAMLpp(net_of(START), 2, 3, 0.3)(tensors(BATCHES[1]))
    local total, last = meta.mamlpp_evaluator(models, tensors(BATCHES[2]), 2, meta.default_evaluator_classification)
    local want = 0
    for steps = 0, 2 do
      local loss = plain(descend(gradient_descent(0.3), same_batch(steps), START), BATCHES[2])
      want = want + 0.6 ^ (2 - steps) * loss
      if steps == 2 then assert.near(loss, last:item(), 1e-13) end
    end
    assert.near(want, total:item(), 1e-13)
  end,
  default_evaluator_classification = function()
    assert.near(plain(START, BATCHES[3]), meta.default_evaluator_classification(net_of(START), tensors(BATCHES[3])):item(), 1e-13)
  end,
  active_indices = function() assert.same({ 1, 3 }, meta.active_indices{ metann.ones(1), false, metann.ones(1) }) end,
}

describe('without options', function()
  for _, name in ipairs(namespace.learners()) do
    if not WITHOUT[name] then
      it(name .. ' does what plain Lua does', function()
        assert(LEARNERS[name], name .. ' has no case without options: add one to this file')()
      end)
    end
  end

  for _, name in ipairs(namespace.meta_functions()) do
    it(name .. ' does what plain Lua does', function()
      assert(FUNCTIONS[name], name .. ' has no case without options: add one to this file')()
    end)
  end
end)
