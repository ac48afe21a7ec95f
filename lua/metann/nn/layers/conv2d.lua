--- Conv2d: cross-correlation of planes with kernels, plus a bias for each output channel.
-- Conv2d(in_channels, out_channels, kernel_size, {stride=1, padding=0, dilation=1, groups=1, bias=true,
-- padding_mode='zeros'}); sizes are numbers or {vertical, horizontal}; padding may be 'same' or 'valid'; padding_mode
-- 'zeros', 'reflect', 'replicate' or 'circular'. Input (N, C, H, W) or (C, H, W).
local convolution = require 'metann.nn.shared.convolution'
local support = require 'metann.support'
local check, conv2d = convolution.check, support.ops.conv2d
local functions, ops = support.functions, support.ops

local Conv2d = convolution.class('Conv2d', 2, false)

function Conv2d:forward(x, more)
  if more ~= nil then support.too_many('Conv2d', 1) end
  local n = check('Conv2d', x, self.in_channels, 2)
  local pads = self._pads
  if pads then
    x = functions.pad(x, pads, self.padding_mode == 'zeros' and 'constant' or self.padding_mode)
  end
  if n == 4 then
    return conv2d(x, self.weight, self.bias, self.stride, self._padding, self.dilation, self.groups)
  end
  local y = conv2d(ops.unsqueeze(x, 1), self.weight, self.bias, self.stride, self._padding, self.dilation, self.groups)
  return ops.squeeze(y, 1)
end

return Conv2d
