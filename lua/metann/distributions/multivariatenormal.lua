--- The normal distribution of vectors, by its mean loc and one of: covariance_matrix, precision_matrix (its inverse),
-- or scale_tril (its Cholesky factor, lower triangular).
local chances = require 'metann.distributions.chances'
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local ops, functions = support.ops, support.functions

local LOG_2PI = math.log(2 * math.pi)

local function event_of(sizes, p, before)
  if p[1] == 'loc' then return sizes end
  if sizes[1] == before[1] and sizes[2] == before[1] then return before end
  return support.raise("MultivariateNormal: '%s' must be of size %s, as 'loc' is of %s, got %s", p[1],
    support.tuple{ before[1], before[1] }, support.tuple(before), support.tuple(sizes))
end

--- The lower triangular factor of the inverse of a matrix: of the factor of the matrix read from its end.
local function factor_of_inverse(precision)
  local flipped = precision:flip{ -2, -1 }:cholesky():flip{ -2, -1 }.mT
  local n = support.size(flipped, -1)
  local eye = support.beside(flipped, ops.eye, n, n, support.dtype(flipped))
  return functions.solve_triangular(flipped, eye:expand(support.shape(flipped)), { upper = false })
end

local MultivariateNormal, P, constructor = distribution.define('MultivariateNormal', {
  parameters = {
    { 'loc', constraint = constraints.real_vector, event = 1 },
    { 'covariance_matrix', constraint = constraints.positive_definite, event = 2, optional = true },
    { 'precision_matrix', constraint = constraints.positive_definite, event = 2, optional = true },
    { 'scale_tril', constraint = constraints.lower_cholesky, event = 2, optional = true },
  },
  support = constraints.real_vector, has_rsample = true, event_of = event_of,
  check = function(self) chances.one_of(self, 'covariance_matrix', 'precision_matrix', 'scale_tril') end,
})

function P:scale_tril()
  local covariance = rawget(self, 'covariance_matrix')
  if covariance then return covariance:cholesky() end
  return factor_of_inverse(self.precision_matrix)
end

function P:covariance_matrix()
  local factor = self.scale_tril
  return factor:matmul(factor.mT)
end

function P:precision_matrix() return self.scale_tril:cholesky_inverse() end

function P:mean() return self.loc end
P.mode = P.mean
function P:variance() return self.scale_tril:square():sum(-1) end
function P:stddev() return self.variance:sqrt() end

function MultivariateNormal:_rsample(shape)
  local noise, factor = self:_draw(ops.randn, shape), self.scale_tril
  if #self.batch_shape == 0 then return self.loc + noise:matmul(factor.mT) end -- one product for all
  return self.loc + factor:matmul(noise:unsqueeze(-1)):squeeze(-1)
end

local function half_log_det(factor) return factor:diagonal(0, -2, -1):log():sum(-1) end

--- The squared distance of what lies `difference` away from the mean, in standard deviations.
function distribution.mahalanobis(factor, difference)
  local n, shape = support.size(factor, -1), support.shape(difference)
  local batch = distribution.broadcast({ unpack(support.shape(factor), 1, support.ndim(factor) - 2) },
    { unpack(shape, 1, #shape - 1) })
  local lower = { upper = false }
  if support.ndim(factor) == 2 then -- all as the columns of one matrix
    local columns = support.reshape(difference, { support.numel(difference) / n, n }).mT
    return support.reshape(functions.solve_triangular(factor, columns, lower):square():sum(1), batch)
  end
  local vectors = difference:expand(distribution.joined(batch, { n })):unsqueeze(-1)
  local square = factor:expand(distribution.joined(batch, { n, n }))
  return functions.solve_triangular(square, vectors, lower):squeeze(-1):square():sum(-1)
end

function MultivariateNormal:_log_prob(value)
  local factor = self.scale_tril
  local distance = distribution.mahalanobis(factor, value - self.loc)
  return -(distance + self.event_shape[1] * LOG_2PI) * 0.5 - half_log_det(factor)
end

function MultivariateNormal:entropy()
  return half_log_det(self.scale_tril) + 0.5 * self.event_shape[1] * (1 + LOG_2PI)
end

distribution.guard(MultivariateNormal)
return constructor
