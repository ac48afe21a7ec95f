--- AvgPool3d: the mean of each window. AvgPool3d(kernel_size, {stride=kernel_size, padding=0, ceil_mode=false,
-- count_include_pad=true, divisor_override=nil}); sizes are numbers or {depth, vertical, horizontal}.
-- divisor_override is what sums of windows are divided by instead of the window's size.
-- Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.pooling').avg_class('AvgPool3d', 3)
