-- LBFGS: its ways are PyTorch's, step by step and call by call; states, wrong use, and that a step that fails leaves
-- all as it was.
local metann = require 'metann'
local record = require 'metann.binding.record'
require 'tests.support.guarded'
local optim = metann.optim

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function leaf(values) return metann.tensor(values, { dtype = 'float64', requires_grad = true }) end

--- Rosenbrock's valley and a third weight, in a tensor of its own.
local function problem()
  local p, q, calls = leaf{ -1.2, 1 }, leaf{ { 2 } }, 0
  local optimizer
  local function closure()
    calls = calls + 1
    optimizer:zero_grad()
    local a, b = p[1], p[2]
    local loss = ((1 - a) ^ 2 + 100 * (b - a ^ 2) ^ 2 + (q - a * b) ^ 4):sum()
    loss:backward()
    return loss
  end
  return {
    params = { p, q }, closure = closure, use = function(o) optimizer = o end, calls = function() return calls end,
    at = function() return p[1]:item(), p[2]:item(), q:item() end,
  }
end

-- By PyTorch 2.15: at each step the loss before it, the weights after it, and how often the closure has been called.
local CASES = {
  { options = { lr = 0.1, max_iter = 5, history_size = 3 },
    { 129.05760000000001, -1.0497332734103824, 0.90853465782340059, 1.8764576446637216, 5 },
    { 72.100467935183758, -0.96704195211500343, 0.80732454699607592, 1.6695263188178191, 10 },
    { 41.548007719334045, -0.90803873380983147, 0.75126011070914211, 1.4164104757618947, 15 },
    { 23.573212793512742, -0.86361937695195801, 0.72096520986734791, 1.1552142575684965, 20 },
    { 13.525374409333073, -0.83209411807040212, 0.69250716303526527, 0.92408092267710418, 25 },
    { 8.4232845803433456, -0.78609826364744706, 0.65132285927708877, 0.73872224307647294, 30 },
  },
  { options = { max_iter = 5, history_size = 3, line_search_fn = 'strong_wolfe' },
    { 129.05760000000001, -0.46407324632158004, 0.179343408270872, 1.135498013855174, 6 },
    { 4.4793576568885136, 0.03241261788295674, -0.018943852256761685, 0.15278957357177111, 12 },
    { 0.97675685155676339, 0.36326510727897598, 0.12386898792239641, -0.41287104023481441, 19 },
    { 0.45593061561693082, 0.56262864063856088, 0.29220710882823797, -0.24965261507424152, 25 },
    { 0.27994883411050492, 0.83395274148180309, 0.6961138257091356, 0.75309951629994831, 31 },
    { 0.028499168587650201, 0.94970287500331363, 0.90290712868114442, 1.08288675841469, 38 },
  },
  { options = { line_search_fn = 'strong_wolfe' },
    { 129.05760000000001, 0.47037611609443553, 0.21646941272573134, 0.1600470358589762, 23 },
    { 0.28280188299018227, 0.99967961470977784, 0.99934697410853635, 0.96225268943480502, 47 },
    { 1.9467287703478755e-06, 0.99999658351968324, 0.99999304254709853, 0.99554607519565519, 56 },
    { 4.0309319438809724e-10, 0.99999658351968324, 0.99999304254709853, 0.99554607519565519, 57 },
  },
  { options = { lr = 0.002, max_eval = 3 },
    { 129.05760000000001, -1.1982059093131361, 0.99950454342059569, 1.9991883954230405, 3 },
    { 128.29741284032758, -1.1971383959473707, 0.99875708964800269, 1.9981678948137216, 6 },
    { 127.74600206934043, -1.1961184635057058, 0.99791743675555034, 1.9968200639352098, 9 },
    { 127.16409178180371, -1.1951386298395597, 0.99712728704898135, 1.9952178378550145, 12 },
  },
}

describe('LBFGS', function()
  for number, case in ipairs(CASES) do
    it('goes the way of PyTorch, case ' .. number, function()
      local on = problem()
      local optimizer = optim.LBFGS(on.params, case.options)
      on.use(optimizer)
      for _, row in ipairs(case) do
        -- rounding grows along the valley
        local function near(want, got) assert.near(want, got, 1e-8 * math.max(1, math.abs(want))) end
        near(row[1], optimizer:step(on.closure):item())
        for i, w in ipairs{ on.at() } do near(row[i + 1], w) end
        assert.equal(row[5], on.calls())
      end
    end)
  end

  it('has PyTorch\'s defaults, and takes its options by position', function()
    local group = optim.LBFGS{ leaf{ 1 } }.param_groups[1]
    local want = {
      lr = 1, max_iter = 20, max_eval = 25, tolerance_grad = 1e-7, tolerance_change = 1e-9, history_size = 100,
      line_search_fn = false, maximize = false,
    }
    for name, value in pairs(want) do assert.equal(value, group[name], name) end
    group = optim.LBFGS({ leaf{ 1 } }, 0.5, 7, nil, 1e-3, 1e-4, 9, 'strong_wolfe').param_groups[1]
    assert.same({ 0.5, 7, 8, 1e-3, 1e-4, 9, 'strong_wolfe' }, { group.lr, group.max_iter, group.max_eval,
      group.tolerance_grad, group.tolerance_change, group.history_size, group.line_search_fn })
  end)

  for _, search in ipairs{ false, 'strong_wolfe' } do
    it('saved in the middle goes on bit for bit, ' .. tostring(search), function()
      local options = { lr = search and 1 or 0.1, max_iter = 4, history_size = 3, line_search_fn = search or nil }
      local on = problem()
      local optimizer = optim.LBFGS(on.params, options)
      on.use(optimizer)
      for _ = 1, 2 do optimizer:step(on.closure) end
      local saved, other = optimizer:state_dict(), problem()
      for i, p in ipairs(other.params) do metann.no_grad(p.copy_, p, on.params[i]) end
      local second = optim.LBFGS(other.params, { lr = 7 })
      other.use(second)
      second:load_state_dict(saved)
      for _ = 1, 3 do
        optimizer:step(on.closure)
        second:step(other.closure)
      end
      assert.same({ on.at() }, { other.at() })
      assert.same({}, { unpack(optimizer:state_tensors(), 9) }) -- two vectors and three pairs
    end)
  end

  it('maximizes', function()
    local p = leaf{ 3, -2 }
    local optimizer = optim.LBFGS({ p }, { line_search_fn = 'strong_wolfe', maximize = true })
    optimizer:step(function()
      optimizer:zero_grad()
      local loss = -(p - metann.tensor({ 1, 5 }, { dtype = 'float64' })):square():sum()
      loss:backward()
      return loss
    end)
    assert.near(1, p[1]:item(), 1e-9)
    assert.near(5, p[2]:item(), 1e-9)
  end)

  it('takes a number as the loss, a parameter without a gradient, and float32', function()
    local p, q = metann.tensor({ 3 }, { requires_grad = true }), metann.tensor({ 4 }, { requires_grad = true })
    local optimizer = optim.LBFGS{ p, q }
    local loss = optimizer:step(function()
      optimizer:zero_grad()
      local l = p:square():sum()
      l:backward()
      return l:item()
    end)
    assert.equal(9, loss)
    assert.near(0, p:item(), 1e-6)
    assert.equal(4, q:item())
    assert.equal('float32', optimizer:state_tensors()[1].dtype)
  end)

  it('goes where its parameters lie, in their dtype, and a state of others is brought over', function()
    local function run(device, dtype, state)
      local p = metann.tensor({ 3, 4 }, { requires_grad = true, device = device, dtype = dtype })
      local unused = metann.tensor({ 1 }, { requires_grad = true, device = device, dtype = dtype })
      local optimizer = optim.LBFGS({ p, unused }, { max_iter = 3, lr = 0.1 })
      if state then optimizer:load_state_dict(state) end
      for _ = 1, 2 do
        optimizer:step(function()
          optimizer:zero_grad()
          local loss = p:square():sum()
          loss:backward()
          return loss
        end)
      end
      for _, t in ipairs(optimizer:state_tensors()) do assert.same({ p.device, dtype }, { t.device, t.dtype }) end
      return p:to_table(), optimizer:state_dict()
    end
    local want, state = run('cpu', 'float32')
    assert.same(want, (run('guarded:1', 'float32')))
    want = run('cpu', 'float64', state)
    assert.same(want, (run('guarded:1', 'float64', state)))
  end)

  it("can't be recorded, as it goes by numbers, and changes nothing then", function()
    local on = problem()
    local optimizer = optim.LBFGS(on.params)
    on.use(optimizer)
    local before = { on.at() }
    assert.matches("a recording can't take numbers", message(record.run, function() optimizer:step(on.closure) end))
    assert.same(before, { on.at() })
  end)

  it('a step whose closure fails changes nothing', function()
    for _, after in ipairs{ 2, 5 } do
      local on = problem()
      local optimizer = optim.LBFGS(on.params, { line_search_fn = 'strong_wolfe', max_iter = 10 })
      on.use(optimizer)
      optimizer:step(on.closure)
      local before, calls = { on.at() }, 0
      local kept = optimizer:state_dict()
      assert.equal('mine', message(optimizer.step, optimizer, function()
        calls = calls + 1
        if calls == after then error('mine', 0) end
        return on.closure()
      end))
      assert.same(before, { on.at() })
      local now = optimizer:state_dict().state[1]
      for _, name in ipairs{ 'n_iter', 'func_evals', 't', 'ro', 'H_diag', 'prev_loss' } do
        assert.same(kept.state[1][name], now[name])
      end
      assert.same(kept.state[1].d:to_table(), now.d:to_table())
    end
  end)

  it('refuses wrong use', function()
    local p = leaf{ 1 }
    assert.matches('takes one group of parameters', message(optim.LBFGS, { { params = p }, { params = leaf{ 1 } } }))
    assert.matches("'line_search_fn' must be 'strong_wolfe', or left out, got string 'wolfe'",
      message(optim.LBFGS, { p }, { line_search_fn = 'wolfe' }))
    assert.matches("'max_iter' must be a positive whole number", message(optim.LBFGS, { p }, { max_iter = 0 }))
    assert.matches("unknown option 'momentum'", message(optim.LBFGS, { p }, { momentum = 0 }))
    assert.matches("can't be true", message(optim.LBFGS, { p }, { differentiable = true }))
    local optimizer = optim.LBFGS{ p }
    assert.matches("LBFGS:step: 'closure' must be given", message(optimizer.step, optimizer))
    assert.matches("LBFGS:step: 'closure' must be a function, got number 5", message(optimizer.step, optimizer, 5))
    assert.matches("'closure' must return the loss, a number or a tensor of one element, got nil",
      message(optimizer.step, optimizer, function() end))
    assert.matches("must be called with ':'", message(optimizer.step, function() end))
    assert.matches("has no 'LBFGS'", message(function() return optim.rules.LBFGS end))
    assert.matches('OptimizerLearner: LBFGS calls its closure itself, so it is no inner rule',
      message(metann.meta.OptimizerLearner, optim.LBFGS))
    local state = optimizer:state_dict()
    state.state[1] = { n_iter = 1, func_evals = 1, d = metann.ones(3) }
    assert.matches("LBFGS:load_state_dict: 'd' must be a tensor of 1 elements", message(optimizer.load_state_dict,
      optimizer, state))
    state.state[1] = 3
    assert.matches('the state must be a table, got number 3', message(optimizer.load_state_dict, optimizer, state))
  end)
end)
