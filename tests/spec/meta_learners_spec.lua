-- The contract of learners and meta-learners, beyond what meta_spec shows: modes, buffers, data, rates, every optimizer
-- as the inner rule, in place, what an adapted model can do.
local metann = require 'metann'
local support = require 'tests.support.meta'
local known = require 'tests.support.optimizers'
local namespace = require 'tests.support.namespace'
local nn, meta, utils, optim = metann.nn, metann.meta, metann.utils, metann.optim
local message, list, names, close = support.message, support.list, support.names, support.close
local double, mse, mlp, regression = support.double, support.mse, support.mlp, support.regression
local convnet, images, check_gradients = support.convnet, support.images, support.check_gradients
local E = meta.default_evaluator_classification

before_each(function() metann.manual_seed(9) end)


local function rate(x) return nn.Parameter(metann.tensor(x, { dtype = 'float64' })) end

local function options_of(rule, more)
  local options = { steps = 3, evaluator = mse }
  for name, value in pairs(known[rule].full) do options[name] = value end
  for name, value in pairs(more) do options[name] = value end
  return options
end

describe('every optimizer is an inner rule:', function()
  it('the list is complete', function()
    for _, name in ipairs(namespace.optimizers()) do assert.is_not_nil(known[name], name) end
    for name in pairs(known) do assert.is_true(optim.is_class(optim[name])) end
  end)

  for rule in pairs(known) do
    it(rule .. ', by name and by class, takes the steps that the optimizer takes', function()
      local net, data = mlp(), regression()
      local own = net:deepcopy()
      local settings = options_of(rule, { lr = 0.05 })
      settings.steps, settings.evaluator = nil, nil
      local optimizer = optim[rule](own:parameters(), settings)
      for _ = 1, 3 do
        optimizer:zero_grad()
        mse(own, data):backward()
        optimizer:step()
      end
      for _, given in ipairs{ rule, optim[rule] } do
        local learner = meta.OptimizerLearner(given, options_of(rule, { lr = 0.05 }))
        local adapted, trained = learner(net, data), net:deepcopy()
        learner(trained, data, { inplace = true })
        local detached = metann.no_grad(learner, net, data)
        for k, p in ipairs(list(own:parameters())) do
          for _, model in ipairs{ adapted, trained, detached } do
            assert.is_true(close(p, list(model:parameters())[k], 1e-10))
          end
        end
      end
    end)

    it(rule .. '\'s rates, one, per parameter, per step and both, get gradients', function()
      local net, data, query = mlp(), regression(), regression()
      local by_name, both = {}, {}
      for name in net:named_parameters() do by_name[name] = rate(0.05) end
      for i = 1, 3 do
        both[i] = {}
        for name in net:named_parameters() do both[i][name] = rate(0.02 * i) end
      end
      for count, lr in pairs{ [1] = rate(0.05), [4] = by_name, [3] = { rate(0.01), rate(0.02), rate(0.03) }, [12] = both } do
        local learner = meta.OptimizerLearner(rule, options_of(rule, { lr = lr }))
        local inputs = list(learner:parameters())
        assert.equal(count, #inputs)
        if count == 1 then for p in net:parameters() do inputs[#inputs + 1] = p end end
        local function loss() return mse(learner(net, data), query) end
        local grads = metann.grad(loss(), inputs, { allow_unused = true })
        for k, g in ipairs(grads) do
          assert.is_true(g ~= false or known[rule].unused_lr == true)
          grads[k] = g or metann.zeros_like(inputs[k])
        end
        check_gradients(function() return loss():item() end, inputs, grads)
      end
    end)
  end
end)

describe('the learning rate', function()
  local net, data = mlp(), regression()
  local function step(model, lr) -- one step of plain gradient descent, by hand
    local weights = list(model:parameters())
    local grads = metann.grad(mse(model, data), weights)
    for k = 1, #weights do weights[k] = (weights[k] - grads[k] * lr):detach() end
    return weights
  end

  it('is a number, a 0-dim tensor, a parameter, a table by name, or a list of any of them', function()
    local by_name = {}
    for name in net:named_parameters() do by_name[name] = 0.1 end
    local expected = step(net, 0.1)
    local tensor = metann.tensor(0.1, { dtype = 'float64' })
    for _, lr in ipairs{
      0.1, tensor, rate(0.1), by_name, { 0.1 }, { tensor }, { by_name }, { 0.1, 5 }, utils.MultipleList{ 0.1 },
      nn.ParameterList{ rate(0.1) },
    } do
      for _, learner in ipairs{
        meta.GDLearner(1, lr, true, mse), meta.GDLearner{ steps = 1, lr = lr, evaluator = mse },
        meta.SequentialGDLearner(lr, 0.5, true, mse),
      } do
        local given = nn.is(learner, meta.GDLearner) and data or { data }
        for _, options in ipairs{ {}, { inplace = true } } do
          local adapted = learner(net:deepcopy(), given, options)
          for k, p in ipairs(list(adapted:parameters())) do assert.is_true(close(p, expected[k], 1e-12)) end
        end
      end
    end
  end)

  it('per name covers what is adapted, may cover more, and is checked', function()
    local own = mlp()
    own[3]:requires_grad_(false)
    local lr = { ['1.weight'] = 0.1, ['1.bias'] = 0.2, ['3.weight'] = 0.3 }
    for _, inplace in ipairs{ false, true } do
      local model = own:deepcopy()
      local adapted = meta.GDLearner(1, lr, true, mse)(model, data, { inplace = inplace })
      assert.is_true(close(adapted[3].weight, own[3].weight, 0))
      local g = metann.grad(mse(own, data), own[1].bias)
      assert.is_true(close(adapted[1].bias, own[1].bias - g * 0.2, 1e-12))
      assert.matches("lr has no entry for parameter '3.bias'", message(meta.GDLearner(1, lr, true, mse), net:deepcopy(), data,
        { inplace = inplace }))
      assert.matches("lr has an entry for '1.wieght', which is no parameter of the model, did you mean '1.weight'",
        message(meta.GDLearner(1, { ['1.weight'] = 1, ['1.bias'] = 1, ['1.wieght'] = 1 }, true, mse), own:deepcopy(), data,
          { inplace = inplace }))
    end
  end)

  it('is in the parameters when it is one, and in MAML\'s beside the base', function()
    local function count(m) return #list(m:parameters()) end
    assert.equal(0, count(meta.GDLearner(1, 0.1)))
    assert.equal(0, count(meta.GDLearner(1, metann.tensor(0.1))))
    assert.equal(1, count(meta.GDLearner(1, rate(0.1))))
    assert.equal(4, count(meta.MAML(net, 1, 1, 0.1)))
    assert.equal(5, count(meta.MAML(net, 1, 1, rate(0.1))))
    assert.equal(6, count(meta.MAMLpp(net, 2, 2, { rate(0.1), rate(0.1) })))
    assert.equal(4, count(meta.MAMLpp(net, 2, 2, 0.1, mse)(data)))
    local maml = meta.MAML(net, 2, 2, { rate(0.1), rate(0.2) }, mse)
    local copy = maml:deepcopy()
    assert.equal(6, count(copy))
    assert.is_true(close(copy(data)[1].weight, maml(data)[1].weight, 1e-12))
    assert.is_false(list(copy:parameters())[1] == list(maml:parameters())[1])
    copy:load_state_dict(maml:state_dict())
  end)

  it('may be assigned anew', function()
    local maml, learner = meta.MAML(net, 1, 1, 5, mse), meta.GDLearner(1, 5, true, mse)
    local expected = step(net, 0.1)
    for _, lr in ipairs{ 0.1, metann.tensor(0.1, { dtype = 'float64' }), { 0.1 } } do
      maml.lr, learner.lr = lr, lr
      for _, adapted in ipairs{ maml(data), learner(net, data) } do
        for k, p in ipairs(list(adapted:parameters())) do assert.is_true(close(p, expected[k], 1e-12)) end
      end
    end
    learner.lr = 'fast'
    assert.matches('lr must be a number', message(learner, net, data))
  end)

  it('and the base may be seen through a view of the MAML', function()
    local maml, query = meta.MAML(net, 2, 2, rate(0.1), mse), regression()
    local function scaled(s)
      local weights = {}
      for name, p in maml:named_parameters() do weights[name] = p:detach() * s end
      return metann.ProtoModule(maml):functional(weights)
    end
    local s = metann.tensor(1, { dtype = 'float64', requires_grad = true })
    local grad = metann.grad(mse(scaled(s)(data), query), s)
    check_gradients(function() return mse(scaled(s)(data), query):item() end, { s }, { grad })
    -- and all of it converted
    local d = metann.DependentModule(maml:deepcopy()):clear_params(true)
    assert.is_true(close(d(data)[1].weight, maml(data)[1].weight, 1e-12))
  end)

  it('of the wrong kind is refused when the learner is made', function()
    for lr, why in pairs{ fast = 'lr must be a number', [true] = 'lr must be a number' } do
      assert.matches(why, message(meta.GDLearner, 1, lr))
    end
    assert.matches('lr is an empty table', message(meta.GDLearner, 1, {}))
    assert.matches('lr must be 0%-dim', message(meta.GDLearner, 1, metann.ones(3)))
    assert.matches("lr%['1.weight'%] must be 0%-dim", message(meta.GDLearner, 1, { ['1.weight'] = metann.ones(3) }))
    assert.matches('lr%[2%] must be a number', message(meta.GDLearner, 2, { 0.1, 'x' }))
    assert.matches('lr is a list for 2 steps, but 3 are made', message(meta.GDLearner, 3, { 0.1, 0.1 }))
    assert.matches('lr is a list for 2 steps, but 3 are made', message(meta.MAML, net, 2, 3, { 0.1, 0.1 }))
    assert.matches('must be a number, got nan', message(meta.GDLearner, 1, 0 / 0))
    assert.matches('GDLearner: lr must be at least 0, got number %-1', message(meta.GDLearner, 1, -1))
    assert.matches('GDLearner: lr%[2%] must be at least 0, got number %-1', message(meta.GDLearner, 2, { 0.1, -1 }))
  end)
end)

describe('mode and buffers', function()
  -- what the evaluator sees at each step, and the model afterwards
  local function modes(options, prepare)
    local net, seen = convnet(), {}
    if prepare then prepare(net) end
    local function watching(model, data)
      seen[#seen + 1] = model[2].training
      return E(model, data)
    end
    local adapted = meta.GDLearner(2, 0.1, true, watching)(net, images(), options)
    seen[#seen + 1] = adapted[2].training
    return seen, adapted, net
  end

  it('are train mode and the view\'s own', function()
    local seen, adapted, net = modes(nil, function(m) m:eval() end)
    assert.same({ true, true, true }, seen)
    assert.equal(2, adapted[2].num_batches_tracked:item())
    assert.equal(0, net[2].num_batches_tracked:item())
    assert.same({ false, false, false }, (modes{ training = false }))
    assert.same({ false, false, false }, (modes({ training = 'model' }, function(m) m[2]:eval() end)))
    assert.same({ true, true, true }, (modes({ training = 'model' }, function(m) m[1]:eval() end)))
  end)

  it('start from the base\'s values and are carried through all steps', function()
    local net, data = convnet(), images()
    net[2].running_mean:fill_(3)
    net[2].num_batches_tracked:fill_(10)
    local adapted = meta.GDLearner(2, 0, true)(net, data) -- lr 0: the same statistics at each step
    local h = net[1](data[1])
    local mean = h:mean({ 1, 3, 4 })
    local expected = (metann.full(2, 3):double() * 0.9 + mean * 0.1) * 0.9 + mean * 0.1
    assert.is_true(close(adapted[2].running_mean, expected, 1e-12))
    assert.equal(12, adapted[2].num_batches_tracked:item())
    assert.is_true(close(net[2].running_mean, metann.full(2, 3):double(), 0))
  end)

  it('are one set in a MultiModel', function()
    local mm = meta.MAMLpp(convnet(), 2, 2, 0.1)(images())
    for i, model in mm:iter() do
      model(images()[1])
      for k = 1, 3 do assert.equal(2 + i, mm[k][2].num_batches_tracked:item()) end
    end
  end)

  it('shared trains the base\'s statistics, frozen none', function()
    local _, adapted, net = modes{ buffers = 'shared' }
    assert.equal(2, net[2].num_batches_tracked:item())
    assert.is_true(adapted[2].running_mean == net[2].running_mean)
    _, adapted, net = modes{ buffers = 'frozen' }
    assert.equal(0, adapted[2].num_batches_tracked:item())
    assert.equal(0, net[2].num_batches_tracked:item())
    assert.matches("'buffers' must be 'view', 'shared' or 'frozen'", message(modes, { buffers = 'mine' }))
  end)
end)

describe('data', function()
  it('is passed through unlooked at', function()
    for _, data in ipairs{ 'text', 3, {}, function() end, metann.ones(1) } do
      local seen
      local net = mlp()
      meta.GDLearner(1, 0.1, true, function(model, d)
        seen = d
        return model(double{ 2, 1 }):sum()
      end)(net, data)
      assert.is_true(rawequal(seen, data) or seen == data)
    end
    local seen = 'nothing yet'
    meta.GDLearner(1, 0.1, true, function(model, d)
      seen = d
      return model(double{ 2, 1 }):sum()
    end)(mlp(), nil)
    assert.is_nil(seen)
  end)

  it('of one batch a step is a list or an iterator', function()
    local net, batches = mlp(), { regression(), regression(), regression() }
    local dictionary = utils.OrderedDict{ { 'a', 1 } }
    local function closure()
      local i = 0
      return function()
        i = i + 1
        return batches[i]
      end
    end
    local function counting()
      local i = 0
      return function()
        i = i + 1
        if batches[i] then return i, batches[i] end
      end
    end
    local callable = setmetatable({ i = 0 }, { __call = function(self)
      self.i = self.i + 1
      return batches[self.i]
    end })
    for _, learner in ipairs{ meta.SequentialGDLearner(0.1, 0.9, true, mse), meta.RMSPropLearner{ evaluator = mse },
      meta.OptimizerLearner('Adam', { evaluator = mse }) } do
      local expected = learner(net, batches)
      callable.i = 0
      for _, data in ipairs{ closure(), counting(), utils.MultipleList(batches), utils.MultipleList(batches):iter(), callable } do
        assert.is_true(close(learner(net, data)[1].weight, expected[1].weight, 0))
      end
      assert.equal(4, learner(net, closure(), { mimo = true }):len())
      assert.is_true(learner(net, {})[1].weight == net[1].weight)
      assert.matches('list or an iterator of batches', message(learner, net, 3))
      assert.matches('list or an iterator of batches', message(learner, net, metann.ones(3)))
      local function two() return batches[1][1], batches[1][2] end
      assert.matches('must give one value a step', message(learner, net, two))
    end
    assert.equal(1, dictionary:len())
  end)

  it('of GDLearner, RMSPropLearner with steps, and MAML is the same at each step', function()
    local count, data = 0, regression()
    local function counting(model, d)
      count = count + 1
      assert.equal(data, d)
      return mse(model, d)
    end
    meta.GDLearner(2, 0.1, true, counting)(mlp(), data)
    meta.RMSPropLearner{ steps = 2, evaluator = counting }(mlp(), data)
    meta.MAML(mlp(), 2, 2, 0.1, counting)(data)
    assert.equal(6, count)
  end)

  it('for zero steps gives a view of the initial weights', function()
    local net = mlp()
    for _, adapted in ipairs{
      meta.GDLearner(0, 0.1)(net, nil), meta.SequentialGDLearner(0.1)(net, {}), meta.MAML(net, 0, 0, 0.1)(nil),
      meta.MAMLpp(net, 0, 0, 0.1)(nil)[1], meta.RMSPropLearner{ steps = 0 }(net, nil),
    } do
      for k, p in ipairs(list(adapted:parameters())) do assert.is_true(p == list(net:parameters())[k]) end
      assert.is_not_nil(rawget(adapted, '_view'))
    end
  end)
end)

describe('a learner', function()
  it('takes a module, a ProtoModule, a DependentModule or an adapted model, alike', function()
    local net, data, query = mlp(), regression(), regression()
    local learner = meta.GDLearner(2, 0.1, true, mse)
    local expected = learner(net, data)
    local zero = meta.GDLearner(0, 0.1, true, mse)(net, data)
    for _, model in ipairs{
      net, metann.ProtoModule(net), metann.DependentModule(net:deepcopy()), zero,
      metann.DependentModule(net:deepcopy()):clear_params(true), metann.ProtoModule(net):functional(net:parameters()),
    } do
      local adapted = learner(model, data)
      for k, p in ipairs(list(expected:parameters())) do
        assert.is_true(close(list(adapted:parameters())[k], p, 1e-12))
      end
    end
    -- gradients go on into the history of what was adapted
    local s = metann.tensor(1, { dtype = 'float64', requires_grad = true })
    local d = metann.DependentModule.stateless(net)
    local scaled = {}
    for name, p in net:named_parameters() do scaled[name] = p:detach() * s end
    d:substitute(scaled)
    check_gradients(function()
      local again = {}
      for name, p in net:named_parameters() do again[name] = p:detach() * s end
      d:substitute(again)
      return mse(learner(d, data), query):item()
    end, { s }, { metann.grad(mse(learner(d, data), query), s) })
  end)

  it('adapts dependents of one\'s own, and leaves whole-number ones alone', function()
    local Net = nn.class('Net')
    function Net:init() self.linear = nn.Linear(1, 1) end
    function Net:forward(x) return self.linear(x) * self.scale + self.shift end
    local net = metann.DependentModule(Net():double())
    net:register_dependent('scale', metann.tensor(2, { dtype = 'float64' }))
    net:register_dependent('shift', metann.tensor(1, { dtype = 'int64' }))
    local data = regression()
    for _, options in ipairs{ {}, { inplace = true } } do
      local before = net.scale
      local adapted = meta.GDLearner(1, 0.1, true, mse)(net, data, options)
      assert.is_false(close(adapted.scale, before, 1e-12))
      assert.equal(1, adapted.shift:item())
      assert.equal(2, before:item())
    end
  end)

  it('uses the evaluator of the call before the constructor\'s, in every learner', function()
    local net, data = mlp(), regression()
    local function wrong() error('the constructor\'s was used') end
    for _, make in ipairs{
      function() return meta.GDLearner(1, 0.1, true, wrong), data end,
      function() return meta.SequentialGDLearner(0.1, 0.5, true, wrong), { data } end,
      function() return meta.RMSPropLearner{ steps = 1, evaluator = wrong }, data end,
      function() return meta.OptimizerLearner('Adam', { steps = 1, evaluator = wrong }), data end,
    } do
      local learner, given = make()
      for _, options in ipairs{ { evaluator = mse }, { evaluator = mse, mimo = true }, { evaluator = mse, inplace = true } } do
        assert.is_not_nil(learner(net:deepcopy(), given, options))
      end
      assert.matches('was used', message(learner, net, given))
    end
    assert.is_not_nil(meta.MAML(net, 1, 1, 0.1, wrong)(data, { evaluator = mse }))
  end)

  it('of one\'s own gets the call\'s options; what it doesn\'t define is an error', function()
    local Mine = nn.class('Mine', meta.Learner)
    function Mine:forward_inplace(model, data, options)
      self.seen = options
      return model, data
    end
    local net, mine = mlp(), Mine()
    assert.equal(net, (mine(net, 1, { inplace = true })))
    assert.same({ inplace = true, mimo = false, buffers = 'view', training = true }, mine.seen)
    assert.matches('Mine: forward_pure is not implemented', message(mine, net, 1))
    assert.matches('Learner: forward_inplace is not implemented', message(meta.Learner(), net, 1, { inplace = true }))
    assert.matches('Learner: forward_pure is not implemented', message(meta.Learner(), net, 1))
  end)

  it('in place trains the model itself, with .grad, in its own mode, buffers included', function()
    local net, data = convnet(), images()
    net:eval()
    local weight = net[1].weight
    local trained = meta.GDLearner(2, 0.1)(net, data, { inplace = true })
    assert.equal(net, trained)
    assert.is_true(net[1].weight == weight)
    assert.is_not_nil(weight.grad)
    assert.is_false(net[2].training)
    assert.equal(0, net[2].num_batches_tracked:item())
    net:train()
    meta.GDLearner(2, 0.1)(net, data, { inplace = true })
    assert.equal(2, net[2].num_batches_tracked:item())
    local proto = metann.ProtoModule(net)
    assert.equal(proto, meta.GDLearner(1, 0.1)(proto, data, { inplace = true }))
    assert.equal(3, net[2].num_batches_tracked:item())
    for _, options in ipairs{ { mimo = true }, { training = false }, { buffers = 'frozen' } } do
      options.inplace = true
      assert.matches("'inplace'", message(meta.GDLearner(1, 0.1), net, data, options))
    end
    local adapted = meta.GDLearner(1, 0.1)(net, data)
    assert.matches("has a history, so it can't be trained in place", message(meta.GDLearner(1, 0.1), adapted, data, { inplace = true }))
    local detached = metann.no_grad(meta.GDLearner(1, 0.1), net, data)
    assert.equal(detached, meta.GDLearner(1, 0.1)(detached, data, { inplace = true }))
  end)

  it('in place trains dependents, but never a tensor that was only lent', function()
    local net, data = mlp(), regression()
    local d = metann.DependentModule.stateless(net)
    d:substitute(net:state_dict()) -- shares net's storage
    local before = net[1].weight:clone()
    meta.GDLearner(1, 0.1, true, mse)(d, data, { inplace = true })
    assert.is_true(close(net[1].weight, before, 0))
    assert.is_true(close(d[1].weight, meta.GDLearner(1, 0.1, true, mse)(net, data)[1].weight, 1e-12))
  end)

  it('under no_grad gives leaves, as MAML in eval mode does', function()
    local net, data = mlp(), regression()
    local maml = meta.MAML(net, 1, 3, 0.1, mse)
    maml:eval()
    local three = meta.GDLearner(3, 0.1, true, mse)(net, data)
    for _, adapted in ipairs{ metann.no_grad(meta.GDLearner(3, 0.1, true, mse), net, data), maml(data), metann.no_grad(maml, data) } do
      for k, p in ipairs(list(adapted:parameters())) do
        assert.is_true(p.is_leaf and p.requires_grad)
        assert.is_true(close(p, list(three:parameters())[k], 1e-12))
        assert.is_false(p == list(net:parameters())[k])
      end
    end
    -- leaves of its own: training them leaves the model alone
    maml = meta.MAML(net, 0, 0, 0.1, mse):eval()
    local before = net[1].weight:clone()
    meta.GDLearner(1, 0.1, true, mse)(maml(data), data, { inplace = true })
    assert.is_true(close(net[1].weight, before, 0))
    local models = metann.no_grad(meta.GDLearner(1, 0.1, true, mse), net, data, { mimo = true })
    for _, model in models:iter() do
      assert.is_true(close(models[1][1].weight, before, 0) and model[1].weight.is_leaf)
      assert.is_false(model[1].weight:shares_storage(net[1].weight))
    end
    meta.GDLearner(1, 0.1, true, mse)(models[1], data, { inplace = true })
    assert.is_true(close(net[1].weight, before, 0))
    local graph = maml(data, { create_graph = true })
    assert.is_true(graph[1].weight == net[1].weight)
  end)
end)

describe('MAML and MAMLpp', function()
  it('of first order stay of first order, in eval mode with create_graph too', function()
    local net, data, query = mlp(), regression(), regression()
    local maml = meta.MAML(net, 2, 2, 0.1, mse, true)
    local inputs = list(net:parameters())
    local first = metann.grad(mse(maml(data), query), inputs)
    local second = metann.grad(mse(meta.MAML(net, 2, 2, 0.1, mse)(data), query), inputs)
    maml:eval()
    local again = metann.grad(mse(maml(data, { create_graph = true }), query), inputs)
    for k = 1, #inputs do assert.is_true(close(first[k], again[k], 1e-12)) end
    assert.is_false(close(first[1], second[1], 1e-6))
    local plain = meta.MAML(net, 2, 2, 0.1, mse)
    local constants = metann.grad(mse(plain(data, { create_graph = false }), query), inputs)
    for k = 1, #inputs do assert.is_true(close(first[k], constants[k], 1e-12)) end
  end)

  it('check the options of a call', function()
    local maml, data = meta.MAML(mlp(), 1, 1, 0.1, mse), regression()
    for options, why in pairs{
      [{ create_grph = true }] = "unknown option 'create_grph', did you mean 'create_graph'",
      [{ create_graph = 1 }] = "'create_graph' must be true or false", [{ buffers = 1 }] = "'buffers' must be",
      [{ training = 1 }] = "'training' must be", [{ evaluator = 1 }] = "'evaluator' must be a function",
      [3] = 'options must be a table', [{ mimo = true }] = "unknown option 'mimo'",
    } do assert.matches(why, message(maml, data, options)) end
  end)

  it('give one adapted model in eval mode, a MultiModel of steps_train + 1 in train mode', function()
    local plus, data = meta.MAMLpp(mlp(), 3, 5, 0.1, mse), regression()
    assert.equal(4, plus(data):len())
    plus:eval()
    local adapted = plus(data)
    assert.is_true(nn.is(adapted, nn.Sequential))
    assert.is_true(close(adapted[1].weight, meta.GDLearner(5, 0.1, true, mse)(plus.model.module, data)[1].weight, 1e-12))
  end)
end)

describe('a MultiModel', function()
  it('gives the model after i - 1 steps, refuses other indices and calls', function()
    local net, data = mlp(), regression()
    local mm = meta.GDLearner(3, 0.1, true, mse)(net, data, { mimo = true })
    for i = 1, 4 do
      assert.is_true(close(mm[i][1].weight, meta.GDLearner(i - 1, 0.1, true, mse)(net, data)[1].weight, 1e-12))
    end
    for _, i in ipairs{ 0, 5, -1, 1.5 } do
      assert.matches('out of range 1..4', message(function() return mm[i] end))
    end
    assert.matches('several models', message(mm, data[1]))
    assert.matches('copy one of its models', message(mm.deepcopy, mm))
    assert.is_true(close(mm[2]:deepcopy()(data[1]), mm[2](data[1]), 1e-12))
    assert.equal(names(net:named_parameters()), names(mm.model:named_parameters()))
  end)

  it('is made of anything that functional takes; all is checked', function()
    local net = mlp()
    local proto = metann.ProtoModule(net)
    local other = mlp()
    local by_name = {}
    for name, p in other:named_parameters() do by_name[name] = p end
    local mm = meta.MultiModel(proto, { list(net:parameters()), by_name, other:named_parameters(), { false, false, false, false } })
    local x = double{ 3, 1 }
    assert.is_true(close(mm[1](x), net(x), 1e-12) and close(mm[4](x), net(x), 1e-12))
    assert.is_true(close(mm[2](x), other(x), 1e-12) and close(mm[3](x), other(x), 1e-12))
    assert.matches('fast_weight_lst is empty', message(meta.MultiModel, proto, {}))
    assert.matches('fast_weight_lst must be a list', message(meta.MultiModel, proto, 3))
    assert.matches('size mismatch for 1.weight', message(meta.MultiModel, proto, { { ['1.weight'] = double(1) } }))
  end)
end)

describe('an adapted model', function()
  it('is an ordinary module', function()
    local net, data = convnet(), images()
    local adapted = meta.MAML(net, 2, 2, 0.1)(data)
    assert.equal(names(net:named_parameters()), names(adapted:named_parameters()))
    assert.equal(names(net:named_buffers()), names(adapted:named_buffers()))
    assert.equal(names(net:named_modules()), names(adapted:named_modules()))
    assert.equal(tostring(net), tostring(adapted))
    assert.is_true(nn.is(adapted, nn.Sequential) and nn.is(adapted[2], nn.BatchNorm2d))
    adapted:eval()
    assert.is_false(adapted[2].training)
    assert.is_true(net[2].training and net.training)
    assert.is_true(close(adapted(data[1]), adapted:get_submodule('')(data[1]), 0))
    local tracked = adapted[2].num_batches_tracked:item()
    local again = meta.GDLearner(1, 0.1)(adapted, data)
    assert.equal(tracked + 1, again[2].num_batches_tracked:item())
    assert.equal(tracked, adapted[2].num_batches_tracked:item())
    adapted:zero_grad()
    adapted:apply(function(m) m.touched = true end)
    assert.is_true(adapted[1].touched)
    assert.is_nil(net[1].touched)
  end)

  it('may be trained further by an optimizer, once detached', function()
    local net, data = mlp(), regression()
    local copy = meta.GDLearner(1, 0.1, true, mse)(net, data):deepcopy()
    local optimizer = optim.Adam(copy:parameters(), { lr = 0.01 })
    local before = mse(copy, data):item()
    for _ = 1, 20 do
      optimizer:zero_grad()
      mse(copy, data):backward()
      optimizer:step()
    end
    assert.is_true(mse(copy, data):item() < before)
  end)
end)

describe('the evaluator of classification', function()
  it('takes its arguments by position and by name, and labels from 1', function()
    local net = nn.Linear(3, 4)
    local data = { metann.randn(5, 3), support.labels{ 1, 2, 3, 4, 1 } }
    local x, expected = net(data[1]):log_softmax(-1), 0
    for i = 1, 5 do expected = expected - x[{ i, data[2][i]:item() }]:item() / 5 end
    for _, loss in ipairs{ E(net, data), E{ model = net, data = data }, E(net, { data = data }), E(net, data, nn.CrossEntropyLoss()) } do
      assert.is_true(math.abs(loss:item() - expected) < 1e-6)
    end
    local summed = E(net, data, nn.CrossEntropyLoss{ reduction = 'sum' })
    assert.is_true(math.abs(summed:item() - 5 * expected) < 1e-5)
    assert.matches("'data' must be given", message(E, { model = net }))
    assert.matches('data must be a table {x, y}', message(E, net, { data[1] }))
    assert.matches('takes 3 arguments, got 4', message(E, net, data, nil, 3))
    assert.has_error(function() E(net, { data[1], support.labels{ 0, 1, 2, 3, 4 } }) end)
    assert.is_not_nil(E(net, { data[1], metann.tensor{ 1, 2, 3, 4, 1 } })) -- labels may be floats when integral
  end)
end)

describe('Reptile', function()
  it('leaves no trace of the steps, and draws the model to what it became on each task', function()
    local net = mlp()
    local reptile, outer = meta.Reptile(3, 0.05, mse), optim.SGD(net:parameters(), 0.25)
    local before, tasks, sum = net:deepcopy(), { regression(), regression() }, nil
    for i, data in ipairs(tasks) do
      local adapted = reptile(net, data)
      for _, p in ipairs(list(adapted:parameters())) do assert.is_true(p.is_leaf) end
      tasks[i] = adapted
      sum = sum and sum + reptile:distance(net, adapted) or reptile:distance(net, adapted)
    end
    sum:backward()
    outer:step()
    for k, p in ipairs(list(net:parameters())) do
      local start = list(before:parameters())[k]
      local first, second = list(tasks[1]:parameters())[k], list(tasks[2]:parameters())[k]
      assert.is_true(close(start + (first + second - start * 2) * 0.25, p, 1e-12))
    end
  end)

  it('says what its distance can\'t be of', function()
    local net, reptile = mlp(), meta.Reptile(1, 0.1, mse)
    assert.matches("Reptile:distance: 'model' must be a module, got number 1", message(reptile.distance, reptile, 1, net))
    assert.matches("Reptile:distance: 'adapted' must be a module, got nil", message(reptile.distance, reptile, net))
    assert.matches('no parameter in common', message(reptile.distance, reptile, net, nn.PReLU()))
    assert.matches("Reptile: takes 3 arguments, got 4", message(meta.Reptile, 1, 0.1, mse, 2))
  end)
end)
