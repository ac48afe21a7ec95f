--- PixelUnshuffle: (..., C, H r, W r) as (..., C r^2, H, W), r being downscale_factor: PixelShuffle backwards.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local shuffling = require 'metann.nn.shared.shuffling'

return pure.class('PixelUnshuffle', { 'input' }, {
  { 'downscale_factor', kinds.count, show = true },
}, function(o, x) return shuffling.to_channels('PixelUnshuffle', x, o.downscale_factor) end)
