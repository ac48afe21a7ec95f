--- Dropout1d: in training mode each channel of (N, C, L) or (C, L) is 0 with probability p, else divided by 1 - p
-- (Tompson et al. 2015). Dropout1d({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('Dropout1d', dropping.channels(1), dropping.check_channels(1))
