--- CircularPad1d: what stands at the other end around the last dim.
-- CircularPad1d(padding): padding is a number or {left, right}; negative numbers crop.
-- Input (N, C, L) or (C, L).
return require('metann.nn.shared.padding').class('CircularPad1d', 1, 'circular')
