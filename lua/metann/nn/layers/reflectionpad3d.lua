--- ReflectionPad3d: what stands behind the edges, mirrored, around the last three dims.
-- ReflectionPad3d(padding): padding is a number or {left, right, top, bottom, front, back}; negative numbers crop.
-- Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.padding').class('ReflectionPad3d', 3, 'reflect')
