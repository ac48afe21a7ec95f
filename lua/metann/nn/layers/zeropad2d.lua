--- ZeroPad2d: zeros around the last two dims.
-- ZeroPad2d(padding): padding is a number or {left, right, top, bottom}; negative numbers crop.
return require('metann.nn.shared.padding').class('ZeroPad2d', 2, 'constant')
