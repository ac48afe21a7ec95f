--- 1 with probability probs, else 0; in place of it logits, log(p / (1 - p)), may be given.
local chances = require 'metann.distributions.chances'
local constraints = require 'metann.distributions.constraints'
local distribution = require 'metann.distributions.distribution'
local support = require 'metann.support'
local ops, functions = support.ops, support.functions

local Bernoulli, P, constructor = distribution.define('Bernoulli', {
  parameters = {
    { 'probs', constraint = constraints.unit_interval, optional = true },
    { 'logits', constraint = constraints.real, optional = true },
  },
  support = constraints.boolean,
  check = function(self) chances.one_of(self, 'probs', 'logits') end,
})

function P:probs() return self.logits:sigmoid() end
function P:logits()
  local p = chances.clamped(self.probs)
  return p:log() - (-p):log1p()
end

function P:mean() return self.probs end
--- NaN where both are equally likely.
function P:mode()
  local p = self.probs
  local likelier = ops.cast(p:gt(0.5), self:_dtype())
  return ops.where(p:eq(0.5), distribution.number(0 / 0, p), likelier)
end
function P:variance() return self.probs * (1 - self.probs) end
function P:stddev() return self.variance:sqrt() end

function Bernoulli:_sample(shape) return ops.bernoulli(self.probs:expand(self:_extended(shape)):contiguous()) end

--- x logit - log(1 + e^logit), which keeps its digits.
function Bernoulli:_log_prob(value)
  local logits = self.logits
  return value * logits - functions.softplus(logits)
end

function Bernoulli:entropy()
  local logits, p = self.logits, self.probs
  return functions.softplus(logits) - p * logits
end

distribution.guard(Bernoulli)
return constructor
