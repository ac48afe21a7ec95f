--- AdaptiveAvgPool3d: means over windows that divide each volume into output_size, a number or {depth, vertical, horizontal}; false for
-- a side that stays as it is. Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.pooling').adaptive_avg_class('AdaptiveAvgPool3d', 3)
