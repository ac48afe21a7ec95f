--- The p-norm over dims, all unless given; p may also be 'fro' or 'nuc'. reduce.lua makes it public. Internal.
local common = require 'metann.tensor.compose.common'
local raw = common.raw

-- What few ask for is loaded when somebody does.
local function nuclear(t, dim, keepdim)
  return require('metann.tensor.compose.matrix_norms').of('norm', t, 'nuc', dim or { -2, -1 }, keepdim)
end

-- From here on p-norms equal the largest number but for its last digits, and powers of rounded quotients mean nothing.
local ENDLESS = 2 ^ 53

return function(t, p, dim, keepdim)
  if p == 'fro' then p = 2 end
  if p == 'nuc' then return nuclear(t, dim, keepdim) end
  if p == 1 then return (raw.sum(raw.abs(t), dim, keepdim)) end
  if p >= ENDLESS then return (raw.amax(raw.abs(t), dim, keepdim)) end
  if p <= -ENDLESS then return (raw.amin(raw.abs(t), dim, keepdim)) end
  if p == 0 then -- the count leads to nothing, the zeros lead to t: a derivative of 0, not none
    local marks = raw.add(raw.cast(raw.ne(t, 0), common.dtype(t)), raw.fill(t, 0))
    return (raw.sum(marks, dim, keepdim))
  end
  return (raw.norm(t, p, dim, keepdim))
end
