--- AdaptiveMaxPool1d: the largest of each of the windows that divide a line into output_size, a number,
-- false for a side that stays as it is; AdaptiveMaxPool1d(output_size, {return_indices=false}).
-- Input (N, C, L) or (C, L). With return_indices also where each stands in its line, counted from 1.
return require('metann.nn.shared.pooling').adaptive_max_class('AdaptiveMaxPool1d', 1)
