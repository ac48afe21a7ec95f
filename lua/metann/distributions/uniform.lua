--- The uniform distribution on [low, high).
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local ops = support.ops

local Uniform, P, constructor = distribution.define('Uniform', {
  parameters = { { 'low', constraint = constraints.real }, { 'high', constraint = constraints.real } },
  support = function(self) return constraints.interval(self.low, self.high) end, has_rsample = true,
  check = function(self, validate)
    if validate then self.low = distribution.check('Uniform', 'low', self.low, constraints.below('high', self.high)) end
  end,
})

function P:mean() return (self.low + self.high) * 0.5 end
function P:mode() return self.high * (0 / 0) end
function P:variance() return (self.high - self.low):square() / 12 end
function P:stddev() return (self.high - self.low) / math.sqrt(12) end

function Uniform:_rsample(shape)
  return self.low + (self.high - self.low) * self:_draw(ops.rand, shape)
end

function Uniform:_log_prob(value)
  local inside = self.low:le(value):logical_and(self.high:gt(value))
  local width = self.high - self.low
  return ops.cast(inside, self:_dtype()):log() - width:log()
end

function Uniform:entropy() return (self.high - self.low):log() end
function Uniform:_cdf(value) return ((value - self.low) / (self.high - self.low)):clamp(0, 1) end
function Uniform:_icdf(p) return self.low + (self.high - self.low) * p end

distribution.guard(Uniform)
return constructor
