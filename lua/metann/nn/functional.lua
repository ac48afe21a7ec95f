--- nn.functional: the layers that have no parameters, and the losses, as functions; and what computes a layer from
-- given parameters. Inputs by position, then the options of the layer by position or in one table by name:
-- `F.cross_entropy(scores, labels, {label_smoothing = 0.1})`.
local pairs = require('metann.binding.traversal').pairs
local attention = require 'metann.nn.attention'
local lookup = require 'metann.nn.lookup'
local losses = require 'metann.nn.losses'
local normalization = require 'metann.nn.normalization'
local options = require 'metann.nn.options'
local support = require 'metann.nn.support'
local kinds, ops, functions = options.kinds, support.ops, support.functions

local functional = {}

-- Functions that are a layer's computation.
local LAYERS = {
  relu = 'ReLU', leaky_relu = 'LeakyReLU', elu = 'ELU', gelu = 'GELU', silu = 'SiLU', sigmoid = 'Sigmoid',
  tanh = 'Tanh', softplus = 'Softplus', softmax = 'Softmax', log_softmax = 'LogSoftmax', hardtanh = 'Hardtanh',
  max_pool1d = 'MaxPool1d', max_pool2d = 'MaxPool2d', avg_pool2d = 'AvgPool2d',
  adaptive_avg_pool2d = 'AdaptiveAvgPool2d', adaptive_max_pool2d = 'AdaptiveMaxPool2d',
  cross_entropy = 'CrossEntropyLoss', nll_loss = 'NLLLoss',
  mse_loss = 'MSELoss', l1_loss = 'L1Loss', smooth_l1_loss = 'SmoothL1Loss', huber_loss = 'HuberLoss',
  binary_cross_entropy = 'BCELoss', binary_cross_entropy_with_logits = 'BCEWithLogitsLoss', kl_div = 'KLDivLoss',
  cosine_embedding_loss = 'CosineEmbeddingLoss', margin_ranking_loss = 'MarginRankingLoss',
  triplet_margin_loss = 'TripletMarginLoss', soft_margin_loss = 'SoftMarginLoss', flatten = 'Flatten',
  unflatten = 'Unflatten', upsample = 'Upsample',
}
-- Functions that are tensor functions, here for those who look for them here.
local TENSORS = {
  'conv1d', 'conv2d', 'conv3d', 'conv_transpose2d', 'pad', 'one_hot', 'logsigmoid', 'interpolate', 'normalize',
  'cosine_similarity', 'avg_pool1d',
}

local read_dropout = options.reader('dropout', {
  { 'p', kinds.probability, 0.5 }, { 'training', kinds.boolean, true }, { 'inplace', kinds.boolean, false },
})

--- Zeros with probability p, the rest divided by 1 - p; with training=false x itself. `inplace` is taken for PyTorch's
-- sake, the result is a new tensor.
function functional.dropout(x, ...)
  local o = read_dropout(...)
  if not o.training or o.p == 0 then return x end
  return (ops.dropout(x, o.p))
end

--- Channels of (N, C, H, W) or (C, H, W) are zeros with probability p, the rest divided by 1 - p.
function functional.dropout2d(x, ...)
  local o = read_dropout(...)
  if not o.training or o.p == 0 then return x end
  local n = support.ndim(x)
  if n ~= 3 and n ~= 4 then
    support.raise("dropout2d: 'input' must be a tensor of size (N, C, H, W) or (C, H, W), got %s", support.describe(x))
  end
  local shape = n == 3 and { support.size(x, 1), 1, 1 } or { support.size(x, 1), support.size(x, 2), 1, 1 }
  return ops.mul(x, (ops.dropout(ops.full(shape, 1, support.dtype(x)), o.p)))
end

local read_embedding = options.reader('embedding', {
  { 'padding_idx', kinds.integer, optional = true },
  { 'max_norm', kinds.positive, optional = true },
  { 'norm_type', kinds.positive, 2 },
  { 'scale_grad_by_freq', kinds.boolean, false },
  { 'sparse', lookup.only_dense, false },
})

--- Rows of weight (rows, width) at index, a tensor of numbers from 1; the options are those of nn.Embedding.
function functional.embedding(index, weight, ...)
  local o = read_embedding(...)
  o.padding_idx = lookup.padding_row('embedding', o.padding_idx, support.size(weight, 1))
  return lookup.rows(o, index, weight)
end

--- x where x > 0, else weight * x; weight has one element, or one for each channel (dim 2).
function functional.prelu(x, weight)
  local n, count = support.ndim(x), support.numel(weight)
  if support.ndim(weight) > 1 then
    support.raise("prelu: 'weight' must have one dim, got size %s", support.shape_text(weight))
  end
  if count == 1 then
    weight = support.reshape(weight, n == 0 and {} or { 1 })
  else
    local dim = n > 1 and 2 or 1
    if n == 0 or support.size(x, dim) ~= count then
      support.raise("PReLU: 'input' must have %d channels in dim %d, got size %s", count, dim, support.shape_text(x))
    end
    weight = support.along_channels(weight, n)
  end
  return ops.add(ops.relu(x), ops.mul(weight, ops.clamp(x, -math.huge, 0)))
end

--- x W^T + b over the last dim for weight W (out, in), or x w + b for a vector w (in), which takes the dim away. Integers
-- stay integers.
function functional.linear(x, weight, bias)
  local vector = support.ndim(weight) == 1
  if not vector and losses.is_float(x) then return (ops.linear(x, weight, bias)) end
  local y = functions.matmul(x, vector and weight or ops.transpose(weight, 1, 2))
  return bias and ops.add(y, bias) or y
end

--- x1^T W_k x2 + b_k for each k, for x1 (..., in1), x2 (..., in2), weight (out, in1, in2), bias (out) or none.
function functional.bilinear(x1, x2, weight, bias)
  local products = ops.mul(ops.unsqueeze(x1, -1), ops.unsqueeze(x2, -2))
  local shape = support.shape(products)
  local count = shape[#shape] * shape[#shape - 1]
  shape[#shape] = nil
  shape[#shape] = count
  return ops.linear(support.reshape(products, shape), support.reshape(weight, { support.size(weight, 1), count }), bias)
end

-- ---- distances and attention ----

local read_distance = options.reader('pairwise_distance', {
  { 'p', kinds.number, 2 }, { 'eps', kinds.nonnegative, 1e-6 }, { 'keepdim', kinds.boolean, false },
})

--- The p-norm of a - b + eps over the last dim.
function functional.pairwise_distance(a, b, ...)
  local o = read_distance(...)
  return losses.distance(a, b, o.p, o.eps, o.keepdim)
end

local read_attention = options.reader('scaled_dot_product_attention', {
  { 'attn_mask', kinds.tensor, optional = true }, { 'dropout_p', kinds.probability, 0 },
  { 'is_causal', kinds.boolean, false }, { 'scale', kinds.number, optional = true },
  { 'enable_gqa', kinds.boolean, false },
})

--- The mask of scaled_dot_product_attention as attention.lua has it: true where nothing may be attended to.
local function hidden(o, query, key)
  if o.is_causal then
    if o.attn_mask then support.raise("scaled_dot_product_attention: give 'attn_mask' or 'is_causal', not both") end
    local ones = ops.full({ support.size(query, -2), support.size(key, -2) }, 1)
    return ops.cast(ops.triu(ones, 1), 'bool')
  end
  if not o.attn_mask then return nil end
  local mask = attention.mask('scaled_dot_product_attention', 'attn_mask', o.attn_mask)
  return support.dtype(mask) == 'bool' and ops.logical_not(mask) or mask
end

--- softmax(scale query key^T) value over the last two dims: query (..., L, E), key (..., S, E), value (..., S, V).
-- attn_mask (..., L, S): bool, true where attention goes, or floats that are added, as in PyTorch; a query to which it
-- leaves no key gives 0. scale is 1 / sqrt(E) unless given. With enable_gqa several heads (dim -3) of query share one of
-- key and value.
function functional.scaled_dot_product_attention(query, key, value, ...)
  local o = read_attention(...)
  if o.enable_gqa then key, value = attention.grouped(query, key, value) end
  local scale = o.scale or 1 / math.sqrt(support.size(query, -1))
  local scores = ops.matmul(ops.mul(query, scale), key, false, true)
  local weights = attention.weights(scores, hidden(o, query, key))
  if o.dropout_p > 0 then weights = (ops.dropout(weights, o.dropout_p)) end
  return ops.matmul(weights, value)
end

-- ---- normalising ----

local read_batch_norm = options.reader('batch_norm', {
  { 'running_mean', kinds.tensor, optional = true },
  { 'running_var', kinds.tensor, optional = true },
  { 'weight', kinds.tensor, optional = true },
  { 'bias', kinds.tensor, optional = true },
  { 'training', kinds.boolean, false },
  { 'momentum', kinds.number, 0.1 },
  { 'eps', kinds.positive, 1e-5 },
})

--- Raises unless x has channels, and each tensor among the options one number for each of them.
local function check_channels(what, x, o, least)
  local n = support.is_tensor(x) and support.ndim(x) or 0
  if n < least then
    support.raise("%s: 'input' must be a tensor of size (N, C, %s...), got %s", what, least == 3 and 'L, ' or '',
      support.describe(x))
  end
  local channels = support.size(x, n == 1 and 1 or 2)
  for _, name in ipairs{ 'running_mean', 'running_var', 'weight', 'bias' } do
    local t = o[name]
    if t and (support.ndim(t) ~= 1 or support.size(t, 1) ~= channels) then
      support.raise("%s: '%s' must have size (%d,), one for each channel of 'input', got %s", what, name, channels,
        support.shape_text(t))
    end
  end
end

--- Batch norm of (N, C, ...): with the batch's statistics when training (running ones, if given, are moved on), else
-- with the running ones.
function functional.batch_norm(x, ...)
  local o = read_batch_norm(...)
  -- PyTorch takes a 1-dim tensor without elements, too
  check_channels('batch_norm', x, o, support.is_tensor(x) and support.numel(x) == 0 and 1 or 2)
  if o.training then return normalization.batch_training('batch_norm', x, o) end
  if not (o.running_mean and o.running_var) then
    support.raise("batch_norm: 'running_mean' and 'running_var' must be given unless training")
  end
  return normalization.with_statistics(x, o.running_mean, o.running_var, o.weight, o.bias, o.eps)
end

local read_layer_norm = options.reader('layer_norm', {
  { 'normalized_shape', kinds.sizes },
  { 'weight', kinds.tensor, optional = true },
  { 'bias', kinds.tensor, optional = true },
  { 'eps', kinds.nonnegative, 1e-5 },
})

--- Layer norm over the last dims, normalized_shape.
function functional.layer_norm(x, ...)
  local o = read_layer_norm(...)
  for _, name in ipairs{ 'weight', 'bias' } do
    local t = o[name]
    if t and support.shape_text(t) ~= support.tuple(o.normalized_shape) then
      support.raise("layer_norm: '%s' must have size %s, got %s", name, support.tuple(o.normalized_shape),
        support.shape_text(t))
    end
  end
  return normalization.over_last('layer_norm', x, o.normalized_shape, o.weight, o.bias, o.eps)
end

local read_group_norm = options.reader('group_norm', {
  { 'num_groups', kinds.count },
  { 'weight', kinds.tensor, optional = true },
  { 'bias', kinds.tensor, optional = true },
  { 'eps', kinds.nonnegative, 1e-5 },
})

--- Group norm of (N, C, ...), whose C channels make num_groups groups.
function functional.group_norm(x, ...)
  local o = read_group_norm(...)
  check_channels('group_norm', x, o, 2)
  local channels = support.size(x, 2)
  if channels == 0 or channels % o.num_groups ~= 0 then
    support.raise("group_norm: 'input' must have a number of channels that %d divides, got size %s", o.num_groups,
      support.shape_text(x))
  end
  return normalization.grouped('group_norm', x, o.num_groups, o.weight, o.bias, o.eps)
end

local read_instance_norm = options.reader('instance_norm', {
  { 'running_mean', kinds.tensor, optional = true },
  { 'running_var', kinds.tensor, optional = true },
  { 'weight', kinds.tensor, optional = true },
  { 'bias', kinds.tensor, optional = true },
  { 'use_input_stats', kinds.boolean, true },
  { 'momentum', kinds.number, 0.1 },
  { 'eps', kinds.nonnegative, 1e-5 },
})

--- Instance norm of (N, C, ...): with each sample's own statistics (running ones, if given, are moved on), or, with
-- use_input_stats=false, with the running ones.
function functional.instance_norm(x, ...)
  local o = read_instance_norm(...)
  check_channels('instance_norm', x, o, 3)
  if o.use_input_stats then return normalization.instances('instance_norm', x, o) end
  if not (o.running_mean and o.running_var) then
    support.raise("instance_norm: 'running_mean' and 'running_var' must be given without use_input_stats")
  end
  return normalization.with_statistics(x, o.running_mean, o.running_var, o.weight, o.bias, o.eps)
end

for _, name in ipairs(TENSORS) do functional[name] = functions[name] end
functional.unfold, functional.fold = functions.im2col, functions.col2im

local names = {}
for name in pairs(LAYERS) do names[#names + 1] = name end
for name in pairs(functional) do names[#names + 1] = name end

return setmetatable(functional, {
  __index = function(self, name)
    local layer = LAYERS[name]
    if not layer then
      support.raise("nn.functional has no '%s'%s", tostring(name), support.errors.suggestion(name, names))
    end
    local fn = require('metann.nn.' .. layer:lower())._function
    rawset(self, name, fn)
    return fn
  end,
})
