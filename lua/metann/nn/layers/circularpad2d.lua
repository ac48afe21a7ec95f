--- CircularPad2d: what stands at the other end around the last two dims.
-- CircularPad2d(padding): padding is a number or {left, right, top, bottom}; negative numbers crop.
-- Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.padding').class('CircularPad2d', 2, 'circular')
