--- MaxPool1d: the largest of each window. MaxPool1d(kernel_size, {stride=kernel_size, padding=0, dilation=1,
-- return_indices=false, ceil_mode=false}).
-- Input (N, C, L) or (C, L). With return_indices also where each stands in its line, counted from 1.
return require('metann.nn.shared.pooling').max_class('MaxPool1d', 1)
