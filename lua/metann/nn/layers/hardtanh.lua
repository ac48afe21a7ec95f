--- Hardtanh: x clamped to min_val .. max_val.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('Hardtanh', { 'input' }, {
  { 'min_val', kinds.number, -1, show = true },
  { 'max_val', kinds.number, 1, show = true },
  pure.INPLACE,
}, function(o, x) return ops.clamp(x, o.min_val, o.max_val) end, function(o)
  if o.min_val > o.max_val then
    support.raise("Hardtanh: 'min_val' (%s) must not be above 'max_val' (%s)", tostring(o.min_val), tostring(o.max_val))
  end
end)
