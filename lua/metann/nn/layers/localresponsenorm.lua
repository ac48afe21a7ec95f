--- LocalResponseNorm: each element over (k + alpha * the mean of squares of `size` neighbouring channels)^beta
-- (Krizhevsky et al. 2012). LocalResponseNorm(size, {alpha=1e-4, beta=0.75, k=1}). Input (N, C, ...).
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops, size = support.ops, support.size

return pure.class('LocalResponseNorm', { 'input' }, {
  { 'size', kinds.count, show = true },
  { 'alpha', kinds.number, 1e-4, show = true },
  { 'beta', kinds.number, 0.75, show = true },
  { 'k', kinds.number, 1.0, show = true },
}, function(o, x)
  local n = support.ndim(x)
  if n < 3 then
    support.raise("LocalResponseNorm: 'input' must be a tensor of size (N, C, ...), got %s", support.describe(x))
  end
  if support.numel(x) == 0 then return x end
  local rows = support.numel(x) / (size(x, 1) * size(x, 2))
  local squares = support.reshape(ops.square(x), { size(x, 1), 1, size(x, 2), rows })
  -- channels that aren't there are zeros, and count
  local first, last = math.floor(o.size / 2), math.floor((o.size - 1) / 2)
  local around = ops.pad(squares, { 0, 0, first, 0 }, { 0, 0, last, 0 })
  local means = support.reshape(ops.avg_pool2d(around, { o.size, 1 }, { 1, 1 }, { 0, 0 }), support.shape(x))
  return ops.div(x, ops.pow(ops.add(ops.mul(means, o.alpha), o.k), o.beta))
end)
