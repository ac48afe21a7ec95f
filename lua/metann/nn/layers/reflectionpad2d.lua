--- ReflectionPad2d: what stands behind the edges, mirrored, around the last two dims.
-- ReflectionPad2d(padding): padding is a number or {left, right, top, bottom}; negative numbers crop.
-- Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.padding').class('ReflectionPad2d', 2, 'reflect')
