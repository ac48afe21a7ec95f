--- What specs that run every optimizer know of each: PyTorch's defaults, read off its signatures, and options that give
-- its rule all the state it can have. One that is missing here fails in optim_spec. `unused_lr` says that not every lr of
-- several steps counts.
local BETAS = { 0.9, 0.999 }
local OTHER_BETAS = { 0.5, 0.9 }

return {
  SGD = {
    defaults = { momentum = 0, dampening = 0, weight_decay = 0, nesterov = false },
    full = { lr = 0.05, momentum = 0.9, nesterov = true, weight_decay = 0.1 },
  },
  Adam = {
    defaults = { lr = 1e-3, betas = BETAS, eps = 1e-8, weight_decay = 0, amsgrad = false, decoupled_weight_decay = false },
    full = { betas = OTHER_BETAS, amsgrad = true, weight_decay = 0.1 },
  },
  AdamW = {
    defaults = { lr = 1e-3, betas = BETAS, eps = 1e-8, weight_decay = 1e-2, amsgrad = false },
    full = { amsgrad = true, maximize = true, weight_decay = 0.1 },
  },
  RMSprop = {
    defaults = { lr = 1e-2, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0, centered = false },
    full = { momentum = 0.5, centered = true },
  },
  Adagrad = {
    defaults = { lr = 1e-2, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10 },
    full = { lr_decay = 0.1 },
  },
  Adadelta = { defaults = { lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0 }, full = { rho = 0.5 } },
  Adamax = { defaults = { lr = 2e-3, betas = BETAS, eps = 1e-8, weight_decay = 0 }, full = { betas = OTHER_BETAS } },
  NAdam = {
    defaults = {
      lr = 2e-3, betas = BETAS, eps = 1e-8, weight_decay = 0, momentum_decay = 4e-3, decoupled_weight_decay = false,
    },
    full = { betas = OTHER_BETAS },
  },
  RAdam = {
    defaults = { lr = 1e-3, betas = BETAS, eps = 1e-8, weight_decay = 0, decoupled_weight_decay = false },
    full = { betas = OTHER_BETAS },
  },
  Rprop = {
    defaults = { lr = 1e-2, etas = { 0.5, 1.2 }, step_sizes = { 1e-6, 50 } },
    full = { etas = { 0.3, 1.5 }, step_sizes = { 1e-3, 0.06 } },
    unused_lr = true, -- later steps go by the sizes that the state has
  },
  ASGD = {
    defaults = { lr = 1e-2, lambd = 1e-4, alpha = 0.75, t0 = 1e6, weight_decay = 0 },
    full = { lambd = 0.1, t0 = 2, weight_decay = 0.1 },
    unused_lr = true, -- a step's lr makes the size of the next one
  },
  Adafactor = {
    defaults = { lr = 1e-2, beta2_decay = -0.8, eps = { false, 1e-3 }, d = 1, weight_decay = 0 },
    full = { weight_decay = 0.1 },
  },
  -- the paper's, as PyTorch has no such class
  Lion = {
    defaults = { lr = 1e-4, betas = { 0.9, 0.99 }, weight_decay = 0 }, full = { betas = OTHER_BETAS, weight_decay = 0.1 },
  },
}
