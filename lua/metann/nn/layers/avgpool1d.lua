--- AvgPool1d: the mean of each window. AvgPool1d(kernel_size, {stride=kernel_size, padding=0, ceil_mode=false,
-- count_include_pad=true}).
-- Input (N, C, L) or (C, L).
return require('metann.nn.shared.pooling').avg_class('AvgPool1d', 1)
