--- New parameters with initial values: how layers make theirs.
local support = require 'metann.support'
local ops = support.ops

local fresh = {}

--- The size of a parameter, which products of what the user gave may make too large for a tensor.
local function checked(shape)
  for d = 1, #shape do
    if shape[d] >= 2 ^ 60 then support.raise('?: a parameter of size %s would be too large', support.tuple(shape)) end
  end
  return shape
end

--- A parameter drawn uniformly from -bound .. bound.
function fresh.uniform(shape, bound) return support.parameter(ops.rand(checked(shape), -bound, bound)) end

--- A parameter drawn from a normal distribution.
function fresh.normal(shape, mean, std) return support.parameter(ops.randn(checked(shape), mean, std)) end

--- A parameter full of one number.
function fresh.constant(shape, value) return support.parameter(ops.full(checked(shape), value)) end

return fresh
