-- Slips with modules, optimizers and learners: '.' for ':', misspelt methods, modules that nobody sees, inner loops
-- that adapt nothing. Each is an error at the line of the slip that says what to do.
local metann = require 'metann'
local support = require 'tests.support.meta'
local nn, optim, meta = metann.nn, metann.optim, metann.meta
local message = support.message

local function net_of() return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2))) end
local function data_of() return { metann.randn(4, 2), support.labels{ 1, 2, 1, 2 } } end

--- The names of an object's public methods, along its classes.
local function methods_of(object)
  local names, seen = {}, {}
  local function take(class)
    while type(class) == 'table' and not seen[class] do
      seen[class] = true
      for name, fn in pairs(class) do
        if type(fn) == 'function' and type(name) == 'string' and not name:find '^_' and name ~= 'init' then
          names[name] = true
        end
      end
      local mt = getmetatable(class)
      class = rawget(class, '_parent') or mt and rawget(mt, '__index')
    end
  end
  local mt = getmetatable(object)
  take(rawget(mt, 'class') or mt)
  for _, mixin in ipairs(rawget(mt, 'class') and rawget(mt.class, '_mixins') or {}) do take(mixin) end
  return names
end

describe("'.' in place of ':'", function()
  local statics = { to_dependentmodule = true, stateless = true, from_pretrained = true, of = true, class = true,
    new = true, set_up = true, spec = true }
  local function optimizer() return optim.Adam(net_of():parameters()) end
  local objects = {
    Linear = function() return nn.Linear(1, 1) end,
    LSTM = function() return nn.LSTM(1, 1) end,
    Embedding = function() return nn.Embedding(2, 2) end,
    Sequential = net_of,
    ModuleList = function() return nn.ModuleList{ nn.ReLU() } end,
    ModuleDict = function() return nn.ModuleDict{ a = nn.ReLU() } end,
    ParameterList = function() return nn.ParameterList{ metann.ones(1) } end,
    ParameterDict = function() return nn.ParameterDict{ a = metann.ones(1) } end,
    ProtoModule = function() return metann.ProtoModule(nn.ReLU()) end,
    DependentModule = function() return metann.DependentModule(nn.Linear(1, 1)) end,
    view = function() return metann.ProtoModule(nn.ReLU()):functional{} end,
    GDLearner = function() return meta.GDLearner(1, 0.1) end,
    MAML = function() return meta.MAML(net_of(), 1, 1, 0.1) end,
    MultiModel = function() return meta.GDLearner(1, 0.1)(net_of(), data_of(), { mimo = true }) end,
    optimizer = optimizer,
    ['another optimizer'] = function() return optim.SGD(net_of():parameters(), 1) end,
    schedule = function() return optim.lr_scheduler.StepLR(optimizer(), 2) end,
    ReduceLROnPlateau = function() return optim.lr_scheduler.ReduceLROnPlateau(optimizer()) end,
    ['state dict'] = function() return net_of():state_dict() end,
  }
  for name, make in pairs(objects) do
    it('is an error for all methods of: ' .. name, function()
      local object, n = make(), 0
      for method in pairs(methods_of(object)) do
        if not statics[method] then
          n = n + 1
          local text = message(function() local _ = object[method](nil) end)
          local named = method == 'register_module' and '%w+_module' or method -- add_module by another name
          assert(text:find(("slips_spec%%.lua:%%d+: %s: must be called with ':'"):format(named)), name .. ': ' .. text)
          text = message(function() local _ = object[method]({}) end)
          assert(text:find(": must be called with ':'", 1, true), name .. ': ' .. text)
        end
      end
      assert(n > 1 or name == 'state dict', name)
    end)
  end

  it('is found where a class of one\'s own puts a method in place of an old one', function()
    local Net = nn.class('Net')
    function Net.forward(_, x) return x * 2 end
    function Net:extra_repr() return 'width=' .. self.width end
    function Net.make(width)
      local net = Net()
      net.width = width
      return net
    end
    local net = Net.make(3) -- a function without self is none of these
    assert.equal('Net(width=3)', tostring(net))
    assert.matches("forward: must be called with ':'", message(net.forward, metann.ones(1)))
    assert.equal(2, net:forward(metann.ones(1)):item())
    -- a method that is put in its place later on is the one that is called
    function Net:forward(x) return x * (self and 3) end
    assert.equal(3, net(metann.ones(1)):item())
    net.forward = function(_, x) return x * 4 end
    assert.equal(4, net(metann.ones(1)):item())
  end)
end)

describe('namespaces', function()
  it('suggest the nearest name, or say that there is none', function()
    for _, case in ipairs{
      { "metann.linalg has no 'nrm', did you mean 'norm'", function() return metann.linalg.nrm end },
      { "metann.func has no 'hessin', did you mean 'hessian'", function() return metann.func.hessin end },
      { "nn.init has no 'xavier_unifrm_', did you mean 'xavier_uniform_'", function() return nn.init.xavier_unifrm_ end },
      { "nn.utils has no 'clip'; known are clip_grad_norm_,", function() return nn.utils.clip end },
    } do
      assert.matches(case[1], message(case[2]), 1, true)
    end
  end)
end)

describe('methods of tensors', function()
  it("that are called with '.' speak of the colon", function()
    local t = metann.ones(1)
    for _, name in ipairs{ 'item', 'backward', 'float', 'reshape', 'numel', 'sum', 'to', 'to_table', 'exp', 'norm' } do
      assert.matches(('%s: .*%%(a method is called with a colon: t:%s%%(%%)%%)'):format(name, name),
        message(function() local _ = t[name]() end))
    end
  end)
end)

describe('methods of modules', function()
  it('that are misspelt, or called otherwise elsewhere, are suggested', function()
    local net = net_of()
    assert.matches("Sequential has no 'paramters', did you mean 'parameters'", message(function() net:paramters() end))
    assert.matches("Sequential has no method 'clone', did you mean 'deepcopy'", message(function() net:clone() end))
    assert.matches("Linear has no 'zero_grads', did you mean 'zero_grad'", message(function()
      local layer = net[1]
      layer:zero_grads()
    end))
    local view = metann.ProtoModule(net):functional(net:parameters())
    assert.matches("has no 'parametres', did you mean 'parameters'", message(function() view:parametres() end))
  end)

  it('and fields that are asked for read as nil', function()
    local net = net_of()
    local n = 0
    for _ = 1, 100 do
      if net.buffer or net.module then n = n + 1 end
      if net.trains then net:trains() end
    end
    local parameter = net.parameter
    assert.equal(0, n)
    assert.is_nil(parameter)
  end)

  it('forward that returns nothing is an error, nil is none', function()
    local Net = nn.class('Forgetful')
    function Net:forward(x) self.seen = x:detach() end
    local net = Net()
    for _ = 1, 2 do
      assert.matches("Forgetful: 'forward' returned nothing", message(function() local _ = net(metann.ones(1)) end))
    end
    net:register_forward_hook(function() end)
    assert.matches("Forgetful: 'forward' returned nothing", message(function() local _ = net(metann.ones(1)) end))
    local Nil = nn.class('Nil')
    function Nil.forward() return nil end
    assert.is_nil(Nil()())
    local Three = nn.class('Three')
    function Three.forward(_, ...) return ... end
    assert.same({ 1, nil, 3 }, { Three()(1, nil, 3) })
  end)
end)

describe('an error in a net says where', function()
  it('by the path of the submodule', function()
    local net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 1, 1), nn.Linear(4, 4)))
    net[3][1] = nn.Identity()
    assert.matches("slips_spec.lua:%d+: Linear: 'input' .* %(in Sequential%[3%]%[2%]%)$", message(function()
      local _ = net(metann.ones(1, 2))
    end))
    local Net = nn.class('Net')
    function Net:init()
      self.body = nn.ModuleList{ nn.Linear(2, 2), nn.Sequential(nn.Linear(5, 1)) }
      self.head = nn.ModuleDict{ last = nn.Linear(7, 1) }
    end
    function Net:forward(x, deep) return deep and self.body[2](self.body[1](x)) or self.head.last(x) end
    local own = Net()
    assert.matches('%(in Net%.body%[2%]%[1%]%)$', message(own, metann.ones(1, 2), true))
    assert.matches('%(in Net%.head%.last%)$', message(own, metann.ones(1, 2)))
    -- the same in a view, in a learner, in a coroutine, under no_grad
    local view = metann.ProtoModule(own):functional(own:parameters())
    assert.matches('%(in Net%.head%.last%)$', message(view, metann.ones(1, 2)))
    local data = { metann.ones(1, 2), metann.ones(1) }
    assert.matches('%(in Net%.head%.last%)$', message(meta.GDLearner(1, 0.1), own, data))
    assert.matches('%(in Net%.head%.last%)$', message(metann.no_grad, own, metann.ones(1, 2)))
    local co = coroutine.wrap(function() return message(metann.no_grad, own, metann.ones(1, 2)) end)
    assert.matches('%(in Net%.head%.last%)$', co())
  end)

  it('but not of a module that is called alone, nor once it has returned', function()
    local layer = nn.Linear(2, 2)
    assert.not_matches('%(in', message(layer, metann.ones(1, 3)))
    local net = net_of()
    net(metann.ones(1, 2))
    assert.not_matches('%(in', message(metann.matmul, metann.ones(2, 3), metann.ones(2, 3)))
  end)
end)

describe('modules and parameters in plain tables', function()
  local function late(fill)
    local Net = nn.class('Net')
    function Net:init()
      self.layers = {}
      fill(self.layers)
    end
    function Net.forward(_, x) return x end
    return Net()
  end
  local function uses(net)
    return {
      call = function() return net(metann.ones(1)) end,
      ['a view\'s call'] = function() return metann.ProtoModule(net):functional{}(metann.ones(1)) end,
      parameters = function() return net:parameters() end,
      print = function() return tostring(net) end,
      state_dict = function() return net:state_dict() end,
      load_state_dict = function() return net:load_state_dict{} end,
      to = function() return net:double() end,
      train = function() return net:train() end,
      children = function() return net:children() end,
      deepcopy = function() return net:deepcopy():parameters() end,
      ['a learner'] = function() return meta.GDLearner(1, 0.1)(net, data_of()) end,
      DependentModule = function() return metann.DependentModule(net) end,
      ['a parent'] = function() return nn.Sequential(net):parameters() end,
    }
  end
  for name in pairs(uses(nn.ReLU())) do
    it('are found at the first ' .. name, function()
      local net = late(function(t) t[1] = nn.Linear(1, 1) end)
      assert.matches("Net: field 'layers' is a plain table that holds modules, .* use nn.ModuleList",
        message(uses(net)[name]))
      net = late(function(t) t.deep = { { weight = nn.Parameter(metann.ones(1)) } } end)
      assert.matches("Net: field 'layers' is a plain table that holds parameters, .* use nn.ParameterList",
        message(uses(net)[name]))
      net = late(function(t) for i = 1, 100 do t[i] = { i, tostring(i), metann.ones(1) } end end)
      uses(net)[name]()
    end)
  end

  it('are found when a field that held something else holds them, and after calls', function()
    local net = late(function() end)
    net(metann.ones(1))
    net.layers = { nn.ReLU() }
    assert.matches("field 'layers'", message(net.parameters, net))
    net.layers = 3
    assert.is_nil(net:parameters()())
    net.layers = {}
    net.layers[1] = net.layers -- a table in itself
    assert.is_nil(net:parameters()())
  end)
end)

describe('an inner loop that adapts nothing', function()
  local net, data
  before_each(function()
    net, data = net_of(), data_of()
  end)
  local other = net_of()
  local wrong = {
    ['uses another model'] = function(_, d) return nn.functional.cross_entropy(other(d[1]), d[2]) end,
    ['detaches'] = function(model, d) return nn.functional.cross_entropy(model(d[1]):detach(), d[2]) end,
    ['is constant'] = function() return metann.tensor(1) end,
  }
  local batches = function() return { data, data } end
  local learners = {
    GDLearner = function(e, o) return meta.GDLearner(2, 0.1, { evaluator = e, allow_unused = o }), data end,
    ['GDLearner, first order'] = function(e, o)
      return meta.GDLearner(1, 0.1, { create_graph = false, evaluator = e, allow_unused = o }), data
    end,
    SequentialGDLearner = function(e, o)
      return meta.SequentialGDLearner{ lr = 0.1, evaluator = e, allow_unused = o }, batches()
    end,
    RMSPropLearner = function(e, o) return meta.RMSPropLearner{ evaluator = e, allow_unused = o }, batches() end,
    OptimizerLearner = function(e, o)
      return meta.OptimizerLearner('Adam', { steps = 2, evaluator = e, allow_unused = o }), data
    end,
  }
  for kind, evaluator in pairs(wrong) do
    for name, make in pairs(learners) do
      it(('is an error of %s where the evaluator %s'):format(name, kind), function()
        local learner, given = make(evaluator)
        for _, call in ipairs{ {}, { mimo = true }, { inplace = true } } do
          local text = message(learner, net, given, call)
          assert.matches('no weight got a gradient: '
            .. "the loss doesn't depend on the model that the evaluator was given", text)
          assert.matches('^%S*meta%.lua', text) -- where it was called: pcall in support.message
        end
        metann.no_grad(function() assert.matches('no weight got a gradient', message(learner, net, given)) end)
        for _, inplace in ipairs{ false, true } do
          local before = net[1].weight:clone()
          local adapted = learner(net, given, { allow_unused = true, inplace = inplace })
          assert(adapted[1].weight:eq(before):all():item() == 1)
          adapted = make(evaluator, true)(net, given, { inplace = inplace })
          assert(adapted[1].weight:eq(before):all():item() == 1)
        end
      end)
    end
    for _, name in ipairs{ 'MAML', 'MAMLpp' } do
      it(('is an error of %s where the evaluator %s'):format(name, kind), function()
        for _, first_order in ipairs{ false, true } do
          local options = { steps_train = 2, steps_eval = 1, lr = 0.1, evaluator = evaluator }
          options.first_order = first_order
          local maml = meta[name](net, options)
          for _, mode in ipairs{ true, false } do
            maml:train(mode)
            assert.matches(name .. ': no weight got a gradient', message(maml, data))
            maml(data, { allow_unused = true })
          end
          options.allow_unused = true
          meta[name](net, options)(data)
        end
      end)
    end
  end

  it('is found where the evaluator uses the net that it was made beside', function()
    local function captured(_, d) return nn.functional.cross_entropy(net(d[1]), d[2]) end
    assert.matches('no weight got a gradient', message(meta.GDLearner(5, 0.1, { evaluator = captured }), net, data))
  end)

  it('is none without steps, nor where all is frozen', function()
    local learner = meta.GDLearner(0, 0.1, { evaluator = wrong['is constant'] })
    assert(nn.is(learner(net, data), nn.Sequential))
    net:requires_grad_(false)
    learner = meta.GDLearner(2, 0.1)
    assert(nn.is(learner(net, data), nn.Sequential))
    assert(learner(net, data, { inplace = true }) == net)
    assert(nn.is(meta.SequentialGDLearner(0.1)(net, {}), nn.Sequential))
    assert.matches("'allow_unused' must be true or false", message(learner, net, data, { allow_unused = 1 }))
  end)

  it('one weight that gets a gradient is enough', function()
    local function part(model, d) return nn.functional.mse_loss(model[1](d[1]), metann.zeros(4, 3)) end
    local adapted = meta.GDLearner(2, 0.1, { evaluator = part })(net, data)
    assert(not adapted[1].weight:eq(net[1].weight):all():item() ~= 1)
    assert(adapted[3][1].weight:eq(net[3][1].weight):all():item() == 1)
  end)
end)

describe('wrong arguments', function()
  it('where a module stands for its parameters, or data', function()
    local net, data = net_of(), data_of()
    for name, fn in pairs{
      Adam = function() optim.Adam(net) end,
      grad = function() metann.grad(net, metann.ones(1)) end,
      clip_grad_norm_ = function() nn.utils.clip_grad_norm_(net, 1) end,
      parameters_to_vector = function() nn.utils.parameters_to_vector(net) end,
      SGD = function() optim.SGD({ { params = net } }, 1) end,
    } do
      assert.matches(name .. '.*got a module: pass its parameters, net:parameters%(%)', message(fn))
    end
    assert.matches('got a module: pass its state, net:state_dict%(%)', message(net.load_state_dict, net, net_of()))
    local maml = meta.MAML(net, 1, 1, 0.1)
    assert.matches('data must be a table {x, y}, got a table without %[2%]', message(maml, { data[1] }))
    assert.matches('MAML: is called with data and options, as it holds its model already; got a module as data',
      message(maml, net, data))
    assert.matches('data must be a table {x, y}, got a module', message(maml, net))
    assert.matches('model must be a module or a function, got nil',
      message(meta.default_evaluator_classification, nil, data))
    for _, learner in ipairs{ meta.RMSPropLearner(), meta.GDLearner(1, 0.1) } do
      assert.matches('model must be a module, got nil', message(learner.forward_inplace, learner, nil))
      assert.matches('model must be a module, got nil', message(learner.forward_pure, learner, nil))
      assert.matches('options must be a table by name, got a list',
        message(learner.forward_pure, learner, net, data, { 1 }))
    end
  end)

  it('names of tensors elsewhere, and lists of names without doubles', function()
    assert.matches("metann has no 'FloatTensor', make tensors by metann.tensor%(values, {dtype='float32'}%)",
      message(function() return metann.FloatTensor end))
    local _ = metann.data.Sinusoid
    local text = message(function() return metann.data.Nothing end)
    assert.is_nil(text:find('Sinusoid.*Sinusoid'))
  end)

  it('tensor_copy of what is no table of tensors', function()
    local called = false
    assert.matches('expected a tensor, nil, a list or a table of these, got function',
      message(metann.tensor_copy, { function() called = true end }))
    assert.is_false(called)
    assert.matches('tensor_copy: expected', message(metann.tensor_copy, optim.Adam))
    local cyclic = { metann.ones(1) }
    cyclic[2] = { cyclic }
    assert.matches('tensor_copy: the table contains itself', message(metann.tensor_copy, cyclic))
    local shared = { metann.ones(1) }
    assert.equal(2, #metann.tensor_copy{ shared, shared })
  end)

  it('ranges that begin or end far away end at once', function()
    local net = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU())
    for _, case in ipairs{
      { { -4.6e18 }, 5 }, { { -1e300, 1e300 }, 5 }, { { -1e300, 3, 1e300 }, nil }, { { 1, -1e18 }, 0 }, { { 4e18 }, 0 },
      { { -6, -1, 2 }, 2 }, { { -7, -1, 2 }, 3 }, { { -8, 5, 3 }, 2 },
    } do
      local range = case[1]
      local n = net:slice(range[1], range[2], range[3]):len()
      assert(case[2] == nil and n <= 1 or n == case[2], range[1])
    end
    -- against a loop over the positions as they are written
    for first = -9, 5 do
      for step = 1, 4 do
        local n = 0
        if first ~= 0 then
          for i = first < 0 and first + 6 or first, 5, step do n = n + (i >= 1 and 1 or 0) end
          assert.equal(n, net:slice(first, -1, step):len())
        end
      end
    end
  end)

  it('an entry of a Sequential that was registered as nil', function()
    local net = nn.Sequential(nn.ReLU())
    net:add_module('2', nil)
    assert.matches("Sequential: entry 2 %('2'%) is empty, it was registered as nil", message(net, metann.ones(1)))
    assert.equal(2, net:slice():len())
  end)

  it('a module that keeps an activation names the field when it is copied', function()
    local Att = nn.class('Att')
    function Att:init() self.layer = nn.Linear(2, 2) end
    function Att:forward(x)
      self.attn = self.layer(x)
      return self.attn
    end
    local net = nn.Sequential(Att())
    net(metann.ones(1, 2))
    assert.matches('deepcopy: Sequential%.1%.attn has a history, .* keep a detached tensor there',
      message(net.deepcopy, net))
    net[1].attn = net[1].attn:detach()
    assert(net:deepcopy()[1].attn:eq(net[1].attn):all():item() == 1)
    net[1].kept = { values = { metann.ones(1, { requires_grad = true }) * 2 } }
    assert.matches('deepcopy: Sequential%.1%.kept%.values%.1 has a history', message(net.deepcopy, net))
  end)
end)
