--- Softmax2d: softmax over the channels of (N, C, H, W) or (C, H, W), at each place.
local pure = require 'metann.nn.machinery.pure'
local support = require 'metann.support'

return pure.class('Softmax2d', { 'input' }, {}, function(_, x)
  local n = support.ndim(x)
  if n ~= 3 and n ~= 4 then
    support.raise("Softmax2d: 'input' must be a tensor of size (N, C, H, W) or (C, H, W), got %s", support.describe(x))
  end
  return support.ops.softmax(x, -3)
end)
