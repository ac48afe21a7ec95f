--- What is taken off n where variances divide by it: PyTorch's arguments of var, std, var_mean and std_mean. Internal.
local kinds = require 'metann.arguments.kinds'
local raise = require('metann.tensor.compose.common').raise

local correction = {}

-- A number, or PyTorch's older `unbiased`: true for 1. Where neither is given, their default is false.
local function kind(v)
  if type(v) == 'boolean' then return v and 1 or 0 end
  return kinds.number(v), 'a number'
end

correction.CORRECTION, correction.UNBIASED = { 'correction', kind, false }, { 'unbiased', kind, false, named = true }

--- The number that the arguments of a function say.
function correction.of(name, given, unbiased)
  if given and unbiased then raise("%s: give 'correction' or 'unbiased', not both", name) end
  return given or unbiased or 1
end

return correction
