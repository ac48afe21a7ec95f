local metann = require 'metann'
local checks = require 'tests.support.checks'
local nn, DependentModule = metann.nn, metann.DependentModule
local message = checks.message

local function listed(iterator)
  local names, by_name = {}, {}
  for name, t in iterator do names[#names + 1], by_name[name] = name, t end
  return names, by_name
end

local function mlp() return nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Linear(100, 5)) end

local function close(a, b) return (a - b):abs():max():item() < 1e-6 end

describe('DependentModule, conversion', function()
  it('converts in place, submodules included, and keeps classes', function()
    local net = mlp()
    local hidden = net[1]
    local d = DependentModule(net)
    assert.equal(net, d)
    assert.equal(hidden, d[1])
    assert.is_true(nn.is(d, nn.Sequential))
    assert.is_true(nn.is(d, DependentModule))
    assert.is_true(nn.is(d[1], nn.Linear))
    assert.is_true(nn.is(d[1], DependentModule))
    assert.equal([[
DependentSequential(
  (1): DependentLinear(in_features=10, out_features=100, bias=true)
  (2): DependentReLU()
  (3): DependentLinear(in_features=100, out_features=5, bias=true)
)]], tostring(d))
    local before = tostring(d)
    assert.equal(d, DependentModule(d))
    assert.equal(before, tostring(d))
  end)

  it('runs as before', function()
    local net, x = mlp(), metann.randn(3, 10)
    local before = net(x)
    assert.is_true(close(before, DependentModule(net)(x)))
    assert.is_true(close(before, net:clear_params(true)(x)))
  end)

  it('converts modules that are assigned, added or appended later', function()
    local d = DependentModule(nn.Sequential(nn.Linear(2, 2)))
    d:append(nn.Linear(2, 3))
    d:add_module('extra', nn.Linear(3, 1))
    d.field = nn.ReLU()
    for _, name in ipairs{ 'extra', 'field' } do assert.is_true(nn.is(d[name], DependentModule)) end
    assert.is_true(nn.is(d[2], DependentModule))
  end)

  it('is subclassed, by users and by conversion', function()
    local Net = nn.class('Net', DependentModule)
    function Net:init(width)
      self.hidden = nn.Linear(2, width)
      self.out = nn.Linear(width, 1)
    end
    function Net:forward(x) return self.out(self.hidden(x)) end
    local net = Net(4)
    assert.is_true(nn.is(net.hidden, DependentModule))
    assert.equal(4, net.hidden.out_features)
    assert.same({ 'hidden.weight', 'hidden.bias', 'out.weight', 'out.bias' }, (listed(net:named_parameters())))
    net:clear_params(true)
    assert.same({ 'hidden.weight', 'hidden.bias', 'out.weight', 'out.bias' }, (listed(net:named_dependents())))
    assert.same({ 3, 1 }, net(metann.randn(3, 2)).shape)

    local Counted = nn.class('Counted', DependentModule)
    function Counted:count()
      local n = 0
      for _ in self:dependents() do n = n + 1 end
      return n
    end
    local linear = Counted.to_dependentmodule(nn.Linear(2, 2)):clear_params(true)
    assert.is_true(nn.is(linear, Counted))
    assert.is_true(nn.is(linear, nn.Linear))
    assert.equal(2, linear:count())
    assert.equal(2, Counted(nn.Linear(2, 2)):clear_params():count())
    assert.equal(2, Counted.stateless(nn.Linear(2, 2)):count())
  end)

  it('leaves children plain when told so, and walks skip them', function()
    local d = DependentModule.to_dependentmodule(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), false)
    assert.is_true(nn.is(d, DependentModule))
    assert.is_false(nn.is(d[1], DependentModule))
    d:register_dependent('own', metann.ones(2))
    assert.same({ 'own' }, (listed(d:named_dependents())))
    d:clear_params()
    assert.same({ 'own' }, (listed(d:named_dependents())))
    assert.same({ '1.weight', '1.bias', '2.weight', '2.bias' }, (listed(d:named_parameters())))
    d:substitute{ own = metann.zeros(2) }
  end)

  it('keeps hooks and plain fields', function()
    local net, calls = nn.Linear(2, 2), 0
    net.note = 'mine'
    net:register_forward_hook(function() calls = calls + 1 end)
    DependentModule(net)(metann.ones(1, 2))
    assert.equal(1, calls)
    assert.equal('mine', net.note)
  end)

  it('refuses what is no module', function()
    assert.matches('expected a module', message(DependentModule, 3))
    assert.matches('takes one module', message(DependentModule))
    assert.matches("'recurse' must be", message(DependentModule.to_dependentmodule, nn.ReLU(), 1))
    assert.matches('expected a module', message(DependentModule.stateless, 1))
  end)
end)

describe('register_dependent', function()
  local d
  before_each(function() d = DependentModule(nn.Linear(3, 2)) end)

  it('is read, written and listed as a buffer after the own ones', function()
    local t = metann.randn(3, 3)
    d:register_dependent('some', t)
    d:register_buffer('counter', metann.zeros(1))
    assert.is_true(t == d.some)
    assert.same({ 'counter', 'some' }, (listed(d:named_buffers())))
    assert.same({ 'weight', 'bias', 'counter', 'some' }, d:state_dict():keys())
    local other = metann.randn(7)
    d.some = other
    assert.is_true(other == d.some)
    d:register_dependent('some', metann.randn(2))
    assert.same({ 2 }, d.some.shape)
    d:to('float64')
    assert.equal('float64', d.some.dtype)
  end)

  it('takes nil: known, inactive, and remembers what comes', function()
    d:register_dependent('late')
    assert.same({}, (listed(d:named_dependents())))
    assert.is_nil(d.late)
    d:substitute{ late = metann.ones(4) }
    assert.same({ 'late' }, (listed(d:named_dependents())))
    assert.matches('size mismatch for late, expect %(4,%), got %(5,%)',
      message(d.substitute, d, { late = metann.ones(5) }))
    d.late = metann.ones(6)
    d:update_shapes()
    d:update_actives()
    d:substitute{ late = metann.zeros(6) }
  end)

  it('says what is wrong with a name or a tensor', function()
    local t = metann.ones(1)
    assert.matches('must be a string', message(d.register_dependent, d, 3, t))
    assert.matches('name is empty', message(d.register_dependent, d, '', t))
    assert.matches('must not contain a dot', message(d.register_dependent, d, 'a.b', t))
    assert.matches("the name is a parameter's", message(d.register_dependent, d, 'weight', t))
    assert.matches('method', message(d.register_dependent, d, 'forward', t))
    d:register_buffer('buf', t)
    assert.matches("the name is a buffer's", message(d.register_dependent, d, 'buf', t))
    d.field = 3
    assert.matches('field of that name', message(d.register_dependent, d, 'field', t))
    assert.matches('takes a tensor or nil', message(d.register_dependent, d, 'ok', 3))
    d:register_dependent('dep', t)
    assert.matches("the name is a dependent's", message(d.register_buffer, d, 'dep', t))
    assert.matches('takes a tensor or nil', message(function() d.dep = 3 end))
  end)
end)

describe('clear_params', function()
  it('keeps values, detached, or remembers sizes', function()
    local net = mlp()
    local weight = net[1].weight
    local d = DependentModule(net)
    assert.equal(d, d:clear_params(true))
    assert.same({}, (listed(d:named_parameters())))
    local names, by_name = listed(d:named_dependents())
    assert.same({ '1.weight', '1.bias', '3.weight', '3.bias' }, names)
    assert.is_true(close(weight, by_name['1.weight']))
    assert.is_false(weight == by_name['1.weight'])
    assert.is_true(by_name['1.weight'].is_leaf and by_name['1.weight'].requires_grad)
    d:clear_params()
    names, by_name = listed(d:named_dependents())
    assert.equal(4, #names)
    for _, name in ipairs(names) do assert.is_false(by_name[name]) end
    assert.is_nil(d[1].weight)
    assert.matches('in_features=10, out_features=100, bias=true', tostring(d))
    assert.matches("dependent 'weight' is empty", message(d, metann.ones(1, 10)))
  end)

  it('empties earlier dependents of the touched modules', function()
    local d = DependentModule(nn.Linear(2, 2))
    d:register_dependent('own', metann.ones(3))
    d:clear_params(true)
    assert.is_not_nil(d.own)
    d:clear_params()
    local _, by_name = listed(d:named_dependents())
    assert.is_false(by_name.own)
  end)

  it('honours the filter, in stateless too', function()
    local function first_only(m) return not (nn.is(m, nn.Linear) and m.out_features == 5) end
    local d = DependentModule.stateless(mlp(), first_only)
    assert.same({ '3.weight', '3.bias' }, (listed(d:named_parameters())))
    assert.same({ '1.weight', '1.bias' }, (listed(d:named_dependents())))
    local e = DependentModule.stateless(mlp(), { clear_filter = first_only })
    assert.same({ 'n.1.weight', 'n.1.bias' }, (listed(e:named_dependents{ prefix = 'n' })))
    assert.same({}, (listed(e:named_dependents('', false))))
    assert.same({ 'weight', 'bias' }, (listed(e[1]:named_dependents{ recurse = false })))
    e:clear_params{ init = true }
    assert.is_not_nil(e[3].weight)
    assert.matches("unknown option 'clear_filtr', did you mean 'clear_filter'",
      message(DependentModule.stateless, mlp(), { clear_filtr = first_only }))
    assert.matches("'clear_filter' must be", message(d.clear_params, d, false, 3))
    assert.matches("'init' must be", message(d.clear_params, d, 3))
  end)

  it('leaves the source of stateless alone', function()
    local net = mlp()
    DependentModule.stateless(net)
    assert.is_false(nn.is(net, DependentModule))
    assert.equal(4, #(listed(net:named_parameters())))
  end)

  it('keeps frozen parameters frozen', function()
    local d = DependentModule(mlp())
    d[1]:requires_grad_(false)
    d:clear_params(true)
    assert.is_false(d[1].weight.requires_grad)
    assert.is_true(d[3].weight.requires_grad)
    local learner = metann.meta.GDLearner(1, 0.1)
    local adapted = learner(d, { metann.randn(2, 10), metann.tensor{ 1, 2 } })
    assert.is_true(adapted[1].weight == d[1].weight)
    assert.is_false(adapted[3].weight == d[3].weight)
  end)

  it('takes a bias-free layer there and back, and prints it as built', function()
    local d = DependentModule(nn.Linear(3, 2, { bias = false })):clear_params(true)
    assert.equal('DependentLinear(in_features=3, out_features=2, bias=false)', tostring(d))
    assert.same({ 'weight' }, (listed(d:named_dependents())))
    local e = DependentModule.stateless(nn.Linear(3, 2, { bias = false }))
    e:substitute(d:named_dependents())
    local x = metann.randn(4, 3)
    assert.is_true(close(d(x), e(x)))
  end)
end)

describe('substitute', function()
  local d
  before_each(function() d = DependentModule.stateless(nn.Sequential(nn.Linear(10, 5), nn.Linear(5, 2))) end)
  local function weights()
    return { ['1.weight'] = metann.randn(5, 10), ['1.bias'] = metann.randn(5), ['2.weight'] = metann.randn(2, 5),
      ['2.bias'] = metann.randn(2) }
  end
  local function all_empty()
    for t in d:dependents() do
      if t then return false end
    end
    return true
  end

  it('stores tensors as given, and gradients flow through', function()
    local w = weights()
    local source = metann.ones(5, 10):requires_grad_(true)
    w['1.weight'] = source * 2
    d:substitute(w)
    assert.is_true(d[1].weight == w['1.weight'])
    d(metann.ones(1, 10)):sum():backward()
    assert.is_not_nil(source.grad)
  end)

  it('takes a state dict, an iterator, or a dictionary', function()
    local net = nn.Sequential(nn.Linear(10, 5), nn.Linear(5, 2))
    for _, source in ipairs{ function() return net:named_parameters() end, function() return net:state_dict() end } do
      d:substitute(source())
      assert.is_true(close(net(metann.ones(1, 10)), d(metann.ones(1, 10))))
    end
  end)

  it('is strict, one way or lenient', function()
    local w = weights()
    w['2.bias'] = nil
    assert.matches('missing 2.bias', message(d.substitute, d, w))
    assert.is_true(all_empty())
    w['2.weigt'] = metann.ones(1)
    assert.matches("unknown name '2.weigt', did you mean '2.weight'", message(d.substitute, d, w))
    assert.is_true(all_empty())
    d:substitute(w, 'one way')
    assert.is_nil(d[2].bias)
    assert.is_not_nil(d[2].weight)
    local before = d[1].weight
    d:substitute({ ['1.weight'] = metann.ones(3), ['1.bias'] = w['1.bias'] }, false)
    assert.is_true(before == d[1].weight)
    assert.matches("'strict' must be", message(d.substitute, d, w, 'sometimes'))
  end)

  it('refuses a wrong size, dtype or kind before anything is written', function()
    local w = weights()
    w['2.weight'] = metann.randn(5, 99)
    assert.matches('size mismatch for 2.weight, expect %(2, 5%), got %(5, 99%)', message(d.substitute, d, w))
    assert.is_true(all_empty())
    w['2.weight'] = metann.randn(2, 5, { dtype = 'float64' })
    assert.matches('dtype mismatch for 2.weight, expect float32, got float64', message(d.substitute, d, w))
    assert.matches('size mismatch', message(d.substitute, d, { ['2.bias'] = metann.ones(9) }, 'one way'))
    w['2.weight'] = 3
    assert.matches('must be a tensor', message(d.substitute, d, w))
    assert.is_true(all_empty())
  end)

  it('takes lists of exactly the right length', function()
    local w = weights()
    local list = { w['1.weight'], w['1.bias'], w['2.weight'] }
    assert.matches('expected 4 tensors, got 3', message(d.substitute_from_list, d, list))
    assert.is_true(all_empty())
    list[4] = w['2.bias']
    d:substitute_from_list(list)
    assert.is_true(d[2].bias == w['2.bias'])
    list[5] = w['2.bias']
    assert.matches('expected 4 tensors, got 5', message(d.substitute_from_list, d, list))
    list[5] = nil
    list[1] = metann.ones(1)
    assert.matches('size mismatch for 1.weight', message(d.substitute_from_list, d, list))
  end)

  it('fills all slots that were tied; lists untied ones each', function()
    local net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[2].weight = net[1].weight
    assert.equal(3, #(listed(net:named_parameters())))
    local t = DependentModule(net):clear_params(true)
    assert.same({ '1.weight', '1.bias', '2.bias' }, (listed(t:named_dependents())))
    local w = metann.randn(4, 4)
    t:substitute({ ['1.weight'] = w }, 'one way')
    assert.is_true(t[2].weight == w)
    local u = DependentModule.stateless(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)))
    u:substitute({ ['1.weight'] = w, ['2.weight'] = w }, 'one way')
    assert.equal(4, #(listed(u:named_dependents())))
    local copy = t:deepcopy()
    copy:substitute({ ['1.weight'] = metann.zeros(4, 4) }, 'one way')
    assert.is_true(copy[1].weight == copy[2].weight)
    assert.is_true(t[2].weight == w)
  end)

  it('really substitutes the weights of an LSTM', function()
    local lstm = nn.LSTM(3, 4)
    local d_lstm = DependentModule(lstm:deepcopy()):clear_params(true)
    local x = metann.randn(5, 2, 3)
    local before = d_lstm(x)
    assert.is_true(close(lstm(x), before))
    local zeros = {}
    for name, t in d_lstm:named_dependents() do zeros[name] = metann.zeros_like(t):requires_grad_(true) end
    d_lstm:substitute(zeros)
    local output = d_lstm(x)
    assert.equal(0, output:abs():max():item())
    output:sum():backward()
    local reached = 0
    for _, t in pairs(zeros) do
      if t.grad then reached = reached + 1 end
    end
    assert.equal(4, reached)
  end)
end)

describe('a dependent module', function()
  it('is deep-copied, saved and adapted', function()
    local d = DependentModule(mlp()):clear_params(true)
    local scale = metann.ones(1):requires_grad_(true)
    local w = d[1].weight
    d:substitute({ ['1.weight'] = w * scale }, 'one way')
    local copy = d:deepcopy()
    assert.is_true(copy[1].weight.is_leaf)
    assert.is_true(close(copy[1].weight, w))
    local fresh = DependentModule(mlp()):clear_params(true)
    fresh:load_state_dict(d:state_dict())
    assert.is_true(close(fresh(metann.ones(1, 10)), d(metann.ones(1, 10))))
    local adapted = metann.meta.GDLearner(2, 0.1)(d, { metann.randn(4, 10), metann.tensor{ 1, 2, 3, 4 } })
    adapted(metann.ones(1, 10)):sum():backward()
    assert.is_not_nil(scale.grad)
  end)

  it('loads a state into new leaves, never over what it was given', function()
    local d = DependentModule.stateless(nn.Linear(2, 2))
    local given = metann.ones(2, 2)
    d:substitute({ weight = given * metann.ones(1):requires_grad_(true), bias = metann.ones(2) })
    local state = nn.Linear(2, 2):state_dict()
    local before = d.weight
    assert.matches('unexpected other', message(d.load_state_dict, d, { weight = state.weight, bias = state.bias,
      other = given }))
    assert.is_true(d.weight == before)
    d:load_state_dict(state)
    assert.is_true(close(d.weight, state.weight))
    assert.is_true(d.weight.is_leaf and d.weight.requires_grad)
    assert.equal(4, before:sum():item())
    local e = DependentModule.stateless(nn.Linear(2, 2))
    e:load_state_dict(state)
    assert.is_true(close(e.bias, state.bias))
    e:load_state_dict({ bias = metann.zeros(2) }, { strict = false })
    assert.is_true(close(e.weight, state.weight))
    assert.equal(0, e.bias:abs():sum():item())
  end)

  it('refuses a tensor with a history only where it is plain', function()
    local net = nn.Linear(2, 2)
    local w = metann.ones(2, 2):requires_grad_(true) * 2
    assert.matches('history', message(function() net.weight = w end))
    local d = DependentModule(net):clear_params(true)
    d.weight = w
    assert.is_true(d.weight == w)
  end)
end)
