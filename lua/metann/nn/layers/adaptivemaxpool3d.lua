--- AdaptiveMaxPool3d: the largest of each of the windows that divide a volume into output_size, a number or {depth, vertical, horizontal},
-- false for a side that stays as it is; AdaptiveMaxPool3d(output_size, {return_indices=false}).
-- Input (N, C, D, H, W) or (C, D, H, W). With return_indices also where each stands in its volume, counted from 1.
return require('metann.nn.shared.pooling').adaptive_max_class('AdaptiveMaxPool3d', 3)
