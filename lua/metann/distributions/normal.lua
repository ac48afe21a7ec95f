--- The normal distribution of mean loc and standard deviation scale.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local ops = require('metann.support').ops

local HALF_LOG_2PI, ROOT_2 = 0.5 * math.log(2 * math.pi), math.sqrt(2)

local Normal, P, constructor = distribution.define('Normal', {
  parameters = { { 'loc', constraint = constraints.real }, { 'scale', constraint = constraints.positive } },
  support = constraints.real, has_rsample = true,
})

function P:mean() return self.loc end
P.mode = P.mean
function P:stddev() return self.scale end
function P:variance() return self.scale:square() end

function Normal:_rsample(shape)
  return self.loc + self.scale * self:_draw(ops.randn, shape)
end

function Normal:_log_prob(value)
  return ((value - self.loc) / self.scale):square() * -0.5 - self.scale:log() - HALF_LOG_2PI
end

function Normal:entropy() return self.scale:log() + (0.5 + HALF_LOG_2PI) end
function Normal:_cdf(value) return (((value - self.loc) / (self.scale * ROOT_2)):erf() + 1) * 0.5 end
function Normal:_icdf(p) return self.loc + self.scale * ((p * 2 - 1):erfinv() * ROOT_2) end

distribution.guard(Normal)
return constructor
