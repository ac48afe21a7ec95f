--- RReLU: x where x > 0, else a slope times x, in training mode one drawn for each element (Xu et al. 2015).
-- RReLU({lower=1/8, upper=1/3}); in evaluation mode the slope is their mean.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local dropping = require 'metann.nn.shared.dropping'
local support = require 'metann.support'
local kinds = options.kinds

local RReLU = class.new('RReLU', Module)

local read = options.reader('RReLU', {
  { 'lower', kinds.number, 1 / 8 }, { 'upper', kinds.number, 1 / 3 }, { 'inplace', kinds.boolean, false },
})

function RReLU:init(...)
  local o = read(...)
  dropping.check_slopes('RReLU', o.lower, o.upper)
  self.lower, self.upper, self.inplace = o.lower, o.upper, o.inplace
end

function RReLU:forward(x, more)
  if more ~= nil then support.too_many('RReLU', 1) end
  if not support.is_tensor(x) then support.raise("RReLU: 'input' must be a tensor, got %s", support.describe(x)) end
  return dropping.rrelu(x, self.lower, self.upper, self.training)
end

function RReLU:extra_repr() return ('lower=%s, upper=%s'):format(tostring(self.lower), tostring(self.upper)) end

return RReLU
