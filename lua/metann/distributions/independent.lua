--- A distribution whose last batch dims are dims of one event: probabilities are multiplied along them.
local arguments = require 'metann.arguments'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local kinds, raise = arguments.kinds, support.raise

local Independent, P = distribution.define('Independent', { parameters = {} })

local read = arguments.reader('Independent', {
  { 'base_distribution', function(v) return distribution.is(v) and v or nil, 'a distribution' end, opaque = true },
  { 'reinterpreted_batch_ndims', kinds.whole }, distribution.VALIDATE,
})

local function make(base, n, validate)
  local batch, event = {}, {}
  local dims = #base.batch_shape
  if n > dims then
    raise("Independent: 'reinterpreted_batch_ndims' is %d, but there are %d batch dims", n, dims)
  end
  for d, size in ipairs(base.batch_shape) do
    if d <= dims - n then batch[#batch + 1] = size else event[#event + 1] = size end
  end
  if validate == distribution.UNSAID then validate = base._validate end
  return setmetatable({
    base_dist = base, reinterpreted_batch_ndims = n, has_rsample = base.has_rsample, batch_shape = batch,
    event_shape = distribution.joined(event, base.event_shape), _validate = validate,
  }, Independent)
end

--- t summed over the last n dims.
function distribution.sum_last(t, n)
  for _ = 1, n do t = t:sum(-1) end
  return t
end

for _, name in ipairs{ 'mean', 'variance', 'stddev', 'mode' } do
  P[name] = function(self) return self.base_dist[name] end
end

function Independent:_parameter() return self.base_dist:_parameter() end
function Independent:_rsample(shape) return self.base_dist:_rsample(shape) end
function Independent:_sample(shape) return self.base_dist:_sample(shape) end
function Independent:_support() return self.base_dist:_support() end

function Independent:_log_prob(value)
  return distribution.sum_last(self.base_dist:_log_prob(value), self.reinterpreted_batch_ndims)
end

function Independent:entropy()
  return distribution.sum_last(self.base_dist:entropy(), self.reinterpreted_batch_ndims)
end

local read_batch = arguments.signature('expand', { { 'batch_shape', kinds.shape, rest = true } })

--- The same distribution for a larger batch.
function Independent:expand(...)
  local event, own = {}, arguments.read(read_batch, ...).batch_shape
  for d = 1, self.reinterpreted_batch_ndims do event[d] = self.event_shape[d] end
  return make(self.base_dist:expand(distribution.joined(own, event)), self.reinterpreted_batch_ndims, self._validate)
end

function Independent:_text()
  return ('Independent(%s, %d)'):format(tostring(self.base_dist), self.reinterpreted_batch_ndims)
end
Independent.__tostring = Independent._text

distribution.guard(Independent)

return setmetatable({ name = 'Independent', class = Independent }, {
  __call = support.errors.name_member(function(_, ...)
    local o = read(...)
    return make(o.base_distribution, o.reinterpreted_batch_ndims, o.validate_args)
  end, 'Independent'),
})
