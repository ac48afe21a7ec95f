--- Softshrink: x moved towards 0 by lambd, and 0 where it would cross it.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local ops = require('metann.support').ops

return pure.class('Softshrink', { 'input' }, {
  { 'lambd', kinds.nonnegative, 0.5, show = true },
}, function(o, x) return ops.sub(x, ops.clamp(x, -o.lambd, o.lambd)) end)
