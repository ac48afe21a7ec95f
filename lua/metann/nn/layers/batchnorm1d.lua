--- BatchNorm1d: each channel to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015).
-- BatchNorm1d(num_features, {eps=1e-5, momentum=0.1, affine=true, track_running_stats=true, bias=true}). In training mode,
-- and without running statistics, the batch's own are used; momentum false keeps the mean over all batches.
-- Input (N, C) or (N, C, L).
return require('metann.nn.shared.normalization').batch_class('BatchNorm1d', 2, 3, '(N, %d) or (N, %d, L)')
