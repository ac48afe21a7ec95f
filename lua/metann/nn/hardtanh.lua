--- Hardtanh: x clamped to min_val .. max_val.
local pure = require 'metann.nn.pure'
local kinds = require('metann.nn.options').kinds
local ops = require('metann.nn.support').ops

return pure.class('Hardtanh', { 'input' }, {
  { 'min_val', kinds.number, -1, show = true },
  { 'max_val', kinds.number, 1, show = true },
  pure.INPLACE,
}, function(o, x) return ops.clamp(x, o.min_val, o.max_val) end)
