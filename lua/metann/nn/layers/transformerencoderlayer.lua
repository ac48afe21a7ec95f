--- TransformerEncoderLayer: self-attention and a two-layer net, each with a shortcut and layer norm
-- (Vaswani et al. 2017).
-- TransformerEncoderLayer(d_model, nhead, {dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-5,
-- batch_first=false, norm_first=false, bias=true}); activation is 'relu', 'gelu' or a function.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local Linear = require 'metann.nn.layers.linear'
local Dropout = require 'metann.nn.layers.dropout'
local LayerNorm = require 'metann.nn.layers.layernorm'
local MultiheadAttention = require 'metann.nn.layers.multiheadattention'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds, ops = options.kinds, support.ops

local TransformerEncoderLayer = class.new('TransformerEncoderLayer', Module)

local read = options.layer_reader('TransformerEncoderLayer', {
  { 'd_model', kinds.count },
  { 'nhead', kinds.count },
  { 'dim_feedforward', kinds.count, 2048 },
  { 'dropout', kinds.probability, 0.1 },
  { 'activation', kinds.either(kinds.choice('relu', 'gelu'), kinds.callable), 'relu' },
  { 'layer_norm_eps', kinds.nonnegative, 1e-5 },
  { 'batch_first', kinds.boolean, false },
  { 'norm_first', kinds.boolean, false },
  { 'bias', kinds.boolean, true },
})

function TransformerEncoderLayer:init(...)
  local o = read(...)
  if o.d_model % o.nhead ~= 0 then
    support.raise("TransformerEncoderLayer: 'd_model' (%d) must be divisible by 'nhead' (%d)", o.d_model, o.nhead)
  end
  self.d_model = o.d_model
  self.self_attn = MultiheadAttention(o.d_model, o.nhead, {
    dropout = o.dropout, batch_first = o.batch_first, bias = o.bias,
  })
  self.linear1 = Linear(o.d_model, o.dim_feedforward, o.bias)
  self.dropout = Dropout(o.dropout)
  self.linear2 = Linear(o.dim_feedforward, o.d_model, o.bias)
  self.norm_first = o.norm_first
  self.norm1 = LayerNorm(o.d_model, { eps = o.layer_norm_eps, bias = o.bias })
  self.norm2 = LayerNorm(o.d_model, { eps = o.layer_norm_eps, bias = o.bias })
  self.dropout1 = Dropout(o.dropout)
  self.dropout2 = Dropout(o.dropout)
  self.activation = o.activation
  options.place(self, o)
end

local function attention(self, x, o)
  return self.dropout1((self.self_attn(x, x, x, o)))
end

local function feed_forward(self, x)
  local activation, y = self.activation, self.linear1(x)
  if activation == 'relu' then
    y = ops.relu(y)
  elseif activation == 'gelu' then
    y = ops.gelu(y)
  else
    y = activation(y)
  end
  return self.dropout2(self.linear2(self.dropout(y)))
end

local read_call = options.reader('TransformerEncoderLayer', {
  { 'src', kinds.tensor }, { 'src_mask', kinds.tensor, optional = true },
  { 'src_key_padding_mask', kinds.tensor, optional = true },
})

--- @param x (named src) (L, N, d_model), with batch_first (N, L, d_model), or (L, d_model)
-- @param ... options: src_mask, src_key_padding_mask, as the masks of MultiheadAttention
function TransformerEncoderLayer:forward(x, ...)
  local given = read_call(x, ...)
  x = given.src
  local n = support.ndim(x)
  if (n ~= 2 and n ~= 3) or support.size(x, -1) ~= self.d_model then
    support.raise("TransformerEncoderLayer: 'src' must be a tensor of size %s or (L, %d), got %s",
      (self.self_attn.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(self.d_model), self.d_model,
      support.describe(x))
  end
  local o = { attn_mask = given.src_mask, key_padding_mask = given.src_key_padding_mask, need_weights = false }
  if self.norm_first then
    x = ops.add(x, attention(self, self.norm1(x), o))
    return ops.add(x, feed_forward(self, self.norm2(x)))
  end
  x = self.norm1(ops.add(x, attention(self, x, o)))
  return self.norm2(ops.add(x, feed_forward(self, x)))
end

return TransformerEncoderLayer
