--- BatchNorm3d: each channel to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015).
-- BatchNorm3d(num_features, {eps=1e-5, momentum=0.1, affine=true, track_running_stats=true, bias=true}). In training mode,
-- and without running statistics, the batch's own are used; momentum false keeps the mean over all batches.
-- Input (N, C, D, H, W).
return require('metann.nn.shared.normalization').batch_class('BatchNorm3d', 5, 5, '(N, %d, D, H, W)')
