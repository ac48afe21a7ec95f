--- NLLLoss: minus the log-probability of the right class. Input (N, C, ...) or (C), target (N, ...) or a number's
-- tensor with classes from 1 to C; weight (C). `mean` divides by the weights of the targets that count.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local classes = require 'metann.nn.shared.class_losses'
local kinds = require('metann.nn.machinery.options').kinds

return pure.class('NLLLoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  { 'ignore_index', kinds.integer, -100 },
  losses.REDUCTION,
}, function(o, x, target, weight)
  return classes.nll('NLLLoss', x, target, weight, o)
end)
