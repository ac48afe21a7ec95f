--- Probabilities and their logits, of which Bernoulli and Categorical are given one.
local support = require 'metann.support'
local raise = support.raise

local chances = {}

local EPS = { float64 = 2 ^ -52, float32 = 2 ^ -23 }

--- Raises unless just one of some parameters was given.
function chances.one_of(self, ...)
  local n, names = 0, { ... }
  for _, name in ipairs(names) do n = n + (rawget(self, name) and 1 or 0) end
  if n == 1 then return end
  raise("%s: give one of '%s', got %s", self.name, table.concat(names, "' and '"), n == 0 and 'none' or n)
end

--- Probabilities away from 0 and 1 by what the dtype can tell.
function chances.clamped(p)
  local eps = EPS[support.dtype(p)]
  return p:clamp(eps, 1 - eps)
end

return chances
