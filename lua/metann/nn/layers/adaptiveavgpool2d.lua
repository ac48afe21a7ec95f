--- AdaptiveAvgPool2d: means over windows that divide each plane into output_size, a number or {vertical, horizontal}; false for
-- a side that stays as it is. Input (N, C, H, W) or (C, H, W).
return require('metann.nn.shared.pooling').adaptive_avg_class('AdaptiveAvgPool2d', 2)
