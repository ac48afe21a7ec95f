--- LPPool1d: the p-norm of each window, without taking absolute values.
-- LPPool1d(norm_type, kernel_size, {stride=kernel_size, ceil_mode=false}). Input (N, C, L) or (C, L).
return require('metann.nn.shared.pooling').norm_class('LPPool1d', 1)
