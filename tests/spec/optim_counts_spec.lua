-- What is equal for all parameters of a group is computed once for them. The reference is an optimizer for each
-- parameter alone, which shares nothing.
local metann = require 'metann'
local record = require 'metann.binding.record'
local nn, optim = metann.nn, metann.optim

local COUNTING = { 'Adam', 'AdamW', 'NAdam', 'RAdam', 'Adamax', 'Adagrad' }

local SIZES = { { 4, 3 }, { 4 }, {}, { 3 } }

local function parameters(dtype)
  metann.manual_seed(3)
  local list = {}
  for i, size in ipairs(SIZES) do list[i] = nn.Parameter(metann.randn(size):to(dtype)) end
  return list
end

--- Makes step number i with the optimizers; `resting`: numbers of parameters without a gradient.
local function step(optimizers, list, i, resting)
  metann.manual_seed(100 + i)
  for k, p in ipairs(list) do
    local g = metann.randn(p.shape):to(p.dtype)
    p.grad = not resting[k] and g or nil
  end
  for _, optimizer in ipairs(optimizers) do optimizer:step() end
end

local function values(list)
  local result = {}
  for i, t in ipairs(list) do result[i] = t:to_table() end
  return result
end

local function steps_of(optimizer, list)
  local counts = {}
  for i, p in ipairs(list) do counts[i] = optimizer.state[p:id()].step:item() end
  return counts
end

describe('parameters of one optimizer', function()
  for _, name in ipairs(COUNTING) do
    for _, dtype in ipairs{ 'float32', 'float64' } do
      it(('get what each alone would: %s, %s'):format(name, dtype), function()
        local together, alone, each = parameters(dtype), parameters(dtype), {}
        local options = { lr = 0.05, weight_decay = 0.1 }
        local optimizer = optim[name](together, options)
        for i, p in ipairs(alone) do each[i] = optim[name]({ p }, options) end
        local without = { {}, { [2] = true }, {}, { [1] = true, [3] = true }, {}, {} }
        for i, resting in ipairs(without) do
          if i == 4 then
            local loaded = optim[name](together, { lr = 1 })
            loaded:load_state_dict(optimizer:state_dict())
            optimizer = loaded
          end
          step({ optimizer }, together, i, resting)
          step(each, alone, i, resting)
        end
        assert.same(values(alone), values(together))
        assert.same({ 5, 5, 5, 6 }, steps_of(optimizer, together))
      end)
    end
  end

  it('go on from a count that was put in place of one of them', function()
    local together, alone, each = parameters 'float32', parameters 'float32', {}
    local optimizer = optim.Adam(together, { lr = 0.05 })
    for i, p in ipairs(alone) do each[i] = optim.Adam({ p }, { lr = 0.05 }) end
    for i = 1, 4 do
      step({ optimizer }, together, i, {})
      step(each, alone, i, {})
      if i == 2 then
        optimizer.state[together[2]:id()].step = metann.tensor(7, { dtype = 'float64' })
        each[2].state[alone[2]:id()].step = metann.tensor(7, { dtype = 'float64' })
      end
    end
    assert.same(values(alone), values(together))
    assert.same({ 4, 9, 4, 4 }, steps_of(optimizer, together))
  end)

  it('have a count each, and states of their own in state_dict', function()
    local list = parameters 'float32'
    local optimizer = optim.NAdam(list, { lr = 0.05 })
    step({ optimizer }, list, 1, {})
    step({ optimizer }, list, 2, {})
    local seen, state = {}, optimizer:state_dict().state
    for i, p in ipairs(list) do
      for _, count in ipairs{ 'step', 'mu_product' } do
        local t = optimizer.state[p:id()][count]
        assert.is_nil(seen[t:id()])
        seen[t:id()] = true
        assert.is_false(state[i][count]:shares_storage(state[i % #list + 1][count]))
      end
    end
    assert.equal(4 * #list, #optimizer:state_tensors())
  end)

  it('share the numbers of a group: rows of a step of six', function()
    local net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    local most = { Adam = 90, AdamW = 96, NAdam = 122, RAdam = 128, Adamax = 78, Adagrad = 50 }
    for name, n in pairs(most) do
      local optimizer = optim[name](net:parameters(), { lr = 0.05 })
      local function backward()
        optimizer:zero_grad()
        net(metann.randn(5, 3)):square():mean():backward()
      end
      backward()
      optimizer:step()
      backward()
      local rows = record.run(optimizer.step, optimizer)
      assert.is_true(#rows <= n, ('%s: %d rows'):format(name, #rows))
    end
  end)
end)
