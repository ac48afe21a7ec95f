--- Functions over windows that no layer's computation gives as it is.
local arguments = require 'metann.arguments'
local pooling = require 'metann.nn.shared.pooling'
local unpooling = require 'metann.nn.shared.unpooling'

local windows = {}

for n = 1, 3 do
  --- What pooling gave, back where it stood (indices, counted from 1), with zeros elsewhere.
  local name = ('max_unpool%dd'):format(n)
  local kernel_size, stride, padding = unpooling.parameters(n)
  windows[name] = arguments.define(name, {
    unpooling.INPUTS[1], unpooling.INPUTS[2], kernel_size, stride, padding, unpooling.OUTPUT_SIZE,
  }, function(x, indices, kernel, moved, around, output_size)
    local o = { kernel_size = kernel, stride = moved, padding = around }
    pooling.prepare(name)(o)
    return unpooling.unpool(name, x, indices, o, output_size)
  end)
end

return windows
