--- ConstantPad3d: a number around the last three dims.
-- ConstantPad3d(padding, value): padding is a number or {left, right, top, bottom, front, back}; negative numbers crop.
return require('metann.nn.shared.padding').class('ConstantPad3d', 3, 'value')
