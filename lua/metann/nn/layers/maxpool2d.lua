--- MaxPool2d: the largest of each window. MaxPool2d(kernel_size, {stride=kernel_size, padding=0, dilation=1,
-- return_indices=false, ceil_mode=false}); sizes are numbers or {vertical, horizontal}.
-- Input (N, C, H, W) or (C, H, W). With return_indices also where each stands in its plane, (h - 1) W + w counted from 1.
return require('metann.nn.shared.pooling').max_class('MaxPool2d', 2)
