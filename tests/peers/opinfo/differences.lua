--- Where the library differs from PyTorch on purpose: a kind of case, a pattern of the name, a pattern of what the
-- comparison says, and the reason. The first that fits counts.
local FLOATS = 'convolutions, pools and products of weights are for floats; integers are cast by whoever means that'

return {
  { kind = 'op', name = 'nn%.functional%..*', says = 'float32 or float64, got int64', why = FLOATS },
  { kind = 'op', name = 'nn%.functional%..*_norm', says = "'eps' must be a number of at least 0",
    why = 'an eps below 0 is a mistake' },
  { kind = 'op', name = '.*', says = "doesn't fit a int64 tensor",
    why = 'a fraction is not rounded in silence to fit integers' },
  { kind = 'op', name = 'linalg%.norm', says = 'is 0, not nan',
    why = 'second derivatives of norms at 0 are 0, as the first are' },
  { kind = 'op', name = 'std', says = 'got true', why = "the second argument is the dim; 'unbiased' goes by name" },
  { kind = 'op', name = 'var', says = 'got true', why = "the second argument is the dim; 'unbiased' goes by name" },
  { kind = 'op', name = 'std', says = 'result 1 element', why = "false stands for no dim; 'unbiased' goes by name" },
  { kind = 'op', name = 'var', says = 'result 1 element', why = "false stands for no dim; 'unbiased' goes by name" },
  { kind = 'optimizer', name = 'SGD', says = "'lr' must be given", why = 'no rate suits all problems' },
}
