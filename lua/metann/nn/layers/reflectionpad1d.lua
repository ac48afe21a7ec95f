--- ReflectionPad1d: what stands behind the edges, mirrored, around the last dim.
-- ReflectionPad1d(padding): padding is a number or {left, right}; negative numbers crop.
-- Input (N, C, L) or (C, L).
return require('metann.nn.shared.padding').class('ReflectionPad1d', 1, 'reflect')
