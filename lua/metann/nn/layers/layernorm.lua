--- LayerNorm: each sample to mean 0 and variance 1 over its last dims, then scaled and shifted (Ba et al. 2016).
-- LayerNorm(normalized_shape, {eps=1e-5, elementwise_affine=true, bias=true}); normalized_shape is a size or a list of sizes.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local normalization = require 'metann.nn.shared.normalization'
local support = require 'metann.support'
local kinds = options.kinds

local LayerNorm = class.new('LayerNorm', Module)

local read = options.layer_reader('LayerNorm', {
  { 'normalized_shape', kinds.sizes },
  { 'eps', kinds.nonnegative, 1e-5 },
  { 'elementwise_affine', kinds.boolean, true },
  { 'bias', kinds.boolean, true },
})

function LayerNorm:init(...)
  local o = read(...)
  self.normalized_shape, self.eps, self.elementwise_affine = o.normalized_shape, o.eps, o.elementwise_affine
  normalization.add_affine(self, o.normalized_shape, o.elementwise_affine, o.bias)
  options.place(self, o)
end

function LayerNorm:forward(x, more)
  if more ~= nil then support.too_many('LayerNorm', 1) end
  return normalization.over_last('LayerNorm', x, self.normalized_shape, self.weight, self.bias, self.eps)
end

function LayerNorm:extra_repr()
  return ('%s, eps=%s, elementwise_affine=%s'):format(support.tuple(self.normalized_shape), tostring(self.eps),
    tostring(self.elementwise_affine)) .. normalization.bias_text(self)
end

return LayerNorm
