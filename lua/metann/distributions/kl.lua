--- The Kullback-Leibler divergence between two distributions, for the pairs that PyTorch has.
local arguments = require 'metann.arguments'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local ops, functions = support.ops, support.functions

local EULER, LOG_2PI = 0.57721566490153286060, math.log(2 * math.pi)

local number = distribution.number
--- t, and infinity where a condition holds.
local function infinite_where(condition, t) return ops.where(condition, number(math.huge, t), t) end
local function infinite_like(t) return functions.full_like(t, math.huge) end
local function xlogx(x) return distribution.xlogy(x, x) end
local function log_beta(a, b) return a:lgamma() + b:lgamma() - (a + b):lgamma() end

-- By the names of both; each a function of p and q.
local pairs_of = {}

-- ---- of one kind ----

function pairs_of.NormalNormal(p, q)
  local ratio, shift = (p.scale / q.scale):square(), ((p.loc - q.loc) / q.scale):square()
  return (ratio + shift - 1 - ratio:log()) * 0.5
end
pairs_of.LogNormalLogNormal = pairs_of.NormalNormal

function pairs_of.UniformUniform(p, q)
  local result = ((q.high - q.low) / (p.high - p.low)):log()
  return infinite_where(q.low:gt(p.low):logical_or(q.high:lt(p.high)), result)
end

function pairs_of.BernoulliBernoulli(p, q)
  local zero, softplus = number(0, p.probs), functions.softplus
  local of_1 = p.probs * (softplus(-q.logits) - softplus(-p.logits))
  of_1 = ops.where(p.probs:eq(0), zero, infinite_where(q.probs:eq(0), of_1))
  local of_0 = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
  of_0 = ops.where(p.probs:eq(1), zero, infinite_where(q.probs:eq(1), of_0))
  return of_1 + of_0
end

function pairs_of.CategoricalCategorical(p, q)
  local terms = infinite_where(q.probs:eq(0), p.probs * (p.logits - q.logits))
  return ops.where(p.probs:eq(0), number(0, terms), terms):sum(-1)
end

function pairs_of.MultivariateNormalMultivariateNormal(p, q)
  local n, m = p.event_shape[1], q.event_shape[1]
  if n ~= m then support.raise('kl_divergence: events of %d and %d numbers', n, m) end
  local batch = distribution.broadcast(p.batch_shape, q.batch_shape)
  local own, other = p.scale_tril, q.scale_tril
  local function logs(factor) return factor:diagonal(0, -2, -1):log():sum(-1) end
  local square = distribution.joined(batch, { n, n })
  local solved = functions.solve_triangular(other:expand(square), own:expand(square), { upper = false })
  local spread = solved:square():sum(-1):sum(-1)
  return logs(other) - logs(own) + (spread + distribution.mahalanobis(other, q.loc - p.loc) - n) * 0.5
end

function pairs_of.BetaBeta(p, q)
  local a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
  return log_beta(c, d) - log_beta(a, b) + (a - c) * a:digamma() + (b - d) * b:digamma()
    + (c + d - a - b) * (a + b):digamma()
end

function pairs_of.DirichletDirichlet(p, q)
  local a, c = p.concentration, q.concentration
  local total = a:sum(-1)
  return total:lgamma() - c:sum(-1):lgamma() - (a:lgamma() - c:lgamma()):sum(-1)
    + ((a - c) * (a:digamma() - total:digamma():unsqueeze(-1))):sum(-1)
end

function pairs_of.GammaGamma(p, q)
  local a, c = p.concentration, q.concentration
  return c * (p.rate / q.rate):log() + c:lgamma() - a:lgamma() + (a - c) * a:digamma()
    + (q.rate - p.rate) * (a / p.rate)
end

function pairs_of.ExponentialExponential(p, q)
  local ratio = q.rate / p.rate
  return ratio - ratio:log() - 1
end

-- ---- of two kinds ----

--- Minus the expected log density of a normal q, of what has a mean and a variance.
local function against_normal(p, q)
  local variance, mean = q.scale:square(), p.mean
  return (variance:log() + LOG_2PI) * 0.5 + ((mean - q.loc):square() + p.variance) / variance * 0.5 - p:entropy()
end
pairs_of.BetaNormal, pairs_of.GammaNormal, pairs_of.ExponentialNormal = against_normal, against_normal, against_normal
pairs_of.UniformNormal = against_normal

--- The same of an exponential q, of what isn't negative.
local function against_exponential(p, q) return q.rate * p.mean - q.rate:log() - p:entropy() end
pairs_of.BetaExponential, pairs_of.GammaExponential = against_exponential, against_exponential

function pairs_of.UniformExponential(p, q) return infinite_where(p.low:lt(0), against_exponential(p, q)) end

--- The same of a gamma q, with what the logarithm of p is on the average.
local function against_gamma(p, q, log)
  local c = q.concentration
  return c:lgamma() - c * q.rate:log() - (c - 1) * log + q.rate * p.mean - p:entropy()
end

function pairs_of.BetaGamma(p, q)
  local a = p.concentration1
  return against_gamma(p, q, a:digamma() - (a + p.concentration0):digamma())
end

function pairs_of.ExponentialGamma(p, q) return against_gamma(p, q, -p.rate:log() - EULER) end

--- The average of log x for x from low to high.
local function mean_log(low, high) return (xlogx(high) - xlogx(low)) / (high - low) - 1 end

function pairs_of.UniformGamma(p, q)
  return infinite_where(p.low:lt(0), against_gamma(p, q, mean_log(p.low:clamp(0), p.high)))
end

function pairs_of.UniformBeta(p, q)
  local low, high = p.low:clamp(0, 1), p.high:clamp(0, 1)
  local a, b = q.concentration1, q.concentration0
  local result = log_beta(a, b) - (a - 1) * mean_log(low, high) - (b - 1) * mean_log(1 - high, 1 - low) - p:entropy()
  return infinite_where(p.high:gt(1):logical_or(p.low:lt(0)), result)
end

function pairs_of.BetaUniform(p, q)
  local result = (q.high - q.low):log() - p:entropy()
  return infinite_where(q.low:gt(0):logical_or(q.high:lt(1)), result)
end

-- p is possible where q is not.
for _, names in ipairs{
  { 'Exponential', 'Beta', 'Uniform' }, { 'Gamma', 'Beta', 'Uniform' },
  { 'Normal', 'Beta', 'Exponential', 'Gamma', 'Uniform' },
} do
  for i = 2, #names do
    pairs_of[names[1] .. names[i]] = function(p, q) return infinite_like(p.mean + q.mean) end
  end
end

-- ---- the function ----

local function a_distribution(v) return distribution.is(v) and v or nil, 'a distribution' end

local kl_divergence

function pairs_of.IndependentIndependent(p, q)
  local n = p.reinterpreted_batch_ndims
  if n ~= q.reinterpreted_batch_ndims then
    support.raise("kl_divergence: 'reinterpreted_batch_ndims' are %d and %d", n, q.reinterpreted_batch_ndims)
  end
  return distribution.sum_last(kl_divergence(p.base_dist, q.base_dist), n)
end

--- The divergence of p from q: the average of log p - log q under p.
function kl_divergence(p, q)
  local formula = pairs_of[p.name .. q.name]
  if not formula then support.raise('kl_divergence: none is known of %s from %s', p.name, q.name) end
  return formula(p, q)
end

return arguments.define('kl_divergence', {
  { 'p', a_distribution, opaque = true }, { 'q', a_distribution, opaque = true },
}, function(p, q) return (kl_divergence(p, q)) end)
