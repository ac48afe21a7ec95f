--- What the layers that draw numbers in training mode share: which elements they drop, and the classes.
-- A drop is a function of a tensor and the probability p of a drop, which is above 0.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local layouts = require 'metann.nn.shared.layouts'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds, ops, size = options.kinds, support.ops, support.size

local dropping = {}

--- Elements become zeros, the rest is divided by 1 - p.
function dropping.elements(x, p) return (ops.dropout(x, p)) end

--- The sizes of one number for each channel of x, of which `sides` dims or, with nil, all but the first two are sides.
local function channel_sizes(x, sides)
  local n, shape = support.ndim(x), {}
  local channels = sides and n - sides or 2
  for d = 1, n do shape[d] = d <= channels and size(x, d) or 1 end
  return shape
end

--- The drop of whole channels of (N, C, sides...) or (C, sides...).
function dropping.channels(sides)
  return function(x, p)
    return ops.mul(x, (ops.dropout(support.full(x, channel_sizes(x, sides), 1), p)))
  end
end

--- Raises unless x has channels and so many sides.
function dropping.check_channels(sides)
  return function(what, x)
    local n = support.ndim(x)
    if n ~= sides + 1 and n ~= sides + 2 then
      support.raise("%s: 'input' must be a tensor of size %s, got %s", what, layouts[sides], support.describe(x))
    end
  end
end

-- What SELU gives for very small numbers, without its sign.
local ALPHA = 1.7580993408473766

--- What is dropped becomes -ALPHA; then all is scaled so that mean 0 and variance 1 stay (Klambauer et al. 2017). `kept`
-- is 1 where x is kept and 0 elsewhere, and broadcasts.
local function alpha(x, kept, p)
  if p == 1 then return ops.mul(x, 0) end
  local scale = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
  local shift = ops.add(ops.mul(ops.sub(kept, 1), ALPHA * scale), ALPHA * scale * p)
  return ops.add(ops.mul(x, ops.mul(kept, scale)), shift)
end

local function kept_of(shape, x, p) return ops.bernoulli(support.full(x, shape, 1 - p)) end

--- The drop of elements in nets of SELU.
function dropping.alpha(x, p) return alpha(x, kept_of(support.shape(x), x, p), p) end

--- The drop of channels in nets of SELU.
function dropping.alpha_channels(x, p)
  if support.ndim(x) < 2 then
    support.raise("?: 'input' must be a tensor of size (N, C, ...), got %s", support.describe(x))
  end
  return alpha(x, kept_of(channel_sizes(x), x, p), p)
end

--- Makes a class.
-- @param name of the class
-- @param drop what it does in training mode
-- @param check what looks at inputs first, or nil: check(name, x)
function dropping.class(name, drop, check)
  local of = class.new(name, Module)
  local read = options.reader(name, { { 'p', kinds.probability, 0.5 }, { 'inplace', kinds.boolean, false } })

  --- @param p probability of a drop, 0.5
  -- @param inplace PyTorch's option; the result is a new tensor in any case
  function of:init(...)
    local o = read(...)
    self.p, self.inplace = o.p, o.inplace
  end

  function of:forward(x, more)
    if more ~= nil then support.too_many(name, 1) end
    if not support.is_tensor(x) then support.raise("%s: 'input' must be a tensor, got %s", name, support.describe(x)) end
    if check then check(name, x) end
    if not self.training or self.p == 0 then return x end
    return drop(x, self.p)
  end

  function of:extra_repr() return ('p=%s, inplace=%s'):format(tostring(self.p), tostring(self.inplace)) end
  return of
end

--- x where x > 0, else a slope times x: one drawn from lower .. upper for each element in training, their mean otherwise
-- (Xu et al. 2015).
function dropping.rrelu(x, lower, upper, training)
  if not training then return ops.leaky_relu(x, (lower + upper) / 2) end
  local slope = support.beside(x, ops.rand, support.shape(x), lower, upper, support.dtype(x))
  return ops.add(ops.relu(x), ops.mul(slope, ops.clamp(x, -math.huge, 0)))
end

--- Raises unless lower is at most upper.
function dropping.check_slopes(what, lower, upper)
  if lower > upper then
    support.raise("%s: 'lower' (%s) must not be above 'upper' (%s)", what, tostring(lower), tostring(upper))
  end
end

return dropping
