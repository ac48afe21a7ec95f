--- What the normalising layers share: running statistics, and normalising with given ones.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local fresh = require 'metann.nn.fresh'
local support = require 'metann.nn.support'
local kinds, ops, ndim, size = options.kinds, support.ops, support.ndim, support.size
local add, sub, mul, rsqrt, view = ops.add, ops.sub, ops.mul, ops.rsqrt, ops.view
local add_, mul_ = ops.add_, ops.mul_

local normalization = {}

--- A (C) tensor as (C, 1, ...), so that it broadcasts along dim 2 of a tensor with n dims.
local function along_channels(t, n)
  if n == 2 then return t end
  local c = size(t, 1)
  if n == 4 then return view(t, c, 1, 1) end
  if n == 3 then return view(t, c, 1) end
  return view(t, c, 1, 1, 1)
end

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

--- Moves running statistics a part `momentum` of the way to (mean, biased var) of `count` elements for each channel.
function normalization.move(running_mean, running_var, mean, var, momentum, count)
  mul_(running_mean, 1 - momentum)
  add_(running_mean, mean, momentum)
  mul_(running_var, 1 - momentum)
  add_(running_var, var, momentum * count / (count - 1))
end

--- Each of `groups` groups of channels of each sample to mean 0 and variance 1, then times weight plus bias along dim 2.
-- @return the result; mean and biased variance of the groups, (N * groups)
function normalization.groups(x, groups, weight, bias, eps)
  local samples, total = size(x, 1), support.numel(x)
  if total == 0 then return normalization.affine(x, weight, bias) end
  local flat = support.reshape(x, { 1, samples * groups, total / (samples * groups) })
  local y, mean, var = ops.batch_norm(flat, nil, nil, eps)
  return normalization.affine(view(y, support.shape(x)), weight, bias), mean, var
end

--- Each channel of each sample to mean 0 and variance 1; running statistics, where given, are moved by momentum towards
-- the mean over the samples.
function normalization.instances(x, o)
  local n, c = size(x, 1), size(x, 2)
  local count = support.numel(x) / math.max(n * c, 1)
  if count <= 1 then
    support.raise("%s: needs more than 1 value for each channel, got 'input' of size %s", o.what,
      support.shape_text(x))
  end
  local y, mean, var = normalization.groups(x, c, o.weight, o.bias, o.eps)
  if o.running_mean and mean then
    normalization.move(o.running_mean, o.running_var, ops.mean(view(mean, n, c), 1), ops.mean(view(var, n, c), 1),
      o.momentum, count)
  end
  return y
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
function normalization.over_last(x, shape, weight, bias, eps)
  if not support.is_tensor(x) or not ends_with(x, shape) then
    support.raise("LayerNorm: the last dims of 'input' must be %s, got %s", support.tuple(shape), support.describe(x))
  end
  local y, total, inner = x, support.numel(x), 1
  for i = 1, #shape do inner = inner * shape[i] end
  if total > 0 then
    local flat = support.reshape(x, { 1, total / inner, inner })
    y = view((ops.batch_norm(flat, nil, nil, eps)), support.shape(x))
  end
  if weight then y = mul(y, weight) end
  if bias then y = add(y, bias) end
  return y
end

--- Moves the module's running statistics towards (mean, biased var) of `count` elements for each channel. The numbers
-- that stay the same from call to call are Lua numbers, the count of batches is a tensor.
function normalization.track(module, mean, var, count)
  local running_mean, running_var = module.running_mean, module.running_var
  local batches, momentum = module.num_batches_tracked, module.momentum
  add_(batches, 1)
  if momentum then
    normalization.move(running_mean, running_var, mean, var, momentum, count)
  else
    -- the mean over all batches so far
    local weight = ops.reciprocal(ops.cast(batches, support.dtype(mean)))
    add_(running_mean, mul(sub(mean, running_mean), weight))
    add_(running_var, mul(sub(mul(var, count / (count - 1)), running_var), weight))
  end
end

local function momentum(v)
  if v == false or v == 'none' then return 'none' end
  if type(v) == 'number' then return v end
  return nil, "a number, or false for the mean over all batches"
end

--- Makes a class with the parameters weight, bias and the buffers running_mean, running_var, num_batches_tracked.
-- @param name of the class
-- @param affine the default of this option
-- @param track the default of the option track_running_stats
function normalization.class(name, affine, track)
  local of = class.new(name, Module)
  local read = options.layer_reader(name, {
    { 'num_features', kinds.count },
    { 'eps', kinds.nonnegative, 1e-5 },
    { 'momentum', momentum, 0.1 },
    { 'affine', kinds.boolean, affine },
    { 'track_running_stats', kinds.boolean, track },
  })

  --- momentum 'none' (or false) takes the mean over all batches instead of a moving one.
  function of:init(...)
    local o = read(...)
    local shape = { o.num_features }
    self.num_features, self.eps = o.num_features, o.eps
    self.momentum = o.momentum ~= 'none' and o.momentum
    self.affine, self.track_running_stats = o.affine, o.track_running_stats
    self:register_parameter('weight', o.affine and fresh.constant(shape, 1) or nil)
    self:register_parameter('bias', o.affine and fresh.constant(shape, 0) or nil)
    local tracks = o.track_running_stats
    self:register_buffer('running_mean', tracks and ops.full(shape, 0) or nil)
    self:register_buffer('running_var', tracks and ops.full(shape, 1) or nil)
    self:register_buffer('num_batches_tracked', tracks and ops.full({}, 0, 'int64') or nil)
    options.place(self, o)
  end

  function of:extra_repr()
    return ('%d, eps=%s, momentum=%s, affine=%s, track_running_stats=%s'):format(self.num_features,
      tostring(self.eps), tostring(self.momentum), tostring(self.affine), tostring(self.track_running_stats))
  end
  return of
end

return normalization
