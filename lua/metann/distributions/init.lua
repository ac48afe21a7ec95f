--- metann.distributions: probability distributions under PyTorch's names. Loaded on first use.
local support = require 'metann.support'
local errors = support.errors

local NAMES = {
  'Normal', 'LogNormal', 'Uniform', 'Bernoulli', 'Categorical', 'MultivariateNormal', 'Beta', 'Dirichlet', 'Gamma',
  'Exponential', 'Independent',
}
local FUNCTIONS = { kl_divergence = 'metann.distributions.kl' }
local known, names = {}, {}
for _, name in ipairs(NAMES) do known[name], names[#names + 1] = true, name end
names[#names + 1] = 'kl_divergence'
names[#names + 1] = 'set_default_validate_args'

local distributions = {
  --- Whether distributions that aren't told check their parameters and values: true at the start.
  set_default_validate_args = require('metann.distributions.distribution').set_default_validate_args,
}

return setmetatable(distributions, {
  names = function() return { unpack(names) } end,
  __index = function(self, name)
    if not known[name] and not FUNCTIONS[name] then errors.no_member('metann.distributions', name, names) end
    local made = require(FUNCTIONS[name] or 'metann.distributions.' .. name:lower())
    rawset(self, name, made)
    return made
  end,
})
