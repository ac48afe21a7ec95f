--- FractionalMaxPool3d: the largest of each of windows that are drawn by chance (Graham 2014).
-- FractionalMaxPool3d(kernel_size, {output_size= | output_ratio=, return_indices=false, _random_samples=nil}): the
-- samples, (N, C, 3) numbers from 0 to 1, say where windows begin; drawn in each call unless given.
-- Input (N, C, D, H, W) or (C, D, H, W).
return require('metann.nn.shared.fractional').class('FractionalMaxPool3d', 3)
