--- LPPool3d: the p-norm of each window, without taking absolute values.
-- LPPool3d(norm_type, kernel_size, {stride=kernel_size, ceil_mode=false}). Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.pooling').norm_class('LPPool3d', 3)
