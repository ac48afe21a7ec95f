--- nn.functional: the layers that have no parameters, and the losses, as functions; and what computes a layer from
-- given parameters. Arguments by position, then in one table by name, inputs too:
-- `F.cross_entropy(scores, labels, {label_smoothing = 0.1})`, `F.linear{input = x, weight = w}`.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local errors, functions = support.errors, support.functions

local functional = {}

-- Functions that are a layer's computation (machinery/pure.lua).
local LAYERS = {
  adaptive_avg_pool1d = 'AdaptiveAvgPool1d', adaptive_avg_pool2d = 'AdaptiveAvgPool2d',
  adaptive_avg_pool3d = 'AdaptiveAvgPool3d', adaptive_max_pool1d = 'AdaptiveMaxPool1d',
  adaptive_max_pool2d = 'AdaptiveMaxPool2d', adaptive_max_pool3d = 'AdaptiveMaxPool3d', avg_pool1d = 'AvgPool1d',
  avg_pool2d = 'AvgPool2d', avg_pool3d = 'AvgPool3d',
  binary_cross_entropy = 'BCELoss', binary_cross_entropy_with_logits = 'BCEWithLogitsLoss',
  celu = 'CELU', channel_shuffle = 'ChannelShuffle', cosine_embedding_loss = 'CosineEmbeddingLoss',
  cross_entropy = 'CrossEntropyLoss',
  elu = 'ELU',
  flatten = 'Flatten', fold = 'Fold', fractional_max_pool2d = 'FractionalMaxPool2d',
  fractional_max_pool3d = 'FractionalMaxPool3d',
  gaussian_nll_loss = 'GaussianNLLLoss', gelu = 'GELU', glu = 'GLU',
  hardshrink = 'Hardshrink', hardsigmoid = 'Hardsigmoid', hardswish = 'Hardswish', hardtanh = 'Hardtanh',
  hinge_embedding_loss = 'HingeEmbeddingLoss', huber_loss = 'HuberLoss',
  kl_div = 'KLDivLoss',
  l1_loss = 'L1Loss', leaky_relu = 'LeakyReLU', local_response_norm = 'LocalResponseNorm',
  log_softmax = 'LogSoftmax', logsigmoid = 'LogSigmoid', lp_pool1d = 'LPPool1d', lp_pool2d = 'LPPool2d',
  lp_pool3d = 'LPPool3d',
  margin_ranking_loss = 'MarginRankingLoss', max_pool1d = 'MaxPool1d', max_pool2d = 'MaxPool2d',
  max_pool3d = 'MaxPool3d', mish = 'Mish', mse_loss = 'MSELoss', multi_margin_loss = 'MultiMarginLoss',
  multilabel_margin_loss = 'MultiLabelMarginLoss', multilabel_soft_margin_loss = 'MultiLabelSoftMarginLoss',
  nll_loss = 'NLLLoss',
  pairwise_distance = 'PairwiseDistance', pixel_shuffle = 'PixelShuffle', pixel_unshuffle = 'PixelUnshuffle',
  poisson_nll_loss = 'PoissonNLLLoss',
  relu = 'ReLU', relu6 = 'ReLU6',
  selu = 'SELU', sigmoid = 'Sigmoid', silu = 'SiLU', smooth_l1_loss = 'SmoothL1Loss',
  soft_margin_loss = 'SoftMarginLoss', softmax = 'Softmax', softmin = 'Softmin', softplus = 'Softplus',
  softshrink = 'Softshrink', softsign = 'Softsign',
  tanh = 'Tanh', tanhshrink = 'Tanhshrink', threshold = 'Threshold', triplet_margin_loss = 'TripletMarginLoss',
  triplet_margin_with_distance_loss = 'TripletMarginWithDistanceLoss',
  unflatten = 'Unflatten', unfold = 'Unfold', upsample = 'Upsample', upsample_bilinear = 'UpsamplingBilinear2d',
  upsample_nearest = 'UpsamplingNearest2d',
}
-- Functions that are tensor functions, here for those who look for them here.
local TENSORS = {
  conv1d = true, conv2d = true, conv3d = true, conv_transpose1d = true, conv_transpose2d = true,
  conv_transpose3d = true, cosine_similarity = true, interpolate = true, normalize = true, one_hot = true,
  pad = true, pdist = true,
}

for _, file in ipairs{ 'draws', 'layers', 'losses', 'norms', 'sampling', 'windows' } do
  for name, fn in pairs(require('metann.nn.functional.' .. file)) do functional[name] = fn end
end

-- what upsample is made of speaks of itself by its own name
errors.inner_name 'interpolate'

local names = {}
for _, list in ipairs{ LAYERS, TENSORS, functional } do
  for name in pairs(list) do names[#names + 1] = name end
end
table.sort(names)

for name, fn in pairs(functional) do functional[name] = arguments.compiled(fn) end

return setmetatable(functional, {
  names = function() return { unpack(names) } end,
  __index = function(self, name)
    local fn
    if LAYERS[name] then
      fn = require('metann.nn.layers.' .. LAYERS[name]:lower())._function(name)
    elseif TENSORS[name] then
      fn = arguments.compiled(functions[name])
    else
      support.raise("nn.functional has no '%s'%s", tostring(name), errors.suggestion(name, names))
    end
    rawset(self, name, fn)
    return fn
  end,
})
