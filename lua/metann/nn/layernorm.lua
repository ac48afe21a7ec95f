--- LayerNorm: each sample to mean 0 and variance 1 over its last dims, then scaled and shifted (Ba et al. 2016).
-- LayerNorm(normalized_shape, {eps=1e-5, elementwise_affine=true}); normalized_shape is a size or a list of sizes.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local fresh = require 'metann.nn.fresh'
local support = require 'metann.nn.support'
local kinds, ops = options.kinds, support.ops

local LayerNorm = class.new('LayerNorm', Module)

local read = options.reader('LayerNorm', {
  { 'normalized_shape', kinds.sizes },
  { 'eps', kinds.nonnegative, 1e-5 },
  { 'elementwise_affine', kinds.boolean, true },
})

function LayerNorm:init(...)
  local o = read(...)
  self.normalized_shape, self.eps, self.elementwise_affine = o.normalized_shape, o.eps, o.elementwise_affine
  local affine = o.elementwise_affine
  self:register_parameter('weight', affine and fresh.constant(o.normalized_shape, 1) or nil)
  self:register_parameter('bias', affine and fresh.constant(o.normalized_shape, 0) or nil)
end

local function fits(x, shape)
  local n, k = support.ndim(x), #shape
  if n < k then return false end
  for i = 1, k do
    if support.size(x, n - k + i) ~= shape[i] then return false end
  end
  return true
end

function LayerNorm:forward(x)
  local shape = self.normalized_shape
  if not support.is_tensor(x) or not fits(x, shape) then
    support.raise("LayerNorm: the last dims of 'input' must be %s, got %s", support.tuple(shape), support.describe(x))
  end
  local y, total, inner = x, support.numel(x), 1
  for i = 1, #shape do inner = inner * shape[i] end
  if total > 0 then
    local flat = support.reshape(x, { 1, total / inner, inner })
    y = ops.view((ops.batch_norm(flat, nil, nil, self.eps)), support.shape(x))
  end
  local weight, bias = self.weight, self.bias
  if weight then y = ops.mul(y, weight) end
  if bias then y = ops.add(y, bias) end
  return y
end

function LayerNorm:extra_repr()
  return ('%s, eps=%s, elementwise_affine=%s'):format(support.tuple(self.normalized_shape), tostring(self.eps),
    tostring(self.elementwise_affine))
end

return LayerNorm
