--- Conv3d: cross-correlation of volumes with kernels, plus a bias for each output channel.
-- Conv3d(in_channels, out_channels, kernel_size, {stride=1, padding=0, dilation=1, groups=1, bias=true,
-- padding_mode='zeros'}); sizes are numbers or {depth, vertical, horizontal}; padding may be 'same' or 'valid';
-- padding_mode 'zeros', 'reflect', 'replicate' or 'circular'. Input (N, C, D, H, W) or (C, D, H, W).
local convolution = require 'metann.nn.shared.convolution'
local support = require 'metann.support'
local check, functions = convolution.check, support.functions

local Conv3d = convolution.class('Conv3d', 3, false)

function Conv3d:forward(x, more)
  if more ~= nil then support.too_many('Conv3d', 1) end
  check('Conv3d', x, self.in_channels, 3)
  local pads = self._pads
  if pads then
    x = functions.pad(x, pads, self.padding_mode == 'zeros' and 'constant' or self.padding_mode)
  end
  return functions.conv3d(x, self.weight, self.bias, self.stride, self._padding, self.dilation, self.groups)
end

return Conv3d
