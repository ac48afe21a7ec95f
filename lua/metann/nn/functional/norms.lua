--- Normalising functions, with parameters and statistics as arguments.
local arguments = require 'metann.arguments'
local normalization = require 'metann.nn.shared.normalization'
local support = require 'metann.support'
local define, kinds = arguments.define, arguments.kinds
local raise, ndim, size, numel = support.raise, support.ndim, support.size, support.numel

local norms = {}

local INPUT = { 'input', kinds.tensor }
local AFFINE = { { 'weight', kinds.tensor, optional = true }, { 'bias', kinds.tensor, optional = true } }
local STATISTICS = {
  INPUT, { 'running_mean', kinds.tensor, optional = true }, { 'running_var', kinds.tensor, optional = true },
  AFFINE[1], AFFINE[2],
}

local function by_name(running_mean, running_var, weight, bias, momentum, eps)
  return {
    running_mean = running_mean, running_var = running_var, weight = weight, bias = bias, momentum = momentum, eps = eps,
  }
end

--- Raises unless x has channels, and each of the tensors that are given one number for each of them.
local function check_channels(what, x, least, o)
  local n = ndim(x)
  if n < least then
    raise("%s: 'input' must be a tensor of size (N, C, %s...), got %s", what, least == 3 and 'L, ' or '',
      support.describe(x))
  end
  local channels = size(x, n == 1 and 1 or 2)
  for _, name in ipairs{ 'running_mean', 'running_var', 'weight', 'bias' } do
    local t = o[name]
    if t and (ndim(t) ~= 1 or size(t, 1) ~= channels) then
      raise("%s: '%s' must have size (%d,), one for each channel of 'input', got %s", what, name, channels,
        support.shape_text(t))
    end
  end
end

--- With the running statistics, which must be there.
local function with_running(what, x, o, unless)
  if not (o.running_mean and o.running_var) then
    raise("%s: 'running_mean' and 'running_var' must be given %s", what, unless)
  end
  return normalization.with_statistics(x, o.running_mean, o.running_var, o.weight, o.bias, o.eps)
end

--- Batch norm of (N, C, ...): with the batch's statistics when training (running ones, if given, are moved on), else
-- with the running ones.
-- @function batch_norm
norms.batch_norm = define('batch_norm', {
  STATISTICS[1], STATISTICS[2], STATISTICS[3], STATISTICS[4], STATISTICS[5],
  { 'training', kinds.boolean, false }, { 'momentum', kinds.number, 0.1 }, { 'eps', kinds.positive, 1e-5 },
}, function(x, running_mean, running_var, weight, bias, training, momentum, eps)
  local o = by_name(running_mean, running_var, weight, bias, momentum, eps)
  -- PyTorch takes a 1-dim tensor without elements, too
  check_channels('batch_norm', x, numel(x) == 0 and 1 or 2, o)
  if training then return (normalization.batch_training('batch_norm', x, o)) end
  return with_running('batch_norm', x, o, 'unless training')
end)

--- Instance norm of (N, C, ...): with each sample's own statistics (running ones, if given, are moved on), or, with
-- use_input_stats=false, with the running ones.
-- @function instance_norm
norms.instance_norm = define('instance_norm', {
  STATISTICS[1], STATISTICS[2], STATISTICS[3], STATISTICS[4], STATISTICS[5],
  { 'use_input_stats', kinds.boolean, true }, { 'momentum', kinds.number, 0.1 }, { 'eps', kinds.nonnegative, 1e-5 },
}, function(x, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)
  local o = by_name(running_mean, running_var, weight, bias, momentum, eps)
  check_channels('instance_norm', x, 3, o)
  if use_input_stats then return normalization.instances('instance_norm', x, o) end
  return with_running('instance_norm', x, o, 'without use_input_stats')
end)

--- Layer norm over the last dims, normalized_shape.
-- @function layer_norm
norms.layer_norm = define('layer_norm', {
  INPUT, { 'normalized_shape', kinds.sizes }, AFFINE[1], AFFINE[2], { 'eps', kinds.nonnegative, 1e-5 },
}, function(x, shape, weight, bias, eps)
  for name, t in support.pairs_of({ 'weight', 'bias' }, { weight or false, bias or false }) do
    if t and support.shape_text(t) ~= support.tuple(shape) then
      raise("layer_norm: '%s' must have size %s, got %s", name, support.tuple(shape), support.shape_text(t))
    end
  end
  return normalization.over_last('layer_norm', x, shape, weight, bias, eps)
end)

--- The input over the root of its mean square along the last dims, normalized_shape; eps is the dtype's own unless given.
-- @function rms_norm
norms.rms_norm = define('rms_norm', {
  INPUT, { 'normalized_shape', kinds.sizes }, AFFINE[1], { 'eps', kinds.nonnegative, optional = true },
}, function(x, shape, weight, eps)
  if weight and support.shape_text(weight) ~= support.tuple(shape) then
    raise("rms_norm: 'weight' must have size %s, got %s", support.tuple(shape), support.shape_text(weight))
  end
  return normalization.root_mean_square('rms_norm', x, shape, weight, eps)
end)

--- Group norm of (N, C, ...), whose C channels make num_groups groups.
-- @function group_norm
norms.group_norm = define('group_norm', {
  INPUT, { 'num_groups', kinds.count }, AFFINE[1], AFFINE[2], { 'eps', kinds.nonnegative, 1e-5 },
}, function(x, groups, weight, bias, eps)
  check_channels('group_norm', x, 2, { weight = weight, bias = bias })
  if size(x, 2) == 0 or size(x, 2) % groups ~= 0 then
    raise("group_norm: 'input' must have a number of channels that %d divides, got size %s", groups, support.shape_text(x))
  end
  return normalization.grouped('group_norm', x, groups, weight, bias, eps)
end)

return norms
