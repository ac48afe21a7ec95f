--- One of the numbers 1 to n, with the probabilities in the last dim: probs, weights that are divided by their sum, or
-- logits, which may be off by a constant.
local chances = require 'metann.distributions.chances'
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local ops, functions = support.ops, support.functions

--- How many numbers there are.
local function count(self) return support.size(rawget(self, 'probs') or self.logits, -1) end

local function normalise(self)
  chances.one_of(self, 'probs', 'logits')
  local probs, logits = rawget(self, 'probs'), rawget(self, 'logits')
  if probs then self.probs = probs / probs:sum(-1, true) else self.logits = logits - logits:logsumexp(-1, true) end
end

local Categorical, P, constructor = distribution.define('Categorical', {
  parameters = {
    { 'probs', constraint = constraints.weights, event = 1, optional = true },
    { 'logits', constraint = constraints.real_vector, event = 1, optional = true },
  },
  support = function(self) return constraints.whole(1, count(self)) end,
  check = normalise,
})

Categorical._counts = true

function P:probs() return functions.softmax(self.logits, -1) end
function P:logits() return chances.clamped(self.probs):log() end

function P:mean() return support.full(self:_parameter(), self.batch_shape, 0 / 0) end
P.variance, P.stddev = P.mean, P.mean
function P:mode() return self.probs:argmax(-1) end

function Categorical:_sample(shape)
  local n, rows = 1, support.reshape(self.probs:detach(), { -1, count(self) })
  for _, size in ipairs(shape) do n = n * size end
  local full = self:_extended(shape)
  if n == 0 or support.size(rows, 1) == 0 then return support.full(rows, full, 0, 'int64') end
  return support.reshape(functions.multinomial(rows, n, true).mT, full)
end

--- The value's and the logits' sizes are brought together, then the logit at the value is taken.
function Categorical:_log_prob(value)
  local index, logits = ops.cast(value, 'int64'):unsqueeze(-1), self.logits
  local shape = distribution.broadcast(support.shape(index), distribution.joined(self.batch_shape, { 1 }))
  local batch = { unpack(shape, 1, #shape - 1) }
  logits = logits:expand(distribution.joined(batch, { count(self) }))
  return logits:gather(-1, index:expand(shape)):squeeze(-1)
end

function Categorical:entropy()
  -- a finite logit, as -inf times 0 is NaN
  return -(self.probs * self.logits:clamp(-6e4)):sum(-1)
end

distribution.guard(Categorical)
return constructor
