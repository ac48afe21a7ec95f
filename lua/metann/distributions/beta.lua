--- The beta distribution, of numbers between 0 and 1.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local implicit = require 'metann.distributions.implicit'
local support = require 'metann.support'
local ops, xlogy = support.ops, distribution.xlogy

local Beta, P, constructor = distribution.define('Beta', {
  parameters = {
    { 'concentration1', constraint = constraints.positive }, { 'concentration0', constraint = constraints.positive },
  },
  support = constraints.unit_interval, has_rsample = true,
})

local function total(self) return self.concentration1 + self.concentration0 end

function P:mean() return self.concentration1 / total(self) end

--- Where neither concentration is 1 or more, all of it lies with the larger.
function P:mode()
  local a, b, dtype = self.concentration1, self.concentration0, self:_dtype()
  local above, below = (a - 1):clamp(0), (b - 1):clamp(0)
  return ops.where(a:lt(1):logical_and(b:lt(1)), ops.cast(a:ge(b), dtype), above / (above + below))
end

function P:variance()
  local sum = total(self)
  return self.concentration1 * self.concentration0 / (sum:square() * (sum + 1))
end
function P:stddev() return self.variance:sqrt() end

--- A gamma variate over the sum of two; derivatives are implicit ones, to first order.
function Beta:_rsample(shape)
  local full = self:_extended(shape)
  local x = implicit.variates(self.concentration1:expand(full))
  return x / (x + implicit.variates(self.concentration0:expand(full)))
end

--- The logarithm of the beta function.
local function log_beta(self)
  local a, b = self.concentration1, self.concentration0
  return a:lgamma() + b:lgamma() - total(self):lgamma()
end

function Beta:_log_prob(value)
  return xlogy(self.concentration1 - 1, value) + xlogy(self.concentration0 - 1, 1 - value) - log_beta(self)
end

function Beta:entropy()
  local a, b, sum = self.concentration1, self.concentration0, total(self)
  return log_beta(self) - (a - 1) * a:digamma() - (b - 1) * b:digamma() + (sum - 2) * sum:digamma()
end

distribution.guard(Beta)
return constructor
