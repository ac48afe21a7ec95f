local metann = require 'metann'
local nn, meta = metann.nn, metann.meta

local support = require 'tests.support.meta'
local namespace = require 'tests.support.namespace'
local message, list, close, mse = support.message, support.list, support.close, support.mse
local mlp, regression, convnet, images = support.mlp, support.regression, support.convnet, support.images
local check_gradients = support.check_gradients
local function double(size) return metann.randn(size, { dtype = 'float64' }) end

before_each(function() metann.manual_seed(7) end)

describe('the meta-gradient of MAML', function()
  for name, case in pairs{
    ['an MLP'] = { mlp, regression, mse, 0.1 },
    ['a convnet with batch norm'] = { convnet, images, meta.default_evaluator_classification, 0.2 },
  } do
    it('equals finite differences for ' .. name, function()
      local net, given, query, evaluator = case[1](), case[2](), case[2](), case[3]
      local lr = nn.Parameter(metann.tensor(case[4], { dtype = 'float64' }))
      local maml = meta.MAML(net, 2, 2, lr, evaluator)
      local function loss() return evaluator(maml(given), query) end
      local inputs = list(net:parameters())
      inputs[#inputs + 1] = lr
      check_gradients(function() return loss():item() end, inputs, metann.grad(loss(), inputs))
    end)

    it('of first order is the gradient at the adapted weights for ' .. name, function()
      local net, given, query, evaluator = case[1](), case[2](), case[2](), case[3]
      local maml = meta.MAML(net, 3, 3, case[4], { evaluator = evaluator, first_order = true })
      local adapted = maml(given)
      local inputs = list(net:parameters())
      local grads = metann.grad(evaluator(adapted, query), inputs)
      -- the reference: weights as leaves of their own, in a net of their own
      local own = adapted:deepcopy()
      own:load_state_dict(maml(given):state_dict())
      local reference = metann.grad(evaluator(own, query), list(own:parameters()))
      for k in ipairs(inputs) do assert.is_true(close(grads[k], reference[k], 1e-12)) end
    end)
  end

  it('is reached by backward, for the base and lr', function()
    local net = mlp()
    local lr = nn.Parameter(metann.tensor(0.1, { dtype = 'float64' }))
    local maml = meta.MAML(net, { steps_train = 2, steps_eval = 2, lr = lr, evaluator = mse })
    assert.equal(5, #list(maml:parameters()))
    mse(maml(regression()), regression()):backward()
    for p in maml:parameters() do assert.is_not_nil(p.grad) end
  end)
end)

describe('MAML', function()
  it('takes steps_train in train mode and steps_eval in eval mode', function()
    local calls = 0
    local function counting(model, data)
      calls = calls + 1
      return mse(model, data)
    end
    local net = mlp()
    local maml = meta.MAML(net, 2, 5, 0.1, counting)
    maml(regression())
    assert.equal(2, calls)
    maml:eval()
    local data = regression()
    local adapted = maml(data)
    assert.equal(7, calls)
    for p in adapted:parameters() do assert.is_true(p.is_leaf) end
    local graph = maml(data, { create_graph = true })
    for p in graph:parameters() do assert.is_false(p.is_leaf) end
    for k, p in ipairs(list(adapted:parameters())) do
      assert.is_true(close(p, list(graph:parameters())[k], 1e-12))
    end
  end)

  it('leaves the model as it is: mode, buffers, parameters, gradients', function()
    local net = convnet()
    net[2]:eval()
    local before, state = {}, {}
    for name, t in net:state_dict():pairs() do before[name] = t:clone() end
    local maml = meta.MAML(net, 2, 2, 0.1)
    local adapted = maml(images())
    assert.is_true(adapted[2].training)
    assert.is_false(net[2].training)
    assert.is_true(net[1].training)
    for name, t in net:state_dict():pairs() do
      state[#state + 1] = name
      assert.is_true(close(t:double(), before[name]:double()), name)
    end
    assert.equal(9, #state)
    for p in net:parameters() do assert.is_nil(p.grad) end
    assert.equal(2, adapted[2].num_batches_tracked:item())
  end)

  it('trains the base\'s running statistics when buffers are shared, none when frozen', function()
    local net = convnet()
    local maml = meta.MAML(net, 3, 3, 0.1)
    maml(images(), { buffers = 'frozen' })
    assert.equal(0, net[2].num_batches_tracked:item())
    maml(images(), { buffers = 'shared' })
    assert.equal(3, net[2].num_batches_tracked:item())
    local modes = {}
    for _, training in ipairs{ true, false, 'model' } do
      net[2]:eval()
      modes[#modes + 1] = tostring(maml(images(), { training = training })[2].training)
    end
    assert.same({ 'true', 'false', 'false' }, modes)
  end)

  it('prints and checks its arguments', function()
    local net = mlp()
    assert.matches('steps_train=5, steps_eval=10, lr=0.01', tostring(meta.MAML(net, 5, 10, 0.01)))
    assert.matches("'lr' must be given", message(meta.MAML, net, 5, 10))
    assert.matches("unknown option 'step_train', did you mean 'steps_train'",
      message(meta.MAML, net, { step_train = 1, steps_eval = 1, lr = 1 }))
    assert.matches("'steps_train' is given twice",
      message(meta.MAML, net, 5, { steps_train = 1, steps_eval = 1, lr = 1 }))
    assert.matches("'steps_eval' must be a whole number", message(meta.MAML, net, 5, -1, 0.1))
    assert.matches('model must be a module', message(meta.MAML, 3, 5, 1, 0.1))
    assert.matches('lr must be a number', message(meta.MAML, net, 5, 1, 'fast'))
    assert.matches('lr must be 0%-dim', message(meta.MAML, net, 5, 1, metann.ones(2)))
    assert.matches("'evaluator' must be a function", message(meta.MAML, net, 5, 1, 0.1, 3))
    assert.matches('lr is a list for 2 steps, but 5', message(meta.MAML, net, 5, 1, { 0.1, 0.2 }))
    assert.matches("unknown option 'creategraph'",
      message(meta.MAML(net, 1, 1, 0.1), regression(), { creategraph = true }))
  end)
end)

describe('learners', function()
  it('give an ordinary module: copied, saved, switched, adapted again', function()
    local net, data = convnet(), images()
    local learner = meta.GDLearner(2, 0.1)
    local adapted = learner(net, data)
    local copy = adapted:deepcopy()
    assert.is_true(copy[1].weight.is_leaf)
    local again = learner(adapted, data)
    assert.equal(4, again[2].num_batches_tracked:item())
    assert.equal(2, adapted[2].num_batches_tracked:item())
    local g = metann.grad(again(data[1]):sum(), net[1].weight)
    assert.is_true(g:abs():sum():item() > 0)
    adapted:eval()
    assert.is_true(again[2].training and net[2].training)
    local fresh = convnet()
    fresh:load_state_dict(adapted:state_dict())
    assert.is_true(close(fresh:eval()(data[1]), adapted(data[1])))
    assert.is_true(close(copy:eval()(data[1]), adapted(data[1])))
    learner(copy, data, { inplace = true })
    learner(learner(net, data):deepcopy(), data)
  end)

  it('do plain gradient descent', function()
    local net, data = mlp(), regression()
    local own = net:deepcopy()
    local adapted = meta.GDLearner(3, 0.1, false, mse)(net, data)
    for _ = 1, 3 do
      local parameters = list(own:parameters())
      local grads = metann.grad(mse(own, data), parameters)
      metann.no_grad(function()
        for k, p in ipairs(parameters) do p:sub_(grads[k] * 0.1) end
      end)
    end
    for k, p in ipairs(list(own:parameters())) do assert.is_true(close(p, list(adapted:parameters())[k], 1e-12)) end
  end)

  it('do momentum over batches, from a list or an iterator', function()
    local net = mlp()
    local batches = { regression(), regression(), regression() }
    local learner = meta.SequentialGDLearner(0.05, 0.9, true, mse)
    local adapted = learner(net, batches)
    local i = 0
    local same = learner(net, function()
      i = i + 1
      return batches[i]
    end)
    local own = net:deepcopy()
    local v = {}
    for _, batch in ipairs(batches) do
      local parameters = list(own:parameters())
      local grads = metann.grad(mse(own, batch), parameters)
      metann.no_grad(function()
        for k, p in ipairs(parameters) do
          v[k] = v[k] and grads[k] + v[k] * 0.9 or grads[k]
          p:sub_(v[k] * 0.05)
        end
      end)
    end
    for k, p in ipairs(list(own:parameters())) do
      assert.is_true(close(p, list(adapted:parameters())[k], 1e-12))
      assert.is_true(close(p, list(same:parameters())[k], 1e-12))
    end
    assert.matches('list or an iterator of batches', message(learner, net, 3))
  end)

  it('train in place with the same result', function()
    for _, make in ipairs{
      function() return meta.GDLearner(3, 0.1, true, mse), regression() end,
      function() return meta.SequentialGDLearner(0.1, 0.9, true, mse), { regression(), regression() } end,
      function() return meta.RMSPropLearner{ lr = 0.01, steps = 3, evaluator = mse }, regression() end,
      function() return meta.OptimizerLearner('Adam', { lr = 0.01, steps = 3, evaluator = mse }), regression() end,
    } do
      local net = mlp()
      local learner, data = make()
      local adapted = learner(net, data)
      local trained = learner(net, data, { inplace = true })
      assert.equal(net, trained)
      for k, p in ipairs(list(net:parameters())) do
        assert.is_true(close(p, list(adapted:parameters())[k], 1e-9))
        assert.is_not_nil(p.grad)
      end
      assert.matches('mimo', message(learner, net, data, { inplace = true, mimo = true }))
    end
  end)

  it('have finite meta-gradients where RMSProp meets zero gradients', function()
    local net = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1)):double()
    metann.no_grad(function() net[1].bias:fill_(-100) end) -- dead units: their gradients are exactly zero
    for _, centered in ipairs{ false, true } do
      local adapted = meta.RMSPropLearner{ steps = 3, centered = centered, evaluator = mse }(net, regression())
      for _, g in ipairs(metann.grad(mse(adapted, regression()), list(net:parameters()), { allow_unused = true })) do
        assert.is_true(not g or g:isfinite():all():item() ~= 0)
      end
    end
  end)

  it('run any optimizer as the inner rule, differentiably', function()
    for _, rule in ipairs(namespace.optimizers()) do
      local net, data, query = mlp(), regression(), regression()
      local learner = meta.OptimizerLearner(rule, { lr = 0.01, steps = 2, evaluator = mse })
      local function loss() return mse(learner(net, data), query) end
      local inputs = list(net:parameters())
      check_gradients(function() return loss():item() end, inputs, metann.grad(loss(), inputs))
    end
    assert.matches("has no 'Adaam', did you mean 'Adam'", message(meta.OptimizerLearner, 'Adaam'))
    assert.matches("unknown option 'momentun'", message(meta.OptimizerLearner, 'SGD', { lr = 1, momentun = 1 }))
    assert.matches('rule must be a class', message(meta.OptimizerLearner, 3))
    assert.is_not_nil(meta.OptimizerLearner(metann.optim.Adam))
  end)

  it('take rates per parameter and per step, each with its gradient', function()
    local net, data = mlp(), regression()
    local function rate(x) return nn.Parameter(metann.tensor(x, { dtype = 'float64' })) end
    local by_name, per_step, both = {}, { rate(0.1), rate(0.2) }, {}
    for name in net:named_parameters() do by_name[name] = rate(0.1) end
    for i = 1, 2 do
      both[i] = {}
      for name in net:named_parameters() do both[i][name] = rate(0.1 * i) end
    end
    for _, lr in ipairs{ by_name, per_step, both, nn.ParameterList(per_step) } do
      local learner = meta.GDLearner(2, lr, true, mse)
      local rates = list(learner:parameters())
      assert.equal(lr == by_name and 4 or lr == both and 8 or 2, #rates)
      local function loss() return mse(learner(net, data), data) end
      check_gradients(function() return loss():item() end, rates, metann.grad(loss(), rates))
    end
    local uneven = meta.GDLearner(2, { 0.1, 0.2 }, true, mse)(net, data)
    local even = meta.GDLearner(2, per_step, true, mse)(net, data)
    assert.is_true(close(uneven[1].weight, even[1].weight, 1e-12))
    assert.matches("lr has no entry for parameter '1.bias'",
      message(meta.GDLearner(1, { ['1.weight'] = 0.1 }, true, mse), net, data))
    by_name['9.weight'] = 1
    assert.matches("lr has an entry for '9.weight'", message(meta.GDLearner(1, by_name, true, mse), net, data))
    assert.matches('lr is a list for 1 steps',
      message(meta.SequentialGDLearner({ 0.1 }, 0, true, mse), net, { data, data }))
  end)

  it('leave unused and frozen parameters as they are', function()
    local Net = nn.class('Net')
    function Net:init()
      self.used, self.unused, self.frozen = nn.Linear(1, 1), nn.Linear(1, 1), nn.Linear(1, 1)
      self.frozen:requires_grad_(false)
    end
    function Net:forward(x) return self.frozen(self.used(x)) end
    local net, data = Net():double(), regression()
    for _, run in ipairs{ function(f) return f() end, metann.no_grad } do
      local adapted = run(function() return meta.GDLearner(2, 0.1, true, mse)(net, data) end)
      assert.is_true(adapted.frozen.weight == net.frozen.weight)
      assert.is_true(close(adapted.unused.weight, net.unused.weight, 1e-15))
      assert.is_false(close(adapted.used.weight, net.used.weight, 1e-15))
    end
    assert.is_true(meta.GDLearner(2, 0.1, true, mse)(net, data).unused.weight == net.unused.weight)
  end)

  it('adapt under no_grad, to a detached model', function()
    local net, data = mlp(), regression()
    local learner = meta.GDLearner(3, 0.1, true, mse)
    local recorded = learner(net, data)
    local detached = metann.no_grad(learner, net, data)
    for k, p in ipairs(list(detached:parameters())) do
      assert.is_true(p.is_leaf)
      assert.is_true(close(p, list(recorded:parameters())[k], 1e-12))
    end
    assert.is_true(metann.is_grad_enabled())
  end)

  it('depend on the start and on lr without create_graph', function()
    local net, data = mlp(), regression()
    local lr = metann.tensor(0.1, { dtype = 'float64', requires_grad = true })
    local adapted = meta.GDLearner(1, lr, false, mse)(net, data)
    local inputs = list(net:parameters())
    local inner = metann.grad(mse(net, data), inputs)
    inputs[#inputs + 1] = lr
    local grads = metann.grad(mse(adapted, data), inputs)
    local outer = metann.grad(mse(adapted, data), list(adapted:parameters()))
    local expected = 0
    for k = 1, #inner do
      assert.is_true(close(grads[k], outer[k], 1e-12))
      expected = expected - (inner[k] * outer[k]):sum():item()
    end
    assert.is_true(math.abs(expected - grads[#grads]:item()) < 1e-12)
  end)

  it('let gradients reach the support data', function()
    local net, data = mlp(), regression()
    data[1]:requires_grad_(true)
    local adapted = meta.GDLearner(2, 0.1, true, mse)(net, data)
    local g = metann.grad(mse(adapted, regression()), data[1])
    assert.is_true(g:abs():sum():item() > 0)
  end)

  it('make zero steps a view of the initial weights', function()
    local net = mlp()
    local adapted = meta.GDLearner(0, 0.1, true, mse)(net, regression())
    for k, p in ipairs(list(adapted:parameters())) do assert.is_true(p == list(net:parameters())[k]) end
  end)

  it('take an evaluator of the call, check what it returns, and check options', function()
    local net, data = mlp(), regression()
    local learner = meta.GDLearner(1, 0.1)
    local adapted = learner(net, data, { evaluator = mse })
    assert.is_false(close(adapted[1].weight, net[1].weight, 1e-15))
    assert.matches('must return a 0%-dim loss, got nil', message(learner, net, data, { evaluator = function() end }))
    assert.matches('must return a 0%-dim loss, got a tensor with 2 dims',
      message(learner, net, data, { evaluator = function(m, d) return m(d[1]) end }))
    assert.matches("unknown option 'evaluater', did you mean 'evaluator'",
      message(learner, net, data, { evaluater = mse }))
    assert.matches("'buffers' must be", message(learner, net, data, { buffers = 3 }))
    assert.matches("'training' must be", message(learner, net, data, { training = 3 }))
    assert.matches("'inplace' must be", message(learner, net, data, { inplace = 3 }))
    assert.matches('model must be a module', message(learner, 3, data))
    assert.matches("'steps' must be a whole number", message(meta.GDLearner, 1.5, 0.1))
    assert.matches("'steps' must be given", message(meta.GDLearner, { lr = 0.1 }))
    assert.is_not_nil(meta.GDLearner{ steps = 5, lr = 0.1 })
    assert.matches('steps=5, lr=0.1, create_graph=true', tostring(meta.GDLearner(5, 0.1)))
  end)

  it('are subclassed by users', function()
    local Mine = nn.class('Mine', meta.Learner)
    local seen
    function Mine:forward_pure(model, data, options) -- luacheck: ignore self
      seen = { model, data, options }
      return model
    end
    local net, options = mlp(), { evaluator = mse, buffers = 'frozen' }
    assert.equal(net, Mine()(net, 'data', options))
    assert.equal('data', seen[2])
    assert.same({ inplace = false, mimo = false, evaluator = mse, buffers = 'frozen', training = true }, seen[3])
    assert.matches('forward_inplace is not implemented', message(Mine(), net, 1, true))
    assert.matches('forward_pure is not implemented', message(meta.Learner(), net, 1))
  end)
end)

describe('MultiModel', function()
  it('has the model after each step, with shared buffers', function()
    local net, data = convnet(), images()
    local mm = meta.GDLearner(3, 0.1)(net, data, { mimo = true })
    assert.equal(4, mm:len())
    for k, p in ipairs(list(mm[1]:parameters())) do assert.is_true(p == list(net:parameters())[k]) end
    local last = meta.GDLearner(3, 0.1)(net, data)
    assert.is_true(close(mm[4][1].weight, last[1].weight, 1e-12))
    local numbers = {}
    for i, model in mm:iter() do
      numbers[#numbers + 1] = i
      assert.equal(model, mm[i])
      model(data[1])
    end
    assert.same({ 1, 2, 3, 4 }, numbers)
    assert.equal(7, mm[1][2].num_batches_tracked:item())
    assert.equal(#list(net:parameters()), #list(mm:parameters()))
    assert.matches('out of range 1..4', message(function() return mm[5] end))
    assert.matches('out of range 1..4', message(function() return mm[0] end))
    assert.matches('several models', message(mm, data[1]))
  end)

  it('is made of lists of weights', function()
    local net = mlp()
    local zeros = {}
    for p in net:parameters() do zeros[#zeros + 1] = metann.zeros_like(p) end
    local mm = meta.MultiModel(metann.ProtoModule(net), { list(net:parameters()), zeros })
    local x = double{ 2, 1 }
    assert.is_true(close(mm[1](x), net(x), 1e-12))
    assert.equal(0, mm[2](x):abs():max():item())
    assert.matches('model must be a ProtoModule', message(meta.MultiModel, net, { zeros }))
    assert.matches('expected 4 parameters, got 0', message(meta.MultiModel, metann.ProtoModule(net), { {} }))
  end)

  it('is weighted by mamlpp_evaluator', function()
    local net, data, query = mlp(), regression(), regression()
    local maml = meta.MAMLpp(net, 2, 4, 0.1, mse)
    local mm = maml(data)
    assert.equal(3, mm:len())
    local total, last = meta.mamlpp_evaluator(mm, query, 2, mse)
    local losses = {}
    for i = 1, 3 do losses[i] = mse(mm[i], query):item() end
    assert.is_true(math.abs(0.36 * losses[1] + 0.6 * losses[2] + losses[3] - total:item()) < 1e-12)
    assert.is_true(math.abs(losses[3] - last:item()) < 1e-12)
    assert.matches('steps must be 2', message(meta.mamlpp_evaluator, mm, query, 1, mse))
    assert.matches('must be a MultiModel', message(meta.mamlpp_evaluator, net, query, 1, mse))
    total:backward()
    for p in net:parameters() do assert.is_not_nil(p.grad) end
    maml:eval()
    local adapted = maml(data)
    assert.is_true(nn.is(adapted, nn.Sequential))
    assert.is_true(close(adapted[1].weight, meta.GDLearner(4, 0.1, true, mse)(net, data)[1].weight, 1e-12))
  end)
end)

describe('small functions', function()
  it('active_indices lists where tensors are', function()
    assert.same({ 1, 3 }, meta.active_indices{ metann.ones(1), false, metann.ones(2) })
    assert.same({}, meta.active_indices{})
    assert.matches('entry 2', message(meta.active_indices, { false, 3 }))
  end)

  it('default_evaluator_classification takes a criterion', function()
    local net = nn.Linear(3, 4)
    local data = { metann.randn(5, 3), metann.tensor{ 1, 2, 3, 4, 1 } }
    local loss = meta.default_evaluator_classification(net, data)
    local expected = -nn.functional.log_softmax(net(data[1]), -1):gather(2, data[2]:long():view(5, 1)):mean()
    assert.is_true(close(loss, expected))
    local function three() return 3 end
    assert.equal(3, meta.default_evaluator_classification(net, data, three))
    assert.equal(3, meta.default_evaluator_classification(net, data, { criterion = three }))
    assert.equal(3, meta.default_evaluator_classification(net, { data = data, criterion = three }))
    assert.equal(3, meta.default_evaluator_classification{ model = net, data = data, criterion = three })
    assert.matches("unknown option 'criterium', did you mean 'criterion'",
      message(meta.default_evaluator_classification, net, data, { criterium = three }))
    assert.matches('data must be a table', message(meta.default_evaluator_classification, net, 3))
    assert.matches('criterion must be', message(meta.default_evaluator_classification, net, data, 3))
  end)

  it('answers to require', function()
    assert.equal(meta, require 'metann.meta')
    assert.equal(metann.ProtoModule, require('metann.proto').ProtoModule)
    assert.equal(metann.tensor_copy, require('metann.proto').tensor_copy)
    assert.equal(metann.DependentModule, require('metann.dependentmodule').DependentModule)
    assert.equal(metann.utils, require 'metann.utils')
  end)
end)
