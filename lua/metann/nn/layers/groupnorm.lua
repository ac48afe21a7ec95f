--- GroupNorm: the channels of each sample, in groups, to mean 0 and variance 1 (Wu and He 2018).
-- GroupNorm(num_groups, num_channels, {eps=1e-5, affine=true, bias=true}). Input (N, C, ...).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local normalization = require 'metann.nn.shared.normalization'
local support = require 'metann.support'
local kinds = options.kinds

local GroupNorm = class.new('GroupNorm', Module)

local read = options.layer_reader('GroupNorm', {
  { 'num_groups', kinds.count },
  { 'num_channels', kinds.count },
  { 'eps', kinds.nonnegative, 1e-5 },
  { 'affine', kinds.boolean, true },
  { 'bias', kinds.boolean, true, named = true },
})

function GroupNorm:init(...)
  local o = read(...)
  if o.num_channels % o.num_groups ~= 0 then
    support.raise("GroupNorm: 'num_channels' (%d) must be divisible by 'num_groups' (%d)", o.num_channels,
      o.num_groups)
  end
  self.num_groups, self.num_channels, self.eps, self.affine = o.num_groups, o.num_channels, o.eps, o.affine
  normalization.add_affine(self, { o.num_channels }, o.affine, o.bias)
  options.place(self, o)
end

function GroupNorm:forward(x, more)
  if more ~= nil then support.too_many('GroupNorm', 1) end
  local n = support.is_tensor(x) and support.ndim(x) or 0
  if n < 2 or support.size(x, 2) ~= self.num_channels then
    support.raise("GroupNorm: 'input' must be a tensor of size (N, %d, ...), got %s", self.num_channels,
      support.describe(x))
  end
  return normalization.grouped('GroupNorm', x, self.num_groups, self.weight, self.bias, self.eps)
end

function GroupNorm:extra_repr()
  return ('%d, %d, eps=%s, affine=%s'):format(self.num_groups, self.num_channels, tostring(self.eps),
    tostring(self.affine)) .. normalization.bias_text(self)
end

return GroupNorm
