--- TransformerEncoder: copies of an encoder layer, one after another, and a norm at the end if there is one.
-- TransformerEncoder(encoder_layer, num_layers, {norm=nil}); PyTorch's enable_nested_tensor and mask_check are taken, and
-- change nothing.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local ModuleList = require 'metann.nn.layers.modulelist'
local options = require 'metann.nn.machinery.options'
local transformer = require 'metann.nn.shared.transformer'
local kinds = options.kinds

local TransformerEncoder = class.new('TransformerEncoder', Module)

local read = options.reader('TransformerEncoder', {
  transformer.module 'encoder_layer', { 'num_layers', kinds.count }, transformer.module('norm', true),
  { 'enable_nested_tensor', kinds.boolean, true }, { 'mask_check', kinds.boolean, true },
})

function TransformerEncoder:init(...)
  local o = read(...)
  self.layers = ModuleList(transformer.copies(o.encoder_layer, o.num_layers))
  self.num_layers = o.num_layers
  self:add_module('norm', o.norm or nil)
end

local read_call = options.reader('TransformerEncoder', {
  { 'src', kinds.tensor }, transformer.mask 'mask', transformer.mask 'src_key_padding_mask',
  transformer.causal 'is_causal',
})

--- @param ... src, as a layer's; options: mask, src_key_padding_mask, is_causal, which go to every layer
function TransformerEncoder:forward(...)
  local o = read_call(...)
  return transformer.pass(self, o.src, {
    src_mask = o.mask, src_key_padding_mask = o.src_key_padding_mask, is_causal = o.is_causal,
  })
end

return TransformerEncoder
