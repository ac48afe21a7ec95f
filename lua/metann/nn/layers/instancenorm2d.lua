--- InstanceNorm2d: each channel of each sample to mean 0 and variance 1 (Ulyanov et al. 2016).
-- InstanceNorm2d(num_features, {eps=1e-5, momentum=0.1, affine=false, track_running_stats=false, bias=true}).
-- Input (N, C, H, W) or (C, H, W). Running statistics, where tracked, are the samples' mean, and used in evaluation mode.
local kinds = require('metann.nn.machinery.options').kinds
local normalization = require 'metann.nn.shared.normalization'
local support = require 'metann.support'
local ops, size, ndim = support.ops, support.size, support.ndim

local InstanceNorm2d = normalization.class('InstanceNorm2d', false, false, kinds.nonnegative)

local function normalized(self, x, squeeze)
  local tracks = self.training and self.track_running_stats
  return normalization.instances('InstanceNorm2d', x, {
    weight = self.weight, bias = self.bias, eps = self.eps, squeeze = squeeze,
    running_mean = tracks and self.running_mean, running_var = tracks and self.running_var,
    momentum = self.momentum or 0, -- as in PyTorch, batches are not counted here
  })
end

function InstanceNorm2d:forward(x, more)
  if more ~= nil then support.too_many('InstanceNorm2d', 1) end
  local n = support.is_tensor(x) and ndim(x) or 0
  if (n ~= 3 and n ~= 4) or size(x, -3) ~= self.num_features then
    support.raise("InstanceNorm2d: 'input' must be a tensor of size (N, %d, H, W) or (%d, H, W), got %s",
      self.num_features, self.num_features, support.describe(x))
  end
  local single = n == 3
  if single then x = ops.unsqueeze(x, 1) end
  if self.training or not self.track_running_stats then return normalized(self, x, single) end
  local y = normalization.with_statistics(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
  return single and ops.squeeze(y, 1) or y
end

return InstanceNorm2d
