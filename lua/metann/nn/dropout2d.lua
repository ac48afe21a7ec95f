--- Dropout2d: in training mode each channel of (N, C, ...) is 0 with probability p, else divided by 1 - p
-- (Tompson et al. 2015).
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local support = require 'metann.nn.support'
local kinds, ops = options.kinds, support.ops

local Dropout2d = class.new('Dropout2d', Module)

local read = options.reader('Dropout2d', { { 'p', kinds.probability, 0.5 } })

--- @param p probability that a channel becomes zeros, 0.5
function Dropout2d:init(...) self.p = read(...).p end

--- @param x (N, C, H, W) or (C, H, W)
function Dropout2d:forward(x)
  local n = support.is_tensor(x) and support.ndim(x) or 0
  if n ~= 3 and n ~= 4 then
    support.raise("Dropout2d: 'input' must be a tensor of size (N, C, H, W) or (C, H, W), got %s", support.describe(x))
  end
  if not self.training or self.p == 0 then return x end
  local shape = n == 3 and { support.size(x, 1), 1, 1 } or { support.size(x, 1), support.size(x, 2), 1, 1 }
  local mask = ops.dropout(ops.full(shape, 1, support.dtype(x)), self.p)
  return ops.mul(x, mask)
end

function Dropout2d:extra_repr() return 'p=' .. self.p end

return Dropout2d
