--- Random numbers made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local kinds = arguments.kinds
local raw, raise = common.raw, common.raise
local shape_of, is_tensor = common.shape, common.is_tensor

local random = {}

local function define(name, parameters, fn) random[name] = arguments.define(name, parameters, fn) end

local INPUT = { 'input', kinds.tensor }

--- t's elements become normal numbers of mean 0 and standard deviation 1 unless given.
-- @function normal_
define('normal_', { INPUT, { 'mean', kinds.number, 0 }, { 'std', kinds.nonnegative, 1 } }, function(t, mean, std)
  return (raw.assign_(t, common.beside(t, raw.randn, shape_of(t), mean, std, common.dtype(t))))
end)

--- t's elements become uniform numbers in [low, high), [0, 1) unless given.
-- @function uniform_
define('uniform_', { INPUT, { 'low', kinds.number, 0 }, { 'high', kinds.number, 1 } }, function(t, low, high)
  return (raw.assign_(t, common.beside(t, raw.rand, shape_of(t), low, high, common.dtype(t))))
end)

--- t's elements become 1 with probability p (a number or a tensor that broadcasts), else 0.
-- @function bernoulli_
define('bernoulli_', { INPUT, { 'p', kinds.operand, 0.5 } }, function(t, p)
  if not is_tensor(p) then p = common.beside(t, raw.full, {}, p) end
  return (raw.assign_(t, raw.bernoulli(raw.expand(p, shape_of(t)))))
end)

local function normal_of_tensors(mean, std, dtype)
  local like = is_tensor(mean) and mean or std
  if is_tensor(std) then
    if not common.is_recording() and raw.all(raw.ge(std, 0)):item() == 0 then
      raise("normal: 'std' must not be negative, and not NaN, anywhere")
    end
  elseif not (std >= 0) then
    raise("normal: 'std' must not be negative, got %g", std)
  end
  local full = raw.add(raw.mul(common.scalar(std, like, 'normal', 'std'), 0), mean)
  local noise = common.beside(full, raw.randn, shape_of(full), 0, 1, dtype or common.dtype(full))
  local t = raw.add(raw.mul(noise, std), mean)
  return is_tensor(std) and common.is_recording() and common.nan_unless(raw.ge(std, 0), t) or t
end

--- Normal numbers: mean and std are numbers (then sizes must be given) or tensors that broadcast.
-- @function normal
define('normal', {
  { 'mean', kinds.operand }, { 'std', kinds.operand, 1 }, { 'size', kinds.shape, optional = true },
  { 'dtype', kinds.dtype, optional = true, named = true }, { 'device', kinds.device, optional = true, named = true },
  { 'requires_grad', kinds.boolean, false, named = true },
}, function(mean, std, size, dtype, device, requires_grad)
  local t
  if is_tensor(mean) or is_tensor(std) then
    if size then raise("normal: 'size' is that of the tensors, and must not be given") end
    t = normal_of_tensors(mean, std, dtype)
  else
    if not size then raise("normal: 'size' must be given where 'mean' and 'std' are numbers") end
    t = raw.randn(size, mean, std, dtype, device)
  end
  if device then t = t:to(device) end
  return requires_grad and t:requires_grad_() or t
end)

--- t with each element zero with probability p (0.5), the others times 1 / (1 - p); t itself when training is false.
-- @function dropout
define('dropout', { INPUT, { 'p', kinds.probability, 0.5 }, { 'training', kinds.boolean, true } },
  function(t, p, training)
    if not training then return t end
    return (raw.dropout(t, p))
  end)

--- n draws of positions (from 1) with the weights in the last dim; int64. Without replacement each position comes at
-- most once, and none whose weight is 0 comes at all.
-- @function multinomial
define('multinomial', { INPUT, { 'num_samples', kinds.count }, { 'replacement', kinds.boolean, false } },
  function(weights, n, replacement) return (raw.multinomial(raw.detach(weights), n, replacement)) end)

return random
