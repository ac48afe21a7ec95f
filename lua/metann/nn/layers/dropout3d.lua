--- Dropout3d: in training mode each channel of (N, C, D, H, W) or (C, D, H, W) is 0 with probability p, else divided by 1 - p
-- (Tompson et al. 2015). Dropout3d({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('Dropout3d', dropping.channels(3), dropping.check_channels(3))
