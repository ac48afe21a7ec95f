-- weight_norm and spectral_norm: against PyTorch's numbers, in views, learners and dependents, there and back.
local metann = require 'metann'
local checks = require 'tests.support.checks'
require 'tests.support.guarded'
local nn = metann.nn
local message, close = checks.message, checks.close
local weight_norm, spectral_norm = nn.utils.weight_norm, nn.utils.spectral_norm
local f64 = { dtype = 'float64' }

local function d(list) return metann.tensor(list, f64) end
local W, X = { { 0.5, -1, 2 }, { 1.5, 0.25, -0.75 } }, d{ { 1, 2, -1 }, { 0.5, -0.5, 3 } }

local function linear()
  local m = nn.Linear(3, 2, { bias = false, dtype = 'float64' })
  m:load_state_dict{ weight = d(W) }
  return m
end

local function names_of(iterator)
  local names = {}
  for name in iterator do names[#names + 1] = name end
  return names
end

describe('weight_norm', function()
  it("has PyTorch's values, derivatives and names", function()
    local m = linear()
    assert.is_true(rawequal(m, weight_norm(m)))
    close(m.weight, d(W))
    assert.same({ 'weight_g', 'weight_v' }, names_of(m:named_parameters()))
    m:load_state_dict({ weight_g = d{ { 2 }, { 0.5 } } }, { strict = false })
    local y = m(X)
    close(y, d{ { -3.0550504633038935, 0.8109307588519342 }, { 5.8918830363717944, -0.4791863575034157 } })
    local g = metann.grad(y:square():sum(), { m.weight_g, m.weight_v })
    close(g[1], d{ { 44.04761904761905 }, { 3.548913043478261 } })
    close(g[2], d{ { -8.580498866213153, 0.9705215419501165, 2.6303854875283363 },
      { -0.5888468809073726, 0.9435255198487712, -0.8631852551984878 } })
  end)

  it('takes other parameters and dims, and none', function()
    local rnn, x = nn.LSTM(3, 2, f64), metann.randn(4, 2, 3, f64)
    local want = rnn(x)
    weight_norm(rnn, 'weight_hh_l0')
    close(rnn(x), want)
    assert.same({ 8, 1 }, rnn.weight_hh_l0_g.shape)
    local conv = weight_norm(nn.Conv2d(2, 3, 2), { dim = 2 })
    assert.same({ 1, 2, 1, 1 }, conv.weight_g.shape)
    assert.same({ 3, 2, 2, 2 }, conv.weight.shape)
    local whole = weight_norm(linear(), 'weight', false)
    assert.same({}, whole.weight_g.shape)
    close(whole.weight, d(W))
  end)

  it('is taken away with the values that it has, and can come again', function()
    local m = weight_norm(linear())
    m:load_state_dict({ weight_g = d{ { 2 }, { 0.5 } } }, { strict = false })
    local want = m.weight:detach():clone()
    nn.utils.remove_weight_norm(m)
    assert.same({ 'weight' }, names_of(m:named_parameters()))
    assert.is_true(m.weight.requires_grad)
    close(m.weight, want)
    close(weight_norm(m).weight, want)
  end)

  it('is trained by its parts, copied and saved with them', function()
    local m = weight_norm(linear())
    local copy = m:deepcopy()
    local optimizer = metann.optim.SGD(m:parameters(), { lr = 0.1 })
    m(X):square():sum():backward()
    optimizer:step()
    assert.is_true((m.weight - d(W)):abs():max():item() > 1e-3)
    close(copy.weight, d(W))
    copy:load_state_dict(m:state_dict())
    close(copy.weight, m.weight)
    copy:to 'float32'
    assert.equal('float32', copy.weight.dtype)
    assert.equal(tostring(linear()), tostring(m))
  end)

  it('is made of the weights of a view, to every order', function()
    local m = weight_norm(linear())
    local proto = metann.ProtoModule(m)
    local g, v = d{ { 2 }, { 0.5 } }, d{ { 1, 2, 3 }, { -1, 0.5, 2 } }
    local function run(scale, direction) return proto:functional{ scale, direction }(X) end
    local norm = v:square():sum(2, true):sqrt()
    close(run(g, v), X:matmul((v / norm * g):t()))
    close(m.weight, d(W))
    assert.is_true(metann.gradcheck(run, { g:clone():requires_grad_(true), v:clone():requires_grad_(true) }, { order = 3 }))
    -- a view of a view
    local outer = metann.ProtoModule(proto:functional{ g, v }):functional{ g * 2, v }
    close(outer(X), run(g, v) * 2)
  end)

  it('is adapted by a learner, and gradients reach what it began with', function()
    local m, target = weight_norm(linear()), d{ { 1, 0 }, { -1, 2 } }
    local function mse(model, data) return (model(data[1]) - data[2]):square():mean() end
    local adapted = metann.meta.GDLearner(2, 0.1, true, mse)(m, { X, target })
    local outer = mse(adapted, { X, target * 2 })
    -- the same by hand
    local function loss(g, v, y) return (X:matmul((v / v:square():sum(2, true):sqrt() * g):t()) - y):square():mean() end
    local first = { m.weight_g:detach():clone():requires_grad_(true), m.weight_v:detach():clone():requires_grad_(true) }
    local g, v = first[1], first[2]
    for _ = 1, 2 do
      local step = metann.grad(loss(g, v, target), { g, v }, { create_graph = true })
      g, v = g - step[1] * 0.1, v - step[2] * 0.1
    end
    local want = loss(g, v, target * 2)
    close(outer, want)
    local got, by_hand = metann.grad(outer, { m.weight_g, m.weight_v }), metann.grad(want, first)
    close(got[1], by_hand[1])
    close(got[2], by_hand[2])
  end)

  it('works in a DependentModule', function()
    local m = weight_norm(linear())
    local want = m(X)
    local dependent = metann.DependentModule.stateless(m)
    local s = metann.tensor(3, f64):requires_grad_(true)
    dependent:substitute_from_list{ m.weight_g:detach() * s, m.weight_v:detach() }
    close(dependent(X), want * 3)
    close(metann.grad(dependent(X):sum(), s), want:sum())
  end)
end)

describe('spectral_norm', function()
  local function normed(o)
    local m = spectral_norm(linear(), o)
    m:load_state_dict{ weight_orig = d(W), weight_u = d{ 0.6, 0.8 }, weight_v = d{ 1, 0, 0 } }
    return m
  end

  it("has PyTorch's values, derivatives, buffers and names", function()
    local m = normed{ n_power_iterations = 2 }
    local y = m(X)
    close(y, d{ { -1.7327374634013397, 1.361436578386767 }, { 3.3417079651311554, -0.8044852508649076 } })
    close(m.weight_u, d{ 0.9727080143066602, 0.23203258155611287 })
    close(m.weight_v, d{ 0.6880254089088002, -0.35555675493944705, 0.6326139665805746 })
    close(metann.grad(y:square():sum(), m.weight_orig), d{ { -11.1076490754708, 0.622867309803607, 1.4851431995319953 },
      { -1.6853023009945227, 4.456017904986702, -6.160472564960165 } })
    assert.same({ 'weight_orig' }, names_of(m:named_parameters()))
    assert.same({ 'weight_u', 'weight_v' }, names_of(m:named_buffers()))
    close(m:eval()(X), y)
    close(m.weight_u, d{ 0.9727080143066602, 0.23203258155611287 })
  end)

  it('comes to a largest singular value of 1', function()
    local m = normed{ n_power_iterations = 50 }
    assert.near(1, metann.linalg.svdvals(m.weight)[1]:item(), 1e-12)
    local up = spectral_norm(nn.ConvTranspose1d(2, 3, 2), { n_power_iterations = 200 })
    assert.same({ { 3 }, { 4 } }, { up.weight_u.shape, up.weight_v.shape })
    local matrix = up.weight:transpose(1, 2):reshape(3, 4)
    assert.near(1, metann.linalg.svdvals(matrix)[1]:item(), 1e-4)
  end)

  it('is taken away with the values that it has', function()
    local m = normed()
    local u = m.weight_u:clone()
    m:eval()
    local want = m.weight:detach():clone()
    m:train()
    nn.utils.remove_spectral_norm(m)
    close(m.weight, want)
    assert.is_true(m.training)
    assert.same({}, names_of(m:named_buffers()))
    assert.is_truthy(u)
  end)

  it('is made of the weights of a view, which has vectors of its own', function()
    local m = normed()
    local proto, other = metann.ProtoModule(m), d{ { 2, 1, 0 }, { 0, -1, 1 } }
    local view = proto:functional{ other }
    view(X)
    close(m.weight_u, d{ 0.6, 0.8 })
    assert.is_true((view.weight_u - m.weight_u):abs():max():item() > 1e-3)
    m:eval()
    assert.is_true(metann.gradcheck(function(weight) return proto:functional{ weight }(X) end,
      { other:clone():requires_grad_(true) }, { order = 3 }))
  end)
end)

describe('parametrize', function()
  local P = nn.utils.parametrize
  local Symmetric = nn.class('Symmetric')
  function Symmetric.forward(_, x) return x:triu() + x:triu(1):t() end
  local Positive = nn.class('Positive')
  function Positive:init(shift) self.shift = nn.Parameter(metann.tensor(shift, f64)) end
  function Positive:forward(x) return x:exp() + self.shift end
  function Positive:right_inverse(y) return (y - self.shift):log() end

  local function square() -- a layer of positive weights
    local m = nn.Linear(2, 2, { bias = false, dtype = 'float64' })
    m:load_state_dict{ weight = d{ { 2, 3 }, { 4, 5 } } }
    return m
  end

  it('makes a weight of an original by modules, with the names of PyTorch', function()
    local m = P.register_parametrization(square(), 'weight', Positive(0.5))
    close(m.weight, d{ { 2, 3 }, { 4, 5 } })
    close(m.parametrizations.weight.original, d{ { 1.5, 2.5 }, { 3.5, 4.5 } }:log())
    P.register_parametrization(m, 'weight', Symmetric())
    close(m.weight, d{ { 2, 3 }, { 3, 5 } })
    assert.same({ 'parametrizations.weight.original', 'parametrizations.weight.1.shift' }, names_of(m:named_parameters()))
    assert.is_truthy(m:state_dict{ to = 'pytorch' }['parametrizations.weight.0.shift'])
    assert.is_true(P.is_parametrized(m))
    assert.is_true(P.is_parametrized(m, 'weight'))
    assert.is_false(P.is_parametrized(square()))
    close(m:deepcopy().weight, m.weight)
  end)

  it('is undone with what it made or with the original', function()
    local m = P.register_parametrization(square(), 'weight', Symmetric())
    P.remove_parametrizations(m, 'weight')
    close(m.weight, d{ { 2, 3 }, { 3, 5 } })
    assert.same({ 'weight' }, names_of(m:named_parameters()))
    assert.is_false(P.is_parametrized(m))
    P.register_parametrization(m, 'weight', Positive(0.5))
    local original = m.parametrizations.weight.original:clone()
    close(P.remove_parametrizations(m, 'weight', { leave_parametrized = false }).weight, original)
  end)

  it('is made of the weights of a view', function()
    local m = P.register_parametrization(square(), 'weight', Positive(0.5))
    local proto, x = metann.ProtoModule(m), d{ { 1, -2 } }
    local original, shift = d{ { 0, 1 }, { -1, 0.5 } }, d(0.25)
    close(proto:functional{ original, shift }(x), x:matmul((original:exp() + 0.25):t()))
    assert.is_true(metann.gradcheck(function(a, b) return proto:functional{ a, b }(x) end,
      { original:requires_grad_(true), shift:requires_grad_(true) }, { order = 3 }))
  end)

  it('refuses other sizes, names and values', function()
    local m = square()
    assert.matches('the parametrization must keep size %(2, 2%) and dtype float64', message(P.register_parametrization, m, 'weight',
      nn.Flatten(1)))
    assert.same({ 'weight' }, names_of(m:named_parameters()))
    assert.matches("this Linear has no parameter 'q'", message(P.register_parametrization, m, 'q', Symmetric()))
    assert.matches("'weight' of this Linear isn't parametrized", message(P.remove_parametrizations, m, 'weight'))
    assert.matches("'parametrization' must be a module, got number 1", message(P.register_parametrization, m, 'weight', 1))
  end)
end)

describe('computed weights', function()
  it('are made where the module lies', function()
    local m = spectral_norm(linear():to 'guarded:1')
    for t in m:buffers() do assert.equal('guarded:1', t.device) end
    assert.equal('guarded:1', m(X:to 'guarded:1').device)
    assert.equal('guarded:0', weight_norm(linear()):to('guarded:0').weight.device)
  end)

  it('can neither be written nor computed twice', function()
    local m = weight_norm(linear())
    assert.matches("Linear: 'weight' is computed from other parameters when it is read", message(function() m.weight = d(W) end))
    local view = metann.ProtoModule(m):functional{ m.weight_g, m.weight_v }
    assert.matches("'weight' is computed from other parameters", message(function() view.weight = d(W) end))
    assert.matches("weight_norm: 'weight' of this Linear is computed already", message(weight_norm, m))
    assert.matches("spectral_norm: this Linear has no parameter 'q'", message(spectral_norm, m, 'q'))
    assert.matches("weight_norm: a view's parameters are those of its base", message(weight_norm, view))
    assert.matches("remove_spectral_norm: 'weight' of this Linear isn't computed so", message(nn.utils.remove_spectral_norm, m))
    assert.matches("remove_weight_norm: 'weight' of this Linear isn't computed so", message(nn.utils.remove_weight_norm, linear()))
    assert.matches("weight_norm: 'dim' is 3, but the weight has 2 dims", message(weight_norm, linear(), { dim = 3 }))
    assert.matches('weight_norm: expected a module, got number 3', message(weight_norm, 3))
  end)
end)
