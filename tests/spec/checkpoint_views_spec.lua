-- checkpoint where what it read is replaced before the backward: inside learners, in views, in modules. Derivatives
-- against those of the same net without the checkpoint.
local metann = require 'metann'
local live = require 'tests.support.live'
local checks = require 'tests.support.checks'
local nn, meta = metann.nn, metann.meta

local fails = checks.fails

local function random(size) return metann.randn(size, { dtype = 'float64' }) end
local function plainly(fn, ...) return fn(...) end

--- A class of nets whose parts are called by `call`: batch norm, dropout, a module alone, a captured parameter.
local function net_class(call)
  local Net = nn.class('Net')
  function Net:init()
    self.a, self.norm, self.b = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)
    self.scale = nn.Parameter(metann.ones(2))
  end
  function Net:forward(x)
    local h = call(function(t) return self.norm(self.a(t)):tanh():dropout(0.25) end, x)
    return call(self.b, h) * self.scale
  end
  return Net
end
local Plain, Kept = net_class(plainly), net_class(metann.checkpoint)

--- The same of lists of parameters, tied weights, recurrent layers and containers.
local function wide_class(call)
  local Wide = nn.class('Wide')
  function Wide:init()
    self.list = nn.ParameterList{ nn.Parameter(metann.randn(3, 3)), nn.Parameter(metann.randn(3)) }
    self.rnn = nn.LSTM(3, 3)
    self.seq = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.LayerNorm(3))
    self.head, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2)
    self.seq[3].weight = self.seq[1].weight
  end
  function Wide:forward(x)
    local h = call(function(t) return (t:matmul(self.list[1]) + self.list[2]):tanh() end, x)
    h = call(self.seq, h)
    h = call(function(t) return (self.rnn(t:unsqueeze(2))):squeeze(2) end, h)
    return call(function(t) return self.norm(self.head(t)) end, h)
  end
  return Wide
end
local WidePlain, WideKept = wide_class(plainly), wide_class(metann.checkpoint)

local function mse(model, data) return ((model(data[1]) - data[2]) ^ 2):mean() end
metann.manual_seed(17)
local data, query = { random{ 5, 3 }, random{ 5, 2 } }, { random{ 5, 3 }, random{ 5, 2 } }

local function list_of(net)
  local list = {}
  for p in net:parameters() do list[#list + 1] = p end
  return list
end

--- Gradients of orders 1 to `order` of what `run(net)` gives, for the net's parameters: one list.
local function derivatives(Net, order, run)
  metann.manual_seed(3)
  local net = Net():double()
  metann.manual_seed(4)
  local loss, rate = run(net)
  local inputs, all = list_of(net), {}
  inputs[#inputs + 1] = rate
  for o = 1, order do
    local grads = metann.grad(loss, inputs, { create_graph = o < order, allow_unused = true })
    loss = 0
    for _, g in ipairs(grads) do
      all[#all + 1] = g and g:detach()
      if g and o < order then loss = loss + (g * g):sum() end
    end
  end
  return all
end

local function compare(order, run, plain, kept)
  local want, got = derivatives(plain or Plain, order, run), derivatives(kept or Kept, order, run)
  local scale = 1 -- rounding is relative to what is largest on the way
  for _, g in ipairs(want) do scale = math.max(scale, g and g:abs():max():item() or 0) end
  assert.equal(#want, #got)
  for i, g in ipairs(want) do
    assert.equal(g == false, got[i] == false)
    local worst = g and (g - got[i]):abs():max():item() or 0
    assert.is_true(worst <= 1e-11 * scale, ('gradient %d is off by %g'):format(i, worst))
  end
end

local LEARNERS = {
  GDLearner = function(first) return meta.GDLearner(2, 0.5, not first, mse), data end,
  SequentialGDLearner = function(first)
    return meta.SequentialGDLearner{ lr = 0.1, evaluator = mse, create_graph = not first }, { data, query, data }
  end,
  RMSPropLearner = function(first)
    return meta.RMSPropLearner{ lr = 0.01, steps = 2, evaluator = mse, create_graph = not first }, data
  end,
  OptimizerLearner = function(first)
    return meta.OptimizerLearner('Adam', { lr = 0.1, steps = 2, evaluator = mse, create_graph = not first }), data
  end,
}

describe('checkpoint inside a learner', function()
  for name, make in pairs(LEARNERS) do
    for _, mimo in ipairs{ false, true } do
      it('is right at orders 1 to 3: ' .. name .. (mimo and ' with mimo' or ''), function()
        for order = 1, 3, 2 do
          compare(order, function(net)
            local learner, batches = make()
            local adapted = learner(net, batches, { mimo = mimo })
            if not mimo then return mse(adapted, query) end
            local loss = 0
            for i, model in adapted:iter() do loss = loss + mse(model, query) * i end
            return loss
          end)
        end
        compare(2, function(net) return mse(make(true)(net, select(2, make())), query) end) -- first order
      end)
    end
  end

  it('is right for MAML and MAML++, in both modes, and for one learner after another', function()
    for order = 1, 2 do
      compare(order, function(net) return mse(meta.MAML(net, 2, 3, 0.1, mse)(data), query) end)
      compare(order, function(net) return mse(meta.MAML(net, 2, 3, 0.1, mse, true)(data), query) end)
      compare(order, function(net)
        return (meta.mamlpp_evaluator(meta.MAMLpp(net, 2, 2, 0.1, mse)(data), query, 2, mse))
      end)
      compare(order, function(net)
        local maml = meta.MAML(net, 2, 3, 0.1, mse)
        maml:eval()
        return mse(maml(data, { create_graph = true }), query)
      end)
      compare(order, function(net)
        local learner = meta.GDLearner(1, 0.2, true, mse)
        return mse(learner(learner(net, data), query), data)
      end)
    end
  end)

  local function gd(net, options, lr, steps)
    return meta.GDLearner(steps or 2, lr or 0.1, true, mse)(net, data, options)
  end
  local WAYS = {
    ['shared buffers'] = function(net) return mse(gd(net, { buffers = 'shared' }), query) end,
    ['frozen buffers'] = function(net) return mse(gd(net, { buffers = 'frozen' }), query) end,
    ['each module\'s own mode'] = function(net) return mse(gd(net:eval(), { training = 'model' }), query) end,
    ['a learned rate'] = function(net)
      local lr = metann.tensor(0.1, { dtype = 'float64', requires_grad = true })
      return mse(gd(net, nil, lr), query), lr
    end,
    ['a checkpoint of all'] = function(net)
      local learner = meta.GDLearner(2, 0.1, true, function(m, d) return metann.checkpoint(mse, m, d) end)
      return mse(learner(net, data), query)
    end,
    ['a model of dependents'] = function(net)
      local dependent, weights = metann.DependentModule(net:deepcopy()), {}
      dependent:clear_params(true)
      for i, p in ipairs(list_of(net)) do weights[i] = p * 1.5 end
      dependent:substitute_from_list(weights)
      return mse(gd(dependent), query)
    end,
    ['models of several lists'] = function(net)
      local lists, loss = {}, 0
      for i = 1, 3 do
        lists[i] = {}
        for k, p in ipairs(list_of(net)) do lists[i][k] = p * i end
      end
      for i, model in meta.MultiModel(metann.ProtoModule(net), lists):iter() do loss = loss + mse(model, data) * i end
      return loss
    end,
    ['a scope around'] = function(net) return metann.scope(function() return mse(gd(net), query) end) end,
    ['a learner in a learner'] = function(net)
      local outer = meta.GDLearner(2, 0.1, true, function(model, d)
        return mse(meta.GDLearner(1, 0.1, true, mse)(model, d), query)
      end)
      return mse(outer(net, data), query)
    end,
    ['a part of an adapted model'] = function(net)
      local model = gd(net, nil, nil, 1)
      local target = random{ 5, 3 }
      local part = meta.GDLearner(2, 0.1, true, function(m, d)
        return ((metann.checkpoint(m, d[1]) - target) ^ 2):mean()
      end)(model.seq, data)
      return mse(model, query) + part(query[1]):square():mean()
    end,
    ['hooks'] = function(net)
      net.seq:register_forward_hook(function(_, _, y) return y * 2 end)
      return mse(gd(net), query)
    end,
    ['a transform of a function'] = function(net)
      local proto, w = metann.ProtoModule(net), net.seq[1].weight
      local function loss(t) return mse(proto:functional({ ['seq.1.weight'] = t }, false), data) end
      return metann.func.grad(loss)(w):square():sum() + metann.func.hvp(loss, w, metann.ones_like(w)):sum()
    end,
  }
  for name, run in pairs(WAYS) do
    it('is right at orders 1 to 3 with ' .. name, function()
      for order = 1, 3, 2 do compare(order, run, WidePlain, WideKept) end
    end)
  end

  it('holds an adaptation itself', function()
    for _, call in ipairs{ plainly, metann.checkpoint } do
      compare(2, function(net)
        local learner = meta.GDLearner(2, 0.2, true, mse)
        return call(function(x) return mse(learner(net, { x, data[2] }), query) end, data[1])
      end)
    end
  end)

  it('leaves the plain fields, modes and hooks of the adapted model as they were set on the way', function()
    local Counting = nn.class('Counting', Kept)
    function Counting:forward(x)
      self.calls = (self.calls or 0) + 1
      return Kept.forward(self, x)
    end
    local net = Counting():double()
    local adapted = meta.GDLearner(3, 0.1, true, mse)(net, data)
    assert.equal(3, adapted.calls)
    assert.is_nil(net.calls)
    assert.is_true(adapted.training)
    adapted.norm:eval()
    local again = meta.GDLearner(1, 0.1, true, mse)(adapted, data, { training = 'model' })
    assert.is_false(again.norm.training)
    assert.equal(4, again.calls)
  end)

  it('leaves no model of an earlier step that would be read wrongly', function()
    local first
    local adapted = meta.GDLearner(2, 0.1, true, function(model, d)
      first = first or model
      return mse(model, d)
    end)(Kept():double(), data)
    fails("Linear: weight 'weight' is of an earlier step of a learner", first, data[1])
    fails("view: weight 'scale' is of an earlier step", function() return first.scale end)
    assert.equal(3, first.a.in_features)
    assert.equal(2, adapted.scale:size(1))
  end)

  it('leaks nothing: with a backward, without one, in no_grad, with models of each step', function()
    local function run(make, options, finish)
      local net = Kept():double()
      local learner, batches = make()
      local adapted = learner(net, batches, options)
      if finish then finish(adapted) end
    end
    local function all()
      for _, make in pairs(LEARNERS) do
        run(make)
        run(make, nil, function(model) mse(model, query) end)
        run(make, nil, function(model) mse(model, query):backward() end)
        run(make, { mimo = true }, function(models) mse(models[2], query):backward() end)
        metann.no_grad(run, make)
      end
      mse(meta.MAML(Kept():double(), 2, 2, 0.1, mse)(data), query)
    end
    coroutine.wrap(all)()
    local before = live()
    for _ = 1, 2 do coroutine.wrap(all)() end
    assert.same(before, live())
  end)
end)

describe('checkpoint of a view', function()
  local function views()
    local net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)):double()
    local first, second = {}, {}
    for i, p in ipairs(list_of(net)) do
      first[i] = random(p.shape):requires_grad_(true)
      second[i] = random(p.shape):requires_grad_(true)
    end
    return metann.ProtoModule(net), first, second
  end

  it('reads the weights that were there, whatever has been put there since', function()
    local proto, first, second = views()
    local x = random{ 2, 3 }:requires_grad_(true)
    local ways = {
      substitute_from_list = function(view) view:substitute_from_list(second) end,
      substitute = function(view) view:substitute{ ['2.weight'] = second[3] or nil, ['1.weight'] = second[1] } end,
      ['a slot'] = function(view) view[1].weight = second[1] end,
      ['no weight at all'] = function(view) view[3].bias = nil end,
      load_state_dict = function(view) view:load_state_dict(proto:functional(second):state_dict()) end,
      to = function(view) view:float() end,
    }
    ways.substitute = function(view) view:substitute({ ['1.weight'] = second[1] }, false) end
    local plain = proto:functional(first)
    local value = plain(x):sum()
    local want = metann.grad(value, { x, unpack(first) })
    for name, change in pairs(ways) do
      local view = proto:functional(first)
      local y = metann.checkpoint(function(t) return view(t) end, x):sum()
      change(view)
      local now = pcall(view, x) and view(x)
      local got = metann.grad(y, { x, unpack(first) }, { retain_graph = true })
      for i = 1, #want do assert.same(want[i]:to_table(), got[i]:to_table(), name) end
      y:backward()
      for _, w in ipairs(second) do assert.is_nil(w.grad) end
      first[1].grad = nil
      -- and the view goes on with its new ones
      if now then assert.same(now:to_table(), view(x):to_table(), name) end
    end
  end)

  it('carries an inner loop made by hand, by substitute, to any order', function()
    for order = 1, 3 do
      compare(order, function(net)
        local weights = list_of(net)
        local view = metann.ProtoModule(net):functional(weights)
        for _ = 1, 2 do
          local grads = metann.grad(mse(view, data), weights, { create_graph = true })
          local new = {}
          for i, w in ipairs(weights) do new[i] = w - 0.2 * grads[i] end
          weights = new
          view:substitute_from_list(weights)
        end
        return mse(view, query)
      end)
    end
  end)

  it('reads right where the function changes the view itself, and lets no second run change it', function()
    local proto, first, second = views()
    local view = proto:functional(first)
    local x = random{ 2, 3 }
    local function change(t)
      local before = view(t)
      view:substitute_from_list(second)
      return before + view(t)
    end
    local want = metann.grad(change(x):sum(), { first[1], second[1] })
    view:substitute_from_list(first)
    local y = metann.checkpoint(change, x):sum()
    local third = {}
    for i, w in ipairs(second) do third[i] = w * 2 end
    view:substitute_from_list(third)
    local got = metann.grad(y, { first[1], second[1] })
    for i = 1, 2 do assert.same(want[i]:to_table(), got[i]:to_table()) end
    assert.is_true(rawequal(third[1], view[1].weight))
  end)

  it('nests, is put back after an error, and waits in coroutines', function()
    local proto, first, second = views()
    local view, x = proto:functional(first), random{ 2, 3 }
    local function half(t) return view[2](view[1](t)) end
    local function whole(t) return view[3](metann.checkpoint(half, t)) end
    local want = metann.grad(whole(x):sum(), { first[1], first[3] })
    local y = metann.checkpoint(whole, x):sum()
    view:substitute_from_list(second)
    local got = metann.grad(y, { first[1], first[3] })
    for i = 1, 2 do assert.same(want[i]:to_table(), got[i]:to_table()) end

    local times = 0
    y = metann.checkpoint(function(t)
      times = times + 1
      if times == 2 then error('in the second run') end
      return view(t)
    end, x):sum()
    view:substitute_from_list(first)
    fails('in the second run', metann.grad, y, second[1])
    assert.is_true(rawequal(first[1], view[1].weight))

    local function slow(t)
      local h = view[1](t)
      coroutine.yield('waiting')
      return view[3](view[2](h))
    end
    local co = coroutine.wrap(function()
      local z = metann.checkpoint(slow, x):sum()
      view:substitute_from_list(second)
      return metann.grad(z, first[1])
    end)
    assert.equal('waiting', co())
    assert.equal('waiting', co()) -- the second run is under way, and the view is its user's meanwhile
    assert.is_true(rawequal(second[1], view[1].weight))
    assert.same(want[1]:to_table(), co():to_table())
    assert.is_true(rawequal(second[1], view[1].weight))
  end)
end)

describe('what a checkpoint can\'t put back', function()
  local x = metann.tensor({ 1, 2 }, { dtype = 'float64', requires_grad = true })

  it('is an error: a weight of a module, a dependent, a variable, a constant', function()
    local net = nn.Linear(2, 2):double()
    local y = metann.checkpoint(net, x):sum()
    net.weight = nn.Parameter(random{ 2, 2 })
    fails('run again, the function depended on other tensors: something that it used, such as a weight, has been replaced',
      y.backward, y)
    local dep = metann.DependentModule(nn.Linear(2, 2):double())
    dep:clear_params(true)
    local function put() dep:substitute_from_list{ random{ 2, 2 }:requires_grad_(true), random(2):requires_grad_(true) } end
    put()
    y = metann.checkpoint(function(t) return dep(t) end, x):sum()
    put()
    fails('run again, the function depended on other tensors', y.backward, y)
    local w, c = x * 2, random(2)
    y = metann.checkpoint(function(t) return t * w end, x):sum()
    w = x * 2
    fails('run again, the function depended on other tensors', y.backward, y)
    y = metann.checkpoint(function(t) return t * c end, x):sum()
    c = random(2)
    fails('run again, the function gave result 1 other values: something that it used has changed since', y.backward, y)
    y = metann.checkpoint(function(t) return t * c end, x):sum()
    local own = c:clone()
    c:add_(1)
    fails('run again, the function gave result 1 other values', y.backward, y)
    c:copy_(own)
    y:backward() -- nothing is lost by a backward that failed
    assert.same(c:to_table(), x.grad:to_table())
    fails('the graph through checkpoint has been freed by an earlier backward', y.backward, y)
  end)

  it("doesn't include arguments that are not used, and tensors that lead nowhere", function()
    local h = x * 3
    local y = metann.checkpoint(function(t, unused) return t * 2 + unused:detach() end, x * 1, h):sum()
    assert.same({ 2, 2 }, metann.grad(y, x):to_table())
    local inside = metann.checkpoint(function(t, a)
      return t * metann.grad((a ^ 2):sum(), a) -- a has a history, of which no result makes use
    end, x, h)
    assert.same({ 6, 12 }, metann.grad(inside:sum(), x):to_table())
    local none = metann.checkpoint(function() return h * 2 end):sum()
    assert.same({ 6, 6 }, metann.grad(none, x, { retain_graph = true }):to_table())
    assert.same({ 6, 6 }, metann.grad(none, x):to_table())
    fails('the graph through checkpoint has been freed', metann.grad, none, x)
  end)

  it('drops what the function holds once its graph is freed', function()
    local before = live()
    coroutine.wrap(function()
      local w = random(2):requires_grad_(true)
      local holder = {}
      local y = metann.checkpoint(function(t) return t * w, holder and nil end, x):sum()
      holder.loss = y -- would keep itself
      metann.grad(y, w)
    end)()
    assert.same(before, live())
  end)
end)
