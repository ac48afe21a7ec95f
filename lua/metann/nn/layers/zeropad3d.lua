--- ZeroPad3d: zeros around the last three dims.
-- ZeroPad3d(padding): padding is a number or {left, right, top, bottom, front, back}; negative numbers crop.
return require('metann.nn.shared.padding').class('ZeroPad3d', 3, 'constant')
