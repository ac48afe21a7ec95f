--- Dropout: in training mode each element is 0 with probability p, else divided by 1 - p (Srivastava et al. 2014).
-- Dropout({p=0.5}).
local dropping = require 'metann.nn.shared.dropping'

return dropping.class('Dropout', dropping.elements)
