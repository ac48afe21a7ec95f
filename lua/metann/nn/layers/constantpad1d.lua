--- ConstantPad1d: a number around the last dim.
-- ConstantPad1d(padding, value): padding is a number or {left, right}; negative numbers crop.
return require('metann.nn.shared.padding').class('ConstantPad1d', 1, 'value')
