-- Optimizers and schedules: groups, states, wrong use, and that every rule can be differentiated. Trajectories are
-- compared with PyTorch's in golden_spec.
local metann = require 'metann'
local known = require 'tests.support.optimizers'
local live = require 'tests.support.live'
local namespace = require 'tests.support.namespace'
local REQUIRED = require('metann.optim.shared').REQUIRED
local nn, optim = metann.nn, metann.optim

local NAMES = namespace.optimizers()

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function parameter(values) return nn.Parameter(metann.tensor(values, { dtype = 'float64' })) end

local function train(optimizer, p, steps)
  for _ = 1, steps do
    optimizer:zero_grad()
    local loss = (p - 1):square() * metann.tensor({ 1, 3 }, { dtype = 'float64' })
    loss:sum():backward()
    optimizer:step()
  end
end

describe('optimizers', function()
  for _, name in ipairs(NAMES) do
    it(name .. ' goes downhill, in place, and its state goes round', function()
      local p = parameter{ 3, -2 }
      local same = p
      local optimizer = optim[name]({ p }, { lr = 0.05 })
      train(optimizer, p, 5)
      assert.is_true(same == p)
      assert.is_true(p.is_leaf)
      local state = optimizer:state_dict()
      local q = parameter(p:to_table())
      local other = optim[name]({ q }, { lr = 1 })
      other:load_state_dict(state)
      train(optimizer, p, 3)
      train(other, q, 3)
      assert.same(p:to_table(), q:to_table())
      local value = p:detach():to_table()
      assert.is_true((value[1] - 1) ^ 2 + 3 * (value[2] - 1) ^ 2 < 4 + 27)
      assert.matches('^' .. name .. ' %(\nParameter Group 1\n', tostring(optimizer))
    end)

    it(name .. ' can be differentiated', function()
      local rule = optim.rules[name]
      local o = {}
      for option, default in pairs(rule.defaults) do o[option] = default end
      local function two_steps(p, g, h, lr)
        o.lr = lr
        local state
        p, state = rule.update(p, g, {}, o)
        p = rule.update(p, h, state, o)
        return p
      end
      local function leaf(v) return metann.tensor(v, { dtype = 'float64', requires_grad = true }) end
      assert.is_true(metann.gradcheck(two_steps, { leaf{ 1, -2 }, leaf{ 0.4, 0.7 }, leaf{ -0.3, 0.9 }, leaf(0.1) },
        { order = 2 }))
    end)

    it(name .. ' has finite derivatives at zero gradients', function()
      local rule = optim.rules[name]
      local o = {}
      for option, default in pairs(rule.defaults) do o[option] = default end
      o.lr = 0.1
      local p, g = parameter{ 1, 2 }, metann.zeros(2, { dtype = 'float64', requires_grad = true })
      local moved = rule.update(p, g, {}, o)
      local d = metann.grad(moved:sum(), { p, g }, { allow_unused = true })
      for _, x in ipairs(d) do
        if x then assert.is_true(x:isfinite():all():item() ~= 0) end
      end
    end)
  end

  for _, name in ipairs(NAMES) do
    it(name .. ' and a schedule, saved in the middle, go on bit for bit', function()
      local schedules = {
        function(o) return optim.lr_scheduler.CosineAnnealingLR(o, 7, { eta_min = 1e-3 }) end,
        function(o) return optim.lr_scheduler.StepLR(o, 2, { gamma = 0.7 }) end,
      }
      local function setup_run(net)
        local optimizer = optim[name]({ { params = { net.weight }, lr = 0.1 }, { params = { net.bias } } }, known[name].full)
        return optimizer, { schedules[1](optimizer), schedules[2](optimizer) }
      end
      local x, y = metann.randn(6, 3), metann.randn(6, 2)
      local function run(net, optimizer, list, steps)
        for _ = 1, steps do
          optimizer:zero_grad()
          nn.functional.mse_loss(net(x), y):backward()
          optimizer:step()
          for _, schedule in ipairs(list) do schedule:step() end
        end
      end
      local net = nn.Linear(3, 2)
      local optimizer, list = setup_run(net)
      run(net, optimizer, list, 5)
      local saved = { optimizer:state_dict(), list[1]:state_dict(), list[2]:state_dict(), net:deepcopy() }
      run(net, optimizer, list, 6)
      local other = saved[4]
      local second, others = setup_run(other)
      second:load_state_dict(saved[1])
      for i = 1, 2 do others[i]:load_state_dict(saved[i + 1]) end
      run(other, second, others, 6)
      assert.same(net.weight:to_table(), other.weight:to_table())
      assert.same(net.bias:to_table(), other.bias:to_table())
      assert.same(list[1]:get_last_lr(), others[1]:get_last_lr())
    end)
  end

  it('load states in their parameters\' dtype, and refuse those of other rules', function()
    local p = parameter{ 1, 2 }
    local adam = optim.Adam{ p }
    train(adam, p, 2)
    local single = nn.Parameter(metann.ones(2))
    local other = optim.Adam{ single }
    other:load_state_dict(adam:state_dict())
    local state = other.state[single:id()]
    assert.equal('float32', state.exp_avg.dtype)
    assert.equal('float64', state.step.dtype)
    assert.matches("SGD:load_state_dict: unknown state '[a-z_]+' of parameter 1",
      message(function() optim.SGD({ parameter{ 1, 2 } }, 0.1):load_state_dict(adam:state_dict()) end))
    assert.matches("size mismatch for '[a-z_]+' of parameter 1, expect %(3,%), got %(2,%)",
      message(function() optim.Adam{ parameter{ 1, 2, 3 } }:load_state_dict(adam:state_dict()) end))
    assert.matches("'rho' must be a number from 0 to 1", message(optim.Adadelta, { p }, { rho = 2 }))
  end)

  it('maximize goes uphill', function()
    for _, name in ipairs(NAMES) do
      local p, q = parameter{ 3, -2 }, parameter{ 3, -2 }
      local up, down = optim[name]({ p }, { lr = 0.1, maximize = true }), optim[name]({ q }, { lr = 0.1 })
      for _ = 1, 3 do
        p.grad, q.grad = metann.tensor({ 0.3, -1 }, { dtype = 'float64' }), metann.tensor({ -0.3, 1 }, { dtype = 'float64' })
        up:step()
        down:step()
      end
      assert.same(p:to_table(), q:to_table())
    end
  end)

  it('take a list, an iterator, a table by name or groups', function()
    local net = nn.Linear(2, 2)
    assert.equal(2, #optim.SGD(net:parameters(), { lr = 1 }).param_groups[1].params)
    assert.equal(2, #optim.SGD(net:named_parameters(), { lr = 1 }).param_groups[1].params)
    assert.equal(1, #optim.SGD({ weight = net.weight }, 0.1).param_groups[1].params)
    local groups = optim.SGD({ { params = { net.weight } }, { params = net.bias, lr = 5 } }, { lr = 1, momentum = 0.5 })
    assert.equal(1, groups.param_groups[1].lr)
    assert.equal(5, groups.param_groups[2].lr)
    assert.equal(0.5, groups.param_groups[2].momentum)
    groups:add_param_group{ params = { parameter{ 1 } }, lr = 7 }
    assert.equal(7, groups.param_groups[3].lr)
  end)

  for _, name in ipairs(NAMES) do
    it(name .. ' has these defaults', function()
      local defaults = assert(known[name], name .. ' is not in tests/support/optimizers.lua').defaults
      local group = optim[name]({ parameter{ 1 } }, name == 'SGD' and 0.1 or nil).param_groups[1]
      for option, value in pairs(defaults) do assert.same(value, group[option], option) end
      assert.is_false(group.maximize)
      -- and no others, so that none is without a check
      for option, value in pairs(optim.rules[name].defaults) do
        assert.is_true(option == 'maximize' or value == REQUIRED or defaults[option] ~= nil, option)
      end
    end)
  end

  it('decay weights apart from the gradient where asked to', function()
    for _, name in ipairs{ 'Adam', 'NAdam', 'RAdam' } do
      local p, q = parameter{ 3, -2 }, parameter{ 3, -2 }
      local decoupled = optim[name]({ p }, { lr = 0.1, weight_decay = 0.3, decoupled_weight_decay = true })
      local plain = optim[name]({ q }, { lr = 0.1 })
      for k = 1, 8 do
        p.grad = metann.tensor({ 0.3 * k, -1 }, { dtype = 'float64' })
        q.grad = p.grad:clone()
        decoupled:step()
        metann.no_grad(q.mul_, q, 1 - 0.1 * 0.3)
        plain:step()
      end
      for i = 1, 2 do assert.near(q[i]:item(), p[i]:item(), 1e-14) end
    end
    local p, q = parameter{ 3, -2 }, parameter{ 3, -2 }
    local adam = optim.Adam({ p }, { weight_decay = 0.1, decoupled_weight_decay = true, maximize = true })
    local adamw = optim.AdamW({ q }, { weight_decay = 0.1, maximize = true })
    for _ = 1, 3 do
      p.grad, q.grad = metann.ones(2, { dtype = 'float64' }), metann.ones(2, { dtype = 'float64' })
      adam:step()
      adamw:step()
    end
    assert.same(q:to_table(), p:to_table())
  end)

  it('take their options by position in PyTorch\'s order, and all by name', function()
    local p = parameter{ 1 }
    local group = optim.Adam({ p }, 0.1, { 0.8, 0.9 }, 1e-3, 0.2, true).param_groups[1]
    assert.same({ 0.1, { 0.8, 0.9 }, 1e-3, 0.2, true },
      { group.lr, group.betas, group.eps, group.weight_decay, group.amsgrad })
    group = optim.SGD{ params = { p }, lr = 0.3, momentum = 0.5 }.param_groups[1]
    assert.same({ 0.3, 0.5 }, { group.lr, group.momentum })
    group = optim.SGD({ p }, 0.3, { momentum = 0.5 }).param_groups[1]
    assert.same({ 0.3, 0.5 }, { group.lr, group.momentum })
    assert.equal(1, #optim.SGD(p, 0.1).param_groups[1].params) -- one parameter alone
    assert.matches("SGD: 'lr' is given twice", message(optim.SGD, { p }, 0.1, { lr = 0.2 }))
    assert.matches('SGD: takes 6 arguments, got 7', message(optim.SGD, { p }, 0.1, 0, 0, 0, false, 1))
    local optimizer = optim.SGD(p, 0.1)
    p.grad = metann.ones(1, { dtype = 'float64' })
    optimizer:zero_grad{ set_to_none = false }
    assert.equal(0, p.grad:item())
    assert.matches("SGD:zero_grad: 'set_to_none' must be true or false", message(optimizer.zero_grad, optimizer, 1))
    assert.matches("SGD:step: 'closure' must be a function", message(optimizer.step, optimizer, 1))
    local schedule = optim.lr_scheduler.StepLR{ optimizer = optimizer, step_size = 2, gamma = 0.5 }
    schedule:step()
    schedule:step()
    assert.same({ 0.05 }, schedule:get_last_lr())
    optim.lr_scheduler.ReduceLROnPlateau(optimizer):step{ metric = 1 }
  end)

  it('take what chooses a backend elsewhere, and say what they can\'t be', function()
    for _, name in ipairs(NAMES) do
      local p = parameter{ 1 }
      local optimizer = optim[name]({ { params = { p }, foreach = true } }, {
        lr = 0.1, foreach = false, fused = true, capturable = true, differentiable = false,
      })
      assert.is_nil(optimizer.param_groups[1].fused)
      assert.matches(name .. ": option 'differentiable' can't be true", message(optim[name], { p },
        { lr = 0.1, differentiable = true }))
      assert.matches(name .. ": option 'fused' must be true or false", message(optim[name], { p },
        { lr = 0.1, fused = 1 }))
    end
    local net = nn.Linear(1, 1)
    local learner = metann.meta.OptimizerLearner('SGD', { lr = 1, steps = 1, differentiable = true, fused = false,
      evaluator = function(model, x) return model(x):sum() end })
    assert.is_false(learner(net, metann.ones(1, 1)).weight.is_leaf)
  end)

  it('refuse wrong use', function()
    local p = parameter{ 1 }
    assert.matches("SGD: option 'lr' must be given", message(optim.SGD, { p }))
    assert.matches("Adam: unknown option 'beta', did you mean 'betas'", message(optim.Adam, { p }, { beta = 1 }))
    assert.matches("Adam: option 'betas' must be a list of two", message(optim.Adam, { p }, { betas = { 0.9, 1 } }))
    assert.matches("Adam: option 'lr' must be a number", message(optim.Adam, { p }, { lr = -1 }))
    assert.matches("Adam: option 'amsgrad' must be true or false", message(optim.Adam, { p }, { amsgrad = 1 }))
    assert.matches('no parameters', message(optim.Adam, {}))
    assert.matches('listed twice', message(optim.Adam, { p, p }))
    assert.matches('has a history', message(optim.Adam, { p * 2 }))
    assert.matches('must be a tensor', message(optim.Adam, { 3 }))
    assert.matches("option 'lr' must be a number of at least 0 or a 0%-dim tensor, got string 'x'",
      message(optim.Adam, { p }, 'x'))
    assert.matches("'nesterov' needs a momentum", message(optim.SGD, { p }, { lr = 1, nesterov = true }))
    assert.matches("did you mean 'Adam'", message(function() return optim.Adan end))
    local adam = optim.Adam({ p })
    assert.matches('expected what state_dict returns', message(adam.load_state_dict, adam, {}))
    assert.matches('expected 1 groups, got 0', message(adam.load_state_dict, adam, { state = {}, param_groups = {} }))
    assert.matches('optim_spec.lua', message(function() return optim.Adam({ p }, { beta = 1 }) end))
    assert.matches("Adam:step: 'closure' must be a function, got number 5", message(adam.step, adam, 5))
  end)

  it('ASGD averages the weights from the step t0 on', function()
    local p = parameter{ 1 }
    local optimizer = optim.ASGD({ p }, { lr = 0.1, lambd = 0.2, alpha = 0.5, t0 = 1 })
    local w, eta, mu, ax = 1, 0.1, 1, 0
    for step = 1, 6 do
      p.grad = metann.tensor({ 0.3 * step }, { dtype = 'float64' })
      optimizer:step()
      w = w * (1 - 0.2 * eta) - eta * 0.3 * step
      ax = ax + mu * (w - ax)
      eta, mu = 0.1 / math.sqrt(1 + 0.2 * 0.1 * step), 1 / math.max(1, step - 1)
      assert.near(w, p:item(), 1e-14)
      assert.near(ax, optimizer.state[p:id()].ax:item(), 1e-14)
    end
  end)

  it('Adafactor keeps rows and columns of matrices, whose sizes a state must have', function()
    local p, q = parameter{ { 1, 2, 3 }, { 4, 5, 6 } }, parameter{ 1, 2 }
    local optimizer = optim.Adafactor({ p, q })
    p.grad, q.grad = p:detach() * 0.1, q:detach()
    optimizer:step()
    local state = optimizer:state_dict()
    assert.same({ 2, 1 }, { state.state[1].row_var:size(1), state.state[1].row_var:size(2) })
    assert.same({ 1, 3 }, { state.state[1].col_var:size(1), state.state[1].col_var:size(2) })
    assert.is_nil(state.state[1].variance)
    assert.same({ 2 }, { state.state[2].variance:size(1) })
    optimizer:load_state_dict(state)
    state.state[1].row_var = metann.ones(2, 3)
    assert.matches("size mismatch for 'row_var' of parameter 1, expect %(2, 1%), got %(2, 3%)",
      message(optimizer.load_state_dict, optimizer, state))
    assert.matches("'beta2_decay' must be a number of at most 0", message(optim.Adafactor, { p }, { beta2_decay = 1 }))
    assert.matches("'d' must be a number of at least 1", message(optim.Adafactor, { p }, { d = 0.5 }))
    assert.matches("'eps' must be a list of two numbers of at least 0", message(optim.Adafactor, { p }, { eps = 1 }))
  end)

  it('share no options with each other or with the tables they were given', function()
    local first, second = optim.Adam{ parameter{ 1 } }, optim.Adam{ parameter{ 1 } }
    first.param_groups[1].betas[1] = 0.5
    assert.same({ 0.9, 0.999 }, second.param_groups[1].betas)
    assert.same({ 0.9, 0.999 }, optim.Adam{ parameter{ 1 } }.param_groups[1].betas)
    local options = { lr = 0.1, betas = { 0.8, 0.9 } }
    local third = optim.Adam({ parameter{ 1 } }, options)
    options.lr, options.betas[1] = 7, 0.1
    third:add_param_group{ params = { parameter{ 1 } } }
    assert.equal(0.1, third.param_groups[2].lr)
    assert.same({ 0.8, 0.9 }, third.param_groups[1].betas)
  end)

  it('stay as they were when a group or a state is refused', function()
    local p, q = parameter{ 1, 2 }, parameter{ 3, 4 }
    local adam = optim.Adam{ p }
    assert.matches('parameter 2 has a history', message(adam.add_param_group, adam, { params = { q, q * 2 } }))
    assert.matches('parameter 2 is listed twice', message(adam.add_param_group, adam, { params = { q, q } }))
    adam:add_param_group{ params = { q }, lr = 1 }
    train(adam, p, 2)
    local before = adam.state[p:id()].exp_avg:to_table()
    local function refused(change)
      local state = adam:state_dict()
      change(state)
      return message(adam.load_state_dict, adam, state)
    end
    assert.matches("group 2 must be a table with params, a list of numbers, got nil",
      refused(function(s) s.param_groups[2].params = nil end))
    assert.matches("group 2 must be a table", refused(function(s) s.param_groups[2] = 5 end))
    assert.matches("the state of parameter 1 must be a table of tensors by name, got number 5",
      refused(function(s) s.state[1] = 5 end))
    assert.matches("size mismatch for 'exp_avg' of parameter 1, expect %(2,%), got %(%)",
      refused(function(s) s.state[1].exp_avg = metann.tensor(1) end))
    assert.matches("option 'lr' must be a number", refused(function(s)
      s.state[1].exp_avg:fill_(9)
      s.param_groups[2].lr = 'x'
    end))
    assert.same(before, adam.state[p:id()].exp_avg:to_table())
  end)

  it('leave parameters without gradients alone, and clear gradients', function()
    local p, q = parameter{ 1 }, parameter{ 2 }
    local optimizer = optim.Adam{ p, q }
    p:square():sum():backward()
    optimizer:step()
    assert.equal(2, q:item())
    assert.not_equal(1, p:item())
    optimizer:zero_grad()
    assert.is_nil(p.grad)
    p:square():sum():backward()
    optimizer:zero_grad(false)
    assert.equal(0, p.grad:item())
  end)

  it('step calls a closure with recording on', function()
    local p = parameter{ 1 }
    local optimizer = optim.SGD({ p }, { lr = 0.5 })
    local loss = metann.no_grad(function()
      return optimizer:step(function()
        local l = p:square():sum()
        l:backward()
        return l
      end)
    end)
    assert.equal(1, loss:item())
    assert.equal(0, p:item())
  end)

  it('take a tensor for lr', function()
    local lr = metann.tensor(0.5, { dtype = 'float64' })
    local p, q = parameter{ 3, -2 }, parameter{ 3, -2 }
    local a, b = optim.Adam({ p }, { lr = lr }), optim.Adam({ q }, { lr = 0.5 })
    train(a, p, 3)
    train(b, q, 3)
    for i = 1, 2 do assert.near(q[i]:item(), p[i]:item(), 1e-12) end
    local schedule = optim.lr_scheduler.StepLR(a, 1, { gamma = 0.5 })
    schedule:step()
    assert.equal(0.25, lr:item())
  end)

  it('keep what stands in float32', function()
    local net = nn.Linear(3, 1)
    local optimizer = optim.Adam(net:parameters())
    net(metann.ones(2, 3)):sum():backward()
    optimizer:step()
    assert.equal('float32', net.weight.dtype)
    for _, state in pairs(optimizer.state) do
      assert.equal('float32', state.exp_avg.dtype)
      assert.same({}, state.step.shape)
    end
    assert.equal(6, #optimizer:state_tensors())
  end)

  it('hold memory flat', function()
    local net, x = nn.Linear(3, 2), metann.ones(4, 3)
    local optimizer = optim.Adam(net:parameters())
    local function step()
      optimizer:zero_grad()
      net(x):square():sum():backward()
      optimizer:step()
    end
    step()
    local before = live()
    for _ = 1, 50 do step() end
    assert.same(before, live())
  end)
end)

describe('lr_scheduler', function()
  local S = optim.lr_scheduler
  local function make(lr) return optim.SGD({ parameter{ 1 } }, { lr = lr or 1, momentum = 0.9 }) end

  it('LambdaLR multiplies the first lr', function()
    local optimizer = optim.SGD({ { params = parameter{ 1 }, lr = 1 }, { params = parameter{ 1 }, lr = 2 } }, 1)
    local schedule = S.LambdaLR(optimizer, { function(k) return 1 / (k + 1) end, function(k) return 0.5 ^ k end })
    schedule:step()
    assert.same({ 0.5, 1 }, schedule:get_last_lr())
    schedule:step()
    assert.near(1 / 3, optimizer.param_groups[1].lr, 1e-12)
    assert.equal(0.5, optimizer.param_groups[2].lr)
    assert.matches('has 1 functions for 2 groups', message(S.LambdaLR, optimizer, { math.sqrt }))
  end)

  it('several schedules of one optimizer multiply', function()
    local optimizer = make(0.8)
    local list = {
      S.LinearLR(optimizer, { start_factor = 0.25, total_iters = 4 }), S.ExponentialLR(optimizer, 0.9),
      S.StepLR(optimizer, 3, { gamma = 0.5 }), S.MultiStepLR(optimizer, { 2, 5, 5 }, { gamma = 0.1 }),
    }
    for k = 0, 8 do
      local line = 0.25 + 0.75 * math.min(k, 4) / 4
      local steps = 0.5 ^ math.floor(k / 3) * (k >= 2 and 0.1 or 1) * (k >= 5 and 0.01 or 1)
      local want = 0.8 * line * 0.9 ^ k * steps
      assert.near(want, optimizer.param_groups[1].lr, 1e-13 * want)
      assert.equal(0.8, optimizer.param_groups[1].initial_lr)
      for _, schedule in ipairs(list) do schedule:step() end
    end
  end)

  it('CosineAnnealingLR goes down and up again', function()
    local optimizer = make(0.5)
    local schedule = S.CosineAnnealingLR(optimizer, 5, { eta_min = 0.1 })
    for k = 0, 17 do
      assert.near(0.1 + 0.4 * (1 + math.cos(math.pi * k / 5)) / 2, optimizer.param_groups[1].lr, 1e-12)
      schedule:step()
    end
  end)

  it('continue after last_epoch steps', function()
    local optimizer = make(0.5)
    local schedule = S.CosineAnnealingLR(optimizer, 10)
    for _ = 1, 4 do schedule:step() end
    local resumed = make(0.5)
    assert.matches("'last_epoch' is 3, but group 1 .* has no 'initial_lr'",
      message(S.CosineAnnealingLR, resumed, 10, { last_epoch = 3 }))
    resumed:load_state_dict(optimizer:state_dict())
    local other = S.CosineAnnealingLR(resumed, 10, { last_epoch = 3 })
    for _ = 1, 8 do
      assert.near(schedule:get_last_lr()[1], other:get_last_lr()[1], 1e-13)
      schedule:step()
      other:step()
    end
    assert.matches("'last_epoch' must be at least %-1", message(S.StepLR, make(), 2, { last_epoch = -2 }))
  end)

  it('leave groups alone that came later', function()
    local optimizer = make()
    local schedule = S.ExponentialLR(optimizer, 0.5)
    optimizer:add_param_group{ params = { parameter{ 1 } }, lr = 3 }
    schedule:step()
    assert.same({ 0.5 }, schedule:get_last_lr())
    assert.equal(3, optimizer.param_groups[2].lr)
  end)

  it('states go round', function()
    local optimizer = make()
    local schedule = S.StepLR(optimizer, 2)
    schedule:step()
    local state = schedule:state_dict()
    local other = S.StepLR(make(), 2)
    other:load_state_dict(state)
    other:step()
    assert.near(0.1, other:get_last_lr()[1], 1e-12)
    assert.matches('expected what state_dict returns', message(other.load_state_dict, other, {}))
    assert.matches("StepLR:load_state_dict: 'gamm' doesn't belong to a StepLR", message(other.load_state_dict, other,
      { last_epoch = 1, options = { gamm = 1 } }))
    local plateau = S.ReduceLROnPlateau(make())
    assert.matches("doesn't belong to a StepLR", message(other.load_state_dict, other, plateau:state_dict()))
    -- the options come along
    local third = S.StepLR(make(), 5, { gamma = 0.9 })
    third:load_state_dict(state)
    third:step()
    assert.near(0.1, third:get_last_lr()[1], 1e-12)
    local fn = S.LambdaLR(make(), function(k) return 1 / (k + 1) end)
    fn:step()
    local fn_state = fn:state_dict()
    assert.is_nil(fn_state.options.lr_lambda)
    local back = S.LambdaLR(make(), function(k) return 1 / (k + 1) end)
    back:load_state_dict(fn_state)
    back:step()
    assert.near(1 / 3, back:get_last_lr()[1], 1e-12)
  end)

  it('ReduceLROnPlateau takes tensors and both modes', function()
    local optimizer = make()
    local schedule = S.ReduceLROnPlateau(optimizer, { mode = 'max', patience = 0, factor = 0.5 })
    schedule:step(metann.tensor(1))
    schedule:step(2)
    assert.equal(1, optimizer.param_groups[1].lr)
    schedule:step(1)
    assert.equal(0.5, optimizer.param_groups[1].lr)
    assert.matches("'metric' must be a number", message(schedule.step, schedule))
    local two = optim.SGD({ { params = parameter{ 1 } }, { params = parameter{ 1 } } }, 1)
    local each = S.ReduceLROnPlateau(two, { patience = 0, min_lr = { 0.5, 0.05 } })
    for _ = 1, 4 do each:step(1) end
    assert.same({ 0.5, 0.05 }, each:get_last_lr())
    assert.matches("'min_lr' has 1 numbers for 2 groups", message(S.ReduceLROnPlateau, two, { min_lr = { 1 } }))
  end)

  it('OneCycleLR takes total_steps steps, the last one beyond the end of its curve', function()
    local function cos(from, to, part) return to + (from - to) / 2 * (1 + math.cos(math.pi * part)) end
    -- up to 0.3 * 4 - 1, down to 3
    local expected = { [0] = 0.04 }
    for k = 1, 4 do expected[k] = cos(1, 0.04 / 1e4, (k - 0.2) / 2.8) end
    local optimizer = make(0.1)
    local schedule = S.OneCycleLR(optimizer, 1, { total_steps = 4, cycle_momentum = false })
    assert.near(expected[0], schedule:get_last_lr()[1], 1e-15)
    for k = 1, 4 do
      schedule:step()
      assert.near(expected[k], schedule:get_last_lr()[1], 1e-15)
    end
    assert.near(0.28306, schedule:get_last_lr()[1], 1e-5)
    assert.matches('OneCycleLR: step 5 is past total_steps 4', message(schedule.step, schedule))
    assert.near(expected[4], optimizer.param_groups[1].lr, 1e-15)
    -- the ordinary loop
    local loop = S.OneCycleLR(make(0.1), 1, { epochs = 2, steps_per_epoch = 3, cycle_momentum = false })
    for _ = 1, 2 * 3 do loop:step() end
    assert.matches('past total_steps 6', message(loop.step, loop))
    -- a phase without length
    for _, three in ipairs{ true, false } do
      for steps = 1, 4 do
        local up = S.OneCycleLR(make(0.1), 1, { total_steps = steps, pct_start = 1, three_phase = three,
          cycle_momentum = false })
        for _ = 1, steps do
          local lr = up:get_last_lr()[1]
          assert(lr == lr and lr >= 0 and lr <= 1, lr)
          up:step()
        end
      end
    end
  end)

  it('schedules beside it go on beyond their ends', function()
    local linear = S.LinearLR(make(1), { start_factor = 0.5, total_iters = 2 })
    local lrs = {}
    for k = 1, 4 do
      linear:step()
      lrs[k] = linear:get_last_lr()[1]
    end
    for k, lr in ipairs{ 0.75, 1, 1, 1 } do assert.near(lr, lrs[k], 1e-15) end
    local cosine = S.CosineAnnealingLR(make(1), 2)
    for k = 1, 6 do
      cosine:step()
      assert.near((1 + math.cos(math.pi * k / 2)) / 2, cosine:get_last_lr()[1], 1e-15)
    end
  end)

  -- Of each of the others one that has made four steps, saved, and what it does then.
  local function half(k) return k % 2 == 0 and 0.5 or 0.9 end
  local MAKE = {
    ConstantLR = function(o) return S.ConstantLR(o, { total_iters = 6 }) end,
    PolynomialLR = function(o) return S.PolynomialLR(o, { total_iters = 7, power = 2 }) end,
    MultiplicativeLR = function(o) return S.MultiplicativeLR(o, half) end,
    CyclicLR = function(o) return S.CyclicLR(o, 0.1, 0.5, { step_size_up = 3, scale_fn = half }) end,
    CosineAnnealingWarmRestarts = function(o) return S.CosineAnnealingWarmRestarts(o, 3, { T_mult = 2 }) end,
    SequentialLR = function(o)
      return S.SequentialLR(o, { S.MultiplicativeLR(o, half), S.StepLR(o, 2), S.CosineAnnealingWarmRestarts(o, 2) }, { 3, 6 })
    end,
    ChainedScheduler = function(o)
      return S.ChainedScheduler{ S.ExponentialLR(o, 0.9), S.SequentialLR(o, { S.ConstantLR(o), S.StepLR(o, 1) }, { 5 }) }
    end,
  }
  for name, make_one in pairs(MAKE) do
    it(name .. ', saved in the middle, goes on bit for bit', function()
      local optimizer = make(0.7)
      local first = make_one(optimizer)
      for _ = 1, 4 do first:step() end
      local saved, other = { optimizer:state_dict(), first:state_dict() }, make(0.3)
      local second = make_one(other)
      other:load_state_dict(saved[1])
      second:load_state_dict(saved[2])
      assert.same(first:get_last_lr(), second:get_last_lr())
      for _ = 1, 8 do
        first:step()
        second:step()
        assert.same(optimizer.param_groups[1].lr, other.param_groups[1].lr)
        assert.same(optimizer.param_groups[1].momentum, other.param_groups[1].momentum)
      end
      assert.matches('load_state_dict', message(second.load_state_dict, second, { last_epoch = 1, options = { a = 1 } }))
      assert.matches("must be called with ':'", message(second.step))
    end)
  end

  it('CosineAnnealingWarmRestarts goes to any step', function()
    local schedule = S.CosineAnnealingWarmRestarts(make(1), 4, { T_mult = 2, eta_min = 0.2 })
    local function at(part) return 0.2 + 0.8 * (1 + math.cos(math.pi * part)) / 2 end
    for epoch, want in pairs{ [0] = at(0), [2.5] = at(2.5 / 4), [4] = at(0), [11] = at(7 / 8), [13] = at(1 / 16) } do
      schedule:step(epoch)
      assert.near(want, schedule:get_last_lr()[1], 1e-14)
    end
    schedule:step(2.5)
    schedule:step()
    assert.near(at(3.5 / 4), schedule:get_last_lr()[1], 1e-14)
    assert.matches("'epoch' must be a number of at least 0", message(schedule.step, schedule, -1))
  end)

  it('CyclicLR takes rates and momenta by group, and moves betas', function()
    local optimizer = optim.Adam{ { params = parameter{ 1 } }, { params = parameter{ 1 } } }
    local schedule = S.CyclicLR(optimizer, { 0.1, 0.2 }, { 0.3, 1 }, { step_size_up = 2, step_size_down = 4,
      base_momentum = { 0.5, 0.6 }, max_momentum = 0.8 })
    for _, want in ipairs{ { 0.1, 0.2, 0.8, 0.8 }, { 0.2, 0.6, 0.65, 0.7 }, { 0.3, 1, 0.5, 0.6 },
      { 0.25, 0.8, 0.575, 0.65 } } do
      local groups = optimizer.param_groups
      local found = { groups[1].lr, groups[2].lr, groups[1].betas[1], groups[2].betas[1] }
      for i = 1, 4 do assert.near(want[i], found[i], 1e-14) end
      schedule:step()
    end
    assert.equal(0.999, optimizer.param_groups[2].betas[2])
    local by_step = S.CyclicLR(make(1), 0, 1, { step_size_up = 4, scale_fn = function(k) return 0.5 ^ k end,
      scale_mode = 'iterations' })
    for k = 1, 4 do
      by_step:step()
      assert.near(k / 4 * 0.5 ^ k, by_step:get_last_lr()[1], 1e-14)
    end
  end)

  it('SequentialLR leaves the others the lr of the optimizer where a OneCycleLR is among them', function()
    local optimizer = make(0.3)
    local constant, cycle = S.ConstantLR(optimizer, 0.5, 2), S.OneCycleLR(optimizer, 1, { total_steps = 6 })
    local schedule, rates = S.SequentialLR(optimizer, { constant, cycle }, { 3 }), {}
    for n = 1, 4 do
      rates[n] = optimizer.param_groups[1].lr
      schedule:step()
    end
    for n, want in ipairs{ 0.15, 0.15, 0.3, 1 / 25 } do assert.near(want, rates[n], 1e-12) end
  end)

  it('a step of several that fails puts all of them back', function()
    local fails = false
    local function mine(k) return fails and error('mine', 0) or 0.5 ^ k end
    local optimizer = make(1)
    local chain = S.ChainedScheduler{ S.ExponentialLR(optimizer, 0.9), S.LambdaLR(optimizer, mine) }
    local second = make(1)
    local sequence = S.SequentialLR(second, { S.ExponentialLR(second, 0.9), S.MultiplicativeLR(second, mine) }, { 2 })
    for _, each in ipairs{ { chain, optimizer }, { sequence, second } } do
      local schedule, group = each[1], each[2].param_groups[1]
      fails = false
      schedule:step()
      local lr, state = group.lr, schedule:state_dict()
      fails = true
      assert.equal('mine', message(schedule.step, schedule))
      assert.equal(lr, group.lr)
      assert.same(state, schedule:state_dict())
    end
  end)

  it('those of several refuse what can\'t be one', function()
    local optimizer = make(1)
    local step, plateau = S.StepLR(optimizer, 1), S.ReduceLROnPlateau(optimizer)
    assert.matches("'schedulers' must be a list of schedules", message(S.ChainedScheduler, { 3 }))
    assert.matches("'schedulers' must be a list of schedules", message(S.SequentialLR, optimizer, step, {}))
    assert.matches('ChainedScheduler: schedule 2 is a ReduceLROnPlateau', message(S.ChainedScheduler, { step, plateau }))
    assert.matches('ChainedScheduler: schedule 2 is of another optimizer',
      message(S.ChainedScheduler, { step, S.StepLR(make(1), 1) }))
    assert.matches('SequentialLR: 2 schedules need 1 milestones, got 2',
      message(S.SequentialLR, optimizer, { step, step }, { 1, 2 }))
    assert.matches('expected what state_dict of 1 schedules returns, got that of 2',
      message(function()
        S.ChainedScheduler{ step }:load_state_dict(S.ChainedScheduler{ step, step }:state_dict())
      end))
    assert.matches("ConstantLR: 'factor' must be a number above 0 and up to 1", message(S.ConstantLR, optimizer, 2))
    assert.matches("PolynomialLR: 'total_iters' must be a positive whole number", message(S.PolynomialLR, optimizer, 0))
    assert.matches("MultiplicativeLR: 'lr_lambda' has 1 functions for 2 groups",
      message(S.MultiplicativeLR, optim.SGD({ { params = parameter{ 1 } }, { params = parameter{ 1 } } }, 1), { half }))
    assert.matches("CyclicLR: 'mode' must be one of", message(S.CyclicLR, optimizer, 0, 1, { mode = 'square' }))
    assert.matches("CyclicLR: 'cycle_momentum' needs an optimizer with momentum or betas",
      message(S.CyclicLR, optim.Adagrad{ parameter{ 1 } }, 0, 1))
    assert.matches("'T_mult' must be a positive whole number", message(S.CosineAnnealingWarmRestarts, optimizer, 1, 0))
  end)

  it('a schedule that can\'t be made leaves the optimizer as it was', function()
    local optimizer = make(1)
    message(S.OneCycleLR, optimizer, 1)
    message(S.LambdaLR, optimizer, function() end)
    assert.is_nil(optimizer.param_groups[1].initial_lr)
    assert.equal(1, optimizer.param_groups[1].lr)
  end)

  it('refuse wrong use', function()
    assert.matches("StepLR: 'optimizer' must be an optimizer", message(S.StepLR, 3, 2))
    assert.matches("StepLR: 'step_size' must be given", message(S.StepLR, make()))
    assert.matches("MultiStepLR: 'milestones' must be a list", message(S.MultiStepLR, make(), 3))
    assert.matches("give 'total_steps'", message(S.OneCycleLR, make(), 1))
    assert.matches("'max_lr' has 2 numbers for 1 groups", message(S.OneCycleLR, make(), { 1, 2 }, { total_steps = 3 }))
    assert.matches("'start_factor' must be a number above 0 and up to 1", message(S.LinearLR, make(),
      { start_factor = 2 }))
    assert.matches("StepLR: unknown option 'gama', did you mean 'gamma'", message(S.StepLR, make(), 2, { gama = 1 }))
    assert.matches("has no 'StepLr', did you mean 'StepLR'", message(function() return S.StepLr end))
    assert.matches("'factor' must be below 1", message(S.ReduceLROnPlateau, make(), { factor = 1 }))
    local cycle = S.OneCycleLR(make(), 1, { total_steps = 2 })
    cycle:step()
    cycle:step()
    assert.matches('past total_steps', message(cycle.step, cycle))
    assert.matches("'lr_lambda' must be a function or a list of functions, entry 1 is number 5",
      message(S.LambdaLR, make(), { 5 }))
    assert.matches("'lr_lambda' must return a number, got nil", message(S.LambdaLR, make(), function() end))
  end)

  it('a step that fails changes nothing', function()
    local fails = false
    local optimizer = optim.SGD({ { params = parameter{ 1 } }, { params = parameter{ 1 } } }, { lr = 1 })
    local schedule = S.LambdaLR(optimizer, {
      function(step) return 1 / (step + 1) end,
      function(step) return fails and error('mine', 0) or 1 / (step + 1) end,
    })
    local function rates() return { optimizer.param_groups[1].lr, optimizer.param_groups[2].lr } end
    schedule:step()
    fails = true
    assert.equal('mine', message(schedule.step, schedule))
    assert.same({ 0.5, 0.5 }, rates())
    assert.same({ 0.5, 0.5 }, schedule:get_last_lr())
    fails = false
    schedule:step()
    assert.same({ 1 / 3, 1 / 3 }, rates())
  end)
end)
