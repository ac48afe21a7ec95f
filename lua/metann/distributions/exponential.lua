--- The exponential distribution of a rate.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local ops = require('metann.support').ops

local Exponential, P, constructor = distribution.define('Exponential', {
  parameters = { { 'rate', constraint = constraints.positive } }, support = constraints.nonnegative, has_rsample = true,
})

function P:mean() return self.rate:reciprocal() end
function P:mode() return self.rate * 0 end
P.stddev = P.mean
function P:variance() return self.rate:pow(-2) end

function Exponential:_rsample(shape) return self:_icdf(self:_draw(ops.rand, shape)) end
function Exponential:_log_prob(value) return self.rate:log() - self.rate * value end
function Exponential:entropy() return 1 - self.rate:log() end
function Exponential:_cdf(value) return -(-(self.rate * value)):expm1() end
function Exponential:_icdf(p) return -(-p):log1p() / self.rate end

distribution.guard(Exponential)
return constructor
