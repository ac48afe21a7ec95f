--- TransformerEncoderLayer: self-attention and a two-layer net, each with a shortcut and layer norm
-- (Vaswani et al. 2017).
-- TransformerEncoderLayer(d_model, nhead, {dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-5,
-- batch_first=false, norm_first=false, bias=true}); activation is 'relu', 'gelu' or a function.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local transformer = require 'metann.nn.shared.transformer'
local kinds = options.kinds

local TransformerEncoderLayer = class.new('TransformerEncoderLayer', Module)

local CLASSES = {
  Linear = require 'metann.nn.layers.linear', Dropout = require 'metann.nn.layers.dropout',
  LayerNorm = require 'metann.nn.layers.layernorm', MultiheadAttention = require 'metann.nn.layers.multiheadattention',
}
local read = options.layer_reader('TransformerEncoderLayer', transformer.LAYER)

function TransformerEncoderLayer:init(...)
  local o = read(...)
  transformer.build('TransformerEncoderLayer', self, o, CLASSES, { 'self_attn' })
  options.place(self, o)
end

local read_call = options.reader('TransformerEncoderLayer', {
  { 'src', kinds.tensor }, transformer.mask 'src_mask', transformer.mask 'src_key_padding_mask',
  transformer.causal 'is_causal',
})

--- @param x (named src) (L, N, d_model), with batch_first (N, L, d_model), or (L, d_model)
-- @param ... options: src_mask, src_key_padding_mask, as the masks of MultiheadAttention; is_causal: true hides what
-- comes later where there is no src_mask
function TransformerEncoderLayer:forward(x, ...)
  local o = read_call(x, ...)
  x = o.src
  transformer.check('TransformerEncoderLayer', self, 'src', x)
  x = transformer.self_attention(self, x, o.src_mask, o.src_key_padding_mask, o.is_causal)
  return transformer.feed_forward(self, 2, x)
end

return TransformerEncoderLayer
