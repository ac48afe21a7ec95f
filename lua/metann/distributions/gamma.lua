--- The gamma distribution of a concentration (shape) and a rate, 1 over the scale.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local implicit = require 'metann.distributions.implicit'
local xlogy = distribution.xlogy

local Gamma, P, constructor = distribution.define('Gamma', {
  parameters = {
    { 'concentration', constraint = constraints.positive }, { 'rate', constraint = constraints.positive },
  },
  support = constraints.nonnegative, has_rsample = true,
})

function P:mean() return self.concentration / self.rate end
function P:mode() return ((self.concentration - 1) / self.rate):clamp(0) end
function P:variance() return self.concentration / self.rate:square() end
function P:stddev() return self.variance:sqrt() end

--- Derivatives by the concentration are implicit ones, to first order.
function Gamma:_rsample(shape)
  return implicit.variates(self.concentration:expand(self:_extended(shape))) / self.rate
end

function Gamma:_log_prob(value)
  local a, rate = self.concentration, self.rate
  return a * rate:log() + xlogy(a - 1, value) - rate * value - a:lgamma()
end

function Gamma:entropy()
  local a = self.concentration
  return a - self.rate:log() + a:lgamma() + (1 - a) * a:digamma()
end

function Gamma:_cdf(value)
  local scaled = self.rate * value
  local shape = distribution.broadcast(scaled:size(), self.batch_shape)
  return implicit.cdf(self.concentration:expand(shape), scaled:expand(shape))
end

distribution.guard(Gamma)
return constructor
