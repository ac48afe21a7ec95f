--- RMSNorm: each sample over the root of its mean square along its last dims, then scaled (Zhang and Sennrich 2019).
-- RMSNorm(normalized_shape, {eps=nil, elementwise_affine=true}); normalized_shape is a size or a list of sizes, eps the
-- distance of 1 to the next number of the input's dtype unless given.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local normalization = require 'metann.nn.shared.normalization'
local support = require 'metann.support'
local kinds = options.kinds

local RMSNorm = class.new('RMSNorm', Module)

local read = options.layer_reader('RMSNorm', {
  { 'normalized_shape', kinds.sizes },
  { 'eps', kinds.nonnegative, optional = true },
  { 'elementwise_affine', kinds.boolean, true },
})

function RMSNorm:init(...)
  local o = read(...)
  self.normalized_shape, self.eps, self.elementwise_affine = o.normalized_shape, o.eps, o.elementwise_affine
  normalization.add_affine(self, o.normalized_shape, o.elementwise_affine, false)
  options.place(self, o)
end

function RMSNorm:forward(x, more)
  if more ~= nil then support.too_many('RMSNorm', 1) end
  return normalization.root_mean_square('RMSNorm', x, self.normalized_shape, self.weight, self.eps)
end

function RMSNorm:extra_repr()
  return ('%s, eps=%s, elementwise_affine=%s'):format(support.tuple(self.normalized_shape), tostring(self.eps),
    tostring(self.elementwise_affine))
end

return RMSNorm
