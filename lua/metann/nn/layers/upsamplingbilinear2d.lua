--- UpsamplingBilinear2d: planes (N, C, H, W) at another size, interpolated between the nearest four, corners on corners.
-- UpsamplingBilinear2d{size= | scale_factor=}: numbers or {vertical, horizontal}.
return require('metann.nn.shared.upsampling').plane_class('UpsamplingBilinear2d', 'bilinear', true)
