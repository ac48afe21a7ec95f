-- Where the original misbehaves or its documentation errs: one test for each, under the original's defect as a title,
-- which would fail on it. docs/coming-from-metann.md has the same list.
local metann = require 'metann'
local support = require 'tests.support.meta'
local scratch = require 'tests.support.scratch'
local nn, meta, utils = metann.nn, metann.meta, metann.utils
local DependentModule, ProtoModule = metann.DependentModule, metann.ProtoModule
local message, list, named, names = support.message, support.list, support.named, support.names
local close, mse = support.close, support.mse
local E = meta.default_evaluator_classification

describe('where the original misbehaves:', function()
  before_each(function() metann.manual_seed(3) end)

  it('functional mutates one shared module: two live functionals alias', function()
    local net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    local proto, x = ProtoModule(net), metann.ones(1, 3)
    local before = net(x):item()
    local ones, twos = proto:functional(support.constants(net, 1)), proto:functional(support.constants(net, 2))
    local first, second = ones(x), twos(x)
    assert.equal(13, first:item())
    assert.equal(50, second:item())
    assert.equal(13, ones(x):item())
    assert.is_false(ones[1].weight == twos[1].weight)
    assert.equal(before, net(x):item())
    -- weights of the one come from what was computed with the other: both graphs stay whole
    local s = metann.ones(1):requires_grad_(true)
    local weights = support.constants(net, 1)
    for i = 1, #weights do weights[i] = weights[i] * s end
    local a = proto:functional(weights)
    local b = proto:functional(support.constants(net, 3))
    local total = a(x):sum() + b(x):sum()
    assert.is_true(metann.grad(total, s):item() > 0)
  end)

  it('adapting switches the caller\'s model to train mode, and per-layer eval is lost', function()
    local data = support.images()
    for _, adapt in ipairs{
      function(net) return meta.MAML(net, 2, 2, 0.1)(data) end,
      function(net) return meta.MAMLpp(net, 2, 2, 0.1)(data) end,
      function(net) return meta.GDLearner(2, 0.1)(net, data) end,
      function(net) return meta.SequentialGDLearner(0.1)(net, { data, data }) end,
      function(net) return meta.RMSPropLearner{ steps = 2 }(net, data) end,
      function(net) return meta.GDLearner(2, 0.1)(net, data, { mimo = true }) end,
      function(net) return meta.GDLearner(2, 0.1)(net, data, { training = 'model' }) end,
      function(net) return meta.GDLearner(2, 0.1)(net, data, { training = false }) end,
    } do
      local net = support.convnet():eval()
      net[6]:train()
      local before = net:deepcopy():state_dict()
      adapt(net)
      assert.is_false(net.training or net[1].training or net[2].training)
      assert.is_true(net[6].training)
      for name, t in net:state_dict():pairs() do assert.is_true(t:eq(before[name]):all():item() ~= 0, name) end
    end
    -- in place each layer keeps its own mode
    local net = support.convnet()
    net[2]:eval()
    meta.GDLearner(1, 0.1)(net, data, { inplace = true })
    assert.is_true(net.training and not net[2].training)
    assert.equal(0, net[2].num_batches_tracked:item())
  end)

  it('steps_eval is ignored: steps_train in eval mode too', function()
    for _, class in ipairs{ meta.MAML, meta.MAMLpp } do
      local calls = 0
      local function counting(model, data)
        calls = calls + 1
        return mse(model, data)
      end
      local net, data = support.mlp(), support.regression()
      local maml = class(net, 2, 5, 0.1, counting)
      maml(data)
      assert.equal(2, calls)
      maml:eval()
      calls = 0
      local adapted = maml(data)
      assert.equal(5, calls)
      local five = meta.GDLearner(5, 0.1, true, mse)(net, data)
      assert.is_true(close(adapted[1].weight, five[1].weight, 1e-12))
    end
  end)

  it('clear_filter is not honoured by stateless; frozen parameters come back trainable', function()
    local net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    local function no_norm(m) return not nn.is(m, nn.BatchNorm1d) end
    local d = DependentModule.stateless(net, no_norm)
    assert.equal('2.weight 2.bias', names(d:named_parameters()))
    assert.equal('1.weight 1.bias 3.weight 3.bias', names(d:named_dependents()))
    assert.is_true(close(d[2].weight, net[2].weight))
    net[1]:requires_grad_(false)
    local data = { metann.randn(4, 3), support.labels{ 1, 2, 1, 2 } }
    for _, converted in ipairs{ DependentModule(net:deepcopy()):clear_params(true), DependentModule.stateless(net) } do
      converted:substitute(net:named_parameters())
      local adapted = meta.GDLearner(2, 0.5)(converted, data)
      assert.is_true(adapted[1].weight == converted[1].weight and adapted[1].bias == converted[1].bias)
      assert.is_false(close(adapted[3].weight, converted[3].weight))
      local before = converted[1].weight:clone()
      meta.GDLearner(2, 0.5)(converted, data, { inplace = true })
      assert.is_true(close(converted[1].weight, before, 0))
    end
    assert.is_false(DependentModule(net:deepcopy()):clear_params(true)[1].weight.requires_grad)
  end)

  it('tied parameters come apart: three names before, four dependents after', function()
    local net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[2].weight = net[1].weight
    assert.equal(3, #(named(net:named_parameters())))
    local d = DependentModule(net:deepcopy()):clear_params(true)
    assert.equal('1.weight 1.bias 2.bias', names(d:named_dependents()))
    for _, write in ipairs{
      function(m, w) m:substitute({ ['1.weight'] = w }, 'one way') end,
      function(m, w) m:substitute({ ['2.weight'] = w }, 'one way') end,
      function(m, w) m[2]:substitute({ weight = w }, 'one way') end,
      function(m, w) m:substitute_from_list{ w, metann.zeros(4), metann.zeros(4) } end,
      function(m, w) m[1].weight = w end,
      function(m, w) m[2].weight = w end,
    } do
      for _, m in ipairs{ d, d:deepcopy(), nn.Sequential(d:deepcopy())[1] } do
        local w = metann.randn(4, 4)
        write(m, w)
        assert.is_true(m[1].weight == w and m[2].weight == w)
        assert.equal('1.weight 1.bias 2.bias', names(m:named_dependents()))
      end
    end
    -- one gradient for both places, and one weight after adapting
    local data = { metann.randn(3, 4), support.labels{ 1, 2, 3 } }
    local adapted = meta.GDLearner(1, 0.1)(net, data)
    assert.is_true(adapted[1].weight == adapted[2].weight)
    local step = net[1].weight - metann.grad(E(net, data), net[1].weight) * 0.1
    assert.is_true(close(adapted[2].weight, step))
    local view = ProtoModule(net):functional(net:parameters())
    view[2].weight = metann.ones(4, 4)
    assert.is_true(view[1].weight == view[2].weight)
  end)

  it('an LSTM\'s weights are replaced in name only, and the old ones still compute', function()
    for _, kind in ipairs{ 'LSTM', 'GRU', 'RNN' } do
      local net, x = nn[kind](3, 4), metann.randn(5, 2, 3)
      local other = nn[kind](3, 4)
      local expected = other(x)
      local d = DependentModule.stateless(net)
      d:substitute(other:named_parameters())
      assert.is_true(close(d(x), expected))
      assert.is_true(close((ProtoModule(net):functional(other:parameters())(x)), expected))
      local s = metann.ones(1):requires_grad_(true)
      local scaled = {}
      for name, p in other:named_parameters() do scaled[name] = p:detach() * s end
      d:substitute(scaled)
      assert.is_true(metann.grad(d(x):sum(), s):abs():item() > 0)
    end
  end)

  it('lists too short or too long, and names unknown to the module, pass in silence', function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    local d, proto = DependentModule.stateless(net), ProtoModule(net)
    local w = list(net:parameters())
    local short, long = { w[1], w[2], w[3] }, { w[1], w[2], w[3], w[4], w[4] }
    local wrong = { ['1.weight'] = w[1], ['1.bias'] = w[2], ['2.weight'] = w[3], ['2.bais'] = w[4] }
    local function refused()
      for t in d:dependents() do assert.is_false(t) end
    end
    assert.matches('expected 4 tensors, got 3', message(d.substitute_from_list, d, short))
    refused()
    assert.matches('expected 4 tensors, got 5', message(d.substitute_from_list, d, long))
    refused()
    assert.matches("unknown name '2.bais', did you mean '2.bias'", message(d.substitute, d, wrong))
    refused()
    local before = {}
    for i = 1, 4 do before[i] = w[i]:clone() end
    assert.matches('expected 4 parameters, got 3', message(proto.functional, proto, short))
    assert.matches('expected 4 parameters, got 5', message(proto.functional, proto, long))
    assert.matches("unknown name '2.bais'", message(proto.functional, proto, wrong))
    local view = proto:functional(w)
    assert.matches('expected 4 tensors, got 3', message(view.substitute_from_list, view, short))
    assert.matches('unknown name', message(view.substitute, view, wrong))
    for i = 1, 4 do assert.is_true(view[math.ceil(i / 2)][i % 2 == 1 and 'weight' or 'bias'] == w[i]) end
    for i = 1, 4 do assert.is_true(close(before[i], w[i], 0)) end
    assert.matches('expected 4 parameters, got 3', message(meta.MultiModel, proto, { w, short }))
  end)

  it('a re-converted, bias-free layer prints bias=False or fails to round-trip', function()
    local text = 'DependentLinear(in_features=3, out_features=2, bias=%s)'
    for _, bias in ipairs{ true, false } do
      local d = DependentModule(nn.Linear(3, 2, { bias = bias }))
      for _, step in ipairs{
        function() end, function() d:clear_params(true) end, function() DependentModule(d) end,
        function() d:clear_params() end, function() DependentModule.to_dependentmodule(d) end,
      } do
        step()
        assert.equal(text:format(tostring(bias)), tostring(d))
      end
      local source = DependentModule(nn.Linear(3, 2, { bias = bias })):clear_params(true)
      d:substitute(source:named_dependents())
      d:substitute_from_list(source:dependents())
      local x = metann.randn(4, 3)
      assert.is_true(close(d(x), source(x)))
      assert.equal(bias and 2 or 1, #list(d:dependents()))
    end
    local conv = DependentModule.stateless(nn.Conv2d(1, 2, 3, { bias = false }))
    assert.equal(tostring(nn.Conv2d(1, 2, 3, { bias = false })), (tostring(conv):gsub('^Dependent', '')))
  end)

  it('to_dependentmodule(m, recurse=False) and then any walk raises AttributeError', function()
    local d = DependentModule.to_dependentmodule(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), { recurse = false })
    assert.is_false(nn.is(d[1], DependentModule))
    d:register_dependent('own', metann.ones(2))
    assert.equal('own', names(d:named_dependents()))
    assert.equal(1, #list(d:dependents()))
    d:substitute{ own = metann.zeros(2) }
    d:substitute_from_list{ metann.zeros(2) }
    d:update_actives()
    d:update_shapes()
    d:clear_params()
    assert.equal('1.weight 1.bias 2.weight 2.bias', names(d:named_parameters()))
    assert.equal('', names(d:named_buffers()))
    d:substitute{ own = metann.zeros(2) }
    assert.same({ 1, 2 }, d(metann.ones(1, 2)).shape)
    d:deepcopy():to('float64')
  end)

  it('RMSProp\'s meta-gradient is NaN where a gradient is exactly zero', function()
    local net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1)):double()
    metann.no_grad(function() net[1].bias:fill_(-100) end) -- dead units: their gradients are exactly zero
    for _, make in ipairs{
      function() return meta.RMSPropLearner{ steps = 3, evaluator = mse } end,
      function() return meta.RMSPropLearner{ steps = 3, centered = true, evaluator = mse } end,
      function() return meta.OptimizerLearner('RMSprop', { steps = 3, momentum = 0.5, evaluator = mse }) end,
      function() return meta.OptimizerLearner('Adam', { steps = 3, evaluator = mse }) end,
    } do
      local learner = make()
      local loss = mse(learner(net, support.regression()), support.regression())
      local inputs = list(net:parameters())
      local first = metann.grad(loss, inputs, { create_graph = true })
      local sum = 0
      for _, g in ipairs(first) do
        assert.is_true(g:isfinite():all():item() ~= 0)
        sum = sum + (g * g):sum()
      end
      for _, g in ipairs(metann.grad(sum, inputs, { allow_unused = true })) do
        assert.is_true(not g or g:isfinite():all():item() ~= 0)
      end
    end
  end)

  it('an adapted model can\'t be deep-copied, saved or adapted again', function()
    local folder = scratch.folder()
    for _, make in ipairs{
      function(net) return net end, ProtoModule,
      function(net) return DependentModule(net):clear_params(true) end,
    } do
      local net, data, query = support.convnet(), support.images(), support.images()
      local adapted = meta.GDLearner(2, 0.1)(make(net), data)
      adapted:eval()
      local expected = adapted(query[1])

      local copy = adapted:deepcopy()
      assert.is_true(close(copy(query[1]), expected, 1e-12))
      for p in copy:parameters() do assert.is_true(p.is_leaf) end
      assert.is_true(close(nn.Sequential(adapted):deepcopy()(query[1]), expected, 1e-12))

      local path = folder .. '/adapted.safetensors'
      metann.io.safetensors.save(path, adapted:state_dict())
      local fresh = support.convnet():eval()
      fresh:load_state_dict(metann.io.safetensors.load(path))
      assert.is_true(close(fresh(query[1]), expected, 1e-12))

      local again = meta.GDLearner(1, 0.1)(adapted, data)
      local three = meta.GDLearner(3, 0.1)(net, data)
      assert.is_true(close(again[1].weight, three[1].weight, 1e-12))
      again(query[1]):sum():backward()
      local p = nn.is(net, DependentModule) and net[1].weight or list(net:parameters())[1]
      assert.is_not_nil(p.grad)
    end
    scratch.remove(folder)
  end)

  it('state_dict of a ProtoModule lists everything twice', function()
    local net = support.convnet()
    local proto = ProtoModule(net)
    assert.same(net:state_dict():keys(), proto:state_dict():keys())
    assert.equal(9, proto:state_dict():len())
    local fresh = ProtoModule(support.convnet())
    fresh:load_state_dict(proto:state_dict())
    assert.is_true(close(fresh.module[1].weight, net[1].weight, 0))
    assert.equal(names(net:named_parameters()), names(proto:named_parameters()))
    assert.equal(names(net:named_buffers()), names(proto:named_buffers()))
  end)

  it('documentation: functional "returns the output of model"', function()
    local proto, x = ProtoModule(nn.Linear(10, 5)), metann.randn(3, 10)
    local view = proto:functional(proto:parameters(), true)
    assert.is_true(nn.is(view, nn.Linear))
    assert.is_true(close(view(x), proto(x)))
    assert.is_true(close(view(x * 2), proto(x * 2)))
  end)

  it('documentation: recurse=False "only direct submodules"', function()
    local d = DependentModule(nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2))):clear_params(true)
    d:register_dependent('own', metann.ones(1))
    assert.equal('own', names(d:named_dependents('', false)))
    assert.equal(1, #list(d:dependents(false)))
    assert.equal('own 1.1.weight 1.1.bias 2.weight 2.bias', names(d:named_dependents()))
    local proto = ProtoModule(nn.Sequential(nn.Linear(2, 2)))
    assert.equal('', names(proto:named_parameters('', false)))
  end)

  it('mamlpp_evaluator takes a prefix in silence where steps is smaller', function()
    local mm = meta.MAMLpp(support.mlp(), 3, 3, 0.1, mse)(support.regression())
    local data = support.regression()
    for _, steps in ipairs{ 0, 1, 2, 4 } do
      assert.matches('steps must be 3', message(meta.mamlpp_evaluator, mm, data, steps, mse))
    end
    assert.is_not_nil(meta.mamlpp_evaluator(mm, data, 3, mse))
  end)

  it('DefaultList\'s fill argument is ignored; SubDict membership goes stale', function()
    local l = utils.DefaultList(function() return 0 end, { 1, 2 })
    assert.same({ 1, 2, 0 }, { l[1], l[2], l[3] })
    local super = utils.OrderedDict{ { 'a', 1 }, { 'b', 2 } }
    local sub = utils.SubDict(super, { 'a', 'b' })
    super:delete('a')
    assert.is_false(sub:contains('a'))
    assert.same({ 'b' }, sub:keys())
    assert.equal(1, sub:len())
    super.a = 5
    assert.is_true(sub:contains('a')) -- asking before has not dropped it
    assert.equal(5, sub.a)
    local by_keys = utils.SubDict(super, { 'b', 'a' }, false)
    assert.same({ 'b', 'a' }, by_keys:keys())
    super:delete('b')
    assert.same({ 'a' }, by_keys:keys())
  end)
end)

