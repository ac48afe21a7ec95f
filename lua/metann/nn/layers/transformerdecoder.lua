--- TransformerDecoder: copies of a decoder layer, one after another, and a norm at the end if there is one.
-- TransformerDecoder(decoder_layer, num_layers, {norm=nil}).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local ModuleList = require 'metann.nn.layers.modulelist'
local options = require 'metann.nn.machinery.options'
local transformer = require 'metann.nn.shared.transformer'
local kinds = options.kinds

local TransformerDecoder = class.new('TransformerDecoder', Module)

local read = options.reader('TransformerDecoder', {
  transformer.module 'decoder_layer', { 'num_layers', kinds.count }, transformer.module('norm', true),
})

function TransformerDecoder:init(...)
  local o = read(...)
  self.layers = ModuleList(transformer.copies(o.decoder_layer, o.num_layers))
  self.num_layers = o.num_layers
  self:add_module('norm', o.norm or nil)
end

local mask, causal = transformer.mask, transformer.causal
local read_call = options.reader('TransformerDecoder', {
  { 'tgt', kinds.tensor }, { 'memory', kinds.tensor }, mask 'tgt_mask', mask 'memory_mask', mask 'tgt_key_padding_mask',
  mask 'memory_key_padding_mask', causal 'tgt_is_causal', causal 'memory_is_causal',
})

--- @param ... tgt and memory, as a layer's, and its options, which go to every layer
function TransformerDecoder:forward(...)
  local o = read_call(...)
  local x, memory = o.tgt, o.memory
  o.tgt, o.memory = nil, nil
  return transformer.pass(self, x, memory, o)
end

return TransformerDecoder
