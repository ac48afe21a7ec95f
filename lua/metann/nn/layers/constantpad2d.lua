--- ConstantPad2d: a number around the last two dims.
-- ConstantPad2d(padding, value): padding is a number or {left, right, top, bottom}; negative numbers crop.
return require('metann.nn.shared.padding').class('ConstantPad2d', 2, 'value')
