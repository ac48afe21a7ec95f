--- Random numbers made of rows.
local common = require 'metann.compose.common'
local raw, raise, describe, array, tensor = common.raw, common.raise, common.describe, common.array, common.tensor
local shape_of = common.shape

local random = {}

local function two(op, names, a, b)
  if not common.is_options(a) then return a, b end
  common.check_options(op, a, names)
  return a[names[1]], a[names[2]]
end

--- t's elements become normal numbers of mean 0 and standard deviation 1 unless given.
function random.normal_(t, mean, std)
  mean, std = two('normal_', { 'mean', 'std' }, mean, std)
  return raw.assign_(t, raw.randn(shape_of(tensor(t, 'normal_', 'input')), mean, std, common.dtype(t)))
end

--- t's elements become uniform numbers in [low, high), [0, 1) unless given.
function random.uniform_(t, low, high)
  low, high = two('uniform_', { 'low', 'high' }, low, high)
  return raw.assign_(t, raw.rand(shape_of(tensor(t, 'uniform_', 'input')), low, high, common.dtype(t)))
end

--- t's elements become 1 with probability p (a number or a tensor that broadcasts), else 0.
function random.bernoulli_(t, p)
  tensor(t, 'bernoulli_', 'input')
  if not common.is_tensor(p) then p = raw.full({}, p or 0.5) end
  return raw.assign_(t, raw.bernoulli(raw.expand(p, shape_of(t))))
end

--- Normal numbers: mean and std are numbers (then sizes must be given) or tensors that broadcast.
function random.normal(mean, std, sizes, options)
  if not common.is_tensor(mean) and not common.is_tensor(std) then
    if type(sizes) ~= 'table' then raise("normal: 'sizes' must be a table, got %s", describe(sizes)) end
    if options ~= nil then common.check_options('normal', options, { 'dtype' }) end
    return raw.randn(sizes, mean, std, options and options.dtype)
  end
  local like = common.is_tensor(mean) and mean or std
  local full = raw.add(raw.mul(common.scalar(std, like, 'normal', 'std'), 0), mean)
  return raw.add(raw.mul(raw.randn(shape_of(full), 0, 1, common.dtype(full)), std), mean)
end

--- t with each element zero with probability p (0.5), the others times 1 / (1 - p); t itself when training is false.
function random.dropout(t, p, training)
  if common.is_options(p) then
    common.check_options('dropout', p, { 'p', 'training' })
    p, training = p.p, p.training
  end
  if training == false then return tensor(t, 'dropout', 'input') end
  return (raw.dropout(t, p))
end

--- n draws of positions (from 1) with the weights in the last dim of probabilities; int64.
-- Without replacement each position comes at most once (exponential races).
function random.multinomial(probabilities, n, replacement)
  local k = array(tensor(probabilities, 'multinomial', 'input')).ndim
  if k ~= 1 and k ~= 2 then raise('multinomial: expected 1 or 2 dims, got %d', k) end
  if common.is_options(n) then n, replacement = n.num_samples, n.replacement end
  n = common.integer(n, 'multinomial', 'num_samples', 1)
  local size = shape_of(probabilities)
  local weights = raw.detach(probabilities)
  if not replacement then
    if n > size[k] then raise('multinomial: %d draws without replacement out of %d', n, size[k]) end
    local races = raw.div(raw.neg(raw.log1p(raw.neg(raw.rand(size, 0, 1, common.dtype(weights))))), weights)
    local _, index = raw.topk(races, n, -1, false)
    return index
  end
  local edges = raw.cumsum(weights, k)
  local last = size[k]
  size[k] = n
  local draws = raw.mul(raw.rand(size, 0, 1, common.dtype(weights)), raw.slice(edges, k, -1, 1))
  local below = raw.ge(raw.unsqueeze(draws, -1), raw.unsqueeze(edges, k))
  -- rounding may put a draw on the last edge itself
  return raw.clamp(raw.add(raw.sum(raw.cast(below, 'int64'), -1), 1), 1, last)
end

return random
