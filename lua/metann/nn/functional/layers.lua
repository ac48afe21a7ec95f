--- Functions that compute a layer from given parameters.
local arguments = require 'metann.arguments'
local attention = require 'metann.nn.shared.attention'
local bags = require 'metann.nn.shared.bags'
local formulas = require 'metann.nn.shared.formulas'
local lookup = require 'metann.nn.shared.lookup'
local support = require 'metann.support'
local define, kinds, ops = arguments.define, arguments.kinds, support.ops
local raise, ndim, size = support.raise, support.ndim, support.size

local layers = {}

local INPUT, BIAS = { 'input', kinds.tensor }, { 'bias', kinds.tensor, optional = true }

--- Rows of weight (rows, width) at input, a tensor of numbers from 1; the options are those of nn.Embedding.
-- @function embedding
layers.embedding = define('embedding', {
  INPUT, { 'weight', kinds.tensor },
  { 'padding_idx', kinds.integer, optional = true },
  { 'max_norm', kinds.positive, optional = true },
  { 'norm_type', kinds.positive, 2 },
  { 'scale_grad_by_freq', kinds.boolean, false },
  { 'sparse', lookup.only_dense, false },
}, function(index, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq)
  if ndim(weight) ~= 2 then
    raise("embedding: 'weight' must be a tensor of size (rows, width), got %s", support.describe(weight))
  end
  return lookup.rows({
    padding_idx = lookup.padding_row('embedding', padding_idx, size(weight, 1)),
    max_norm = max_norm, norm_type = norm_type, scale_grad_by_freq = scale_grad_by_freq,
  }, index, weight, true)
end)

local OPTIONS = bags.OPTIONS

--- Sums, means or largest elements of rows of weight (rows, width) bag by bag; the options are those of nn.EmbeddingBag.
-- @function embedding_bag
layers.embedding_bag = define('embedding_bag', {
  INPUT, { 'weight', kinds.tensor }, { 'offsets', kinds.tensor, optional = true }, OPTIONS.max_norm, OPTIONS.norm_type,
  OPTIONS.scale_grad_by_freq, OPTIONS.mode, OPTIONS.sparse, { 'per_sample_weights', kinds.tensor, optional = true },
  OPTIONS.include_last_offset, OPTIONS.padding_idx,
}, function(index, weight, offsets, max_norm, norm_type, by_frequency, mode, _, per_sample_weights, last, padding_idx)
  if ndim(weight) ~= 2 then
    raise("embedding_bag: 'weight' must be a tensor of size (rows, width), got %s", support.describe(weight))
  end
  return bags.of('embedding_bag', {
    max_norm = max_norm, norm_type = norm_type, scale_grad_by_freq = by_frequency, mode = mode,
    include_last_offset = last, padding_idx = lookup.padding_row('embedding_bag', padding_idx, size(weight, 1)),
  }, index, weight, offsets, per_sample_weights, true)
end)

--- x where x > 0, else weight * x; weight has one element, or one for each channel (dim 2).
-- @function prelu
layers.prelu = define('prelu', { INPUT, { 'weight', kinds.tensor } }, function(x, weight)
  if ndim(weight) > 1 then
    raise("prelu: 'weight' must have one dim, got size %s", support.shape_text(weight))
  end
  return formulas.prelu('prelu', x, weight)
end)

--- x W^T + b over the last dim for weight W (out, in), or x w + b for a vector w (in), which takes the dim away. Integers
-- stay integers.
-- @function linear
layers.linear = define('linear', { INPUT, { 'weight', kinds.tensor }, BIAS }, function(x, weight, bias)
  local vector = ndim(weight) == 1
  if not vector and support.is_float(x) then return (ops.linear(x, weight, bias)) end
  local y = support.functions.matmul(x, vector and weight or ops.transpose(weight, 1, 2))
  return bias and ops.add(y, bias) or y
end)

--- x1^T W_k x2 + b_k for each k, for x1 (..., in1), x2 (..., in2), weight (out, in1, in2), bias (out) or none.
-- @function bilinear
layers.bilinear = define('bilinear', {
  { 'input1', kinds.tensor }, { 'input2', kinds.tensor }, { 'weight', kinds.tensor }, BIAS,
}, function(x1, x2, weight, bias)
  if ndim(weight) ~= 3 or ndim(x1) == 0 or ndim(x2) == 0 or size(x1, -1) ~= size(weight, 2)
    or size(x2, -1) ~= size(weight, 3) then
    raise("bilinear: 'weight' must have size (out, in1, in2) for inputs (..., in1) and (..., in2), got %s, %s and %s",
      support.shape_text(weight), support.shape_text(x1), support.shape_text(x2))
  end
  return formulas.bilinear(x1, x2, weight, bias)
end)

--- The mask of scaled_dot_product_attention as shared/attention.lua has it: true where nothing may be attended to.
local function hidden(query, key, mask, is_causal)
  if is_causal then
    if mask then raise("scaled_dot_product_attention: give 'attn_mask' or 'is_causal', not both") end
    local ones = support.beside(query, ops.full, { size(query, -2), size(key, -2) }, 1)
    return ops.cast(ops.triu(ones, 1), 'bool')
  end
  if not mask then return nil end
  mask = attention.mask('scaled_dot_product_attention', 'attn_mask', mask)
  return support.dtype(mask) == 'bool' and ops.logical_not(mask) or mask
end

local function check_rows(name, t)
  if ndim(t) < 2 or not support.is_float(t) then
    raise("scaled_dot_product_attention: '%s' must be floats of size (..., length, width), got %s", name,
      support.describe(t))
  end
end

--- softmax(scale query key^T) value over the last two dims: query (..., L, E), key (..., S, E), value (..., S, V).
-- attn_mask (..., L, S): bool, true where attention goes, or floats that are added, as in PyTorch; a query to which it
-- leaves no key gives 0. scale is 1 / sqrt(E) unless given. With enable_gqa several heads (dim -3) of query share one of
-- key and value.
-- @function scaled_dot_product_attention
layers.scaled_dot_product_attention = define('scaled_dot_product_attention', {
  { 'query', kinds.tensor }, { 'key', kinds.tensor }, { 'value', kinds.tensor },
  { 'attn_mask', kinds.tensor, optional = true }, { 'dropout_p', kinds.probability, 0 },
  { 'is_causal', kinds.boolean, false }, { 'scale', kinds.number, optional = true },
  { 'enable_gqa', kinds.boolean, false },
}, function(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
  check_rows('query', query)
  check_rows('key', key)
  check_rows('value', value)
  if enable_gqa then key, value = attention.grouped(query, key, value) end
  local scores = ops.matmul(ops.mul(query, scale or 1 / math.sqrt(size(query, -1))), key, false, true)
  local weights = attention.weights(scores, hidden(query, key, attn_mask, is_causal))
  if dropout_p > 0 then weights = (ops.dropout(weights, dropout_p)) end
  return ops.matmul(weights, value)
end)

return layers
