-- Optimizers and schedules: groups, states, wrong use, and that every rule can be differentiated. Trajectories are
-- compared with PyTorch's in golden_spec.
local metann = require 'metann'
local nn, optim = metann.nn, metann.optim

local NAMES = { 'SGD', 'Adam', 'AdamW', 'RMSprop', 'Adagrad', 'Adadelta', 'Adamax', 'NAdam', 'RAdam' }

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
    assert.matches('options must be a table', message(optim.Adam, { p }, 'x'))
    assert.matches("'nesterov' needs a momentum", message(optim.SGD, { p }, { lr = 1, nesterov = true }))
    assert.matches("did you mean 'Adam'", message(function() return optim.Adan end))
    local adam = optim.Adam({ p })
    assert.matches('expected what state_dict returns', message(adam.load_state_dict, adam, {}))
    assert.matches('expected 1 groups, got 0', message(adam.load_state_dict, adam, { state = {}, param_groups = {} }))
    assert.matches('optim_spec.lua', message(function() return optim.Adam({ p }, { beta = 1 }) end))
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
    collectgarbage()
    collectgarbage()
    local before = metann.memory().live_tensors
    for _ = 1, 50 do step() end
    collectgarbage()
    collectgarbage()
    assert.equal(before, metann.memory().live_tensors)
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
  end)

  it('refuse wrong use', function()
    assert.matches("StepLR: 'optimizer' must be an optimizer", message(S.StepLR, 3, 2))
    assert.matches("StepLR: argument 'step_size' is missing", message(S.StepLR, make()))
    assert.matches("MultiStepLR: 'milestones' must be a list", message(S.MultiStepLR, make(), 3))
    assert.matches("give 'total_steps'", message(S.OneCycleLR, make(), 1))
    assert.matches("'factor' must be below 1", message(S.ReduceLROnPlateau, make(), { factor = 1 }))
    local cycle = S.OneCycleLR(make(), 1, { total_steps = 2 })
    cycle:step()
    assert.matches('past total_steps', message(cycle.step, cycle))
  end)
end)
