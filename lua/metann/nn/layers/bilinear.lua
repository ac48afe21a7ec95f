--- Bilinear: x1^T W_k x2 + b_k for each output k.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local formulas = require 'metann.nn.shared.formulas'
local fresh = require 'metann.nn.shared.fresh'
local support = require 'metann.support'
local kinds, size = options.kinds, support.size

local Bilinear = class.new('Bilinear', Module)

local read = options.layer_reader('Bilinear', {
  { 'in1_features', kinds.count },
  { 'in2_features', kinds.count },
  { 'out_features', kinds.count },
  { 'bias', kinds.boolean, true },
})

--- Weight (out, in1, in2) and bias (out), uniform within 1 / sqrt(in1_features).
function Bilinear:init(...)
  local o = read(...)
  self.in1_features, self.in2_features, self.out_features = o.in1_features, o.in2_features, o.out_features
  local bound = 1 / math.sqrt(o.in1_features)
  self:register_parameter('weight', fresh.uniform({ o.out_features, o.in1_features, o.in2_features }, bound))
  self:register_parameter('bias', o.bias and fresh.uniform({ o.out_features }, bound) or nil)
  options.place(self, o)
end

local function check(name, x, features)
  if not support.is_tensor(x) or support.ndim(x) == 0 or size(x, -1) ~= features then
    support.raise("Bilinear: '%s' must be a tensor of size (..., %d), got %s", name, features, support.describe(x))
  end
end

--- @param x1 (..., in1_features)
-- @param x2 (..., in2_features)
-- @return (..., out_features)
function Bilinear:forward(x1, x2, more)
  if more ~= nil then support.too_many('Bilinear', 2) end
  check('input1', x1, self.in1_features)
  check('input2', x2, self.in2_features)
  return formulas.bilinear(x1, x2, self.weight, self.bias)
end

function Bilinear:extra_repr()
  return ('in1_features=%d, in2_features=%d, out_features=%d, bias=%s'):format(self.in1_features, self.in2_features,
    self.out_features, tostring(self.bias ~= nil))
end

return Bilinear
