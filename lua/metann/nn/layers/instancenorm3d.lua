--- InstanceNorm3d: each channel of each sample to mean 0 and variance 1 (Ulyanov et al. 2016).
-- InstanceNorm3d(num_features, {eps=1e-5, momentum=0.1, affine=false, track_running_stats=false, bias=true}).
-- Input (N, C, D, H, W) or (C, D, H, W). Running statistics, where tracked, are the samples' mean, and used in
-- evaluation mode.
return require('metann.nn.shared.normalization').instance_class('InstanceNorm3d', 3, '(N, %d, D, H, W) or (%d, D, H, W)')
