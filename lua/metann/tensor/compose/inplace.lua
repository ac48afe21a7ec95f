--- In-place variants of what has no row that could write over its input: name_ computes and then overwrites.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local raw = common.raw

-- By the file of the composition; rows themselves stand under 'rows'.
local NAMES = {
  reduce = { 'cumsum', 'cumprod' },
  rows = {
    'tril', 'triu', 'logical_not', 'logical_and', 'logical_or', 'logical_xor', 'eq', 'ne', 'lt',
    'le', 'gt', 'ge', 'gcd', 'nextafter', 'bitwise_and', 'bitwise_or', 'bitwise_xor', 'bitwise_left_shift',
    'bitwise_right_shift',
  },
  pointwise = {
    'lerp', 'addcmul', 'addcdiv', 'clamp_min', 'clamp_max', 'hardtanh', 'floor_divide', 'logsigmoid', 'rsub',
    'masked_fill',
  },
  elements = {
    'logit', 'ldexp', 'float_power', 'sinc', 'deg2rad', 'rad2deg', 'heaviside', 'nan_to_num', 'bitwise_not', 'lcm',
  },
  places = { 'index_copy', 'masked_scatter', 'put', 'scatter_reduce', 'index_reduce' },
  statistics = { 'renorm' },
  products = { 'addmm', 'addmv', 'baddbmm' },
  index = { 'index_fill' },
  random = { 'dropout' },
}

local inplace = {}

for file, names in pairs(NAMES) do
  local functions = file == 'rows' and raw or require('metann.tensor.compose.' .. file)
  for _, name in ipairs(names) do
    local fn = arguments.compiled(functions[name])
    inplace[name .. '_'] = function(t, ...)
      return (raw.assign_(common.tensor(t, name .. '_', 'input'), (fn(t, ...))))
    end
  end
end

return inplace
