--- ConvTranspose2d: the transpose of Conv2d, which grows planes again.
-- ConvTranspose2d(in_channels, out_channels, kernel_size, {stride=1, padding=0, output_padding=0, groups=1, bias=true,
-- dilation=1}). Input (N, C, H, W) or (C, H, W); H' = (H - 1) stride - 2 padding + dilation (kernel - 1) +
-- output_padding + 1. Called with {output_size = {H', W'}} it chooses the output_padding that gives that size.
local convolution = require 'metann.nn.shared.convolution'
local support = require 'metann.support'

local options = require 'metann.nn.machinery.options'

local ConvTranspose2d = convolution.class('ConvTranspose2d', 2, true)

local read_call = options.reader('ConvTranspose2d', {
  { 'output_size', options.kinds.sides(2, 1), optional = true },
})

--- The output_padding that gives the wanted size.
local function padding_for(self, x, wanted)
  local extra = {}
  for i = 1, 2 do
    local least = (support.size(x, i - 3) - 1) * self.stride[i] - 2 * self.padding[i]
      + self.dilation[i] * (self.kernel_size[i] - 1) + 1
    extra[i] = wanted[i] - least
    if extra[i] < 0 or extra[i] >= math.max(self.stride[i], self.dilation[i]) then
      support.raise("ConvTranspose2d: 'output_size' must be from %d to %d in dim %d, got %d", least,
        least + math.max(self.stride[i], self.dilation[i]) - 1, i, wanted[i])
    end
  end
  return extra
end

--- @param x (N, C, H, W) or (C, H, W)
-- @param ... output_size: the wanted H', W'; by position or name
function ConvTranspose2d:forward(x, ...)
  convolution.check('ConvTranspose2d', x, self.in_channels, 2)
  local extra = self.output_padding
  if select('#', ...) > 0 then
    local wanted = read_call(...).output_size
    if wanted then extra = padding_for(self, x, wanted) end
  end
  return support.functions.conv_transpose2d(x, self.weight, self.bias or false, self.stride, self.padding, extra,
    self.groups, self.dilation)
end

return ConvTranspose2d
