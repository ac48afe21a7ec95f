-- Normalising layers and functions: over one value, checks of what belongs to the channels, layers without a bias, running
-- statistics one at a time. Values from the formula, computed by loops.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local nn = metann.nn
local message, close = checks.message, checks.close
local F = nn.functional
local f64 = { dtype = 'float64' }

local seed = os.time() % 100000
setup(function()
  print('seed ' .. seed)
  metann.manual_seed(seed)
end)

it('one value has no variance: the functions refuse it as the layers do, and write nothing', function()
  local mean, var = metann.zeros(2), metann.ones(2)
  for _, x in ipairs{ metann.ones(1, 2), metann.ones(1, 2, 1), metann.ones(1, 2, 1, 1) } do
    assert.matches("batch_norm: needs more than 1 value for each channel, got 'input' of size %(1, 2",
      message(F.batch_norm, x, mean, var, nil, nil, true))
    assert.matches('needs more than 1 value', message(F.batch_norm, x, { training = true }))
  end
  for _, x in ipairs{ metann.ones(3, 2, 1), metann.ones(1, 2, 1, 1) } do
    assert.matches('instance_norm: needs more than 1 value', message(F.instance_norm, x, mean, var))
  end
  assert.matches('group_norm: needs more than 1 value', message(F.group_norm, metann.ones(1, 2), 2))
  assert.matches('GroupNorm: needs more than 1 value', message(nn.GroupNorm(2, 2), metann.ones(1, 2, 1)))
  assert.matches('BatchNorm1d: needs more than 1 value', message(nn.BatchNorm1d(2), metann.ones(1, 2)))
  local own = nn.BatchNorm1d(2, { track_running_stats = false }):eval()
  assert.matches('BatchNorm1d: needs more than 1 value', message(own, metann.ones(1, 2)))
  assert.matches('InstanceNorm2d: needs more than 1 value', message(nn.InstanceNorm2d(2), metann.ones(3, 2, 1, 1)))
  assert.same({ 0, 0 }, mean:to_table())
  assert.same({ 1, 1 }, var:to_table())
  -- with given statistics one value is enough
  close(F.batch_norm(metann.tensor({ { 3, 5 } }, f64), metann.zeros(2, f64), metann.ones(2, f64), { eps = 1e-300 }),
    metann.tensor({ { 3, 5 } }, f64))
end)

it('functions check what stands for channels before they write', function()
  local x, mean = metann.randn(4, 3), metann.zeros(3)
  for _, name in ipairs{ 'running_mean', 'running_var', 'weight', 'bias' } do
    for _, wrong in ipairs{ metann.ones(1), metann.ones(2), metann.ones(1, 3), metann.tensor(1) } do
      local o = { running_mean = mean, running_var = metann.ones(3), training = true }
      o[name] = wrong
      assert.matches(("batch_norm: '%s' must have size %%(3,%%), one for each channel"):format(name), message(F.batch_norm, x, o))
      o.training = false
      assert.matches(("'%s' must have size"):format(name), message(F.batch_norm, x, o))
    end
  end
  assert.same({ 0, 0, 0 }, mean:to_table())
  assert.matches("instance_norm: 'weight' must have size %(3,%)", message(F.instance_norm, metann.randn(2, 3, 4),
    { weight = metann.ones(1) }))
  assert.matches("group_norm: 'bias' must have size %(4,%)", message(F.group_norm, metann.randn(2, 4), 2,
    { bias = metann.ones(1) }))
  assert.matches("layer_norm: 'weight' must have size %(3,%), got %(1,%)", message(F.layer_norm, x, 3,
    { weight = metann.ones(1) }))
  assert.matches("batch_norm: 'input' must be a tensor of size %(N, C, ...%), got", message(F.batch_norm, metann.ones(3),
    { training = true }))
  assert.matches("instance_norm: 'input' must be a tensor of size %(N, C, L, ...%)", message(F.instance_norm, x))
  assert.matches("BatchNorm1d: 'eps' must be a number above 0, got number 0", message(nn.BatchNorm1d, 3, { eps = 0 }))
  assert.matches("batch_norm: 'eps' must be a number above 0", message(F.batch_norm, x, { training = true, eps = 0 }))
end)

it('either running statistic moves by itself', function()
  local x = metann.tensor({ { 1, 10 }, { 3, 30 } }, f64)
  local mean, var = metann.zeros(2, f64), metann.ones(2, f64)
  F.batch_norm(x, { running_mean = mean, training = true, momentum = 0.5 })
  close(mean, metann.tensor({ 1, 10 }, f64))
  F.batch_norm(x, { running_var = var, training = true, momentum = 0.5 })
  close(var, metann.tensor({ 0.5 + 1, 0.5 + 100 }, f64))
end)

describe('bias=false', function()
  local function plain(x, groups)
    -- each row of `groups` columns to mean 0 and variance 1
    local rows, out = x:reshape(-1, groups):to_table(), {}
    for i, row in ipairs(rows) do
      local mean, var = 0, 0
      for _, v in ipairs(row) do mean = mean + v / groups end
      for _, v in ipairs(row) do var = var + (v - mean) ^ 2 / groups end
      out[i] = {}
      for k, v in ipairs(row) do out[i][k] = (v - mean) / math.sqrt(var + 1e-5) end
    end
    return metann.tensor(out, f64):reshape(x.shape)
  end

  it('leaves only the weight of the norms', function()
    local x = metann.randn(2, 4, 3, 2, f64)
    local over_batch = plain(x:transpose(1, 2):contiguous(), 12):transpose(1, 2)
    local made = {
      { nn.LayerNorm({ 3, 2 }, { bias = false }), plain(x, 6) },
      { nn.LayerNorm({ 3, 2 }, 1e-5, true, false), plain(x, 6) },
      { nn.GroupNorm(2, 4, { bias = false }), plain(x, 12) },
      { nn.BatchNorm2d(4, { bias = false }), over_batch },
      { nn.InstanceNorm2d(4, { affine = true, bias = false }), plain(x, 6) },
    }
    for _, pair in ipairs(made) do
      local layer = pair[1]:double()
      assert.is_nil(layer.bias)
      assert.matches(', bias=false%)$', tostring(layer))
      layer.weight:detach():mul_(2)
      close(layer(x), pair[2] * 2)
      local names = {}
      for name in layer:named_parameters() do names[#names + 1] = name end
      assert.same({ 'weight' }, names)
    end
    close(nn.BatchNorm1d(4, { bias = false, dtype = 'float64' })(x[{ {}, {}, {}, 1 }]),
      plain(x[{ {}, {}, {}, 1 }]:transpose(1, 2):contiguous(), 6):transpose(1, 2))
    assert.not_matches('bias', tostring(nn.LayerNorm(3, { elementwise_affine = false, bias = false })))
  end)

  it('leaves none in an encoder layer', function()
    local layer = nn.TransformerEncoderLayer(4, 2, { dim_feedforward = 8, bias = false })
    for name in layer:named_parameters() do assert.not_matches('bias', name) end
    assert.same({ 2, 1, 4 }, layer(metann.randn(2, 1, 4)).shape)
  end)
end)

it('running statistics that can\'t all be overwritten are left as they were', function()
  local x = metann.randn(4, 2, 3)
  local function statistics(change)
    local mean, var = metann.zeros(2), metann.ones(2)
    return mean, change(var) or var
  end
  local function kept(said, what, call, mean, var)
    assert.matches(said, message(call, mean, var))
    assert.same({ 0, 0 }, mean:to_table(), what)
    assert.same({ 1, 1 }, var:to_table(), what)
  end
  for _, name in ipairs{ 'batch_norm', 'instance_norm' } do
    local function call(mean, var) return F[name](x, mean, var, nil, nil, true) end
    kept(name .. ": 'running_var' must not require grad, since it is overwritten", name, call,
      statistics(function(var) var:requires_grad_() end))
    kept(name .. ": 'running_var' must be a tensor of floats, got int64", name, call,
      statistics(function(var) return var:long() end))
    kept(name .. ': a tensor whose elements share memory', name, call,
      statistics(function() return metann.ones(1):expand(2) end))
  end
  for _, momentum in ipairs{ 0.1, false } do
    local layer = nn.BatchNorm1d(2, { momentum = momentum })
    layer.running_var:requires_grad_()
    assert.matches("BatchNorm1d: 'running_var' must not require grad", message(layer, x))
    assert.same({ 0, 0 }, layer.running_mean:to_table())
    assert.equal(0, layer.num_batches_tracked:item())
    metann.no_grad(layer, x)
    assert.equal(1, layer.num_batches_tracked:item())
  end
end)
