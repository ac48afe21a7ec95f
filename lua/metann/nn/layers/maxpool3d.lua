--- MaxPool3d: the largest of each window. MaxPool3d(kernel_size, {stride=kernel_size, padding=0, dilation=1,
-- return_indices=false, ceil_mode=false}); sizes are numbers or {depth, vertical, horizontal}.
-- Input (N, C, D, H, W) or (C, D, H, W). With return_indices also where each stands in its volume, counted from 1.
return require('metann.nn.shared.pooling').max_class('MaxPool3d', 3)
