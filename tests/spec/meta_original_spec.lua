-- What the original's documentation shows and its own tests intend, each over 20 seeds.
local metann = require 'metann'
local nn, meta, utils = metann.nn, metann.meta, metann.utils

local SEEDS = 20

local function over_seeds(fn)
  for seed = 1, SEEDS do
    metann.manual_seed(seed)
    local ok, err = pcall(fn, seed)
    if not ok then error(('seed %d: %s'):format(seed, tostring(err)), 0) end
  end
end

local function convnet()
  return nn.Sequential(nn.Conv2d(1, 8, 3, { padding = 1 }), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(8, 8, 3, { padding = 1 }), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 5))
end

local function images()
  return { metann.randn(5, 1, 8, 8), metann.tensor({ 1, 2, 3, 4, 5 }, { dtype = 'int64' }) }
end

local E = meta.default_evaluator_classification

describe('the examples of the original, in Lua', function()
  -- print collects instead of printing
  local lines
  local function out(...)
    local parts = {}
    for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
    lines[#lines + 1] = table.concat(parts, '\t')
  end
  before_each(function() lines = {} end)

  it('run as they stand', function()
    local print = out -- luacheck: ignore
    local x, y = metann.randn(5, 10), metann.tensor{ 1, 2, 3, 4, 5 }
    local xq, yq = metann.randn(5, 10), metann.tensor{ 5, 4, 3, 2, 1 }

    local net = nn.Sequential(nn.Linear(10, 100), nn.Linear(100, 5))
    local copy = metann.DependentModule(net:deepcopy())
    assert.is_false(copy == net)
    print(metann.DependentModule(net))
    assert.equal([[
DependentSequential(
  (1): DependentLinear(in_features=10, out_features=100, bias=true)
  (2): DependentLinear(in_features=100, out_features=5, bias=true)
)]], lines[1])

    local maml = meta.MAML(net, 5, 10, 0.01)
    local adapted = maml({ x, y })
    meta.default_evaluator_classification(adapted, { xq, yq }):backward()
    for p in net:parameters() do assert.is_not_nil(p.grad) end

    net:register_dependent('some_tensor', metann.randn(3, 3))
    print(net.some_tensor)
    assert.matches('%[float32 tensor of size 3x3%]', lines[2])

    local proto = metann.ProtoModule(nn.Linear(10, 5))
    local output = proto:functional(proto:parameters(), true)(x)
    assert.same({ 5, 5 }, output.shape)
    for name, p in proto:named_parameters() do
      if name == 'bias' then print(p:size()) end
    end
    assert.equal(3, #lines)

    local d = metann.DependentModule(net:deepcopy()):clear_params(true)
    assert.same({ 5, 5 }, d(x).shape)

    local super = utils.OrderedDict{ { 'a', 1 }, { 'b', 2 }, { 'c', 3 } }
    local sub = utils.SubDict(super, { 'a', 'b' })
    assert.same({ 'a', 'b' }, sub:keys())
  end)
end)

describe('what the original\'s own tests intend', function()
  it('adapts conv nets to a loss below 0.2 in 20 steps', function()
    over_seeds(function()
      local net, data = convnet(), images()
      for _, adapted in ipairs{ meta.GDLearner(20, 0.2, false)(net, data),
        meta.MAML(net, 20, 20, 0.2, { first_order = true })(data) } do
        assert.is_true(E(adapted, data):item() < 0.2)
      end
    end)
  end)

  it('lets gradients reach the support data', function()
    over_seeds(function()
      local net, data = convnet(), images()
      data[1]:requires_grad_(true)
      local batches = { data, { data[1] * 2, data[2] } }
      for _, adapted in ipairs{ meta.GDLearner(2, 0.1)(net, data), meta.SequentialGDLearner(0.1)(net, batches),
        meta.RMSPropLearner{ steps = 2 }(net, data) } do
        local g = metann.grad(E(adapted, images()), data[1])
        assert.is_true(g:isfinite():all():item() ~= 0 and g:abs():sum():item() > 0)
      end
    end)
  end)

  it('gives one model a step with mimo', function()
    over_seeds(function()
      local net, data = convnet(), images()
      local mm = meta.SequentialGDLearner(0.1)(net, { data, data, data }, { mimo = true })
      assert.equal(4, mm:len())
      assert.is_true(E(mm[4], data):item() < E(mm[1], data):item())
      local plus = meta.MAMLpp(net, 2, 2, 0.1)(data)
      local loss = meta.mamlpp_evaluator(plus, images(), 2, E)
      for p in net:parameters() do p.grad = nil end
      loss:backward()
      for p in net:parameters() do assert.is_true(p.grad:isfinite():all():item() ~= 0) end
    end)
  end)

  it('descends below 0.05 in 500 functional steps', function()
    over_seeds(function()
      local net = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
      local proto = metann.ProtoModule(net)
      local x, y = metann.randn(6, 4), metann.tensor{ 1, 2, 1, 2, 1, 2 }
      local weights = {}
      for p in net:parameters() do weights[#weights + 1] = p:detach():requires_grad_(true) end
      for _ = 1, 500 do
        local grads = metann.grad(E(proto:functional(weights), { x, y }), weights)
        for k = 1, #weights do weights[k] = (weights[k]:detach() - grads[k] * 0.3):requires_grad_(true) end
      end
      assert.is_true(E(proto:functional(weights), { x, y }):item() < 0.05)
    end)
  end)

  it('copies deeply, what is converted, adapted or both', function()
    over_seeds(function()
      local net, data = convnet(), images()
      local d = metann.DependentModule(net:deepcopy()):clear_params(true)
      local adapted = meta.GDLearner(1, 0.1)(d, data)
      for _, module in ipairs{ net, d, adapted, metann.ProtoModule(net) } do
        local copy = module:deepcopy()
        local output = copy:eval()(data[1])
        local expected = module:eval()(data[1])
        module:train()
        assert.is_true((output - expected):abs():max():item() < 1e-5)
      end
    end)
  end)
end)
