--- ReplicationPad2d: the edges, repeated, around the last two dims.
-- ReplicationPad2d(padding): padding is a number or {left, right, top, bottom}; negative numbers crop.
-- Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.padding').class('ReplicationPad2d', 2, 'replicate')
