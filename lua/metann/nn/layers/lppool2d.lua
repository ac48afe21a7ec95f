--- LPPool2d: the p-norm of each window, without taking absolute values.
-- LPPool2d(norm_type, kernel_size, {stride=kernel_size, ceil_mode=false}). Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.pooling').norm_class('LPPool2d', 2)
