--- What parameters and values of distributions must be: tables {text, holds, event}. `holds(t)` gives a bool tensor, of
-- one element for each that is checked; `event` is how many dims one such element has, none unless given.

local constraints = {}

constraints.real = { text = 'a number, not NaN', holds = function(t) return t:eq(t) end }
constraints.positive = { text = 'above 0', holds = function(t) return t:gt(0) end }
constraints.nonnegative = { text = 'at least 0', holds = function(t) return t:ge(0) end }
constraints.unit_interval = { text = 'between 0 and 1', holds = function(t) return t:ge(0):logical_and(t:le(1)) end }
constraints.boolean = { text = '0 or 1', holds = function(t) return t:eq(0):logical_or(t:eq(1)) end }

--- Numbers that aren't NaN, along the last dim.
constraints.real_vector = { text = 'numbers, not NaN', event = 1, holds = function(t) return t:eq(t):all(-1) end }
constraints.positive_vector = { text = 'above 0', event = 1, holds = function(t) return t:gt(0):all(-1) end }
--- Weights that don't all vanish.
constraints.weights = {
  text = 'at least 0, with a sum above 0, along the last dim', event = 1,
  holds = function(t) return t:ge(0):all(-1):logical_and(t:sum(-1):gt(0)) end,
}
constraints.simplex = {
  text = 'at least 0 and of sum 1 along the last dim', event = 1,
  holds = function(t) return t:ge(0):all(-1):logical_and((t:sum(-1) - 1):abs():lt(1e-6)) end,
}

--- Whole numbers from low to high.
function constraints.whole(low, high)
  return {
    text = ('a whole number from %d to %d'):format(low, high),
    holds = function(t) return t:remainder(1):eq(0):logical_and(t:ge(low)):logical_and(t:le(high)) end,
  }
end

--- Numbers below another parameter.
function constraints.below(name, high)
  return { text = ("below '%s'"):format(name), holds = function(t) return t:lt(high) end }
end

--- Numbers from low to high, tensors.
function constraints.interval(low, high)
  return {
    text = 'within low and high',
    holds = function(t) return low:le(t):logical_and(high:ge(t)) end,
  }
end

local function symmetric(t)
  local difference, size = (t - t.mT):abs(), t:abs()
  return difference:le(size * 1e-5 + 1e-6):all(-1):all(-1)
end

constraints.positive_definite = {
  text = 'symmetric and positive definite', event = 2,
  holds = function(t)
    local fine = symmetric(t) -- and finite, as only such numbers have differences that are small
    local safe = t:masked_fill(fine:logical_not():unsqueeze(-1):unsqueeze(-1), 0)
    return fine:logical_and(safe:eigvalsh():gt(0):all(-1))
  end,
}
constraints.lower_cholesky = {
  text = 'lower triangular with a diagonal above 0', event = 2,
  holds = function(t)
    return t:eq(t:tril()):all(-1):all(-1):logical_and(t:diagonal(0, -2, -1):gt(0):all(-1))
  end,
}

return constraints
