--- Every layer and loss, small, with inputs and the sizes of what comes out: what specs loop over.
-- A case is {class, make, inputs, out, options}: `inputs` is a list of sizes (random float64 numbers that are
-- differentiated) or functions that make a constant; `out` the list of sizes of the tensors that come out, states in
-- lists included. Options: order (2) up to which derivatives are checked; drops=true: other values in training mode
-- than in evaluation mode; batch=true likewise, but deterministic.
local metann = require 'metann'
local nn = metann.nn

local cases = {}

local function add(class, make, inputs, out, options)
  cases[#cases + 1] = { class = class, make = make, inputs = inputs, out = out, options = options or {} }
end

--- A constant input; numbers from 1 for labels and rows.
local function labels(...)
  local list = { ... }
  return function() return metann.tensor(list, { dtype = 'int64' }) end
end
local function constant(values, dtype)
  return function() return metann.tensor(values, { dtype = dtype or 'float64' }) end
end
local function mask(values)
  return function() return metann.tensor(values) end
end
--- Numbers strictly between 0 and 1, differentiated.
local function parts(...)
  local sizes = { ... }
  return { parts = sizes }
end

-- ---- linear, shape, containers ----
add('Linear', function() return nn.Linear(3, 2) end, { { 2, 3 } }, { { 2, 2 } }, { order = 3 })
add('Linear', function() return nn.Linear(3, 2, false) end, { { 2, 2, 3 } }, { { 2, 2, 2 } })
add('Bilinear', function() return nn.Bilinear(2, 3, 2) end, { { 2, 2 }, { 2, 3 } }, { { 2, 2 } }, { order = 3 })
add('Identity', function() return nn.Identity() end, { { 2, 3 } }, { { 2, 3 } })
add('Flatten', function() return nn.Flatten() end, { { 2, 3, 2 } }, { { 2, 6 } })
add('Unflatten', function() return nn.Unflatten(2, { 2, -1 }) end, { { 2, 6 } }, { { 2, 2, 3 } })
add('Sequential', function() return nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)) end, { { 2, 2 } },
  { { 2, 1 } })

-- ---- convolution and pooling ----
add('Conv1d', function() return nn.Conv1d(2, 2, 2, { padding = 1, stride = 2 }) end, { { 1, 2, 4 } }, { { 1, 2, 3 } })
add('Conv1d', function() return nn.Conv1d(1, 2, 3, { padding = 'same', dilation = 2, padding_mode = 'circular' }) end,
  { { 1, 1, 5 } }, { { 1, 2, 5 } })
add('Conv2d', function() return nn.Conv2d(2, 2, 2, { groups = 2 }) end, { { 1, 2, 3, 3 } }, { { 1, 2, 2, 2 } }, { order = 3 })
for _, mode in ipairs{ 'zeros', 'reflect', 'replicate', 'circular' } do
  add('Conv2d', function() return nn.Conv2d(1, 1, { 2, 3 }, { padding = 1, padding_mode = mode }) end, { { 1, 1, 3, 3 } },
    { { 1, 1, 4, 3 } })
end
add('Conv3d', function() return nn.Conv3d(1, 1, 2) end, { { 1, 1, 3, 2, 2 } }, { { 1, 1, 2, 1, 1 } })
add('ConvTranspose2d', function() return nn.ConvTranspose2d(2, 1, 2, { stride = 2, output_padding = 1 }) end,
  { { 1, 2, 2, 2 } }, { { 1, 1, 5, 5 } })
add('ConvTranspose1d', function() return nn.ConvTranspose1d(2, 4, 2, { stride = 2, padding = 1, groups = 2 }) end,
  { { 1, 2, 3 } }, { { 1, 4, 4 } })
add('ConvTranspose3d', function() return nn.ConvTranspose3d(2, 2, { 2, 1, 2 }, { stride = { 1, 2, 1 }, groups = 2,
  dilation = { 2, 1, 1 }, padding = { 1, 0, 0 }, output_padding = { 1, 1, 0 } }) end,
  { { 1, 2, 2, 1, 1 } }, { { 1, 2, 3, 2, 2 } })
add('MaxPool1d', function() return nn.MaxPool1d(2) end, { { 1, 2, 4 } }, { { 1, 2, 2 } })
add('MaxPool2d', function() return nn.MaxPool2d(2, { stride = 1 }) end, { { 1, 1, 3, 3 } }, { { 1, 1, 2, 2 } }, { order = 3 })
add('AvgPool2d', function() return nn.AvgPool2d(2, { padding = 1, divisor_override = 3 }) end, { { 1, 1, 4, 4 } },
  { { 1, 1, 3, 3 } })
add('AdaptiveAvgPool2d', function() return nn.AdaptiveAvgPool2d{ 2, false } end, { { 1, 1, 3, 2 } }, { { 1, 1, 2, 2 } })
add('AdaptiveMaxPool2d', function() return nn.AdaptiveMaxPool2d(2) end, { { 1, 1, 3, 3 } }, { { 1, 1, 2, 2 } })
add('MaxPool3d', function() return nn.MaxPool3d(2, { stride = 1, padding = 1, dilation = { 2, 1, 1 } }) end,
  { { 1, 2, 3, 2, 2 } }, { { 1, 2, 3, 3, 3 } })
add('AvgPool1d', function() return nn.AvgPool1d(2, { padding = 1, count_include_pad = false }) end, { { 1, 2, 4 } },
  { { 1, 2, 3 } })
for _, o in ipairs{ {}, { divisor_override = 3 }, { count_include_pad = false }, { ceil_mode = true } } do
  o.padding, o.stride = { 0, 1, 1 }, 2
  add('AvgPool3d', function() return nn.AvgPool3d({ 2, 2, 3 }, o) end, { { 1, 1, 3, 2, 3 } },
    { { 1, 1, o.ceil_mode and 2 or 1, 2, 2 } })
end
add('AdaptiveAvgPool1d', function() return nn.AdaptiveAvgPool1d(2) end, { { 1, 2, 3 } }, { { 1, 2, 2 } })
add('AdaptiveAvgPool3d', function() return nn.AdaptiveAvgPool3d{ 2, false, 1 } end, { { 1, 1, 3, 2, 2 } },
  { { 1, 1, 2, 2, 1 } })
add('AdaptiveMaxPool1d', function() return nn.AdaptiveMaxPool1d(2) end, { { 1, 2, 3 } }, { { 1, 2, 2 } })
add('AdaptiveMaxPool3d', function() return nn.AdaptiveMaxPool3d{ 2, false, 1 } end, { { 1, 1, 3, 2, 2 } },
  { { 1, 1, 2, 2, 1 } })
for _, mode in ipairs{ 'nearest', 'bilinear', 'bicubic' } do
  add('Upsample', function() return nn.Upsample{ size = { 3, 4 }, mode = mode } end, { { 1, 1, 2, 3 } }, { { 1, 1, 3, 4 } })
end

for n, size in ipairs{ { 3 }, { 2, 3 }, { 2, 2, 3 } } do
  local inputs, out = { { 1, 1, unpack(size) } }, { 1, 1 }
  local pads = { 1, 2, 1, 0, -1, 1 }
  for i = 1, n do out[2 + i] = size[i] + pads[2 * (n - i) + 1] + pads[2 * (n - i) + 2] end
  for _, mode in ipairs{ 'Zero', 'Constant', 'Reflection', 'Replication', 'Circular' } do
    add(('%sPad%dd'):format(mode, n), function()
      local given = { unpack(pads, 1, 2 * n) }
      return nn[('%sPad%dd'):format(mode, n)](given, mode == 'Constant' and 3.5 or nil)
    end, inputs, { out })
  end
  local indices, unpooled = metann.ones(1, 1, unpack(size)), { 1, 1 }
  indices = (indices:reshape(-1):cumsum(1) * 2):long():reshape(indices.shape)
  for i = 1, n do unpooled[2 + i] = 2 * size[i] end
  add(('MaxUnpool%dd'):format(n), function() return nn[('MaxUnpool%dd'):format(n)](2) end,
    { inputs[1], function() return indices end }, { unpooled })
end
for n, out in ipairs{ { 1, 1, 2 }, { 1, 1, 1, 2 }, { 1, 1, 1, 1, 2 } } do
  add(('LPPool%dd'):format(n), function() return nn[('LPPool%dd'):format(n)](3, 2, { stride = 1 }) end,
    { parts(1, 1, unpack({ 2, 2, 3 }, 4 - n)) }, { out }, { order = 3 })
end
add('FractionalMaxPool2d', function()
  return nn.FractionalMaxPool2d(2, { output_size = { 2, 1 }, _random_samples = metann.tensor{ { { 0.3, 0.7 } } } })
end, { { 1, 1, 4, 3 } }, { { 1, 1, 2, 1 } })
add('FractionalMaxPool3d', function()
  return nn.FractionalMaxPool3d(2, { output_ratio = 0.7, _random_samples = metann.tensor{ { { 0.3, 0.7, 0.9 } } } })
end, { { 1, 1, 4, 3, 3 } }, { { 1, 1, 2, 2, 2 } })
add('LocalResponseNorm', function() return nn.LocalResponseNorm(2, { alpha = 0.5 }) end, { { 1, 3, 2 } }, { { 1, 3, 2 } },
  { order = 3 })
add('PixelShuffle', function() return nn.PixelShuffle(2) end, { { 4, 1, 2 } }, { { 1, 2, 4 } })
add('PixelUnshuffle', function() return nn.PixelUnshuffle(2) end, { { 1, 2, 4 } }, { { 4, 1, 2 } })
add('ChannelShuffle', function() return nn.ChannelShuffle(2) end, { { 1, 4, 2 } }, { { 1, 4, 2 } })
add('Unfold', function() return nn.Unfold(2, { padding = { 1, 0 } }) end, { { 1, 1, 2, 3 } }, { { 1, 4, 6 } })
add('Fold', function() return nn.Fold({ 2, 3 }, 2, { padding = { 1, 0 } }) end, { { 1, 4, 6 } }, { { 1, 1, 2, 3 } })
for _, name in ipairs{ 'UpsamplingNearest2d', 'UpsamplingBilinear2d' } do
  add(name, function() return nn[name]{ scale_factor = 2 } end, { { 1, 1, 2, 2 } }, { { 1, 1, 4, 4 } })
end

-- ---- norms, dropout, embedding ----
add('BatchNorm1d', function() return nn.BatchNorm1d(2) end, { { 4, 2 } }, { { 4, 2 } }, { batch = true, order = 3 })
add('BatchNorm1d', function() return nn.BatchNorm1d(2, { affine = false, track_running_stats = false }) end, { { 3, 2, 2 } },
  { { 3, 2, 2 } })
add('BatchNorm2d', function() return nn.BatchNorm2d(2, { momentum = false }) end, { { 2, 2, 2, 2 } }, { { 2, 2, 2, 2 } },
  { batch = true })
add('LayerNorm', function() return nn.LayerNorm{ 2, 2 } end, { { 2, 2, 2 } }, { { 2, 2, 2 } }, { order = 3 })
add('GroupNorm', function() return nn.GroupNorm(2, 4) end, { { 2, 4, 2 } }, { { 2, 4, 2 } })
add('InstanceNorm2d', function() return nn.InstanceNorm2d(2, { affine = true }) end, { { 2, 2, 2, 2 } }, { { 2, 2, 2, 2 } })
add('InstanceNorm2d', function() return nn.InstanceNorm2d(2, { affine = true, track_running_stats = true }) end,
  { { 2, 2, 2, 2 } }, { { 2, 2, 2, 2 } }, { batch = true })
add('BatchNorm3d', function() return nn.BatchNorm3d(2) end, { { 2, 2, 1, 2, 2 } }, { { 2, 2, 1, 2, 2 } }, { batch = true })
add('InstanceNorm1d', function() return nn.InstanceNorm1d(2, { affine = true }) end, { { 2, 2, 3 } }, { { 2, 2, 3 } })
add('InstanceNorm3d', function() return nn.InstanceNorm3d(1, { affine = true, track_running_stats = true }) end,
  { { 2, 1, 2, 1, 2 } }, { { 2, 1, 2, 1, 2 } }, { batch = true })
add('RMSNorm', function() return nn.RMSNorm(3) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('RMSNorm', function() return nn.RMSNorm({ 2, 2 }, { eps = 0.1, elementwise_affine = false }) end, { { 2, 2, 2 } },
  { { 2, 2, 2 } })
for n, size in ipairs{ { 4, 5, 2 }, { 4, 5, 1, 1 }, { 4, 5, 1, 1, 2 } } do
  if n ~= 2 then
    add(('Dropout%dd'):format(n), function() return nn[('Dropout%dd'):format(n)](0.5) end, { size }, { size }, { drops = true })
  end
end
for _, name in ipairs{ 'AlphaDropout', 'FeatureAlphaDropout', 'RReLU' } do
  add(name, function() return nn[name]() end, { { 4, 5, 2 } }, { { 4, 5, 2 } }, { drops = true })
end
add('Dropout', function() return nn.Dropout(0.5) end, { { 4, 5 } }, { { 4, 5 } }, { drops = true })
add('Dropout2d', function() return nn.Dropout2d(0.5) end, { { 4, 5, 1, 1 } }, { { 4, 5, 1, 1 } }, { drops = true })
add('Embedding', function() return nn.Embedding(4, 2, { padding_idx = 2 }) end, { labels(1, 3, 1) }, { { 3, 2 } })
for _, mode in ipairs{ 'sum', 'mean', 'max' } do
  add('EmbeddingBag', function() return nn.EmbeddingBag(4, 2, { mode = mode, padding_idx = 2 }) end,
    { labels({ 1, 3, 1 }, { 2, 2, 4 }) }, { { 2, 2 } }, { order = 3 })
  add('EmbeddingBag', function() return nn.EmbeddingBag(4, 2, { mode = mode, include_last_offset = true }) end,
    { labels(1, 3, 1, 4), labels(1, 3, 3, 5) }, { { 3, 2 } })
end

-- ---- over time ----
for _, name in ipairs{ 'RNN', 'LSTM', 'GRU' } do
  local states = name == 'LSTM' and 2 or 1
  local function sizes(y, h)
    local out = { y }
    for i = 1, states do out[1 + i] = h end
    return out
  end
  add(name, function() return nn[name](2, 2) end, { { 2, 1, 2 } }, sizes({ 2, 1, 2 }, { 1, 1, 2 }), { order = 3 })
  add(name, function() return nn[name](2, 2, { num_layers = 2, bidirectional = true, batch_first = true }) end,
    { { 1, 2, 2 } }, sizes({ 1, 2, 4 }, { 4, 1, 2 }))
  add(name .. 'Cell', function() return nn[name .. 'Cell'](2, 2) end, { { 2, 2 } },
    states == 2 and { { 2, 2 }, { 2, 2 } } or { { 2, 2 } }, { order = 3 })
end
add('LSTM', function() return nn.LSTM(2, 3, { proj_size = 2 }) end, { { 2, 1, 2 } },
  { { 2, 1, 2 }, { 1, 1, 2 }, { 1, 1, 3 } })
add('RNN', function() return nn.RNN(2, 3, { nonlinearity = 'relu', bias = false, num_layers = 2, dropout = 0.5 }) end,
  { { 2, 4, 2 } }, { { 2, 4, 3 }, { 2, 4, 3 } }, { drops = true })

-- ---- attention ----
local query, key = { 2, 1, 4 }, { 3, 1, 4 }
add('MultiheadAttention', function() return nn.MultiheadAttention(4, 2) end, { query, key, key },
  { { 2, 1, 4 }, { 1, 2, 3 } })
add('MultiheadAttention', function() return nn.MultiheadAttention(2, 1, { kdim = 1, vdim = 3, add_bias_kv = true,
  add_zero_attn = true, batch_first = true }) end,
  { { 1, 2, 2 }, { 1, 2, 1 }, { 1, 2, 3 }, mask{ { false, true } } }, { { 1, 2, 2 }, { 1, 2, 4 } }, { order = 3 })
add('TransformerEncoderLayer', function()
  return nn.TransformerEncoderLayer(2, 1, { dim_feedforward = 3, dropout = 0, activation = 'gelu' })
end, { { 2, 1, 2 }, mask{ { false, true }, { false, false } } }, { { 2, 1, 2 } })
add('TransformerEncoderLayer', function()
  return nn.TransformerEncoderLayer(2, 1, { dim_feedforward = 3, dropout = 0.5, norm_first = true })
end, { { 2, 4, 2 } }, { { 2, 4, 2 } }, { drops = true })

add('TransformerEncoderLayer', function() return nn.TransformerEncoderLayer(2, 1, { dim_feedforward = 3, dropout = 0 }) end,
  { { 2, 1, 2 } }, { { 2, 1, 2 } })
add('TransformerDecoderLayer', function()
  return nn.TransformerDecoderLayer(2, 1, { dim_feedforward = 3, dropout = 0, activation = 'gelu', norm_first = true })
end, { { 2, 1, 2 }, { 3, 1, 2 } }, { { 2, 1, 2 } })
add('TransformerDecoderLayer', function() return nn.TransformerDecoderLayer(2, 1, { dim_feedforward = 3, dropout = 0.5 }) end,
  { { 2, 4, 2 }, { 3, 4, 2 } }, { { 2, 4, 2 } }, { drops = true })
add('TransformerEncoder', function()
  return nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1, { dim_feedforward = 3, dropout = 0 }), 2, nn.LayerNorm(2))
end, { { 2, 1, 2 }, mask{ { false, true }, { false, false } } }, { { 2, 1, 2 } })
add('TransformerDecoder', function()
  return nn.TransformerDecoder(nn.TransformerDecoderLayer(2, 1, { dim_feedforward = 3, dropout = 0 }), 2)
end, { { 2, 1, 2 }, { 1, 1, 2 } }, { { 2, 1, 2 } })
add('Transformer', function()
  return nn.Transformer{ d_model = 2, nhead = 1, num_encoder_layers = 1, num_decoder_layers = 1, dim_feedforward = 2,
    dropout = 0 }
end, { { 2, 1, 2 }, { 1, 1, 2 } }, { { 1, 1, 2 } })

-- ---- activations ----
for _, name in ipairs{
  'ReLU', 'LeakyReLU', 'ELU', 'GELU', 'SiLU', 'Sigmoid', 'Tanh', 'Softplus', 'Softsign', 'Hardtanh', 'LogSigmoid', 'ReLU6', 'Mish',
  'Hardswish', 'Hardsigmoid', 'SELU', 'CELU', 'Softshrink', 'Hardshrink', 'Tanhshrink',
} do
  add(name, function() return nn[name]() end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
end
add('PReLU', function() return nn.PReLU(3) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('Softmax', function() return nn.Softmax(-1) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('LogSoftmax', function() return nn.LogSoftmax(2) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('Softmin', function() return nn.Softmin(-1) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('Softmax2d', function() return nn.Softmax2d() end, { { 1, 3, 1, 2 } }, { { 1, 3, 1, 2 } }, { order = 3 })
add('GLU', function() return nn.GLU(1) end, { { 4, 2 } }, { { 2, 2 } }, { order = 3 })
add('Threshold', function() return nn.Threshold(0.1, 20) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('CELU', function() return nn.CELU(0.5) end, { { 2, 3 } }, { { 2, 3 } }, { order = 3 })
add('CosineSimilarity', function() return nn.CosineSimilarity() end, { { 2, 3 }, { 2, 3 } }, { { 2 } }, { order = 3 })
add('PairwiseDistance', function() return nn.PairwiseDistance(3, { keepdim = true }) end, { { 2, 3 }, { 2, 3 } },
  { { 2, 1 } }, { order = 3 })

-- ---- losses ----
local weight = { 0.5, 2, 1.5 }
add('CrossEntropyLoss', function() return nn.CrossEntropyLoss() end, { { 3, 3 }, labels(1, 3, 2) }, { {} }, { order = 3 })
add('CrossEntropyLoss', function()
  return nn.CrossEntropyLoss{ weight = metann.tensor(weight), ignore_index = 2, label_smoothing = 0.2, reduction = 'none' }
end, { { 1, 3, 2 }, labels({ 1, 2 }) }, { { 1, 2 } })
add('CrossEntropyLoss', function() return nn.CrossEntropyLoss{ label_smoothing = 0.1 } end, { { 2, 3 }, parts(2, 3) },
  { {} }, { order = 3 })
add('NLLLoss', function() return nn.NLLLoss{ weight = metann.tensor(weight) } end, { { 2, 3 }, labels(3, 1) }, { {} })
for _, name in ipairs{ 'MSELoss', 'L1Loss', 'SmoothL1Loss', 'HuberLoss', 'SoftMarginLoss' } do
  add(name, function() return nn[name]() end, { { 2, 3 }, { 2, 3 } }, { {} })
end
add('BCELoss', function() return nn.BCELoss{ weight = metann.tensor(weight) } end, { parts(2, 3), parts(2, 3) }, { {} },
  { order = 3 })
add('BCEWithLogitsLoss', function() return nn.BCEWithLogitsLoss{ pos_weight = metann.tensor(weight), reduction = 'sum' } end,
  { { 2, 3 }, parts(2, 3) }, { {} }, { order = 3 })
add('KLDivLoss', function() return nn.KLDivLoss{ reduction = 'batchmean' } end, { { 2, 3 }, parts(2, 3) }, { {} })
add('CosineEmbeddingLoss', function() return nn.CosineEmbeddingLoss{ margin = -0.9, reduction = 'none' } end,
  { { 2, 3 }, { 2, 3 }, constant{ 1, -1 } }, { { 2 } })
add('MarginRankingLoss', function() return nn.MarginRankingLoss{ margin = 0.5 } end, { { 3 }, { 3 }, constant{ 1, -1, 1 } },
  { {} })
for _, o in ipairs{ { margin = 3 }, { margin = 3, swap = true, p = 3 } } do
  add('TripletMarginLoss', function() return nn.TripletMarginLoss(o) end, { { 2, 3 }, { 2, 3 }, { 2, 3 } }, { {} })
end
for _, o in ipairs{ {}, { full = true, reduction = 'none' } } do
  add('GaussianNLLLoss', function() return nn.GaussianNLLLoss(o) end, { { 2, 3 }, { 2, 3 }, parts(2, 3) },
    { o.full and { 2, 3 } or {} }, { order = 3 })
end
add('PoissonNLLLoss', function() return nn.PoissonNLLLoss() end, { { 2, 3 }, { 2, 3 } }, { {} }, { order = 3 })
add('PoissonNLLLoss', function() return nn.PoissonNLLLoss{ log_input = false, full = true } end,
  { parts(2, 3), constant{ { 0, 1, 2 }, { 3, 1, 5 } } }, { {} }, { order = 3 })
add('HingeEmbeddingLoss', function() return nn.HingeEmbeddingLoss{ margin = 2 } end,
  { { 3 }, constant{ 1, -1, 0 } }, { {} })
for p = 1, 2 do
  add('MultiMarginLoss', function() return nn.MultiMarginLoss{ p = p, margin = 2, weight = metann.tensor(weight) } end,
    { { 2, 3 }, labels(3, 1) }, { {} }, { order = 3 })
end
add('MultiLabelMarginLoss', function() return nn.MultiLabelMarginLoss{ reduction = 'none' } end,
  { { 2, 3 }, labels({ 3, 1, 0 }, { 2, 0, 3 }) }, { { 2 } })
add('MultiLabelSoftMarginLoss', function() return nn.MultiLabelSoftMarginLoss{ weight = metann.tensor(weight) } end,
  { { 2, 3 }, parts(2, 3) }, { {} }, { order = 3 })
add('TripletMarginWithDistanceLoss', function()
  local function distance(x, y) return (x - y):square():sum(-1) end
  return nn.TripletMarginWithDistanceLoss{ distance_function = distance, margin = 9, swap = true }
end, { { 2, 3 }, { 2, 3 }, { 2, 3 } }, { {} }, { order = 3 })
add('CTCLoss', function() return nn.CTCLoss() end,
  { { 4, 2, 3 }, labels({ 2, 2 }, { 3, 1 }), labels(4, 3), labels(2, 1) }, { {} }, { order = 3 })
add('CTCLoss', function() return nn.CTCLoss{ blank = 3, reduction = 'none', zero_infinity = true } end,
  { { 3, 2, 3 }, labels(2, 1, 2, 2), labels(3, 3), labels(1, 3) }, { { 2 } })

return cases
