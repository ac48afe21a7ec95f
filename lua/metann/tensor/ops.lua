--- All functions on tensors by name: the rows of the op table, made as they are asked for, and compositions of rows.
-- A composition that has a row's name replaces it here; the row itself stays in binding.stub.ops.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local binding = require 'metann.binding'
local common = require 'metann.tensor.compose.common'
local raw = binding.stub.public

local ops = {}

for _, part in ipairs{ 'create', 'pointwise', 'reduce', 'products', 'factorizations', 'einsum', 'shape', 'index',
  'conv', 'pool', 'interpolate', 'elements', 'joins', 'parts', 'places', 'statistics', 'slopes', 'distinct', 'inplace', 'random' } do
  local functions = require('metann.tensor.compose.' .. part)
  for name, fn in pairs(functions) do ops[name] = fn end
end

-- Other names, PyTorch's and NumPy's; those of in-place variants follow from them.
local ALIASES = {
  clip = 'clamp', absolute = 'abs', multiply = 'mul', subtract = 'sub', divide = 'div', true_divide = 'div',
  negative = 'neg', fix = 'trunc', power = 'pow', sgn = 'sign', greater = 'gt', greater_equal = 'ge', less = 'lt',
  less_equal = 'le', not_equal = 'ne', arcsin = 'asin', arccos = 'acos', arctan = 'atan', arctan2 = 'atan2',
  arcsinh = 'asinh', arccosh = 'acosh', arctanh = 'atanh', concat = 'cat', concatenate = 'cat', row_stack = 'vstack',
  moveaxis = 'movedim', swapaxes = 'transpose', swapdims = 'transpose', permute_dims = 'permute', expand_dims = 'unsqueeze',
  unsafe_chunk = 'chunk', unsafe_split = 'split', split_with_sizes = 'split', vdot = 'dot', trapz = 'trapezoid',
}

--- The name that another one stands for.
local function named(name)
  local base = name:match '^(.*[^_])_$'
  return ALIASES[name] or base and ALIASES[base] and ALIASES[base] .. '_'
end

return setmetatable(ops, {
  __index = function(self, name)
    local other = type(name) == 'string' and named(name)
    local fn = raw[name]
    local same = not fn and other and arguments.compiled(self[other])
    if same then fn = common.another(same) end
    if fn then rawset(self, name, fn) end
    return fn
  end,
})
