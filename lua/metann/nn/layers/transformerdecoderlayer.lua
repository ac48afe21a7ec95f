--- TransformerDecoderLayer: self-attention, attention to what an encoder made, and a two-layer net, each with a shortcut
-- and layer norm (Vaswani et al. 2017).
-- TransformerDecoderLayer(d_model, nhead, {dim_feedforward=2048, dropout=0.1, activation='relu', layer_norm_eps=1e-5,
-- batch_first=false, norm_first=false, bias=true}); activation is 'relu', 'gelu' or a function.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local transformer = require 'metann.nn.shared.transformer'
local support = require 'metann.support'
local kinds = options.kinds

local TransformerDecoderLayer = class.new('TransformerDecoderLayer', Module)

local CLASSES = {
  Linear = require 'metann.nn.layers.linear', Dropout = require 'metann.nn.layers.dropout',
  LayerNorm = require 'metann.nn.layers.layernorm', MultiheadAttention = require 'metann.nn.layers.multiheadattention',
}
local read = options.layer_reader('TransformerDecoderLayer', transformer.LAYER)

function TransformerDecoderLayer:init(...)
  local o = read(...)
  transformer.build('TransformerDecoderLayer', self, o, CLASSES, { 'self_attn', 'multihead_attn' })
  options.place(self, o)
end

local mask, causal = transformer.mask, transformer.causal
local read_call = options.reader('TransformerDecoderLayer', {
  { 'tgt', kinds.tensor }, { 'memory', kinds.tensor }, mask 'tgt_mask', mask 'memory_mask', mask 'tgt_key_padding_mask',
  mask 'memory_key_padding_mask', causal 'tgt_is_causal', causal 'memory_is_causal',
})

--- @param ... tgt (L, N, d_model), with batch_first (N, L, d_model), or (L, d_model); memory likewise, of another length;
-- options: tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask, as the masks of MultiheadAttention;
-- tgt_is_causal: true hides what comes later where there is no tgt_mask
function TransformerDecoderLayer:forward(...)
  local o = read_call(...)
  local x = o.tgt
  transformer.check('TransformerDecoderLayer', self, 'tgt', x)
  transformer.check('TransformerDecoderLayer', self, 'memory', o.memory)
  if o.memory_is_causal and not o.memory_mask then
    support.raise("TransformerDecoderLayer: 'memory_is_causal' says what 'memory_mask' is, which must be given")
  end
  x = transformer.self_attention(self, x, o.tgt_mask, o.tgt_key_padding_mask, o.tgt_is_causal)
  x = transformer.memory_attention(self, x, o.memory, o.memory_mask, o.memory_key_padding_mask)
  return transformer.feed_forward(self, 3, x)
end

return TransformerDecoderLayer
