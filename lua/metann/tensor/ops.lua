--- All functions on tensors by name: the rows of the op table, made as they are asked for, and compositions of rows.
-- A composition that has a row's name replaces it here; the row itself stays in binding.stub.ops.
local pairs = require('metann.binding.traversal').pairs
local binding = require 'metann.binding'
local raw = binding.stub.public

local ops = {}

for _, part in ipairs{ 'create', 'pointwise', 'reduce', 'products', 'factorizations', 'einsum', 'shape', 'index',
  'conv', 'pool', 'interpolate', 'inplace', 'random' } do
  local functions = require('metann.tensor.compose.' .. part)
  for name, fn in pairs(functions) do ops[name] = fn end
end

return setmetatable(ops, {
  __index = function(self, name)
    local fn = raw[name]
    if fn then rawset(self, name, fn) end
    return fn
  end,
})
