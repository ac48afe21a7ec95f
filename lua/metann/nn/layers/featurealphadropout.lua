--- FeatureAlphaDropout: AlphaDropout of whole channels of (N, C, ...). FeatureAlphaDropout({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('FeatureAlphaDropout', dropping.alpha_channels)
