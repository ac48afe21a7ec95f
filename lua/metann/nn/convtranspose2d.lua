--- ConvTranspose2d: the transpose of Conv2d, which grows planes again.
-- ConvTranspose2d(in_channels, out_channels, kernel_size, {stride=1, padding=0, output_padding=0, groups=1, bias=true,
-- dilation=1}). Input (N, C, H, W) or (C, H, W); H' = (H - 1) stride - 2 padding + dilation (kernel - 1) +
-- output_padding + 1.
local convolution = require 'metann.nn.convolution'
local support = require 'metann.nn.support'

local ConvTranspose2d = convolution.class('ConvTranspose2d', 2, true)

function ConvTranspose2d:forward(x)
  convolution.check('ConvTranspose2d', x, self.in_channels, 2)
  return support.functions.conv_transpose2d(x, self.weight, self.bias or false, self.stride, self.padding,
    self.output_padding, self.groups, self.dilation)
end

return ConvTranspose2d
