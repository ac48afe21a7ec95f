--- ReplicationPad3d: the edges, repeated, around the last three dims.
-- ReplicationPad3d(padding): padding is a number or {left, right, top, bottom, front, back}; negative numbers crop.
-- Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.padding').class('ReplicationPad3d', 3, 'replicate')
