--- New parameters with initial values: how layers make theirs.
local support = require 'metann.nn.support'
local ops = support.ops

local fresh = {}

--- A parameter drawn uniformly from -bound .. bound.
function fresh.uniform(shape, bound) return support.parameter(ops.rand(shape, -bound, bound)) end

--- A parameter drawn from a normal distribution.
function fresh.normal(shape, mean, std) return support.parameter(ops.randn(shape, mean, std)) end

--- A parameter full of one number.
function fresh.constant(shape, value) return support.parameter(ops.full(shape, value)) end

return fresh
