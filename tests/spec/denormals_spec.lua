-- Averages of optimizers decay to zero where gradients are zero, and don't stay below the smallest normal number: there
-- processors are many times slower. Above it they are what the recurrence gives in numbers of Lua.
local metann = require 'metann'

local SMALLEST = { float32 = 2 ^ -126, float64 = 2 ^ -1022 }
-- By rule: averages that decay quickly, so that 1100 steps bring float64 below its smallest normal number.
local RULES = {
  Adam = { options = { betas = { 0.5, 0.4 } }, averages = { 'exp_avg', 'exp_avg_sq' } },
  AdamW = { options = { betas = { 0.5, 0.4 } }, averages = { 'exp_avg', 'exp_avg_sq' } },
  RMSprop = { options = { alpha = 0.4 }, averages = { 'square_avg' } },
  Adadelta = { options = { rho = 0.4 }, averages = { 'square_avg', 'acc_delta' } },
  Lion = { options = { betas = { 0.5, 0.4 } }, averages = { 'exp_avg' } },
  NAdam = { options = { betas = { 0.5, 0.4 } }, averages = { 'exp_avg', 'exp_avg_sq' } },
}

describe('averages of optimizers', function()
  for name, rule in pairs(RULES) do
    for dtype, smallest in pairs(SMALLEST) do
      it(("are never denormal once gradients are zero: %s, %s"):format(name, dtype), function()
        local p = metann.ones({ 3 }, { dtype = dtype }):requires_grad_()
        local optimizer = metann.optim[name]({ p }, rule.options)
        p.grad = metann.tensor({ 1e-3, -1e-3, 1e-10 }, { dtype = dtype })
        optimizer:step()
        p.grad = metann.zeros({ 3 }, { dtype = dtype })
        for _ = 1, 1100 do
          optimizer:step()
          for _, average in ipairs(rule.averages) do
            for _, v in ipairs(optimizer.state[p:id()][average]:to_table()) do
              assert.is_true(v == 0 or math.abs(v) >= smallest, ('%s is %g'):format(average, v))
            end
          end
        end
        for _, average in ipairs(rule.averages) do
          assert.are.same({ 0, 0, 0 }, optimizer.state[p:id()][average]:to_table())
        end
      end)
    end
  end

  it('are what the recurrence gives above that, bit for bit', function()
    local p = metann.ones({ 1 }, { dtype = 'float64' }):requires_grad_()
    local optimizer = metann.optim.Adam({ p }, { betas = { 0.9, 0.99 } })
    local m, v = 0, 0
    for i = 1, 200 do
      local g = math.sin(i) * 10 ^ -(i / 10)
      p.grad = metann.tensor({ g }, { dtype = 'float64' })
      optimizer:step()
      m, v = m * 0.9 + (1 - 0.9) * g, v * 0.99 + (1 - 0.99) * (g * g)
      assert.are.equal(m, optimizer.state[p:id()].exp_avg:item())
      assert.are.equal(v, optimizer.state[p:id()].exp_avg_sq:item())
    end
  end)

  it('let NaN and infinities through', function()
    local t = metann.tensor { 0 / 0, math.huge, -math.huge }
    local out = metann.decayed_average(t, metann.ones(3), 0.9, 0.1):to_table()
    assert.is_true(out[1] ~= out[1])
    assert.are.equal(math.huge, out[2])
    assert.are.equal(-math.huge, out[3])
  end)
end)
