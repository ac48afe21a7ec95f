--- BatchNorm1d: each channel to mean 0 and variance 1 over the batch, then scaled and shifted (Ioffe and Szegedy 2015).
-- BatchNorm1d(num_features, {eps=1e-5, momentum=0.1, affine=true, track_running_stats=true}). In training mode, and
-- without running statistics, the batch's own are used; momentum false keeps the mean over all batches.
-- Input (N, C) or (N, C, L).
local normalization = require 'metann.nn.normalization'
local support = require 'metann.nn.support'
local is_tensor, ndim, size, numel = support.is_tensor, support.ndim, support.size, support.numel
local batch_norm = support.ops.batch_norm

local BatchNorm1d = normalization.class('BatchNorm1d', true, true)

function BatchNorm1d:forward(x)
  local n, features = is_tensor(x) and ndim(x) or 0, self.num_features
  if (n ~= 2 and n ~= 3) or size(x, 2) ~= features then
    support.raise("BatchNorm1d: 'input' must be a tensor of size (N, %d) or (N, %d, L), got %s", features, features,
      support.describe(x))
  end
  local training = self.training
  if not training and self.track_running_stats then
    return normalization.with_statistics(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
  end
  local count = numel(x) / features
  if training and count <= 1 then
    support.raise("BatchNorm1d: training needs more than 1 value for each channel, got 'input' of size %s",
      support.shape_text(x))
  end
  local y, mean, var = batch_norm(x, self.weight, self.bias, self.eps)
  if training and self.track_running_stats then normalization.track(self, mean, var, count) end
  return y
end

return BatchNorm1d
