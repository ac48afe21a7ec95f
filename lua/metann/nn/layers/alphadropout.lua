--- AlphaDropout: in training mode each element is SELU's least value with probability p; then all is scaled and moved so
-- that mean and variance stay (Klambauer et al. 2017). AlphaDropout({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('AlphaDropout', dropping.alpha)
