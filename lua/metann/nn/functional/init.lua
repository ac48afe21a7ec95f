--- nn.functional: the layers that have no parameters, and the losses, as functions; and what computes a layer from
-- given parameters. Arguments by position, then in one table by name, inputs too:
-- `F.cross_entropy(scores, labels, {label_smoothing = 0.1})`, `F.linear{input = x, weight = w}`.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local errors, functions = support.errors, support.functions
local kinds = arguments.kinds

local functional = {}

-- Functions that are a layer's computation (machinery/pure.lua).
local LAYERS = {
  relu = 'ReLU', leaky_relu = 'LeakyReLU', elu = 'ELU', gelu = 'GELU', silu = 'SiLU', sigmoid = 'Sigmoid',
  tanh = 'Tanh', softplus = 'Softplus', softsign = 'Softsign', softmax = 'Softmax', log_softmax = 'LogSoftmax',
  hardtanh = 'Hardtanh',
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
  conv1d = true, conv2d = true, conv3d = true, conv_transpose2d = true, pad = true, one_hot = true, logsigmoid = true,
  interpolate = true, normalize = true, cosine_similarity = true, avg_pool1d = true,
}

for _, file in ipairs{ 'layers', 'norms', 'distances' } do
  for name, fn in pairs(require('metann.nn.functional.' .. file)) do functional[name] = fn end
end

local PATCHES = { { 'dilation', kinds.sides(2, 1), 1 }, { 'padding', kinds.sides(2, 0), 0 }, { 'stride', kinds.sides(2, 1), 1 } }

--- Patches of (N, C, H, W) as columns (N, C * h * w, places); im2col of tensors.
-- @function unfold
functional.unfold = arguments.define('unfold', {
  { 'input', kinds.tensor }, { 'kernel_size', kinds.sides(2, 1) }, unpack(PATCHES),
}, functions.im2col)

--- Columns added back into planes of output_size; col2im of tensors.
-- @function fold
functional.fold = arguments.define('fold', {
  { 'input', kinds.tensor }, { 'output_size', kinds.sides(2, 1) }, { 'kernel_size', kinds.sides(2, 1) }, unpack(PATCHES),
}, functions.col2im)

-- what functions here are made of speaks of itself by its own name
for _, name in ipairs{ 'im2col', 'col2im', 'interpolate' } do errors.inner_name(name) end

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
