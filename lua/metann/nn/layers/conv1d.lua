--- Conv1d: cross-correlation of lines with kernels, plus a bias for each output channel.
-- Conv1d(in_channels, out_channels, kernel_size, {stride=1, padding=0, dilation=1, groups=1, bias=true,
-- padding_mode='zeros'}) as Conv2d. Input (N, C, L) or (C, L).
local convolution = require 'metann.nn.shared.convolution'
local support = require 'metann.support'
local functions = support.functions

local Conv1d = convolution.class('Conv1d', 1, false)

function Conv1d:forward(x, more)
  if more ~= nil then support.too_many('Conv1d', 1) end
  convolution.check('Conv1d', x, self.in_channels, 1)
  local pads = self._pads
  if pads then
    x = functions.pad(x, pads, self.padding_mode == 'zeros' and 'constant' or self.padding_mode)
  end
  return functions.conv1d(x, self.weight, self.bias, self.stride[1], self._padding[1], self.dilation[1], self.groups)
end

return Conv1d
