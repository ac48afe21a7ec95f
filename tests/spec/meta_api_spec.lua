-- The contract of the meta surface, sentence by sentence, beyond what dependent_spec, proto_spec and meta_spec show:
-- arguments by position and by name, DependentModule's rules, views.
local metann = require 'metann'
local support = require 'tests.support.meta'
local nn, meta = metann.nn, metann.meta
local DependentModule, ProtoModule = metann.DependentModule, metann.ProtoModule
local message, list, named, names, close = support.message, support.list, support.named, support.names, support.close
local double, mse, mlp, regression = support.double, support.mse, support.mlp, support.regression
local E = meta.default_evaluator_classification

before_each(function() metann.manual_seed(5) end)

local function pair() return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)) end

describe('arguments', function()
  -- Each way of giving the same arguments, and what they are checked by.
  local net = mlp()
  local function steps_of(learner) return learner.steps end
  local function graph_of(learner) return tostring(learner.create_graph) end
  local function evaluator_of(learner) return learner.evaluator == mse end

  it('of GDLearner: (steps, lr, create_graph, evaluator)', function()
    for _, learner in ipairs{
      meta.GDLearner(5, 0.1, false, mse), meta.GDLearner(5, 0.1, false, { evaluator = mse }),
      meta.GDLearner(5, 0.1, { create_graph = false, evaluator = mse }),
      meta.GDLearner(5, { lr = 0.1, create_graph = false, evaluator = mse }),
      meta.GDLearner{ steps = 5, lr = 0.1, create_graph = false, evaluator = mse },
    } do
      assert.equal(5, steps_of(learner))
      assert.equal(0.1, learner.lr)
      assert.equal('false', graph_of(learner))
      assert.is_true(evaluator_of(learner))
    end
    local plain = meta.GDLearner(5, 0.1)
    assert.equal('true', graph_of(plain))
    assert.equal(E, plain.evaluator)
    assert.matches("'lr' must be given", message(meta.GDLearner, 5))
    assert.matches("'steps' must be given", message(meta.GDLearner))
    assert.matches("'lr' is given twice, by position and by name", message(meta.GDLearner, 5, 0.1, { lr = 0.2 }))
    assert.matches("unknown option 'create_grph', did you mean 'create_graph'",
      message(meta.GDLearner, 5, 0.1, { create_grph = true }))
    assert.matches('takes 4 arguments, got 5', message(meta.GDLearner, 5, 0.1, true, mse, 3))
    assert.matches("'create_graph' must be true or false", message(meta.GDLearner, 5, 0.1, 1))
    assert.matches("'evaluator' must be a function", message(meta.GDLearner, 5, 0.1, true, 1))
    assert.matches("'evaluator' must be a function", message(meta.OptimizerLearner, 'Adam', { evaluator = false }))
    assert.matches('meta_api_spec.lua:%d+:', message(function() meta.GDLearner(5) end))
  end)

  it('of SequentialGDLearner: (lr, momentum, create_graph, evaluator)', function()
    for _, learner in ipairs{
      meta.SequentialGDLearner(0.1, 0.9, false, mse), meta.SequentialGDLearner(0.1, 0.9, { create_graph = false, evaluator = mse }),
      meta.SequentialGDLearner{ lr = 0.1, momentum = 0.9, create_graph = false, evaluator = mse },
    } do
      assert.equal(0.1, learner.lr)
      assert.equal(0.9, learner.options.momentum)
      assert.equal('false', graph_of(learner))
      assert.is_true(evaluator_of(learner))
    end
    assert.equal(0.5, meta.SequentialGDLearner(0.1).options.momentum)
    assert.matches("'lr' must be given", message(meta.SequentialGDLearner))
    assert.matches('momentum', message(meta.SequentialGDLearner, 0.1, -1))
  end)

  it('of RMSPropLearner: (lr, alpha, eps, centered, create_graph, evaluator, steps)', function()
    for _, learner in ipairs{
      meta.RMSPropLearner(0.1, 0.9, 1e-4, true, false, mse, 3),
      meta.RMSPropLearner(0.1, 0.9, { eps = 1e-4, centered = true, create_graph = false, evaluator = mse, steps = 3 }),
      meta.RMSPropLearner{ lr = 0.1, alpha = 0.9, eps = 1e-4, centered = true, create_graph = false, evaluator = mse, steps = 3 },
    } do
      assert.equal(0.1, learner.lr)
      assert.equal(0.9, learner.options.alpha)
      assert.equal(1e-4, learner.options.eps)
      assert.is_true(learner.options.centered)
      assert.equal(3, learner.steps)
      assert.equal('false', graph_of(learner))
      assert.is_true(evaluator_of(learner))
    end
    local plain = meta.RMSPropLearner()
    assert.equal(0.01, plain.lr)
    assert.equal(0.99, plain.options.alpha)
    assert.equal(1e-8, plain.options.eps)
    assert.is_false(plain.options.centered)
    assert.equal(E, plain.evaluator)
    assert.is_nil(plain.steps)
    assert.matches('centered', message(meta.RMSPropLearner, 0.1, 0.9, 1e-8, 3))
  end)

  it('of OptimizerLearner: (rule, options)', function()
    for _, learner in ipairs{
      meta.OptimizerLearner('Adam', { steps = 3, lr = 0.1, betas = { 0.5, 0.9 }, create_graph = false, evaluator = mse }),
      meta.OptimizerLearner(metann.optim.Adam, { steps = 3, lr = 0.1, betas = { 0.5, 0.9 }, create_graph = false, evaluator = mse }),
      meta.OptimizerLearner{ rule = 'Adam', steps = 3, lr = 0.1, betas = { 0.5, 0.9 }, create_graph = false, evaluator = mse },
    } do
      assert.equal(3, learner.steps)
      assert.equal(0.1, learner.lr)
      assert.same({ 0.5, 0.9 }, learner.options.betas)
      assert.equal('false', graph_of(learner))
      assert.is_true(evaluator_of(learner))
    end
    assert.equal(0.001, meta.OptimizerLearner('Adam').lr)
    assert.matches('rule must be a class', message(meta.OptimizerLearner))
    assert.matches("'lr' must be given", message(meta.OptimizerLearner, 'SGD'))
    assert.matches("unknown option 'beta'", message(meta.OptimizerLearner, 'Adam', { beta = 1 }))
    assert.matches('options must be a table', message(meta.OptimizerLearner, 'Adam', 3))
    assert.matches("'create_graph' must be", message(meta.OptimizerLearner, 'Adam', { create_graph = 1 }))
  end)

  it('of MAML and MAMLpp: (model, steps_train, steps_eval, lr, evaluator, first_order)', function()
    for _, class in ipairs{ meta.MAML, meta.MAMLpp } do
      for _, maml in ipairs{
        class(net, 5, 10, 0.01, mse, true), class(net, 5, 10, 0.01, { evaluator = mse, first_order = true }),
        class(net, { steps_train = 5, steps_eval = 10, lr = 0.01, evaluator = mse, first_order = true }),
        class{ model = net, steps_train = 5, steps_eval = 10, lr = 0.01, evaluator = mse, first_order = true },
      } do
        assert.same({ 5, 10, 0.01, true, true },
          { maml.steps_train, maml.steps_eval, maml.lr, maml.evaluator == mse, maml.first_order })
        assert.equal(net, maml.model.module)
      end
      local plain = class(net, 5, 10, 0.01)
      assert.is_false(plain.first_order)
      assert.equal(E, plain.evaluator)
      assert.matches("'steps_eval' must be given", message(class, net, 5))
      assert.matches("'first_order' must be", message(class, net, 5, 5, 0.1, mse, 1))
      assert.matches("'model' is given twice", message(class, net, { model = net, steps_train = 1, steps_eval = 1, lr = 1 }))
    end
  end)

  it('of mamlpp_evaluator: (mimo, data, steps, evaluator, gamma)', function()
    local mm, data = meta.MAMLpp(net, 1, 1, 0.1, mse)(regression()), regression()
    local expected = (mse(mm[1], data) * 0.5 + mse(mm[2], data)):item()
    for _, total in ipairs{
      meta.mamlpp_evaluator(mm, data, 1, mse, 0.5), meta.mamlpp_evaluator(mm, data, 1, mse, { gamma = 0.5 }),
      (meta.mamlpp_evaluator{ mimo = mm, data = data, steps = 1, evaluator = mse, gamma = 0.5 }),
    } do assert.is_true(math.abs(total:item() - expected) < 1e-12) end
    local total, last = meta.mamlpp_evaluator(mm, data, 1, mse)
    assert.is_true(math.abs(total:item() - (mse(mm[1], data) * 0.6 + mse(mm[2], data)):item()) < 1e-12)
    assert.is_true(math.abs(last:item() - mse(mm[2], data):item()) < 1e-12)
    assert.matches("'evaluator' must be given", message(meta.mamlpp_evaluator, mm, data, 1))
    assert.matches("'evaluator' must be a function", message(meta.mamlpp_evaluator, mm, data, 1, 3))
    assert.matches("'gamma' must be", message(meta.mamlpp_evaluator, mm, data, 1, mse, 'x'))
    assert.matches("'gamma' must be", message(meta.mamlpp_evaluator, mm, data, 1, mse, metann.ones(2)))
    assert.matches('must return a 0%-dim loss', message(meta.mamlpp_evaluator, mm, data, 1, function() return 3 end))
  end)

  it('of conversion and of iterators, by name too', function()
    assert.is_true(nn.is(DependentModule{ module = pair() }, DependentModule))
    assert.is_true(nn.is(ProtoModule{ module = pair() }, ProtoModule))
    local d = DependentModule.to_dependentmodule{ module = pair(), recurse = false }
    assert.is_false(nn.is(d[1], DependentModule))
    local function none() return false end
    d = DependentModule.stateless{ module = pair(), clear_filter = none }
    assert.equal(0, #list(d:dependents()))
    d:register_dependent{ name = 'a', tensor = metann.ones(1) }
    d:register_dependent('b', { tensor = metann.ones(1) })
    assert.equal('n.a n.b', names(d:named_dependents{ prefix = 'n', recurse = false }))
    assert.equal('n.a n.b', names(d:named_dependents('n', { recurse = false })))
    assert.equal(2, #list(d:dependents{ recurse = true }))
    d:clear_params{ init = true, clear_filter = none }
    assert.equal(4, #list(d:parameters()))
    local proto = ProtoModule(pair())
    local view = proto:functional(proto:parameters())
    for _, m in ipairs{ proto, view } do
      assert.equal('p.1.weight p.1.bias p.2.weight p.2.bias', names(m:named_parameters{ prefix = 'p' }))
      assert.equal('', names(m:named_parameters('', { recurse = false })))
      assert.equal(0, #list(m:parameters{ recurse = false }))
      assert.matches("unknown option 'prefx', did you mean 'prefix'", message(m.named_parameters, m, { prefx = 'p' }))
      assert.matches("'prefix' must be a string", message(m.named_parameters, m, 3))
      assert.matches("'recurse' must be true or false", message(m.parameters, m, 3))
    end
    assert.matches("unknown option 'tensr', did you mean 'tensor'",
      message(d.register_dependent, d, 'c', { tensr = metann.ones(1) }))
    assert.matches("unknown option 'modul'", message(DependentModule.stateless, pair(), { modul = 1 }))
    assert.matches("'module' is given twice", message(DependentModule.stateless, pair(), { module = pair() }))
    assert.matches("'prefix' must be a string", message(d.named_dependents, d, 3))
    assert.matches("'strict' must be true, false or 'one way'", message(d.substitute, d, {}, { strict = false }))
  end)

  it('of a learner\'s call: data is data, whatever its keys are', function()
    local seen
    local function evaluator(model, data)
      seen = data
      return mse(model, data.pair)
    end
    local learner = meta.GDLearner(1, 0.1, true, evaluator)
    local data = { pair = regression(), data = 1, training = 'mine', evaluator = 'mine' }
    learner(net, data)
    assert.equal(data, seen)
    learner(net, data, { training = false })
    assert.equal(data, seen)
    meta.MAML(net, 1, 1, 0.1, evaluator)(data)
    assert.equal(data, seen)
    assert.matches('model must be a module', message(learner, {}, data))
    assert.matches("'model' must be given", message(learner))
    assert.matches("unknown option 'trainin', did you mean 'training'", message(learner, net, data, { trainin = true }))
  end)

  it('of forward_pure and forward_inplace, called directly', function()
    local learner, data = meta.GDLearner(2, 0.1, true, mse), regression()
    local expected = learner(net, data)
    assert.is_true(close(learner:forward_pure(net, data)[1].weight, expected[1].weight, 1e-12))
    assert.equal(3, learner:forward_pure(net, data, { mimo = true }):len())
    local own = net:deepcopy()
    assert.equal(own, learner:forward_inplace(own, data))
    assert.is_true(close(own[1].weight, expected[1].weight, 1e-12))
    assert.matches("unknown option 'mim', did you mean 'mimo'", message(learner.forward_pure, learner, net, data, { mim = true }))
  end)
end)

describe('a DependentModule', function()
  it('converts what is assigned, added, appended, inserted or put into a dictionary', function()
    local d = DependentModule(nn.Sequential(nn.ModuleList{ nn.ReLU() }, nn.ModuleDict{ a = nn.ReLU() }))
    d[1]:append(nn.Linear(1, 1))
    d[1][1] = nn.Sequential(nn.Tanh())
    d[2].b = nn.Linear(1, 1)
    d.field = nn.Sequential(nn.Linear(1, 1))
    d:add_module('extra', nn.Sequential(nn.Linear(1, 1)))
    d:append(nn.Sequential(nn.Linear(1, 1)))
    local count = 0
    for m in d:modules() do
      count = count + 1
      assert.is_true(nn.is(m, DependentModule), tostring(m))
    end
    assert.equal(14, count)
  end)

  it('stays an instance of its old class, with the methods of both, and converts twice to the same', function()
    local Net = nn.class('Net')
    function Net:init()
      self.linear = nn.Linear(2, 2)
      self.table = { 1, 2 }
    end
    function Net:forward(x) return self:twice(self.linear(x)) end
    function Net:twice(x) return x * #self.table end -- luacheck: ignore
    function Net:extra_repr() return 'size=' .. self.linear.out_features end
    local net = Net()
    local x = metann.randn(1, 2)
    local expected = net(x)
    local d = DependentModule(net)
    assert.equal(net, d)
    assert.is_true(nn.is(d, Net) and nn.is(d, DependentModule) and nn.is(d, nn.Module))
    assert.is_true(close(d(x), expected))
    assert.equal([[
DependentNet(
  size=2
  (linear): DependentLinear(in_features=2, out_features=2, bias=true)
)]], tostring(d))
    local meta_before = getmetatable(d)
    assert.equal(d, DependentModule(d))
    assert.equal(meta_before, getmetatable(d))
  end)

  it('of a subclass: its class methods convert to that subclass, converted ones too', function()
    local Mine = nn.class('Mine', DependentModule)
    function Mine:own() return 'own ' .. #list(self:dependents()) end
    for _, make in ipairs{ Mine, Mine.to_dependentmodule, Mine.stateless } do
      local d = make(DependentModule(pair()))
      for m in d:modules() do assert.is_true(nn.is(m, Mine) and nn.is(m, DependentModule)) end
      assert.equal('own 4', d:clear_params(true):own())
      assert.equal('own 2', d[1]:own())
      assert.is_true(nn.is(d[1], nn.Linear))
    end
    assert.matches('Mine: expected a module', message(Mine, 3))
  end)

  it('has dependents as buffers: listed after the own ones, moved, read and written unchecked', function()
    local d = DependentModule(nn.BatchNorm1d(2)):clear_params(true)
    assert.equal('running_mean running_var num_batches_tracked weight bias', names(d:named_buffers()))
    assert.equal('running_mean running_var num_batches_tracked weight bias', table.concat(d:state_dict():keys(), ' '))
    local w = metann.randn(7, 7, { dtype = 'float64' })
    d.weight = w
    assert.is_true(d.weight == w)
    d:float()
    assert.equal('float32', d.weight.dtype)
    d.weight = nil
    assert.is_nil(d.weight)
    assert.matches("DependentBatchNorm1d: dependent 'weight' is empty", message(d, metann.randn(3, 2)))
    -- a plain module's slot is stricter
    local history = metann.ones(2):requires_grad_(true) * 1
    local plain = nn.BatchNorm1d(2)
    assert.matches('history', message(function() plain.weight = history end))
    d.weight = history
    assert.is_true(d.weight == history)
  end)

  it('registers by rules', function()
    local d = DependentModule(nn.Linear(2, 2, { bias = false }))
    d.note = 'x'
    d.plain = metann.ones(1)
    d:register_buffer('counter', metann.ones(1))
    d:register_buffer('none', nil)
    for name, why in pairs{
      [''] = 'name is empty', ['a.b'] = "must not contain a dot", weight = "the name is a parameter's",
      bias = "the name is a parameter's", counter = "the name is a buffer's", none = "the name is a buffer's",
      note = 'field of that name', plain = 'field of that name', training = 'field of that name',
      forward = 'it is a method', named_dependents = 'it is a method', in_features = 'field of that name',
    } do
      local said = message(function() d:register_dependent(name, metann.ones(1)) end)
      assert.matches(why, said)
      assert.matches('DependentLinear', said)
      assert.matches('meta_api_spec.lua:%d+:', said)
    end
    local Constant = nn.class('Constant')
    Constant.scale = 3
    assert.matches('field of that name', message(function() DependentModule(Constant()):register_dependent('scale') end))
    for _, wrong in ipairs{ 3, 'x', true, { 1, 2 } } do
      assert.matches('takes a tensor or nil', message(d.register_dependent, d, 'ok', wrong))
    end
    for _, wrong in ipairs{ 3, true } do
      assert.matches('name must be a string', message(d.register_dependent, d, wrong, metann.ones(1)))
    end
    assert.matches('name must be a string, got nil', message(d.register_dependent, d))
    d:register_dependent('ok', metann.ones(2))
    d:register_dependent('ok', metann.ones(3, 3))
    assert.same({ 3, 3 }, d.ok.shape)
    d:substitute{ ok = metann.zeros(3, 3) }
    for _, method in ipairs{ 'register_buffer', 'register_parameter' } do
      assert.matches("the name is a dependent's", message(d[method], d, 'ok', nn.Parameter(metann.ones(1))))
    end
    assert.matches("the name is a dependent's", message(d.add_module, d, 'ok', nn.ReLU()))
  end)

  it('knows an inactive dependent, and remembers what it is given first', function()
    for _, give in ipairs{
      function(d, t) d:substitute{ late = t } end, function(d, t) d.late = t end,
      function(d, t)
        d.late = t
        d:update_actives()
      end,
    } do
      local d = DependentModule(nn.ReLU())
      d:register_dependent('late', nil)
      assert.equal('', names(d:named_dependents()))
      d:substitute{}
      d:substitute_from_list{}
      assert.is_true(close(d(metann.ones(1)), metann.ones(1)))
      give(d, metann.ones(2, { dtype = 'float64' }))
      assert.equal('late', names(d:named_dependents()))
      assert.matches('size mismatch for late, expect %(2,%), got %(3,%)', message(d.substitute, d, { late = double(3) }))
      assert.matches('dtype mismatch for late, expect float64, got float32', message(d.substitute, d, { late = metann.ones(2) }))
      d.late = metann.ones(4)
      assert.matches('size mismatch', message(d.substitute, d, { late = metann.ones(4) }))
      d:update_shapes()
      d:substitute{ late = metann.zeros(4) }
    end
    -- both look at this module only
    local d = DependentModule(nn.Sequential(nn.ReLU()))
    d[1]:register_dependent('late', metann.ones(2))
    d[1].late = metann.ones(3)
    d:update_shapes()
    assert.matches('size mismatch', message(d.substitute, d, { ['1.late'] = metann.ones(3) }))
    d[1]:update_shapes()
    d:substitute{ ['1.late'] = metann.ones(3) }
  end)

  it('lists false in place of an emptied tensor; ties once, untied slots with one tensor each', function()
    local d = DependentModule.stateless(pair())
    local order, by_name = named(d:named_dependents())
    assert.same({ '1.weight', '1.bias', '2.weight', '2.bias' }, order)
    for _, t in pairs(by_name) do assert.is_false(t) end
    local w = metann.ones(2, 2)
    d:substitute({ ['1.weight'] = w, ['2.weight'] = w }, 'one way')
    by_name = select(2, named(d:named_dependents()))
    assert.is_true(by_name['1.weight'] == w and by_name['2.weight'] == w)
    d:substitute({ ['2.weight'] = false }, 'one way')
    by_name = select(2, named(d:named_dependents()))
    assert.is_false(by_name['2.weight'])
    assert.is_true(by_name['1.weight'] == w)
    -- the iterator is one closure, which may stand before other arguments
    local target = DependentModule.stateless(pair())
    local source = DependentModule(pair()):clear_params(true)
    target:substitute(source:named_dependents(), true)
    target:substitute_from_list(source:dependents())
    assert.is_true(target[1].weight == source[1].weight)
  end)

  it('substitutes: strict, one way, lenient; all checked before anything is written', function()
    local function fresh() return DependentModule.stateless(nn.Sequential(nn.Linear(5, 5), nn.Linear(100, 5))) end
    local good = {
      ['1.weight'] = metann.randn(5, 5), ['1.bias'] = metann.randn(5), ['2.weight'] = metann.randn(5, 100),
      ['2.bias'] = metann.randn(5),
    }
    local function with(changes)
      local all = {}
      for name, t in pairs(good) do all[name] = t end
      for name, t in pairs(changes) do all[name] = t ~= 'missing' and t or nil end
      return all
    end
    local function filled(d)
      local n = 0
      for t in d:dependents() do n = n + (t and 1 or 0) end
      return n
    end
    local d = fresh()
    d:substitute(good)
    assert.is_true(d[2].weight == good['2.weight'])
    local cases = {
      { { ['2.weight'] = metann.randn(5, 99) }, 'size mismatch for 2.weight, expect %(5, 100%), got %(5, 99%)',
        'size mismatch', 3 },
      { { ['2.bias'] = double(5) }, 'dtype mismatch for 2.bias, expect float32, got float64', 'dtype mismatch', 3 },
      { { ['2.bias'] = 'missing' }, 'missing 2.bias', 3, 3 },
      { { ['3.bias'] = good['2.bias'] }, "unknown name '3.bias', did you mean '%d.bias'", 4, 4 },
      { { ['1.bias'] = 7 }, "'1.bias' must be a tensor, got number 7", 'must be a tensor', 3 },
    }
    for _, case in ipairs(cases) do
      d = fresh()
      assert.matches(case[2], message(d.substitute, d, with(case[1])))
      assert.equal(0, filled(d))
      if type(case[3]) == 'string' then
        assert.matches(case[3], message(d.substitute, d, with(case[1]), 'one way'))
        assert.equal(0, filled(d))
      else
        d:substitute(with(case[1]), 'one way')
        assert.equal(case[3], filled(d))
      end
      d = fresh()
      d:substitute(with(case[1]), false)
      assert.equal(case[4], filled(d))
    end
    assert.matches('expected tensors by name, got a list', message(d.substitute, d, { metann.ones(1) }))
    assert.matches('expected a list of tensors, a table by name or an iterator', message(d.substitute, d, 3))
    assert.matches('meta_api_spec.lua:%d+:', message(function() d:substitute(3) end))
  end)

  it('clears: kept as detached copies or emptied, earlier dependents too, but not where the filter says no', function()
    local net = pair()
    net[2]:requires_grad_(false)
    local d = DependentModule(net)
    d[1]:register_dependent('own', metann.ones(1))
    d[2]:register_dependent('own', metann.ones(1))
    local source = d[1].weight
    local seen = {}
    assert.equal(d, d:clear_params(true, function(m)
      seen[#seen + 1] = m
      return m ~= d[2]
    end))
    assert.equal(3, #seen)
    assert.equal('2.weight 2.bias', names(d:named_parameters()))
    assert.is_not_nil(d[1].own)
    assert.is_true(close(d[1].weight, source, 0) and not (d[1].weight == source) and d[1].weight.is_leaf)
    metann.no_grad(function() source:fill_(9) end)
    assert.is_false(close(d[1].weight, source))
    d:clear_params(false, function(m) return m ~= d[2] end)
    assert.is_nil(d[1].own)
    assert.is_not_nil(d[2].own)
    assert.is_not_nil(d[2].weight)
    d:clear_params()
    assert.is_nil(d[2].own)
    -- an emptied slot remembers its size, and that it was frozen
    assert.matches('size mismatch for 2.weight, expect %(2, 2%), got %(3, 2%)',
      message(d.substitute, d, { ['2.weight'] = metann.ones(3, 2) }, 'one way'))
    d:substitute(pair():named_parameters(), 'one way')
    d:substitute({ ['1.own'] = metann.ones(1), ['2.own'] = metann.ones(1) }, 'one way')
    local adapted = meta.GDLearner(1, 0.1)(d, { metann.randn(2, 2), support.labels{ 1, 2 } })
    assert.is_true(adapted[2].weight == d[2].weight)
    assert.is_false(adapted[1].weight == d[1].weight)
  end)

  it('emptied in one of two tied modules leaves the other alone', function()
    local net = pair()
    net[2].weight = net[1].weight
    local d = DependentModule(net):clear_params(true)
    d:clear_params(false, function(m) return m ~= d[2] end)
    assert.is_nil(d[1].weight)
    assert.is_not_nil(d[2].weight)
  end)

  it('without the weights of attention says which is empty', function()
    local d = DependentModule.stateless(nn.MultiheadAttention(4, 2))
    local x = metann.randn(3, 2, 4)
    assert.matches("'in_proj_weight' is empty", message(d, x, x, x))
    local net = nn.Sequential(nn.Linear(2, 2))
    assert.matches("DependentLinear: dependent 'weight' is empty", message(DependentModule.stateless(net), metann.ones(1, 2)))
  end)

  it('has gradients flow through it into whatever made its dependents', function()
    local d = DependentModule.stateless(mlp())
    local s = metann.tensor(1, { dtype = 'float64', requires_grad = true })
    local made = {}
    for name, p in mlp():named_parameters() do made[name] = p:detach() * s end
    d:substitute(made)
    local data = regression()
    support.check_gradients(function()
      local again = {}
      for name, t in pairs(made) do again[name] = t:detach() / 1 * s end
      d:substitute(again)
      return mse(d, data):item()
    end, { s }, { metann.grad(mse(d, data), s) })
  end)

  it('is copied, saved and adapted again, in a plain module too', function()
    local d = DependentModule(pair()):clear_params(true)
    local s = metann.ones(1):requires_grad_(true)
    d:substitute({ ['1.weight'] = d[1].weight * s }, 'one way')
    local x = metann.randn(3, 2)
    for _, copy in ipairs{ d:deepcopy(), nn.Sequential(d):deepcopy()[1], ProtoModule(d):deepcopy().module } do
      assert.is_true(nn.is(copy, DependentModule))
      assert.is_true(close(copy(x), d(x)))
      assert.is_true(copy[1].weight.is_leaf and copy[1].weight.requires_grad)
      assert.equal('1.weight 1.bias 2.weight 2.bias', names(copy:named_dependents()))
      copy:substitute({ ['1.weight'] = metann.zeros(2, 2) }, 'one way')
      assert.is_true(d[1].weight:abs():sum():item() > 0)
      assert.matches('size mismatch', message(copy.substitute, copy, { ['1.weight'] = metann.zeros(3) }, 'one way'))
    end
    local data = { x, support.labels{ 1, 2, 1 } }
    local once = meta.GDLearner(1, 0.1)(d, data)
    local twice = meta.GDLearner(1, 0.1)(once, data)
    assert.is_true(close(twice[1].weight, meta.GDLearner(2, 0.1)(d, data)[1].weight))
    assert.is_not_nil(metann.grad(E(twice, data), s))
  end)
end)

describe('a ProtoModule', function()
  it('holds the module by reference', function()
    local net = support.convnet()
    local proto = ProtoModule(net)
    assert.equal(net, proto.module)
    local p = list(proto:parameters())[1]
    assert.is_true(p == net[1].weight)
    metann.no_grad(function() net[1].weight:fill_(0) end)
    assert.equal(0, p:abs():sum():item())
    assert.equal(names(net:named_parameters()), names(proto:named_parameters()))
    local x = support.images()[1]
    assert.is_true(close(proto(x), net(x), 1e-12))
    local optimizer = metann.optim.SGD(proto:parameters(), { lr = 0.1 })
    proto(x):sum():backward()
    optimizer:step()
    assert.is_true(net[6].bias.grad ~= nil)
  end)

  it('has views that see later writes to the base only in what they don\'t override', function()
    local net = nn.BatchNorm1d(2)
    net.note = 'before'
    local proto = ProtoModule(net)
    local view = proto:functional{ weight = metann.full(2, 5) }
    net.note = 'after'
    net.weight = nn.Parameter(metann.full(2, 7))
    net.bias = nn.Parameter(metann.full(2, 8))
    assert.equal('after', view.note)
    assert.equal(5, view.weight[1]:item())
    assert.equal(8, view.bias[1]:item())
    view.note = 'own'
    net.note = 'later'
    assert.equal('own', view.note)
    assert.equal('later', net.note)
  end)

  it('has any number of views at once, each with its weights, mode and buffers', function()
    local net = support.convnet()
    local proto, x = ProtoModule(net), support.images()[1]
    local views, expected = {}, {}
    for i = 1, 5 do
      local weights = {}
      for k, p in ipairs(list(net:parameters())) do weights[k] = p:detach() * i end
      views[i] = proto:functional(weights, i % 2 == 1)
      local own = net:deepcopy():train(i % 2 == 1)
      metann.no_grad(function() for p in own:parameters() do p:mul_(i) end end)
      expected[i] = own(x)
    end
    for i = 5, 1, -1 do
      assert.is_true(close(views[i](x), expected[i], 1e-9))
      assert.equal(i % 2 == 1, views[i][2].training)
      assert.equal(i % 2, views[i][2].num_batches_tracked:item())
    end
    assert.equal(0, net[2].num_batches_tracked:item())
  end)

  it('has views whose state is detached and whose copies are detached leaves', function()
    local net = support.convnet()
    local adapted = meta.GDLearner(1, 0.1)(net, support.images())
    for p in adapted:parameters() do assert.is_false(p.is_leaf) end
    local state = adapted:state_dict()
    assert.same(net:state_dict():keys(), state:keys())
    for _, t in state:pairs() do assert.is_true(t.is_leaf and not t.requires_grad) end
    local copy = adapted:deepcopy()
    assert.equal(names(net:named_parameters()), names(copy:named_parameters()))
    for p in copy:parameters() do assert.is_true(p.is_leaf and p.requires_grad) end
    for name, p in copy:named_parameters() do assert.is_true(close(p, state[name], 0)) end
    assert.equal(tostring(net), tostring(copy))
  end)

  it('takes buffers=view, shared and frozen; fields and hooks of classes of one\'s own', function()
    local Net = nn.class('Net')
    function Net:init()
      self.scale = nn.Parameter(metann.ones(1))
      self:register_buffer('calls', metann.zeros(1))
    end
    function Net:forward(x)
      self.calls:add_(1)       -- in place
      self.calls = self.calls + 1 -- and by assignment
      return x * self.scale
    end
    for mode, expected in pairs{ view = { 4, 0 }, shared = { 4, 4 }, frozen = { 0, 0 } } do
      local net = Net()
      local view = ProtoModule(net):functional(net:parameters(), nil, { buffers = mode })
      view(metann.ones(1))
      view(metann.ones(1))
      assert.same(expected, { view.calls:item(), net.calls:item() })
    end
  end)

  it('keeps its gradients and flags when a view\'s are changed', function()
    local net = mlp()
    local proto, data = ProtoModule(net), regression()
    mse(net, data):backward()
    local mine = double{ 1 }:requires_grad_(true)
    local view = proto:functional{ ['3.bias'] = mine }
    mse(view, data):backward()
    view:zero_grad()
    assert.is_nil(mine.grad)
    assert.is_not_nil(net[1].weight.grad)
    assert.equal(view, view:requires_grad_(false))
    for p in view:parameters() do assert.is_false(p.requires_grad) end
    for p in net:parameters() do assert.is_true(p.requires_grad) end
    assert.is_false(view(data[1]).requires_grad)
    metann.no_grad(function() net[1].weight:fill_(0) end) -- storage is shared still
    assert.equal(0, view[1].weight:abs():sum():item())
    -- weights with a history can't be told
    local adapted = meta.GDLearner(1, 0.1, true, mse)(net, data)
    assert.matches('history', message(adapted.requires_grad_, adapted, false))
  end)

  it('and dependent modules keep what they are given in a scope', function()
    local net, x = pair(), metann.randn(3, 2)
    local d, e, copy, adapted = DependentModule(net:deepcopy()), DependentModule.stateless(net), nil, nil
    metann.scope(function()
      d:clear_params(true)
      d:register_dependent('own', metann.ones(2))
      local doubled = {}
      for name, p in net:named_parameters() do doubled[name] = p * 2 end
      e:substitute(doubled)
      copy = e:deepcopy()
      adapted = meta.GDLearner(1, 0.1)(e, { x, support.labels{ 1, 2, 1 } }):deepcopy()
    end)
    assert.is_true(close(d(x), net(x)))
    assert.equal(2, d.own:sum():item())
    assert.is_true(close(copy(x), e(x)))
    assert.same({ 3, 2 }, adapted(x).shape)
    e(x):sum():backward()
    assert.is_not_nil(net[1].weight.grad)
  end)

  it('adapts a module that holds an adapted one', function()
    local net, data, query = mlp(), regression(), regression()
    local adapted = meta.GDLearner(1, 0.1, true, mse)(net, data)
    local holder = nn.Sequential(adapted, nn.Linear(1, 1):double())
    local start = metann.grad(mse(holder, query), net[1].weight, { retain_graph = true })
    assert.is_true(start:abs():sum():item() > 0)
    local again = meta.GDLearner(1, 0.1, true, mse)(holder, data)
    assert.is_false(close(again[1][1].weight, adapted[1].weight, 1e-15))
    assert.is_true(metann.grad(mse(again, query), net[1].weight):abs():sum():item() > 0)
    local copy = again:deepcopy()
    assert.is_true(close(copy(data[1]), again(data[1]), 1e-12))
    assert.same(holder:state_dict():keys(), again:state_dict():keys())
    holder:float()
    assert.equal('float32', holder[1][1].weight.dtype)
    assert.equal('float64', net[1].weight.dtype)
    assert.matches("submodule '1' is a functional view", message(holder.load_state_dict, holder, holder:state_dict()))
  end)

  it('copies tensors, nil, lists and tables; clones keep their history', function()
    local t = metann.ones(2):requires_grad_(true)
    local copy = metann.tensor_copy{ t, false, { a = t, b = { t } } }
    assert.equal('MultipleList', tostring(getmetatable(copy) == metann.utils.MultipleList and 'MultipleList'))
    assert.is_false(copy[1] == t)
    assert.is_true(metann.grad((copy[1] * copy[3].a * copy[3].b[1]):sum(), t)[1]:item() == 3)
    assert.is_nil(metann.tensor_copy(nil))
    assert.equal(2, metann.tensor_copy(nn.Linear(1, 1):parameters()):len())
  end)
end)
