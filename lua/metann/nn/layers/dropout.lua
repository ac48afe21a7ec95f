--- Dropout: in training mode each element is 0 with probability p, else divided by 1 - p (Srivastava et al. 2014).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds = options.kinds
local dropout = support.ops.dropout

local Dropout = class.new('Dropout', Module)

local read = options.reader('Dropout', {
  { 'p', kinds.probability, 0.5 }, { 'inplace', kinds.boolean, false },
})

--- @param p probability of a zero, 0.5
-- @param inplace PyTorch's option; the result is a new tensor in any case
function Dropout:init(...)
  local o = read(...)
  self.p, self.inplace = o.p, o.inplace
end

--- @param x a tensor of any size
function Dropout:forward(x, more)
  if more ~= nil then support.too_many('Dropout', 1) end
  if not support.is_tensor(x) then
    support.raise("Dropout: 'input' must be a tensor, got %s", support.describe(x))
  end
  if not self.training or self.p == 0 then return x end
  return (dropout(x, self.p))
end

function Dropout:extra_repr() return ('p=%s, inplace=%s'):format(tostring(self.p), tostring(self.inplace)) end

return Dropout
