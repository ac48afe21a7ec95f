--- Where the library differs from PyTorch on purpose: a kind of case, a pattern of the name, a pattern of what the
-- comparison says, perhaps one of the case's label, and the reason. The first that fits counts. docs/functions.md and
-- docs/modules.md list the same.
local FLOATS = 'convolutions, pools and products of weights are for floats; integers are cast by whoever means that'
local UNBIASED = "the second argument is the dim, and false none; 'unbiased' goes by name"

return {
  { kind = 'op', name = 'nn%.functional%..*', says = 'float32 or float64, got int64', why = FLOATS },
  { kind = 'op', name = 'nn%.functional%..*_norm', says = "'eps' must be a number of at least 0",
    why = 'an eps below 0 is a mistake' },
  { kind = 'op', name = '.*', says = "doesn't fit an? %w+ tensor",
    why = 'a number is not changed in silence to fit integers or bools' },
  { kind = 'op', name = 'arange', says = 'has dtype float64, not int64',
    why = "Lua's numbers are floats: ranges of them are of the default dtype" },
  { kind = 'op', name = 'logspace', says = 'result 1 element', label = '^int64',
    why = 'ends with a fraction keep it where whole numbers are made' },
  { kind = 'op', name = '.*_reduce', says = 'second derivative', label = '^prod',
    why = 'where two factors are 0, derivatives of their product of order 2 and more count as 0' },
  { kind = 'op', name = 'cov', says = 'second derivative',
    why = 'weights of float32 are multiplied in the dtype of float64 observations' },
  { kind = 'op', name = '.*svd', says = 'result 3 element',
    why = 'vectors that only complete a basis are any that do' },
  { kind = 'op', name = 'nn%.functional%.embedding_bag', says = "'sparse' must be false", why = 'gradients are dense' },
  { kind = 'op', name = 'linalg%.norm', says = 'is %-?0, not nan',
    why = 'second derivatives of norms at 0 are 0, as the first are' },
  { kind = 'op', name = 'std', says = 'got true', why = UNBIASED },
  { kind = 'op', name = 'std_mean', says = 'got true', why = UNBIASED },
  { kind = 'op', name = 'var', says = 'got true', why = UNBIASED },
  { kind = 'op', name = 'var_mean', says = 'got true', why = UNBIASED },
  { kind = 'op', name = 'std', says = 'result 1 element', label = '^unbiased', why = UNBIASED },
  { kind = 'op', name = 'std_mean', says = 'result 1 element', label = '^unbiased', why = UNBIASED },
  { kind = 'op', name = 'var', says = 'result 1 element', label = '^unbiased', why = UNBIASED },
  { kind = 'op', name = 'var_mean', says = 'result 1 element', label = '^unbiased', why = UNBIASED },
  { kind = 'op', name = 'nn%.functional%.max_unpool%dd', says = 'gradient of x1: element %d+ is 0, not',
    why = 'of several elements for one place the last one stays, and only it has a derivative; PyTorch gives it to all, so '
      .. 'that of unpooling what overlapping windows pooled is counted more than once there' },
  { kind = 'optimizer', name = 'SGD', says = "'lr' must be given", why = 'no rate suits all problems' },
}
