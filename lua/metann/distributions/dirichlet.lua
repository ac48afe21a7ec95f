--- The Dirichlet distribution, of vectors of sum 1, with the concentrations in the last dim.
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local implicit = require 'metann.distributions.implicit'
local support = require 'metann.support'
local ops, functions = support.ops, support.functions

local Dirichlet, P, constructor = distribution.define('Dirichlet', {
  parameters = { { 'concentration', constraint = constraints.positive_vector, event = 1 } },
  support = constraints.simplex, has_rsample = true, event_of = function(sizes) return sizes end,
})

function P:mean() return self.concentration / self.concentration:sum(-1, true) end

--- Where no concentration is 1 or more, all of it lies with the largest.
function P:mode()
  local above = (self.concentration - 1):clamp(0)
  local total, n = above:sum(-1, true), support.size(above, -1)
  local corner = ops.cast(functions.one_hot(self.concentration:argmax(-1), n), self:_dtype())
  local small = self.concentration:lt(1):all(-1, true)
  return ops.where(small, corner, above / total)
end

function P:variance()
  local a, total = self.concentration, self.concentration:sum(-1, true)
  return a * (total - a) / (total:square() * (total + 1))
end
function P:stddev() return self.variance:sqrt() end

--- Gamma variates over their sum; derivatives are implicit ones, to first order.
function Dirichlet:_rsample(shape)
  local variates = implicit.variates(self.concentration:expand(self:_extended(shape)))
  return variates / variates:sum(-1, true)
end

function Dirichlet:_log_prob(value)
  local a = self.concentration
  return distribution.xlogy(a - 1, value):sum(-1) + a:sum(-1):lgamma() - a:lgamma():sum(-1)
end

function Dirichlet:entropy()
  local a = self.concentration
  local total = a:sum(-1)
  return a:lgamma():sum(-1) - total:lgamma() - (support.size(a, -1) - total) * total:digamma()
    - ((a - 1) * a:digamma()):sum(-1)
end

distribution.guard(Dirichlet)
return constructor
