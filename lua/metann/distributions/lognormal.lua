--- The distribution of e^x for normal x of mean loc and standard deviation scale.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local Normal = require('metann.distributions.normal').class

local LogNormal, P, constructor = distribution.define('LogNormal', {
  parameters = { { 'loc', constraint = constraints.real }, { 'scale', constraint = constraints.positive } },
  support = constraints.positive, has_rsample = true,
})

function P:mean() return (self.loc + self.scale:square() * 0.5):exp() end
function P:mode() return (self.loc - self.scale:square()):exp() end
function P:variance()
  local s = self.scale:square()
  return s:expm1() * (self.loc * 2 + s):exp()
end
function P:stddev() return self.variance:sqrt() end

function LogNormal:_rsample(shape) return Normal._rsample(self, shape):exp() end

function LogNormal:_log_prob(value)
  local log = value:log()
  return Normal._log_prob(self, log) - log
end

function LogNormal:entropy() return Normal.entropy(self) + self.loc end
function LogNormal:_cdf(value) return Normal._cdf(self, value:log()) end
function LogNormal:_icdf(p) return Normal._icdf(self, p):exp() end

distribution.guard(LogNormal)
return constructor
