--- UpsamplingNearest2d: planes (N, C, H, W) at another size, each element the nearest one of the input.
-- UpsamplingNearest2d{size= | scale_factor=}: numbers or {vertical, horizontal}.
return require('metann.nn.shared.upsampling').plane_class('UpsamplingNearest2d', 'nearest')
