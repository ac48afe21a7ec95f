-- Layers and losses: what the reference vectors don't show: defaults, initial values, modes, inputs without a batch,
-- the functional forms, wrong use. Derivatives of order 3 by finite differences.
local metann = require 'metann'
local nn = metann.nn
local F = nn.functional

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function close(a, b, tolerance)
  local x, y = a:reshape(-1):to_table(), b:reshape(-1):to_table()
  assert.same(a.shape, b.shape)
  for i = 1, #x do assert.near(y[i], x[i], tolerance or 1e-5) end
end

local function range_of(t) return t:min():item(), t:max():item() end

local seed = os.time() % 100000
setup(function()
  print('seed ' .. seed)
  metann.manual_seed(seed)
end)

describe('initial values', function()
  -- A uniform distribution on -b .. b: inside, near the ends, and of standard deviation b / sqrt(3).
  local function is_uniform(t, bound)
    local low, high = range_of(t)
    assert.is_true(low >= -bound and high <= bound)
    assert.is_true(low < -0.97 * bound and high > 0.97 * bound)
    assert.near(bound / math.sqrt(3), t:std():item(), 0.05 * bound)
  end

  it('Linear and convolutions: uniform within 1 / sqrt(fan in)', function()
    local linear = nn.Linear(25, 2000)
    is_uniform(linear.weight, 1 / 5)
    is_uniform(linear.bias, 1 / 5)
    local conv = nn.Conv2d(4, 256, 3, { groups = 2 })
    is_uniform(conv.weight, 1 / math.sqrt(18))
    assert.same({ 256, 2, 3, 3 }, conv.weight.shape)
    local transposed = nn.ConvTranspose2d(64, 8, { 3, 2 })
    assert.same({ 64, 8, 3, 2 }, transposed.weight.shape)
    is_uniform(transposed.weight, 1 / math.sqrt(48))
    is_uniform(nn.Conv1d(2, 300, 5).weight, 1 / math.sqrt(10))
  end)

  it('norms, PReLU and Embedding', function()
    local norm = nn.BatchNorm2d(3)
    assert.same({ 1, 1, 1 }, norm.weight:to_table())
    assert.same({ 0, 0, 0 }, norm.bias:to_table())
    assert.same({ 0, 0, 0 }, norm.running_mean:to_table())
    assert.same({ 1, 1, 1 }, norm.running_var:to_table())
    assert.equal(0, norm.num_batches_tracked:item())
    assert.equal('int64', norm.num_batches_tracked.dtype)
    assert.same({ 0.25 }, nn.PReLU().weight:to_table())
    local rows = nn.Embedding(200, 50, { padding_idx = -1 }).weight
    assert.near(0, rows:mean():item(), 0.05)
    assert.near(1, rows:std():item(), 0.05)
    assert.equal(0, rows[200]:abs():sum():item())
  end)

  it('recurrent layers: uniform within 1 / sqrt(hidden size)', function()
    for _, name in ipairs{ 'RNN', 'LSTM', 'GRU' } do
      for _, module in ipairs{ nn[name](30, 64, { num_layers = 2, bidirectional = true }), nn[name .. 'Cell'](64, 64) } do
        for path, p in module:named_parameters() do
          local low, high = range_of(p)
          assert.is_true(low >= -1 / 8 and high <= 1 / 8)
          if path:find('weight') then is_uniform(p, 1 / 8) end
        end
      end
    end
    local projected = nn.LSTM(30, 64, { proj_size = 32 })
    is_uniform(projected.weight_hr_l0, 1 / 8)
    assert.same({ 256, 32 }, projected.weight_hh_l0.shape)
  end)

  it('attention: Glorot for what goes in, zero biases; Bilinear: uniform within 1 / sqrt(first size)', function()
    local attention = nn.MultiheadAttention(48, 4)
    is_uniform(attention.in_proj_weight, math.sqrt(6 / (4 * 48)))
    is_uniform(attention.out_proj.weight, 1 / math.sqrt(48))
    assert.equal(0, attention.in_proj_bias:abs():sum():item())
    assert.equal(0, attention.out_proj.bias:abs():sum():item())
    local parts = nn.MultiheadAttention(48, 4, { kdim = 24, vdim = 60, add_bias_kv = true })
    assert.is_nil(parts.in_proj_weight)
    is_uniform(parts.q_proj_weight, math.sqrt(6 / 96))
    is_uniform(parts.k_proj_weight, math.sqrt(6 / 72))
    is_uniform(parts.v_proj_weight, math.sqrt(6 / 108))
    assert.near(math.sqrt(2 / 96), parts.bias_k:std():item(), 0.06)
    is_uniform(nn.Bilinear(16, 10, 20).weight, 1 / 4)
    local layer = nn.TransformerEncoderLayer(16, 2)
    assert.same({ 2048, 16 }, layer.linear1.weight.shape)
    assert.equal(0.1, layer.dropout1.p)
    assert.equal(1e-5, layer.norm2.eps)
    is_uniform(nn.Conv3d(4, 64, 3).weight, 1 / math.sqrt(108))
  end)

  it('layers with parameters take a dtype and a device', function()
    for _, layer in ipairs{ nn.Linear(2, 3, { dtype = 'float64' }), nn.Conv2d(1, 1, 2, { dtype = 'float64', device = 'cpu' }),
      nn.BatchNorm2d(2, { dtype = 'float64' }), nn.LayerNorm(2, { dtype = 'float64' }), nn.LSTM(1, 1, { dtype = 'float64' }),
      nn.GRUCell(1, 1, { dtype = 'float64' }), nn.Embedding(2, 2, { dtype = 'float64' }), nn.PReLU{ dtype = 'float64' },
      nn.MultiheadAttention(2, 1, { dtype = 'float64' }), nn.Bilinear(1, 1, 1, { dtype = 'float64' }),
      nn.TransformerEncoderLayer(2, 1, { dtype = 'float64' }), nn.GroupNorm(1, 2, { dtype = 'float64' }) } do
      for p in layer:parameters() do assert.equal('float64', p.dtype) end
      for p in layer:buffers() do assert.is_true(p.dtype == 'float64' or p.dtype == 'int64') end
    end
    assert.matches("Linear: unknown option 'dtyp', did you mean 'dtype'", message(nn.Linear, 1, 1, { dtyp = 'float64' }))
    assert.matches('floating%-point dtype', message(nn.Linear, 1, 1, { dtype = 'int64' }))
  end)

  it('nn.init: eye, dirac, sparse, cut-off normal, orthogonal', function()
    local init = nn.init
    assert.same({ { 1, 0, 0 }, { 0, 1, 0 } }, init.eye_(metann.randn(2, 3)):to_table())
    -- a convolution with this weight hands its channels on
    local conv = nn.Conv2d(2, 4, 3, { padding = 1, bias = false })
    init.dirac_(conv.weight, { groups = 2 })
    local x = metann.randn(1, 2, 4, 5)
    close(conv(x), metann.cat({ x, x }, 2))
    local line = nn.Conv1d(2, 3, 2, { bias = false })
    init.dirac_(line.weight)
    local y = line(x[{ 1, {}, {}, {} }]:reshape(1, 2, 20))
    close(y[{ {}, { 1, 2 } }], x:reshape(1, 2, 20)[{ {}, {}, { 2, 20 } }])
    assert.equal(0, y[{ {}, 3 }]:abs():sum():item())
    local sparse = init.sparse_(metann.ones(10, 4), 0.25, 2)
    assert.same({ 3, 3, 3, 3 }, sparse:eq(0):float():sum(1):to_table())
    local cut = init.trunc_normal_(metann.empty(100, 100), { mean = 1, std = 2, a = 0, b = 2 })
    local low, high = range_of(cut)
    assert.is_true(low >= 0 and low < 0.01 and high <= 2 and high > 1.99)
    assert.near(1, cut:mean():item(), 0.03)
    -- of a normal of deviation 2 cut off half a deviation from its mean
    local density = math.exp(-0.125) / math.sqrt(2 * math.pi)
    assert.near(2 * math.sqrt(1 - density / 0.3829249), cut:std():item(), 0.02)
    for _, size in ipairs{ { 3, 7 }, { 7, 3 }, { 4, 2, 2 } } do
      local w = init.orthogonal_(metann.empty(size), 2):reshape(size[1], -1)
      local product = size[1] > w.shape[2] and w:t():matmul(w) or w:matmul(w:t())
      close(product, metann.eye(product.shape[1]) * 4)
    end
    assert.matches('sparse_: needs a tensor with 2 dims', message(init.sparse_, metann.ones(2), 0.5))
    assert.matches('eye_: needs a tensor with 2 dims', message(init.eye_, metann.ones(2)))
    assert.matches('dirac_: needs a tensor with 3 to 5 dims', message(init.dirac_, metann.ones(2, 2)))
    assert.matches("dirac_: dim 1 %(3%) must be divisible by 'groups' %(2%)", message(init.dirac_, metann.ones(3, 2, 1), 2))
    assert.matches('orthogonal_: needs a tensor with at least 2 dims', message(init.orthogonal_, metann.ones(2)))
    assert.matches("trunc_normal_: 'a' %(2%) must be below 'b' %(1%)", message(init.trunc_normal_, metann.ones(2),
      { a = 2, b = 1 }))
    assert.matches("unknown nonlinearity string 'rulu', did you mean 'relu'", message(init.calculate_gain, 'rulu'))
  end)

  it('nn.init', function()
    local w = metann.empty(40, 30, 3, 3)
    is_uniform(nn.init.xavier_uniform_(w), math.sqrt(6 / (270 + 360)))
    is_uniform(nn.init.kaiming_uniform_(w, { a = math.sqrt(5) }), 1 / math.sqrt(270))
    nn.init.kaiming_normal_(w, { mode = 'fan_out', nonlinearity = 'relu' })
    assert.near(math.sqrt(2 / 360), w:std():item(), 0.004)
    assert.near(math.sqrt(2 / 630) * 5 / 3,
      nn.init.xavier_normal_(w, nn.init.calculate_gain('tanh')):std():item(), 0.005)
    assert.near(2, nn.init.normal_(w, 2, 0.1):mean():item(), 0.02)
    is_uniform(nn.init.uniform_(w, -3, 3), 3)
    assert.equal(10800 * 7, nn.init.constant_(w, 7):sum():item())
    assert.equal(0, nn.init.zeros_(w):sum():item())
    assert.equal(10800, nn.init.ones_(w):sum():item())
    local p = nn.Linear(2, 2).weight
    assert.is_true(nn.init.ones_(p) == p)
    assert.is_true(p.is_leaf and p.requires_grad)
    assert.matches('at least 2 dims', message(nn.init.xavier_uniform_, metann.ones(3)))
    assert.matches("'tensor' must be a tensor", message(nn.init.zeros_, 3))
    assert.matches("'mode' must be one of", message(nn.init.kaiming_normal_, w, { mode = 'fan' }))
    assert.matches('unknown nonlinearity', message(nn.init.calculate_gain, 'x'))
  end)
end)

describe('layers', function()
  it('take inputs without a batch', function()
    local x = metann.randn(2, 6, 6)
    for _, layer in ipairs{ nn.Conv2d(2, 3, 3), nn.ConvTranspose2d(2, 3, 3), nn.MaxPool2d(2), nn.AvgPool2d(2),
      nn.AdaptiveAvgPool2d(2), nn.InstanceNorm2d(2) } do
      close(layer(x), layer(x:unsqueeze(1)):squeeze(1))
    end
    local line = metann.randn(2, 7)
    for _, layer in ipairs{ nn.Conv1d(2, 3, 3), nn.MaxPool1d(2) } do
      close(layer(line), layer(line:unsqueeze(1)):squeeze(1))
    end
    local loss = nn.CrossEntropyLoss()
    close(loss(metann.tensor{ 1, 2, 3 }, metann.tensor(2)), loss(metann.tensor{ { 1, 2, 3 } }, metann.tensor{ 2 }))
  end)

  it('Conv2d equals a sum over windows', function()
    local conv, x = nn.Conv2d(2, 1, { 2, 3 }, { stride = { 1, 2 }, padding = { 1, 0 } }), metann.randn(1, 2, 3, 5)
    local y = conv(x)
    assert.same({ 1, 1, 4, 2 }, y.shape)
    local padded = metann.zeros(1, 2, 5, 5)
    padded[{ {}, {}, { 2, 4 }, {} }] = x
    for i = 1, 4 do
      for j = 1, 2 do
        local window = padded[{ 1, {}, { i, i + 1 }, { 2 * j - 1, 2 * j + 1 } }]
        local sum = (window * conv.weight[1]):sum():item() + conv.bias:item()
        assert.near(sum, y[{ 1, 1, i, j }]:item(), 1e-5)
      end
    end
  end)

  it('Dropout drops in training mode only, and keeps the mean', function()
    local drop, x = nn.Dropout(0.25), metann.ones(100, 100)
    local y = drop(x)
    local zeros = y:eq(0):float():mean():item()
    assert.near(0.25, zeros, 0.03)
    local _, high = range_of(y)
    assert.near(4 / 3, high, 1e-6)
    assert.is_true(drop:eval()(x) == x)
    local planes = nn.Dropout2d(0.5)(metann.ones(30, 30, 2, 2))
    local sums = planes:sum({ 3, 4 })
    assert.is_true(metann.logical_or(sums:eq(0), sums:eq(8)):all():item() ~= 0)
    assert.near(0.5, sums:eq(0):float():mean():item(), 0.1)
    assert.matches("'p' must be a number from 0 to 1", message(nn.Dropout, 2))
    assert.equal(0, nn.Dropout(1)(metann.ones(5)):sum():item())
  end)

  it('BatchNorm tracks what it saw and uses it in evaluation mode', function()
    local norm, x = nn.BatchNorm1d(2), metann.tensor{ { 1, 10 }, { 3, 30 } }
    norm(x)
    close(norm.running_mean, metann.tensor{ 0.2, 2 })
    close(norm.running_var, metann.tensor{ 0.9 + 0.1 * 2, 0.9 + 0.1 * 200 })
    assert.equal(1, norm.num_batches_tracked:item())
    norm:eval()
    local y = norm(x)
    close(y[{ {}, 1 }], metann.tensor{ (1 - 0.2) / math.sqrt(1.1 + 1e-5), (3 - 0.2) / math.sqrt(1.1 + 1e-5) })
    assert.equal(1, norm.num_batches_tracked:item())
    assert.is_false(norm.running_mean.requires_grad)
    assert.matches('more than 1 value', message(nn.BatchNorm1d(2), metann.ones(1, 2)))
    assert.matches('size %(N, 2, H, W%), got float32 tensor of size %(2, 2%)', message(nn.BatchNorm2d(2), x))
    local mean_of_all = nn.BatchNorm1d(1, { momentum = false })
    mean_of_all(metann.tensor{ { 1 }, { 3 } })
    mean_of_all(metann.tensor{ { 5 }, { 7 } })
    close(mean_of_all.running_mean, metann.tensor{ 4 })
  end)

  it('Embedding looks rows up by numbers from 1', function()
    local rows = nn.Embedding(3, 2)
    local index = metann.tensor({ { 1, 3 }, { 3, 3 } }, { dtype = 'int64' })
    local y = rows(index)
    assert.same({ 2, 2, 2 }, y.shape)
    close(y[{ 1, 2 }], rows.weight[3])
    y:sum():backward()
    assert.same({ { 1, 1 }, { 0, 0 }, { 3, 3 } }, rows.weight.grad:to_table())
    close(F.embedding(index, rows.weight), y)
    assert.matches('0', message(rows, metann.tensor({ 0 }, { dtype = 'int64' })))
    assert.matches("'padding_idx' must be from 1 to 3", message(nn.Embedding, 3, 2, { padding_idx = 0 }))
  end)

  it('Embedding scales rows down to max_norm, in the table, but not in a view\'s', function()
    local rows = nn.Embedding(3, 2, { max_norm = 1 })
    metann.no_grad(function() rows.weight:copy_(metann.tensor{ { 3, 4 }, { 0.3, 0.4 }, { 6, 8 } }) end)
    local index = metann.tensor({ 1, 2 }, { dtype = 'int64' })
    local view = metann.ProtoModule(rows):functional{ rows.weight * 1 }
    close(view(index), metann.tensor{ { 0.6, 0.8 }, { 0.3, 0.4 } })
    assert.equal(3, rows.weight[1][1]:item())
    close(metann.ProtoModule(rows):functional({ false })(index), metann.tensor{ { 0.6, 0.8 }, { 0.3, 0.4 } })
    assert.equal(3, rows.weight[1][1]:item())
    close(rows(index), metann.tensor{ { 0.6, 0.8 }, { 0.3, 0.4 } })
    close(rows.weight:detach(), metann.tensor{ { 0.6, 0.8 }, { 0.3, 0.4 }, { 6, 8 } })
    local sums = nn.Embedding(1, 2, { max_norm = 1, norm_type = 1 })
    metann.no_grad(function() sums.weight:copy_(metann.tensor{ { 3, 1 } }) end)
    close(sums(metann.tensor{ 1 }), metann.tensor{ { 0.75, 0.25 } })
  end)

  it('Embedding counts rows, takes given ones, has no gradient at the padding', function()
    local rows = nn.Embedding(3, 1, { scale_grad_by_freq = true, padding_idx = 3 })
    rows(metann.tensor{ 1, 1, 2, 3 }):sum():backward()
    assert.same({ { 1 }, { 1 }, { 0 } }, rows.weight.grad:to_table())
    local given = nn.Embedding.from_pretrained(metann.tensor{ { 1, 2 }, { 3, 4 } }, { padding_idx = 1 })
    assert.is_false(given.weight.requires_grad)
    assert.same({ { 3, 4 } }, given(metann.tensor{ 2 }):to_table())
    assert.is_true(nn.Embedding.from_pretrained(metann.ones(2, 2), false).weight.requires_grad)
    assert.matches('must have 2 dims', message(nn.Embedding.from_pretrained, metann.ones(2)))
    assert.matches("'sparse' must be false", message(nn.Embedding, 2, 2, { sparse = true }))
    close(F.embedding(metann.tensor{ 1 }, metann.tensor{ { 3, 4 } }, { max_norm = 1 }), metann.tensor{ { 0.6, 0.8 } })
  end)

  it('AvgPool2d divides by what it is told', function()
    local pool = nn.AvgPool2d(2, { stride = 2, padding = 1, ceil_mode = true, divisor_override = 3 })
    local y = pool(metann.tensor{ { { 1, 2, 3, 4 }, { 5, 6, 7, 8 }, { 9, 10, 11, 12 } } })
    close(y, metann.tensor{ { { 1, 5, 4 }, { 14, 34, 20 } } } / 3)
    assert.matches("'divisor_override' must be a whole number other than 0", message(nn.AvgPool2d, 2, { divisor_override = 0 }))
  end)

  it('AdaptiveAvgPool2d leaves a side as it is', function()
    local x = metann.randn(2, 3, 4, 5)
    close(nn.AdaptiveAvgPool2d{ false, 1 }(x), x:mean(4, true))
    close(nn.AdaptiveAvgPool2d{ 1, false }(x), x:mean(3, true))
    assert.matches("'output_size' must be .*list of 2", message(nn.AdaptiveAvgPool2d, { 1, 2, 3 }))
    close(nn.AdaptiveMaxPool2d{ false, 1 }(x), x:amax(4, true))
    close(nn.AdaptiveMaxPool2d{ 1, false }(x[1]), x[1]:amax(2, true))
  end)

  it('ConvTranspose2d finds the size that it is asked for', function()
    local layer = nn.ConvTranspose2d(1, 1, 3, { stride = 2 })
    local x = metann.ones(1, 1, 3, 3)
    assert.same({ 1, 1, 7, 7 }, layer(x).shape)
    assert.same({ 1, 1, 8, 7 }, layer(x, { output_size = { 8, 7 } }).shape)
    close(layer(x, { 8, 7 })[{ {}, {}, { 1, 7 } }], layer(x))
    assert.matches("'output_size' must be from 7 to 8 in dim 1, got 9", message(layer, x, { output_size = 9 }))
  end)

  it('activations take inplace and give a new tensor', function()
    local x = metann.tensor{ -1, 2 }
    for _, layer in ipairs{ nn.ReLU(true), nn.LeakyReLU(0.1, true), nn.ELU{ inplace = true }, nn.SiLU(true),
      nn.Hardtanh{ inplace = true }, nn.Dropout(0.5, true):eval(), nn.Dropout2d{ inplace = true }:eval() } do
      layer(nn.is(layer, nn.Dropout2d) and x:reshape(1, 2, 1, 1) or x)
      assert.same({ -1, 2 }, x:to_table())
    end
    assert.same({ 0, 2 }, F.relu(x, { inplace = true }):to_table())
  end)

  it('Flatten and Unflatten', function()
    local x = metann.randn(2, 3, 4, 5)
    assert.same({ 2, 60 }, nn.Flatten()(x).shape)
    assert.same({ 6, 4, 5 }, nn.Flatten(1, 2)(x).shape)
    assert.same({ 2, 12, 5 }, nn.Flatten(2, -2)(x).shape)
    close(nn.Flatten()(x:transpose(2, 3)), x:transpose(2, 3):contiguous():view(2, 60))
    assert.same({ 2, 3, 2, 2, 5 }, nn.Unflatten(3, { 2, -1 })(x).shape)
    assert.matches("can't be split", message(nn.Unflatten(3, { 3, 2 }), x))
    assert.matches("'start_dim' must be a dim", message(nn.Flatten, 0))
    assert.matches("'end_dim' is 7", message(nn.Flatten(1, 7), x))
  end)

  it('refuse wrong arguments by name', function()
    assert.matches("Linear: 'out_features' must be given", message(nn.Linear, 3))
    assert.matches("Linear: 'in_features' must be a positive whole number, got number 2.5", message(nn.Linear, 2.5, 3))
    assert.matches("Conv2d: 'kernel_size' must be .*list of 2", message(nn.Conv2d, 1, 1, { 1, 2, 3 }))
    assert.matches("Conv2d: unknown option 'paddin', did you mean 'padding'",
      message(nn.Conv2d, 1, 1, 3, { paddin = 1 }))
    assert.matches("Conv2d: 'in_channels' %(3%) must be divisible by 'groups' %(2%)",
      message(nn.Conv2d, 3, 4, 3, { groups = 2 }))
    assert.matches("needs stride 1", message(nn.Conv2d, 1, 1, 3, { padding = 'same', stride = 2 }))
    assert.matches("GroupNorm: 'num_channels' %(4%) must be divisible", message(nn.GroupNorm, 3, 4))
    assert.matches("Softmax: 'dim' must be given", message(nn.Softmax))
    assert.matches("GELU: 'approximate' must be one of 'none', 'tanh'", message(nn.GELU, 'x'))
    assert.matches("MaxPool2d: 'padding' must be at most half", message(nn.MaxPool2d, 2, { padding = 2 }))
    assert.matches("Linear: takes 3 arguments, got 4", message(nn.Linear, 1, 2, true, 4))
  end)

  it('refuse wrong inputs by name', function()
    local x = metann.ones(2, 3)
    assert.matches("ReLU: 'input' must be a tensor, got string 'x'", message(nn.ReLU(), 'x'))
    assert.matches('Linear: .*%(%.%.%., 4%), got float32 tensor of size %(2, 3%)', message(nn.Linear(4, 1), x))
    assert.matches('Conv2d: .*%(N, 4, H, W%) or %(4, H, W%)', message(nn.Conv2d(4, 1, 1), x))
    assert.matches('Conv1d: .*%(N, 4, L%)', message(nn.Conv1d(4, 1, 1), x))
    assert.matches('MaxPool2d: .*%(N, C, H, W%)', message(nn.MaxPool2d(2), x))
    assert.matches('LayerNorm: the last dims .*%(4,%)', message(nn.LayerNorm(4), x))
    assert.matches('GroupNorm: .*%(N, 4, %.%.%.%)', message(nn.GroupNorm(2, 4), x))
    assert.matches('InstanceNorm2d: ', message(nn.InstanceNorm2d(3), x))
    assert.matches('PReLU: .*4 channels', message(nn.PReLU(4), x))
    assert.matches('Dropout2d: ', message(nn.Dropout2d(), x))
    assert.matches('nn_layers_spec.lua', message(function() return nn.Linear(4, 1)(x) end))
  end)
end)

describe('recurrent layers and attention', function()
  it('walk as their cells do, and take their own state back', function()
    for _, name in ipairs{ 'RNN', 'LSTM', 'GRU' } do
      local layer, cell = nn[name](3, 4), nn[name .. 'Cell'](3, 4)
      for _, part in ipairs{ 'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh' } do cell[part] = layer[part .. '_l0'] end
      local x = metann.randn(5, 2, 3)
      local y, state = layer(x)
      local h, c
      for t = 1, 5 do
        if name == 'LSTM' then h, c = cell(x[t], c and { h, c }) else h = cell(x[t], h) end
        close(y[t], h)
      end
      local first, middle = layer(x[{ { 1, 3 } }])
      local rest, last = layer(x[{ { 4, 5 } }], middle)
      close(metann.cat({ first, rest }, 1), y)
      close(name == 'LSTM' and last[2] or last, name == 'LSTM' and state[2] or state)
      close(layer(x[{ {}, 1 }]), y[{ {}, 1 }])
      close((cell(x[1][1])), (cell(x[1]))[1])
      assert.matches(name .. ": 'input' must be a tensor of size %(L, N, 3%)", message(layer, metann.ones(5, 2, 4)))
      assert.matches(name .. ": 'h' must have size %(1, 2, 4%)", message(layer, x,
        name == 'LSTM' and { metann.ones(1, 2, 3), metann.ones(1, 2, 4) } or metann.ones(1, 2, 3)))
      assert.matches(name .. 'Cell: the state must be', message(cell, x[1], 3))
    end
    assert.equal('LSTM(3, 4, num_layers=2, batch_first=true)', tostring(nn.LSTM(3, 4, 2, { batch_first = true })))
    assert.matches("RNN: 'nonlinearity' must be one of", message(nn.RNN, 1, 1, { nonlinearity = 'x' }))
    assert.matches("LSTM: 'proj_size' %(4%) must be below 'hidden_size' %(4%)", message(nn.LSTM, 3, 4, { proj_size = 4 }))
    assert.matches("GRU: unknown option 'proj_size'", message(nn.GRU, 3, 4, { proj_size = 2 }))
    local projected = nn.LSTM(3, 4, { proj_size = 2 })
    assert.matches("LSTM: 'c' must have size %(1, 2, 4%)", message(projected, metann.ones(5, 2, 3),
      { metann.ones(1, 2, 2), metann.ones(1, 2, 2) }))
  end)

  it('attention weights sum to 1 and masks hide', function()
    local attention, x = nn.MultiheadAttention(4, 2, { batch_first = true }), metann.randn(2, 3, 4)
    local y, weights = attention(x, x, x)
    assert.same({ 2, 3, 4 }, y.shape)
    close(weights:sum(3), metann.ones(2, 3))
    local hidden = metann.tensor{ { false, false, true }, { false, true, true } }
    local _, seen = attention(x, x, x, { key_padding_mask = hidden, average_attn_weights = false })
    assert.same({ 2, 2, 3, 3 }, seen.shape)
    assert.equal(0, seen[{ 2, {}, {}, { 2, 3 } }]:abs():sum():item())
    local alone = attention(x[1], x[1], x[1], { need_weights = false })
    close(alone, y[1])
    assert.matches("'embed_dim' %(5%) must be divisible", message(nn.MultiheadAttention, 5, 2))
    assert.matches("'attn_mask' must have size %(3, 3%) or %(4, 3, 3%), got %(2, 3%)", message(attention, x, x, x,
      { attn_mask = metann.ones(2, 3) }))
    assert.matches("'key_padding_mask' must have size %(2, 3%), got %(3, 2%)", message(attention, x, x, x,
      { key_padding_mask = metann.ones(3, 2):ne(1) }))
    assert.matches("must have the same batch", message(attention, x, x[{ { 1, 1 } }], x[{ { 1, 1 } }]))
    assert.matches("'value' must be a tensor of size %(N, L, 5%)",
      message(nn.MultiheadAttention(4, 2, { vdim = 5, batch_first = true }), x, x, x))
    assert.matches("unknown option 'attn_msk', did you mean 'attn_mask'", message(attention, x, x, x,
      { attn_msk = metann.ones(3, 3) }))
    assert.matches("'key' must be a tensor of size %(N, L, 4%)", message(attention, x, metann.ones(2, 3, 5), x))
  end)

  it('an encoder layer takes both orders and masks', function()
    local x = metann.randn(2, 3, 4)
    for _, first in ipairs{ true, false } do
      local layer = nn.TransformerEncoderLayer(4, 2, { dim_feedforward = 8, norm_first = first, batch_first = true })
      layer:eval()
      local y = layer(x)
      local causal = metann.tensor{ { false, true, true }, { false, false, true }, { false, false, false } }
      local z = layer(x, { src_mask = causal })
      assert.same(x.shape, y.shape)
      close(z[{ {}, 3 }], y[{ {}, 3 }])
      close(z[{ {}, 1 }], layer(x[{ {}, { 1, 1 } }])[{ {}, 1 }])
    end
  end)

  it('Upsample repeats and interpolates', function()
    local x = metann.tensor{ { { 1, 3 } } }
    assert.same({ { { 1, 1, 3, 3 } } }, nn.Upsample{ scale_factor = 2 }(x):to_table())
    assert.same({ { { 1, 1.5, 2.5, 3 } } }, nn.Upsample{ size = 4, mode = 'linear' }(x):to_table())
    assert.same({ { { 1, 2, 3 } } }, nn.Upsample{ size = 3, mode = 'linear', align_corners = true }(x):to_table())
    assert.matches("either 'size' or 'scale_factor'", message(nn.Upsample, {}))
    local line = metann.randn(1, 1, 5)
    close(nn.Upsample{ scale_factor = 1.5, mode = 'linear', recompute_scale_factor = true }(line),
      nn.Upsample{ size = 7, mode = 'linear' }(line))
    assert.matches("mode 'bilinear' needs 2 spatial dims", message(nn.Upsample{ size = 3, mode = 'bilinear' }, x))
  end)

  it('Bilinear is a sum over pairs', function()
    local layer, a, b = nn.Bilinear(2, 3, 1), metann.randn(2), metann.randn(3)
    local sum = layer.bias:item()
    for i = 1, 2 do
      for j = 1, 3 do sum = sum + a[i]:item() * layer.weight[{ 1, i, j }]:item() * b[j]:item() end
    end
    assert.near(sum, layer(a, b):item(), 1e-5)
    assert.matches("Bilinear: 'input2' must be a tensor of size %(%.%.%., 3%)", message(layer, a, a))
  end)
end)

describe('losses', function()
  it('refuse sizes that would broadcast', function()
    for _, name in ipairs{ 'MSELoss', 'L1Loss', 'SmoothL1Loss', 'HuberLoss', 'BCELoss', 'BCEWithLogitsLoss',
      'KLDivLoss' } do
      assert.matches(name .. ": 'input' and 'target' must have the same size, got %(4, 1%) and %(4,%)",
        message(nn[name](), metann.ones(4, 1), metann.ones(4)))
      assert.matches(name .. ": 'target' must be given", message(nn[name](), metann.ones(4)))
      assert.matches(name .. ": 'reduction' must be one of", message(nn[name], { reduction = 'avg' }))
    end
  end)

  it("CrossEntropyLoss takes labels from 1, as floats too, and says what doesn't fit", function()
    local loss = nn.CrossEntropyLoss()
    local x = metann.tensor{ { 0, 0, 0 }, { 1, 2, 3 } }
    local z = math.log(math.exp(1) + math.exp(2) + math.exp(3))
    assert.near((math.log(3) + z - 3) / 2, loss(x, metann.tensor{ 1, 3 }):item(), 1e-6)
    assert.matches('0', message(loss, x, metann.tensor{ 0, 1 }))
    assert.matches('4', message(loss, x, metann.tensor{ 4, 1 }))
    assert.matches("'target' of size %(3,%) doesn't fit 'input' of size %(2, 3%)",
      message(loss, x, metann.tensor{ 1, 2, 3 }))
    assert.matches("'weight' must have size %(3,%)", message(nn.CrossEntropyLoss(metann.ones(2)), x,
      metann.tensor{ 1, 2 }))
    assert.matches("'label_smoothing' must be a number from 0 to 1", message(nn.CrossEntropyLoss,
      { label_smoothing = 2 }))
    assert.same({ 'weight' }, nn.CrossEntropyLoss(metann.ones(3)):state_dict():keys())
  end)

  it('BCELoss is finite at probabilities of 0 and 1, and so are its derivatives', function()
    for _, dtype in ipairs{ 'float32', 'float64' } do
      local x = metann.tensor({ 0, 1, 0, 1, 0.5 }, { dtype = dtype, requires_grad = true })
      local loss = nn.BCELoss{ reduction = 'none' }(x, metann.tensor({ 0, 1, 1, 0, 1 }, { dtype = dtype }))
      close(loss:float(), metann.tensor{ 0, 0, 100, 100, math.log(2) })
      local d = metann.grad(loss:sum(), x, { create_graph = true })
      close(d:float(), metann.tensor{ 1, -1, 0, 0, -2 })
      close(metann.grad(d:sum(), x):float(), metann.tensor{ 1, 1, 0, 0, 4 })
    end
  end)

  it('are functions too', function()
    local x, t = metann.randn(4, 3), metann.rand(4, 3)
    close(F.mse_loss(x, t, { reduction = 'sum' }), nn.MSELoss('sum')(x, t))
    close(F.mse_loss(x, t), nn.MSELoss()(x, t))
    local labels, weight = metann.tensor{ 1, 2, 3, 1 }, metann.tensor{ 1, 2, 3 }
    close(F.cross_entropy(x, labels, { weight = weight, label_smoothing = 0.1 }),
      nn.CrossEntropyLoss(weight, { label_smoothing = 0.1 })(x, labels))
    close(F.nll_loss(x:log_softmax(2), labels), F.cross_entropy(x, labels))
    close(F.binary_cross_entropy_with_logits(x, t), F.binary_cross_entropy(x:sigmoid(), t))
    close(F.smooth_l1_loss(x, t, { beta = 0.5 }), nn.SmoothL1Loss{ beta = 0.5 }(x, t))
    close(F.smooth_l1_loss(x, t, { beta = 0 }), F.l1_loss(x, t))
    close(F.triplet_margin_loss(x, t, x + 1, { swap = true }), nn.TripletMarginLoss{ swap = true }(x, t, x + 1))
    assert.matches("mse_loss: unknown option 'reductoin'", message(F.mse_loss, x, t, { reductoin = 'sum' }))
    assert.matches("did you mean 'mse_loss'", message(function() return F.mse_lss end))
  end)
end)

describe('functional', function()
  it('computes what the layers compute', function()
    local x = metann.randn(2, 3, 4, 4)
    close(F.relu(x), nn.ReLU()(x))
    close(F.leaky_relu(x, 0.2), nn.LeakyReLU(0.2)(x))
    close(F.gelu(x, { approximate = 'tanh' }), nn.GELU('tanh')(x))
    close(F.softmax(x, 2), nn.Softmax(2)(x))
    close(F.max_pool2d(x, 2), nn.MaxPool2d(2)(x))
    close(F.avg_pool2d(x, { 2, 1 }), nn.AvgPool2d{ kernel_size = { 2, 1 } }(x))
    local conv = nn.Conv2d(3, 2, 3)
    close(F.conv2d(x, conv.weight, conv.bias), conv(x))
    local linear = nn.Linear(4, 2)
    close(F.linear(x, linear.weight, linear.bias), linear(x))
    close(F.layer_norm(x, 4), nn.LayerNorm(4)(x))
    local norm = nn.BatchNorm2d(3)
    close(F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, true),
      nn.BatchNorm2d(3)(x))
    close(F.batch_norm(x, norm.running_mean, norm.running_var), norm:eval()(x))
    assert.is_true(F.dropout(x, { training = false }) == x)
    assert.same(x.shape, F.dropout(x, 0.5, true, true).shape)
    close(F.avg_pool1d(x[1], 2), (x[1][{ {}, {}, { 1, 4, 2 } }] + x[1][{ {}, {}, { 2, 4, 2 } }]) / 2)
    close(F.prelu(x, metann.tensor{ 0.25 }), nn.PReLU()(x))
    assert.matches("'running_mean' and 'running_var' must be given", message(F.batch_norm, x))
    local group = nn.GroupNorm(3, 3)
    close(F.group_norm(x, 3, group.weight, group.bias), group(x))
    assert.matches('channels that 2 divides', message(F.group_norm, x, 2))
    local instance = nn.InstanceNorm2d(3, { track_running_stats = true })
    close(F.instance_norm(x), instance(x))
    close(F.instance_norm(x, instance.running_mean, instance.running_var, { use_input_stats = false }), instance:eval()(x))
    assert.matches('must be given without use_input_stats', message(F.instance_norm, x, { use_input_stats = false }))
    local bilinear = nn.Bilinear(4, 4, 2)
    close(F.bilinear(x, x + 1, bilinear.weight, bilinear.bias), bilinear(x, x + 1))
    local slopes = nn.PReLU(3)
    close(F.prelu(x, slopes.weight), slopes(x))
    assert.is_true(F.dropout2d(x, { training = false }) == x)
    assert.matches('dropout2d: ', message(F.dropout2d, metann.ones(2)))
  end)

  it('measures distances and attends', function()
    local a, b = metann.tensor{ { 3, 0 }, { 1, 1 } }, metann.tensor{ { 0, 4 }, { 1, 1 } }
    close(F.pairwise_distance(a, b, { eps = 0 }), metann.tensor{ 5, 0 })
    close(F.pairwise_distance(a, b, { p = 1, eps = 0, keepdim = true }), metann.tensor{ { 7 }, { 0 } })
    close(F.pairwise_distance(a, b, { p = math.huge, eps = 0 }), metann.tensor{ 4, 0 })
    -- one head without projections
    local attention, x = nn.MultiheadAttention(4, 1, { bias = false, batch_first = true }), metann.randn(2, 3, 4)
    local eye = metann.eye(4)
    attention:load_state_dict{ in_proj_weight = metann.cat({ eye, eye, eye }, 1), ['out_proj.weight'] = eye }
    close(F.scaled_dot_product_attention(x, x, x), (attention(x, x, x)))
    local later = metann.tensor{ { false, true, true }, { false, false, true }, { false, false, false } }
    close(F.scaled_dot_product_attention(x, x, x, { is_causal = true }), (attention(x, x, x, { attn_mask = later })))
    close(F.scaled_dot_product_attention(x, x, x, { attn_mask = later:logical_not() }),
      (attention(x, x, x, { attn_mask = later })))
    close(F.scaled_dot_product_attention(x, x, x, { attn_mask = metann.ones(3, 3) }), (attention(x, x, x)))
    assert.matches('not both', message(F.scaled_dot_product_attention, x, x, x, { attn_mask = later, is_causal = true }))
  end)
end)

describe('derivatives of order 3', function()
  local function check(name, module, ...)
    local inputs = { ... }
    it(name, function()
      module:double()
      local leaves = {}
      for i, x in ipairs(inputs) do leaves[i] = x:double():detach():requires_grad_(true) end
      assert.is_true(metann.gradcheck(function(...) return module(...) end, leaves, { order = 3 }))
    end)
  end
  check('LayerNorm', nn.LayerNorm(3), metann.randn(2, 3))
  check('GroupNorm', nn.GroupNorm(1, 2), metann.randn(1, 2, 3))
  check('InstanceNorm2d', nn.InstanceNorm2d(1), metann.randn(1, 1, 2, 2))
  check('BatchNorm1d', nn.BatchNorm1d(2, { track_running_stats = false }), metann.randn(4, 2))
  check('HuberLoss', nn.HuberLoss{ delta = 0.7 }, metann.tensor{ 0.1, 2, -3 }, metann.tensor{ 0.3, 0.2, 0.1 })
  check('BCEWithLogitsLoss', nn.BCEWithLogitsLoss(), metann.tensor{ 0.1, 2, -3 }, metann.tensor{ 0.3, 0.2, 0.1 })
  check('CosineEmbeddingLoss', nn.Sequential(nn.Linear(2, 2), nn.Tanh()), metann.randn(2, 2))
end)

describe('nn.utils', function()
  local function with_grads(...)
    local list = {}
    for i, values in ipairs{ ... } do
      list[i] = nn.Parameter(metann.zeros(#values))
      list[i].grad = metann.tensor(values)
    end
    return list
  end

  it('clip_grad_norm_', function()
    local list = with_grads({ 3, 0 }, { 4 })
    list[3] = nn.Parameter(metann.ones(2))
    assert.near(5, nn.utils.clip_grad_norm_(list, 1):item(), 1e-6)
    assert.near(0.6, list[1].grad[1]:item(), 1e-5)
    assert.near(0.8, list[2].grad[1]:item(), 1e-5)
    nn.utils.clip_grad_norm_(list, 10)
    assert.near(0.6, list[1].grad[1]:item(), 1e-5)
    local other = with_grads({ 3, -4 })
    assert.near(4, nn.utils.clip_grad_norm_(other, 2, math.huge):item(), 1e-6)
    assert.near(-2, other[1].grad[2]:item(), 1e-5)
    assert.near(7, nn.utils.clip_grad_norm_(with_grads({ 3, -4 }), 2, { norm_type = 1 }):item(), 1e-6)
    assert.equal(0, nn.utils.clip_grad_norm_({ nn.Parameter(metann.ones(1)) }, 1):item())
    assert.matches("'max_norm' must be", message(nn.utils.clip_grad_norm_, list, 'x'))
    assert.matches("'max_norm' must be", message(nn.utils.clip_grad_norm_, list, 0 / 0))
    assert.matches("'norm_type' must be", message(nn.utils.clip_grad_norm_, list, 1, 0))
    local broken = with_grads({ 1, math.huge })
    assert.matches('norm of the gradients is inf', message(nn.utils.clip_grad_norm_, broken, 1,
      { error_if_nonfinite = true }))
    assert.equal(1, broken[1].grad[1]:item())
    assert.matches("unknown option 'norm_typ'", message(nn.utils.clip_grad_norm_, list, 1, { norm_typ = 1 }))
  end)

  it('clip_grad_value_', function()
    local list = with_grads({ 3, -4, 0.5 })
    nn.utils.clip_grad_value_(list, 1)
    assert.same({ 1, -1, 0.5 }, list[1].grad:to_table())
    assert.matches("'clip_value' must be", message(nn.utils.clip_grad_value_, list, -1))
    assert.matches("'clip_value' must be", message(nn.utils.clip_grad_value_, list, 0 / 0))
  end)

  it('parameters as a vector and back', function()
    local net = nn.Linear(2, 3)
    local vector = nn.utils.parameters_to_vector(net:parameters())
    assert.same({ 9 }, vector.shape)
    local doubled = (vector * 2):detach()
    nn.utils.vector_to_parameters(doubled, net:parameters())
    close(nn.utils.parameters_to_vector(net:named_parameters()):detach(), doubled)
    vector:sum():backward()
    assert.equal(6, net.weight.grad:sum():item())
    assert.matches('have 9 elements', message(nn.utils.vector_to_parameters, metann.ones(8), net:parameters()))
    assert.matches('1%-dim', message(nn.utils.vector_to_parameters, metann.ones(3, 3), net:parameters()))
  end)
end)
