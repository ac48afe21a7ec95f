--- ZeroPad1d: zeros around the last dim.
-- ZeroPad1d(padding): padding is a number or {left, right}; negative numbers crop.
return require('metann.nn.shared.padding').class('ZeroPad1d', 1, 'constant')
