--- Dropout2d: in training mode each channel of (N, C, H, W) or (C, H, W) is 0 with probability p, else divided by 1 - p
-- (Tompson et al. 2015). Dropout2d({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('Dropout2d', dropping.channels(2), dropping.check_channels(2))
