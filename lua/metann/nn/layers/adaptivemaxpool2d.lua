--- AdaptiveMaxPool2d: the largest of each of the windows that divide a plane into output_size, a number or {vertical, horizontal},
-- false for a side that stays as it is; AdaptiveMaxPool2d(output_size, {return_indices=false}).
-- Input (N, C, H, W) or (C, H, W). With return_indices also where each stands in its plane, (h - 1) W + w counted from 1.
return require('metann.nn.shared.pooling').adaptive_max_class('AdaptiveMaxPool2d', 2)
