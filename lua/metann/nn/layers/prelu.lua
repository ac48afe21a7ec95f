--- PReLU: x where x > 0, else weight * x, with a weight for all or for each channel (dim 2) (He et al. 2015).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local formulas = require 'metann.nn.shared.formulas'
local fresh = require 'metann.nn.shared.fresh'
local support = require 'metann.support'
local kinds = options.kinds

local PReLU = class.new('PReLU', Module)

local read = options.layer_reader('PReLU', {
  { 'num_parameters', kinds.count, 1 },
  { 'init', kinds.number, 0.25 },
})

--- @param num_parameters 1, or the number of channels
-- @param init the weights' first value
function PReLU:init(...)
  local o = read(...)
  self.num_parameters = o.num_parameters
  self:register_parameter('weight', fresh.constant({ o.num_parameters }, o.init))
  options.place(self, o)
end

function PReLU:forward(x, more)
  if more ~= nil then support.too_many('PReLU', 1) end
  if not support.is_tensor(x) then
    support.raise("PReLU: 'input' must be a tensor, got %s", support.describe(x))
  end
  return formulas.prelu('PReLU', x, self.weight)
end

function PReLU:extra_repr() return 'num_parameters=' .. self.num_parameters end

return PReLU
