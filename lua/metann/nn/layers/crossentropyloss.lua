--- CrossEntropyLoss: log-softmax and negative log-likelihood in one. Input (N, C, ...) or (C): scores; target (N, ...):
-- classes from 1 to C, or probabilities of the input's size; weight (C). With label_smoothing s the target is mixed
-- with the uniform distribution (Szegedy et al. 2015). `mean` divides by the weights of the targets that count.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local classes = require 'metann.nn.shared.class_losses'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local ops, kinds = support.ops, options.kinds
local ndim = support.ndim
local log_softmax = ops.log_softmax

return pure.class('CrossEntropyLoss', { 'input', 'target' }, {
  { 'weight', kinds.tensor, optional = true, tensor = true },
  { 'ignore_index', kinds.integer, -100 },
  { 'label_smoothing', kinds.probability, 0.0 },
  losses.REDUCTION,
}, function(o, x, target, weight)
  local n = ndim(x)
  if n == 0 then classes.no_classes('CrossEntropyLoss') end
  local log_p = log_softmax(x, n == 1 and 1 or 2)
  if n == ndim(target) and support.same_shape(x, target) and support.is_float(target) then
    return classes.probabilities('CrossEntropyLoss', log_p, target, weight, o)
  end
  if o.label_smoothing == 0 then return classes.nll('CrossEntropyLoss', log_p, target, weight, o) end
  return classes.smoothed('CrossEntropyLoss', log_p, target, weight, o)
end)
