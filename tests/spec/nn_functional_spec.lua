-- nn.functional: options and forms of input that the layers don't have, and values that are refused.
local metann = require 'metann'
local nn = metann.nn
local F = nn.functional
local f64 = { dtype = 'float64' }

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

it('linear takes a vector as weight, and integers', function()
  local x, w = metann.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }, f64), metann.tensor({ 1, 0, -2 }, f64)
  assert.same({ -5, -8 }, F.linear(x, w):to_table())
  assert.same({ -4.5, -7.5 }, F.linear(x, w, metann.tensor(0.5, f64)):to_table())
  assert.equal(-5, F.linear(x[1], w):item())
  local I = { dtype = 'int64' }
  local y = F.linear(metann.tensor({ { 1, 2 } }, I), metann.tensor({ { 3, 4 }, { 5, 6 } }, I), metann.tensor({ 1, 1 }, I))
  assert.equal('int64', y.dtype)
  assert.same({ { 12, 18 } }, y:to_table())
  assert.is_true(metann.gradcheck(function(a, b) return F.linear(a, b) end,
    { x:requires_grad_(true), w:requires_grad_(true) }, { order = 2 }))
end)

it('softmax and log_softmax compute in the dtype that is asked for', function()
  local x = metann.tensor({ 1, 3 }, { dtype = 'int64' })
  for _, name in ipairs{ 'softmax', 'log_softmax' } do
    local y = F[name](x, 1, { dtype = 'float64' })
    assert.equal('float64', y.dtype)
    local right = 1 / (1 + math.exp(2))
    assert.near(name == 'softmax' and right or math.log(right), y[1]:item(), 1e-14)
    assert.matches("'dtype' must be one of 'float32', 'float64', got string 'int64'", message(F[name], x, 1, { dtype = 'int64' }))
  end
end)

it('windows take lists of one, an empty list for the stride and any divisor but 0', function()
  local x = metann.arange(16, f64):reshape(1, 1, 4, 4)
  local right = F.avg_pool2d(x, 2, { padding = 1 }):to_table()
  assert.same(right, F.avg_pool2d(x, { 2 }, {}, { 1 }):to_table())
  assert.same(right, F.avg_pool2d(x, { 2, 2 }, { 2 }, { 1, 1 }):to_table())
  assert.same((F.avg_pool2d(x, 2) * -2):to_table(), F.avg_pool2d(x, 2, { divisor_override = -2 }):to_table())
  assert.same(F.max_pool2d(x, 2):to_table(), F.max_pool2d(x, { 2 }, {}):to_table())
  assert.matches("'kernel_size' must be a whole number of at least 1 or a list of 2", message(F.max_pool2d, x, { 2, 2, 2 }))
  assert.matches("'kernel_size' must be", message(F.max_pool2d, x, { 0 }))
  assert.matches("'divisor_override' must be a whole number other than 0", message(F.avg_pool2d, x, 2,
    { divisor_override = 0 }))
end)

it('refuses limits, slopes and gradients that make no sense', function()
  assert.matches("'min_val' %(0.5%) must not be above 'max_val' %(%-0.5%)", message(F.hardtanh, metann.zeros(1), 0.5, -0.5))
  assert.matches("Hardtanh: 'min_val' %(2%)", message(nn.Hardtanh, { min_val = 2 }))
  assert.equal(1, F.hardtanh(metann.tensor(3), 1, 1):item())
  assert.matches("prelu: 'weight' must have one dim, got size %(1, 3%)", message(F.prelu, metann.ones(2, 3), metann.ones(1, 3)))
  assert.equal(-0.5, F.prelu(metann.tensor(-1), metann.tensor(0.5)):item())
  local index, rows = metann.tensor({ 1 }, { dtype = 'int64' }), metann.ones(2, 2)
  assert.matches("'sparse' must be false: gradients are dense here", message(F.embedding, index, rows, { sparse = true }))
  assert.same({ { 1, 1 } }, F.embedding(index, rows, { sparse = false }):to_table())
end)
