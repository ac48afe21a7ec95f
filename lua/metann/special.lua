--- torch.special's names for functions of metann.
local next = require('metann.binding.traversal').next
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local errors = require 'metann.binding.errors'
local ops = require 'metann.tensor.ops'

local NAMES = {
  digamma = 'digamma', erf = 'erf', erfc = 'erfc', erfinv = 'erfinv', exp2 = 'exp2', expit = 'sigmoid', expm1 = 'expm1',
  gammaln = 'lgamma', log1p = 'log1p', log_softmax = 'log_softmax', logit = 'logit', logsumexp = 'logsumexp',
  polygamma = 'polygamma', psi = 'digamma', round = 'round', sinc = 'sinc', softmax = 'softmax', xlog1py = 'xlog1py',
  xlogy = 'xlogy',
}

return setmetatable({}, {
  __index = function(self, name)
    local same = NAMES[name] and arguments.compiled(ops[NAMES[name]])
    if same then
      self[name] = common.another(same)
      errors.name(self[name], name)
      return self[name]
    end
    local names = {}
    for key, of in next, NAMES do
      if ops[of] then names[#names + 1] = key end
    end
    table.sort(names)
    return errors.no_member('metann.special', name, names)
  end,
})
