--- InstanceNorm2d: each channel of each sample to mean 0 and variance 1 (Ulyanov et al. 2016).
-- InstanceNorm2d(num_features, {eps=1e-5, momentum=0.1, affine=false, track_running_stats=false, bias=true}).
-- Input (N, C, H, W) or (C, H, W). Running statistics, where tracked, are the samples' mean, and used in
-- evaluation mode.
return require('metann.nn.shared.normalization').instance_class('InstanceNorm2d', 2, '(N, %d, H, W) or (%d, H, W)')
