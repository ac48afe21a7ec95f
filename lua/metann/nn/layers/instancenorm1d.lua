--- InstanceNorm1d: each channel of each sample to mean 0 and variance 1 (Ulyanov et al. 2016).
-- InstanceNorm1d(num_features, {eps=1e-5, momentum=0.1, affine=false, track_running_stats=false, bias=true}).
-- Input (N, C, L) or (C, L). Running statistics, where tracked, are the samples' mean, and used in
-- evaluation mode.
return require('metann.nn.shared.normalization').instance_class('InstanceNorm1d', 1, '(N, %d, L) or (%d, L)')
