local metann = require 'metann'
local live = require 'tests.support.live'
local checks = require 'tests.support.checks'
local nn, meta = metann.nn, metann.meta
local message = checks.message

local function listed(iterator)
  local names, by_name = {}, {}
  for name, t in iterator do names[#names + 1], by_name[name] = name, t end
  return names, by_name
end

local function list(iterator)
  local values = {}
  for t in iterator do values[#values + 1] = t end
  return values
end

local function close(a, b) return (a - b):abs():max():item() < 1e-6 end

local function constants(module, value)
  local values = {}
  for p in module:parameters() do values[#values + 1] = metann.full_like(p, value) end
  return values
end

describe('ProtoModule', function()
  it('is the module, under its own names', function()
    local net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    local proto = metann.ProtoModule(net)
    assert.equal(net, proto.module)
    assert.same((listed(net:named_parameters())), (listed(proto:named_parameters())))
    assert.same({ 'p.1.weight' }, { (listed(proto:named_parameters('p')))[1] })
    assert.same(net:state_dict():keys(), proto:state_dict():keys())
    assert.equal(#list(net:parameters()), #list(proto:parameters()))
    assert.is_true(proto.module[1].weight == list(proto:parameters())[1])
    proto:eval()
    assert.is_false(net.training)
    assert.is_false(net[2].training)
    local x = metann.randn(5, 4)
    assert.is_true(close(net(x), proto(x)))
    local holder = nn.Sequential(proto)
    assert.equal('1.1.weight', (listed(holder:named_parameters()))[1])
    proto:load_state_dict(net:state_dict())
    assert.matches('expected a module', message(metann.ProtoModule, 3))
    assert.equal(net, metann.ProtoModule(proto).module)
    local copy = proto:deepcopy()
    assert.is_false(copy.module == net)
    assert.is_true(close(copy(x), proto(x)))
  end)

  it('has functionals that are callable views, not outputs', function()
    local proto = metann.ProtoModule(nn.Linear(10, 5))
    local f = proto:functional(proto:parameters(), true)
    local x = metann.randn(2, 10)
    assert.is_true(close(f(x), proto(x)))
    assert.is_true(nn.is(f, nn.Linear))
    assert.equal(tostring(proto.module), tostring(f))
  end)

  it('keeps two live functionals apart, and the base out of it', function()
    local net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    local proto, x = metann.ProtoModule(net), metann.ones(1, 3)
    local before = net(x)
    local ones, twos = proto:functional(constants(net, 1)), proto:functional(constants(net, 2))
    assert.equal(13, ones(x):item())
    assert.equal(50, twos(x):item())
    assert.equal(13, ones(x):item())
    assert.is_true(close(before, net(x)))
    assert.is_true(ones[1].weight == list(ones:parameters())[1])
  end)

  it('lets gradients flow into the history of its parameters', function()
    local proto = metann.ProtoModule(nn.Linear(2, 1))
    local s = metann.ones(1):requires_grad_(true)
    local f = proto:functional{ metann.ones(1, 2) * s, metann.ones(1) * s }
    local g = metann.grad(f(metann.ones(1, 2)):sum(), s)
    assert.equal(3, g:item())
  end)

  it('overrides by list, by name and by iterator', function()
    local net = nn.Linear(2, 1)
    local proto, x = metann.ProtoModule(net), metann.ones(1, 2)
    local f = proto:functional{ bias = metann.full({ 1 }, 7) }
    assert.is_true(f.weight == net.weight)
    assert.equal(7, f.bias:item())
    metann.no_grad(function() net.weight:fill_(1) end)
    assert.equal(9, f(x):item())
    net.weight = nn.Parameter(metann.full({ 1, 2 }, 3))
    assert.equal(13, f(x):item())
    local g = proto:functional{ false, metann.zeros(1) }
    assert.equal(6, g(x):item())
    assert.equal(13, proto:functional(f:named_parameters())(x):item())
  end)

  it('refuses lists of the wrong length, unknown names and wrong tensors', function()
    local proto = metann.ProtoModule(nn.Linear(2, 1))
    local w, b = metann.ones(1, 2), metann.ones(1)
    assert.matches('expected 2 parameters, got 1', message(proto.functional, proto, { w }))
    assert.matches('expected 2 parameters, got 3', message(proto.functional, proto, { w, b, b }))
    assert.matches("unknown name 'wieght', did you mean 'weight'", message(proto.functional, proto, { wieght = w }))
    assert.matches('size mismatch for bias, expect %(1,%), got %(1, 2%)', message(proto.functional, proto, { w, w }))
    assert.matches('dtype mismatch', message(proto.functional, proto, { w, b:double() }))
    assert.matches('must be a tensor', message(proto.functional, proto, { w, 3 }))
    assert.matches("'params' must be given", message(proto.functional, proto))
    assert.matches("'training' must be", message(proto.functional, proto, { w, b }, 3))
    assert.matches("'buffers' must be", message(proto.functional, proto, { w, b }, nil, { buffers = 'mine' }))
    assert.matches("unknown option 'bufers'", message(proto.functional, proto, { w, b }, nil, { bufers = 'view' }))
    assert.matches('given twice', message(proto.functional, proto, { w, b }, true, { training = true }))
  end)

  it('sets modes in the view only', function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5), nn.BatchNorm1d(2))
    net[3]:eval()
    local proto = metann.ProtoModule(net)
    local own, on, off = proto:functional(net:parameters()), proto:functional(net:parameters(), true),
      proto:functional(net:parameters(), { training = false })
    assert.is_false(own[3].training)
    assert.is_true(own[2].training and on[3].training)
    assert.is_false(off[1].training or off.training or off[3].training)
    on:eval()
    assert.is_false(on[2].training)
    assert.is_true(net[2].training and own[2].training and net.training)
    assert.is_false(net[3].training)
  end)

  it('treats buffers as told', function()
    local bn = nn.BatchNorm1d(2)
    local proto, x = metann.ProtoModule(bn), metann.randn(8, 2) + 3
    local before = bn.running_mean:clone()
    local v, frozen = proto:functional(bn:parameters(), true),
      proto:functional(bn:parameters(), true, { buffers = 'frozen' })
    v(x)
    frozen(x)
    assert.is_true(close(before, bn.running_mean))
    assert.is_true(close(before, frozen.running_mean))
    local expected = x:mean(1) * 0.1
    assert.is_true(close(expected, v.running_mean))
    assert.equal(1, v.num_batches_tracked:item())
    assert.equal(0, bn.num_batches_tracked:item())
    local w = proto:functional(bn:parameters(), true)
    assert.is_true(close(before, w.running_mean))
    proto:functional(bn:parameters(), true, { buffers = 'shared' })(x)
    assert.is_true(close(expected, bn.running_mean))
    assert.equal(1, bn.num_batches_tracked:item())
  end)

  it('writes plain fields, buffers and slots in the view', function()
    local Net = nn.class('Net')
    function Net:init()
      self.w = nn.Parameter(metann.ones(2))
      self:register_buffer('count', metann.zeros(1))
      self.calls = 0
    end
    function Net:forward(x)
      self.calls = self.calls + 1
      self.count = self.count + 1
      self.last = x
      return x * self.w
    end
    local net = Net()
    local v = metann.ProtoModule(net):functional(net:parameters())
    v(metann.ones(2))
    v(metann.ones(2))
    assert.equal(2, v.calls)
    assert.equal(2, v.count:item())
    assert.is_not_nil(v.last)
    assert.equal(0, net.calls)
    assert.equal(0, net.count:item())
    assert.is_nil(net.last)
    v.w = metann.full({ 2 }, 5)
    assert.equal(5, v(metann.ones(2))[1]:item())
    assert.equal(1, net.w[1]:item())
    net.later = 'seen'
    assert.equal('seen', v.later)
    assert.matches('deepcopy', message(function() v.more = nn.Linear(1, 1) end))
    assert.matches('deepcopy', message(v.register_buffer, v, 'b', metann.ones(1)))
  end)

  it('honours ties and shared modules', function()
    local shared = nn.Linear(3, 3)
    local net = nn.Sequential(shared, nn.Linear(3, 3), shared)
    net[2].weight = shared.weight
    local proto = metann.ProtoModule(net)
    assert.same({ '1.weight', '1.bias', '2.bias' }, (listed(proto:named_parameters())))
    local v = proto:functional(constants(net, 1))
    assert.is_true(v[1].weight == v[2].weight and v[3].weight == v[1].weight)
    assert.equal(1, v[2].weight[1][1]:item())
    assert.same({ '1.weight', '1.bias', '2.bias' }, (listed(v:named_parameters())))
    local copy = v:deepcopy()
    assert.is_true(copy[1].weight == copy[2].weight)
    assert.is_true(rawequal(copy[1], copy[3]))
  end)

  it('has views with names, dependents, state and copies', function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    local proto = metann.ProtoModule(net)
    local s = metann.ones(1):requires_grad_(true)
    local weights = {}
    for p in net:parameters() do weights[#weights + 1] = p:detach() * s end
    local v = proto:functional(weights)
    assert.same((listed(net:named_parameters())), (listed(v:named_dependents())))
    assert.is_true(list(v:parameters())[1] == weights[1])
    local state = v:state_dict()
    assert.same(net:state_dict():keys(), state:keys())
    assert.is_true(state['1.weight'].is_leaf)
    local copy = v:deepcopy()
    assert.is_nil(rawget(copy, '_view'))
    assert.is_true(copy[1].weight.is_leaf and copy[1].weight.requires_grad)
    assert.same((listed(net:named_parameters())), (listed(copy:named_parameters())))
    local x = metann.randn(4, 2)
    assert.is_true(close(copy:eval()(x), v:eval()(x)))
    v:substitute({ ['1.weight'] = metann.zeros(2, 2) }, 'one way')
    assert.equal(0, v[1].weight:abs():sum():item())
    assert.matches('expected 4 tensors, got 1', message(v.substitute_from_list, v, { metann.zeros(2, 2) }))
    v:load_state_dict(net:state_dict())
    assert.is_true(close(v[1].weight, net[1].weight))
    assert.is_false(v[1].weight == net[1].weight)
    v:to('float64')
    assert.equal('float64', v[1].weight.dtype)
    assert.equal('float64', v[2].running_mean.dtype)
    assert.equal('float32', net[1].weight.dtype)
    assert.equal('float32', net[2].running_mean.dtype)
  end)

  it('keeps hooks, and its own ones to itself', function()
    local net, base_calls, own_calls = nn.Sequential(nn.Linear(2, 2)), 0, 0
    net[1]:register_forward_hook(function() base_calls = base_calls + 1 end)
    local v = metann.ProtoModule(net):functional(net:parameters())
    local hook = v[1]:register_forward_hook(function() own_calls = own_calls + 1 end)
    v(metann.ones(1, 2))
    net(metann.ones(1, 2))
    assert.equal(2, base_calls)
    assert.equal(1, own_calls)
    hook:remove()
    v(metann.ones(1, 2))
    assert.equal(1, own_calls)
  end)

  it('works on recurrent, attention and dependent modules', function()
    local lstm, x = nn.LSTM(3, 4), metann.randn(5, 2, 3)
    local proto = metann.ProtoModule(lstm)
    assert.is_true(close(lstm(x), proto:functional(lstm:parameters())(x)))
    assert.equal(0, (proto:functional(constants(lstm, 0))(x)):abs():max():item())
    local attention, q = nn.MultiheadAttention(4, 2), metann.randn(3, 2, 4)
    local seen = metann.ProtoModule(attention):functional(constants(attention, 0))
    assert.equal(0, (seen(q, q, q)):abs():max():item())
    local d = metann.DependentModule.stateless(nn.Linear(2, 2))
    local held = metann.ProtoModule(d)
    local v = held:functional{ metann.ones(2, 2), metann.ones(2) }
    assert.equal(3, v(metann.ones(1, 2))[1][1]:item())
    assert.matches("'bias' is empty", message(held:functional{ metann.ones(2, 2), false }, metann.ones(1, 2)))
    assert.matches("'weight' is empty", message(held, metann.ones(1, 2)))
  end)

  it('runs nearly free: a view allocates no tensor data, and a million leave memory flat', function()
    local layers = {}
    for i = 1, 100 do layers[i] = nn.Linear(2, 2) end
    local proto = metann.ProtoModule(nn.Sequential(unpack(layers)))
    local weights = list(proto:parameters())
    proto:functional(weights)
    live()
    local stats = require('metann.binding').handle.stats
    local bytes, heap = stats.live_bytes, collectgarbage 'count'
    proto:functional(weights)
    assert.equal(bytes, stats.live_bytes)
    for _ = 1, 10000 do proto:functional(weights) end
    live()
    assert.equal(bytes, stats.live_bytes)
    assert.is_true(collectgarbage 'count' < heap * 1.05 + 64)
  end)

  it('keeps no base alive', function()
    local function use()
      local net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
      return metann.ProtoModule(net):functional(net:parameters())(metann.ones(1, 2)):sum():item()
    end
    use()
    local before = live().tensors
    for _ = 1, 20 do use() end
    assert.equal(before, live().tensors)
  end)

  it('survives a scope that returns it, and works in one', function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    local data = { metann.randn(4, 2), metann.tensor{ 1, 2, 1, 2 } }
    local maml = meta.MAML(net, 2, 2, 0.1)
    local adapted = metann.scope(function() return maml(data) end)
    local loss = metann.scope(function() return meta.default_evaluator_classification(adapted, data):item() end)
    assert.is_true(loss == loss)
    adapted(data[1]):sum():backward()
    local view = metann.ProtoModule(net):functional(net:parameters(), true)
    metann.scope(function() view(data[1]) end)
    view(data[1])
    assert.equal(2, view[2].num_batches_tracked:item())
    metann.scope(function() view[1].weight = metann.zeros(2, 2) end)
    assert.equal(0, view[1].weight:abs():sum():item())
  end)

  it('adapts again and again without a chain of the past', function()
    local net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    local data = { metann.randn(4, 2), metann.tensor{ 1, 2, 1, 2 } }
    local learner, model = meta.GDLearner(1, 0.01), net
    local function round(n)
      metann.no_grad(function()
        for _ = 1, n do model = learner(model, data) end
      end)
      return live().tensors
    end
    local before = round(5)
    assert.equal(before, round(50))
    assert.equal(55, model[2].num_batches_tracked:item())
    assert.equal(0, net[2].num_batches_tracked:item())
  end)
end)

describe('tensor_copy', function()
  it('copies tensors with their history, lists and tables', function()
    local t = metann.ones(2):requires_grad_(true) * 2
    local copy = metann.tensor_copy(t)
    assert.is_false(copy == t)
    assert.is_not_nil(copy.grad_fn)
    assert.is_nil(metann.tensor_copy(nil))
    local l = metann.tensor_copy{ t, { t, t }, false }
    assert.equal(3, l:len())
    assert.equal(2, l[2]:len())
    assert.is_false(l[3])
    assert.equal(2, #l[{ 1, 3 }])
    local by_name = metann.tensor_copy{ a = t, b = { t } }
    assert.is_false(by_name.a == t)
    assert.equal(1, by_name.b:len())
    assert.matches('expected a tensor', message(metann.tensor_copy, nn.ReLU()))
  end)
end)
