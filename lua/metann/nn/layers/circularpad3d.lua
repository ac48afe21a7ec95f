--- CircularPad3d: what stands at the other end around the last three dims.
-- CircularPad3d(padding): padding is a number or {left, right, top, bottom, front, back}; negative numbers crop.
-- Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.padding').class('CircularPad3d', 3, 'circular')
