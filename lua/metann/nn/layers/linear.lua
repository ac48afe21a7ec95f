--- Linear: x W^T + b over the last dim.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local fresh = require 'metann.nn.shared.fresh'
local support = require 'metann.support'
local kinds, ops = options.kinds, support.ops
local linear = ops.linear
local is_tensor, ndim, size = support.is_tensor, support.ndim, support.size

local Linear = class.new('Linear', Module)

local read = options.layer_reader('Linear', {
  { 'in_features', kinds.count },
  { 'out_features', kinds.count },
  { 'bias', kinds.boolean, true },
})

--- Weight (out_features, in_features) and bias (out_features), both uniform within 1 / sqrt(in_features).
-- @param in_features size of the input's last dim
-- @param out_features size of the output's last dim
-- @param bias false for none
-- @param device, dtype as in PyTorch
function Linear:init(...)
  local o = read(...)
  self.in_features, self.out_features = o.in_features, o.out_features
  local bound = 1 / math.sqrt(o.in_features)
  self:register_parameter('weight', fresh.uniform({ o.out_features, o.in_features }, bound))
  self:register_parameter('bias', o.bias and fresh.uniform({ o.out_features }, bound) or nil)
  options.place(self, o)
end

--- @param x (..., in_features)
-- @return (..., out_features)
function Linear:forward(x, more)
  if more ~= nil then support.too_many('Linear', 1) end
  if not is_tensor(x) or ndim(x) == 0 or size(x, -1) ~= self.in_features then
    support.raise("Linear: 'input' must be a tensor of size (..., %d), got %s", self.in_features, support.describe(x))
  end
  return linear(x, self.weight, self.bias)
end

function Linear:extra_repr()
  return ('in_features=%d, out_features=%d, bias=%s'):format(self.in_features, self.out_features,
    tostring(self.bias ~= nil))
end

return Linear
