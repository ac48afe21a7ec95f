--- AdaptiveAvgPool1d: means over windows that divide each line into output_size, a number; false for
-- a side that stays as it is. Input (N, C, L) or (C, L).
return require('metann.nn.shared.pooling').adaptive_avg_class('AdaptiveAvgPool1d', 1)
