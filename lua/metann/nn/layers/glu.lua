--- GLU: the first half of a dim times the sigmoid of the second (Dauphin et al. 2017). dim counts from 1, -1 is the last.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

return pure.class('GLU', { 'input' }, {
  { 'dim', kinds.dim, -1, show = true },
}, function(o, x)
  local n = support.ndim(x)
  if o.dim > n or o.dim < -n then support.raise("GLU: 'dim' is %d, but 'input' has %d dims", o.dim, n) end
  local dim = o.dim < 0 and n + 1 + o.dim or o.dim
  local half = support.size(x, dim) / 2
  if half % 1 ~= 0 then
    support.raise("GLU: dim %d of 'input' must have an even size, got size %s", dim, support.shape_text(x))
  end
  return ops.mul(ops.slice(x, dim, 1, half), ops.sigmoid(ops.slice(x, dim, half + 1, half)))
end)
