--- PixelShuffle: (..., C r^2, H, W) as (..., C, H r, W r), r being upscale_factor: each block of r^2 channels becomes a
-- square of pixels (Shi et al. 2016).
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local shuffling = require 'metann.nn.shared.shuffling'

return pure.class('PixelShuffle', { 'input' }, {
  { 'upscale_factor', kinds.count, show = true },
}, function(o, x) return shuffling.to_pixels('PixelShuffle', x, o.upscale_factor) end)
