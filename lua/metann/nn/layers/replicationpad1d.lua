--- ReplicationPad1d: the edges, repeated, around the last dim.
-- ReplicationPad1d(padding): padding is a number or {left, right}; negative numbers crop.
-- Input (N, C, L) or (C, L).
return require('metann.nn.shared.padding').class('ReplicationPad1d', 1, 'replicate')
