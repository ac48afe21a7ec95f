--- Transformer: an encoder, and a decoder that attends to what it made (Vaswani et al. 2017).
-- Transformer{d_model=512, nhead=8, num_encoder_layers=6, num_decoder_layers=6, dim_feedforward=2048, dropout=0.1,
-- activation='relu', custom_encoder=nil, custom_decoder=nil, layer_norm_eps=1e-5, batch_first=false, norm_first=false,
-- bias=true}. Matrices start Glorot-uniform. Transformer.generate_square_subsequent_mask(size) is the mask of floats that
-- hides what comes later.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local initializers = require 'metann.nn.initializers'
local options = require 'metann.nn.machinery.options'
local LayerNorm = require 'metann.nn.layers.layernorm'
local TransformerDecoder = require 'metann.nn.layers.transformerdecoder'
local TransformerDecoderLayer = require 'metann.nn.layers.transformerdecoderlayer'
local TransformerEncoder = require 'metann.nn.layers.transformerencoder'
local TransformerEncoderLayer = require 'metann.nn.layers.transformerencoderlayer'
local support = require 'metann.support'
local transformer = require 'metann.nn.shared.transformer'
local kinds, size = options.kinds, support.size

local Transformer = class.new('Transformer', Module)

local LAYER = transformer.LAYER
local read = options.layer_reader('Transformer', {
  { 'd_model', kinds.count, 512 }, { 'nhead', kinds.count, 8 },
  { 'num_encoder_layers', kinds.count, 6 }, { 'num_decoder_layers', kinds.count, 6 },
  LAYER[3], LAYER[4], LAYER[5], transformer.module('custom_encoder', true), transformer.module('custom_decoder', true),
  LAYER[6], LAYER[7], LAYER[8], LAYER[9],
})

--- A stack of layers of two classes, which ends with a norm.
local function stack(of, layer_of, n, o)
  local layer = layer_of{
    d_model = o.d_model, nhead = o.nhead, dim_feedforward = o.dim_feedforward, dropout = o.dropout,
    activation = o.activation, layer_norm_eps = o.layer_norm_eps, batch_first = o.batch_first,
    norm_first = o.norm_first, bias = o.bias,
  }
  return of(layer, n, LayerNorm(o.d_model, { eps = o.layer_norm_eps, bias = o.bias }))
end

function Transformer:init(...)
  local o = read(...)
  if o.d_model % o.nhead ~= 0 then
    support.raise("Transformer: 'd_model' (%d) must be divisible by 'nhead' (%d)", o.d_model, o.nhead)
  end
  self.encoder = o.custom_encoder or stack(TransformerEncoder, TransformerEncoderLayer, o.num_encoder_layers, o)
  self.decoder = o.custom_decoder or stack(TransformerDecoder, TransformerDecoderLayer, o.num_decoder_layers, o)
  for p in self:parameters() do
    if support.ndim(p) > 1 then initializers.xavier_uniform_(p) end
  end
  self.d_model, self.nhead, self.batch_first = o.d_model, o.nhead, o.batch_first
  options.place(self, o)
end

local mask, causal = transformer.mask, transformer.causal
local read_call = options.reader('Transformer', {
  { 'src', kinds.tensor }, { 'tgt', kinds.tensor }, mask 'src_mask', mask 'tgt_mask', mask 'memory_mask',
  mask 'src_key_padding_mask', mask 'tgt_key_padding_mask', mask 'memory_key_padding_mask', causal 'src_is_causal',
  causal 'tgt_is_causal', causal 'memory_is_causal',
})

local function check(self, src, tgt)
  for name, x in support.pairs_of({ 'src', 'tgt' }, { src, tgt }) do
    local n = support.ndim(x)
    if (n ~= 2 and n ~= 3) or size(x, -1) ~= self.d_model then
      support.raise("Transformer: '%s' must be a tensor of size %s or (L, %d), got %s", name,
        (self.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(self.d_model), self.d_model, support.describe(x))
    end
  end
  local n, batch = support.ndim(src), self.batch_first and 1 or 2
  if n ~= support.ndim(tgt) or n == 3 and size(src, batch) ~= size(tgt, batch) then
    support.raise("Transformer: 'src' and 'tgt' must have the same batch, got sizes %s and %s", support.shape_text(src),
      support.shape_text(tgt))
  end
end

--- @param ... src (S, N, d_model) and tgt (T, N, d_model), with batch_first (N, S, d_model), or without N; the masks of
-- the encoder and the decoder's layers by name
-- @return (T, N, d_model), or as tgt
function Transformer:forward(...)
  local o = read_call(...)
  check(self, o.src, o.tgt)
  local memory = self.encoder(o.src, {
    mask = o.src_mask, src_key_padding_mask = o.src_key_padding_mask, is_causal = o.src_is_causal,
  })
  return self.decoder(o.tgt, memory, {
    tgt_mask = o.tgt_mask, memory_mask = o.memory_mask, tgt_key_padding_mask = o.tgt_key_padding_mask,
    memory_key_padding_mask = o.memory_key_padding_mask, tgt_is_causal = o.tgt_is_causal,
    memory_is_causal = o.memory_is_causal,
  })
end

local read_size = options.reader('Transformer.generate_square_subsequent_mask', { { 'sz', kinds.whole } })

--- The (sz, sz) mask of floats with -inf where a query may not attend to a key, as it comes later.
function Transformer.generate_square_subsequent_mask(...)
  return transformer.square_subsequent_mask(read_size(...).sz)
end

return Transformer
