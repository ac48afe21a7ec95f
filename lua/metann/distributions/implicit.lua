--- Derivatives of gamma variates and of their distribution function by the concentration: implicit ones (Figurnov,
-- Mohamed and Mnih 2018, "Implicit reparameterization gradients"), to first order.
local Function = require('metann.autograd').Function
local support = require 'metann.support'
local ops = support.ops

local implicit = {}

--- What a variate moves by when its concentration does, of which no derivative is known.
local slope = Function{
  name = 'standard_gamma_grad',
  forward = function(_, concentration, value) return ops.standard_gamma_grad(concentration, value) end,
  backward = function()
    support.raise('Gamma, Beta, Dirichlet: derivatives by a concentration are there to first order only: those of '
      .. 'samples, and of cdf')
  end,
}

--- Gamma variates of scale 1, one for each concentration.
implicit.standard_gamma = Function{
  name = 'standard_gamma',
  forward = function(context, concentration)
    local value = ops.standard_gamma(concentration)
    context:save_for_backward(concentration, value)
    return value
  end,
  backward = function(context, g)
    local concentration, value = context:saved_tensors()
    return g * slope(concentration, value)
  end,
}

--- The probability of a variate up to `value`, which is of the concentration's size.
implicit.cdf = Function{
  name = 'standard_gamma_cdf',
  forward = function(context, concentration, value)
    context:save_for_backward(concentration, value)
    return ops.standard_gamma_cdf(concentration, value)
  end,
  backward = function(context, g)
    local a, x = context:saved_tensors()
    local density = ((a - 1) * x:log() - x - a:lgamma()):exp()
    local by_a = context.needs_input_grad[1] and -(g * density * slope(a, x)) or nil
    return by_a, g * density
  end,
}

local TINY = { float64 = 2 ^ -1022, float32 = 2 ^ -126 }

--- Gamma variates of scale 1 above 0: those of small concentrations may be smaller than any number.
function implicit.variates(concentration)
  return implicit.standard_gamma(concentration):clamp(TINY[support.dtype(concentration)])
end

return implicit
