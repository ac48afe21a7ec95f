--- nn.functional: the layers that have no parameters, and the losses, as functions; and what computes a layer from
-- given parameters. Inputs by position, then the options of the layer by position or in one table by name:
-- `F.cross_entropy(scores, labels, {label_smoothing = 0.1})`.
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
  'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose2d', 'pad', 'one_hot', 'logsigmoid', 'interpolate', 'normalize',
  'cosine_similarity',
}

local read_dropout = options.reader('dropout', {
  { 'p', kinds.probability, 0.5 }, { 'training', kinds.boolean, true },
})

--- Zeros with probability p, the rest divided by 1 - p; with training=false x itself.
function functional.dropout(x, ...)
  local o = read_dropout(...)
  if not o.training or o.p == 0 then return x end
  return (ops.dropout(x, o.p))
end

--- Rows of weight (rows, width) at index, a tensor of numbers from 1.
function functional.embedding(index, weight)
  local shape = support.shape(index)
  shape[#shape + 1] = support.size(weight, 2)
  return ops.view(ops.index_select(weight, support.reshape(index, { support.numel(index) }), 1), shape)
end

--- x where x > 0, else weight * x; weight has one element.
function functional.prelu(x, weight)
  return ops.add(ops.relu(x), ops.mul(support.reshape(weight, { 1 }), ops.clamp(x, -math.huge, 0)))
end

local read_batch_norm = options.reader('batch_norm', {
  { 'running_mean', kinds.tensor, optional = true },
  { 'running_var', kinds.tensor, optional = true },
  { 'weight', kinds.tensor, optional = true },
  { 'bias', kinds.tensor, optional = true },
  { 'training', kinds.boolean, false },
  { 'momentum', kinds.number, 0.1 },
  { 'eps', kinds.nonnegative, 1e-5 },
})

--- Batch norm of (N, C, ...): with the batch's statistics when training (running ones, if given, are moved on), else
-- with the running ones.
function functional.batch_norm(x, ...)
  local o = read_batch_norm(...)
  if not o.training then
    if not (o.running_mean and o.running_var) then
      support.raise("batch_norm: 'running_mean' and 'running_var' must be given unless training")
    end
    return normalization.with_statistics(x, o.running_mean, o.running_var, o.weight, o.bias, o.eps)
  end
  local y, mean, var = ops.batch_norm(x, o.weight, o.bias, o.eps)
  if o.running_mean and o.running_var then
    normalization.move(o.running_mean, o.running_var, mean, var, o.momentum, support.numel(x) / support.size(x, 2))
  end
  return y
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
  return normalization.over_last(x, o.normalized_shape, o.weight, o.bias, o.eps)
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
