--- PReLU: x where x > 0, else weight * x, with a weight for all or for each channel (dim 2) (He et al. 2015).
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local fresh = require 'metann.nn.fresh'
local support = require 'metann.nn.support'
local functional = require 'metann.nn.functional'
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

function PReLU:forward(x)
  if not support.is_tensor(x) then
    support.raise("PReLU: 'input' must be a tensor, got %s", support.describe(x))
  end
  return functional.prelu(x, self.weight)
end

function PReLU:extra_repr() return 'num_parameters=' .. self.num_parameters end

return PReLU
