--- Dropout2d: in training mode each channel of (N, C, ...) is 0 with probability p, else divided by 1 - p
-- (Tompson et al. 2015).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local formulas = require 'metann.nn.shared.formulas'
local support = require 'metann.support'
local kinds = options.kinds

local Dropout2d = class.new('Dropout2d', Module)

local read = options.reader('Dropout2d', {
  { 'p', kinds.probability, 0.5 }, { 'inplace', kinds.boolean, false },
})

--- @param p probability that a channel becomes zeros, 0.5
-- @param inplace PyTorch's option; the result is a new tensor in any case
function Dropout2d:init(...)
  local o = read(...)
  self.p, self.inplace = o.p, o.inplace
end

--- @param x (N, C, H, W) or (C, H, W)
function Dropout2d:forward(x, more)
  if more ~= nil then support.too_many('Dropout2d', 1) end
  local n = support.is_tensor(x) and support.ndim(x) or 0
  if n ~= 3 and n ~= 4 then
    support.raise("Dropout2d: 'input' must be a tensor of size (N, C, H, W) or (C, H, W), got %s", support.describe(x))
  end
  if not self.training or self.p == 0 then return x end
  return formulas.dropout2d(x, self.p)
end

function Dropout2d:extra_repr() return ('p=%s, inplace=%s'):format(tostring(self.p), tostring(self.inplace)) end

return Dropout2d
