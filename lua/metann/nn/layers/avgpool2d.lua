--- AvgPool2d: the mean of each window. AvgPool2d(kernel_size, {stride=kernel_size, padding=0, ceil_mode=false,
-- count_include_pad=true, divisor_override=nil}); sizes are numbers or {vertical, horizontal}.
-- divisor_override is what sums of windows are divided by instead of the window's size.
-- Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.pooling').avg_class('AvgPool2d', 2)
