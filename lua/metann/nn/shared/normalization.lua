--- What the normalising layers share: running statistics, and normalising with given ones.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local fresh = require 'metann.nn.shared.fresh'
local support = require 'metann.support'
local kinds, ops, ndim, size = options.kinds, support.ops, support.ndim, support.size
local add, sub, mul, rsqrt, view, batch_norm = ops.add, ops.sub, ops.mul, ops.rsqrt, ops.view, ops.batch_norm
local add_ = ops.add_
local along_channels, numel, is_float = support.along_channels, support.numel, support.is_float

local normalization = {}

--- (x - mean) / sqrt(var + eps) * weight + bias for x of (N, C, ...) and the others of (C); weight and bias may be nil.
function normalization.with_statistics(x, mean, var, weight, bias, eps)
  local scale = rsqrt(add(var, eps))
  if weight then scale = mul(scale, weight) end
  local shift = mul(mean, scale)
  if bias then shift = sub(bias, shift) else shift = ops.neg(shift) end
  local n = ndim(x)
  return add(mul(x, along_channels(scale, n)), along_channels(shift, n))
end

--- x * weight + bias along dim 2; either may be nil.
function normalization.affine(x, weight, bias)
  local n = ndim(x)
  if weight then x = mul(x, along_channels(weight, n)) end
  if bias then x = add(x, along_channels(bias, n)) end
  return x
end

--- How many values each channel of x (N, C, ...) has, from dim `first` on without dim 2: 1 for all, 3 for those of a sample.
local function values(x, first)
  local count = 1
  for d = first, ndim(x) do
    if d ~= 2 then count = count * size(x, d) end
  end
  return count
end

--- Raises where a mean over one value would be taken: the result says nothing of it, and its unbiased variance is 0 / 0.
-- Of no values at all there is nothing to say.
function normalization.check_values(what, x, count)
  if count == 1 then
    support.raise("%s: needs more than 1 value for each channel, got 'input' of size %s", what, support.shape_text(x))
  end
end

--- Raises unless a running statistic can be overwritten: no gradient flows through what is moved.
local function check_running(what, name, t)
  if not is_float(t) then
    support.raise("%s: '%s' must be a tensor of floats, got %s", what, name, support.describe(t))
  end
  if support.requires_grad(t) and support.records_grad() then
    support.raise("%s: '%s' must not require grad, since it is overwritten", what, name)
  end
end

--- Moves running statistics (either may be nil) a part `momentum` of the way to (mean, biased var) of `count` elements
-- for each channel. All are overwritten at once, or, when anything fails or a signal comes, none.
-- @param what the function's name, for messages
-- @param batches a tensor that counts the batches, and what it becomes; may be nil
function normalization.move(what, running_mean, running_var, mean, var, momentum, count, batches, counted)
  local targets, sources, n = {}, {}, 0
  if running_mean then
    check_running(what, 'running_mean', running_mean)
    n = n + 1
    targets[n], sources[n] = running_mean, add_(mul(running_mean, 1 - momentum), mean, momentum)
  end
  if running_var then
    check_running(what, 'running_var', running_var)
    n = n + 1
    targets[n] = running_var
    sources[n] = add_(mul(running_var, 1 - momentum), var, momentum * count / (count - 1))
  end
  if batches then
    n = n + 1
    targets[n], sources[n] = batches, counted
  end
  support.write_all(what, targets, sources)
end

--- Batch norm of (N, C, ...) with its own statistics.
-- @return the result; mean and biased variance of the channels, nil where there are no values
function normalization.batch(x, weight, bias, eps)
  if numel(x) == 0 then return normalization.affine(x, weight, bias) end
  return batch_norm(x, weight, bias, eps)
end

--- normalization.batch, with running statistics (either may be nil) moved on; for x of one value a channel an error.
function normalization.batch_training(what, x, o)
  local count = values(x, 1)
  normalization.check_values(what, x, count)
  local y, mean, var = normalization.batch(x, o.weight, o.bias, o.eps)
  if mean then normalization.move(what, o.running_mean, o.running_var, mean, var, o.momentum, count) end
  return y
end

--- Each of `groups` groups of channels of each sample to mean 0 and variance 1, then times weight plus bias along dim 2.
-- @return the result; mean and biased variance of the groups, (N * groups)
function normalization.groups(x, groups, weight, bias, eps)
  local samples, total = size(x, 1), numel(x)
  if total == 0 then return normalization.affine(x, weight, bias) end
  local flat = support.reshape(x, { 1, samples * groups, total / (samples * groups) })
  local y, mean, var = ops.batch_norm(flat, nil, nil, eps)
  return normalization.affine(view(y, support.shape(x)), weight, bias), mean, var
end

--- Each channel of each sample to mean 0 and variance 1; running statistics, where given, are moved by momentum towards
-- the mean over the samples. o has weight, bias, eps, running_mean, running_var, momentum; squeeze: true for a result
-- without dim 1, which is made before anything is moved.
function normalization.instances(what, x, o)
  local n, c, count = size(x, 1), size(x, 2), values(x, 3)
  normalization.check_values(what, x, count)
  local y, mean, var = normalization.groups(x, c, o.weight, o.bias, o.eps)
  if o.squeeze then y = ops.squeeze(y, 1) end
  if mean and (o.running_mean or o.running_var) then
    normalization.move(what, o.running_mean, o.running_var, ops.mean(view(mean, n, c), 1),
      ops.mean(view(var, n, c), 1), o.momentum, count)
  end
  return y
end

--- normalization.groups without the statistics; an error where all there is is one value.
function normalization.grouped(what, x, groups, weight, bias, eps)
  local count = values(x, 1) * size(x, 2) / groups
  normalization.check_values(what, x, count)
  return (normalization.groups(x, groups, weight, bias, eps))
end

local function ends_with(x, shape)
  local n, k = ndim(x), #shape
  if n < k then return false end
  for i = 1, k do
    if size(x, n - k + i) ~= shape[i] then return false end
  end
  return true
end

--- Each sample to mean 0 and variance 1 over the last dims, then times weight plus bias (of those dims, or nil).
function normalization.over_last(what, x, shape, weight, bias, eps)
  if not support.is_tensor(x) or not ends_with(x, shape) then
    support.raise("%s: the last dims of 'input' must be %s, got %s", what, support.tuple(shape),
      support.describe(x))
  end
  local y, total, inner = x, numel(x), 1
  for i = 1, #shape do inner = inner * shape[i] end
  if total > 0 then
    local flat = support.reshape(x, { 1, total / inner, inner })
    y = view((ops.batch_norm(flat, nil, nil, eps)), support.shape(x))
  end
  if weight then y = mul(y, weight) end
  if bias then y = add(y, bias) end
  return y
end

--- Moves running statistics to their mean over all batches, of which this is number `counted` (a tensor).
local function average(what, running_mean, running_var, mean, var, count, batches, counted)
  check_running(what, 'running_mean', running_mean)
  check_running(what, 'running_var', running_var)
  local weight = ops.reciprocal(ops.cast(counted, support.dtype(mean)))
  local towards_mean = mul(sub(mean, running_mean), weight)
  local towards_var = mul(sub(mul(var, count / (count - 1)), running_var), weight)
  support.write_all(what, { running_mean, running_var, batches },
    { add(running_mean, towards_mean), add(running_var, towards_var), counted })
end

--- Moves the module's running statistics towards (mean, biased var) of `count` elements for each channel. The numbers
-- that stay the same from call to call are Lua numbers, the count of batches is a tensor. Without a mean, of an empty
-- batch, only that is counted.
function normalization.track(what, module, mean, var, count)
  local running_mean, running_var = module.running_mean, module.running_var
  local batches, momentum = module.num_batches_tracked, module.momentum
  local counted = add(batches, 1)
  if not mean then
    support.write_all(what, { batches }, { counted })
  elseif momentum then
    normalization.move(what, running_mean, running_var, mean, var, momentum, count, batches, counted)
  else
    average(what, running_mean, running_var, mean, var, count, batches, counted)
  end
end

local function momentum(v)
  if v == false or v == 'none' then return 'none' end
  if type(v) == 'number' then return v end
  return nil, "a number, or false for the mean over all batches"
end

--- Gives a new module weight (ones) and bias (zeros) of a shape, or registers that it has none.
function normalization.add_affine(module, shape, affine, bias)
  module:register_parameter('weight', affine and fresh.constant(shape, 1) or nil)
  module:register_parameter('bias', affine and bias and fresh.constant(shape, 0) or nil)
end

--- What a module prints of the option `bias`: only where there would be one without it.
function normalization.bias_text(module)
  return module.weight ~= nil and module.bias == nil and ', bias=false' or ''
end

--- Makes a class with the parameters weight, bias and the buffers running_mean, running_var, num_batches_tracked.
-- @param name of the class
-- @param affine the default of this option
-- @param track the default of the option track_running_stats
-- @param eps the kind of this option
function normalization.class(name, affine, track, eps)
  local of = class.new(name, Module)
  local read = options.layer_reader(name, {
    { 'num_features', kinds.count },
    { 'eps', eps, 1e-5 },
    { 'momentum', momentum, 0.1 },
    { 'affine', kinds.boolean, affine },
    { 'track_running_stats', kinds.boolean, track },
    { 'bias', kinds.boolean, true, named = true },
  })

  --- momentum 'none' (or false) takes the mean over all batches instead of a moving one.
  function of:init(...)
    local o = read(...)
    local shape = { o.num_features }
    self.num_features, self.eps = o.num_features, o.eps
    self.momentum = o.momentum ~= 'none' and o.momentum
    self.affine, self.track_running_stats = o.affine, o.track_running_stats
    normalization.add_affine(self, shape, o.affine, o.bias)
    local tracks = o.track_running_stats
    self:register_buffer('running_mean', tracks and ops.full(shape, 0) or nil)
    self:register_buffer('running_var', tracks and ops.full(shape, 1) or nil)
    self:register_buffer('num_batches_tracked', tracks and ops.full({}, 0, 'int64') or nil)
    options.place(self, o)
  end

  function of:extra_repr()
    return ('%d, eps=%s, momentum=%s, affine=%s, track_running_stats=%s'):format(self.num_features,
      tostring(self.eps), tostring(self.momentum), tostring(self.affine), tostring(self.track_running_stats))
      .. normalization.bias_text(self)
  end
  return of
end

--- Makes a class of batch norm.
-- @param name of the class
-- @param least, most how many dims its input may have
-- @param layout the sizes of its input, for messages, with %d for the channels
function normalization.batch_class(name, least, most, layout)
  local of = normalization.class(name, true, true, kinds.positive)

  function of:forward(x, more)
    if more ~= nil then support.too_many(name, 1) end
    local n, features = support.is_tensor(x) and ndim(x) or 0, self.num_features
    if n < least or n > most or size(x, 2) ~= features then
      support.raise("%s: 'input' must be a tensor of size %s, got %s", name, layout:gsub('%%d', features), support.describe(x))
    end
    local training, tracks = self.training, self.track_running_stats
    if not training and tracks then
      return normalization.with_statistics(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
    end
    local count = numel(x) / features
    normalization.check_values(name, x, count)
    local y, mean, var = normalization.batch(x, self.weight, self.bias, self.eps)
    if training and tracks then normalization.track(name, self, mean, var, count) end
    return y
  end
  return of
end

--- Normalises each channel of each sample of x, which has a batch, by its own statistics.
local function by_instance(name, self, x, squeeze)
  local tracks = self.training and self.track_running_stats
  return normalization.instances(name, x, {
    weight = self.weight, bias = self.bias, eps = self.eps, squeeze = squeeze,
    running_mean = tracks and self.running_mean, running_var = tracks and self.running_var,
    momentum = self.momentum or 0, -- as in PyTorch, batches are not counted here
  })
end

--- Makes a class of instance norm.
-- @param name of the class
-- @param sides how many dims its input has behind the channels
-- @param layout the sizes of its input, for messages, with %d for the channels
function normalization.instance_class(name, sides, layout)
  local of = normalization.class(name, false, false, kinds.nonnegative)

  function of:forward(x, more)
    if more ~= nil then support.too_many(name, 1) end
    local n, features = support.is_tensor(x) and ndim(x) or 0, self.num_features
    if (n ~= sides + 1 and n ~= sides + 2) or size(x, -sides - 1) ~= features then
      support.raise("%s: 'input' must be a tensor of size %s, got %s", name, layout:gsub('%%d', features), support.describe(x))
    end
    local single = n == sides + 1
    if single then x = ops.unsqueeze(x, 1) end
    if self.training or not self.track_running_stats then return by_instance(name, self, x, single) end
    local y = normalization.with_statistics(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
    return single and ops.squeeze(y, 1) or y
  end
  return of
end

-- One over which a number of a dtype has no effect on 1.
local EPSILON = { float32 = 2 ^ -23, float64 = 2 ^ -52, float16 = 2 ^ -10, bfloat16 = 2 ^ -7 }

--- Each sample over the root of its mean square along the last dims, then times weight (of those dims, or nil).
-- @param eps added to the mean square; nil for the dtype's own
function normalization.root_mean_square(what, x, shape, weight, eps)
  if not support.is_tensor(x) or not ends_with(x, shape) then
    support.raise("%s: the last dims of 'input' must be %s, got %s", what, support.tuple(shape), support.describe(x))
  end
  local dims = {}
  for i = 1, #shape do dims[i] = -i end
  local scale = rsqrt(add(ops.mean(ops.square(x), dims, true), eps or EPSILON[support.dtype(x)] or 0))
  local y = mul(x, scale)
  return weight and mul(y, weight) or y
end

return normalization
