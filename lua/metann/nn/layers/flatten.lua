--- Flatten: joins the dims from start_dim (2) to end_dim (-1) to one.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local reshape, size, array_ndim = support.reshape, support.size, support.ndim

local function position(dim, n, name)
  local d = dim < 0 and n + 1 + dim or dim
  if d < 1 or d > math.max(n, 1) then
    support.raise("Flatten: '%s' is %d, but 'input' has %d dims", name, dim, n)
  end
  return d
end

return pure.class('Flatten', { 'input' }, {
  { 'start_dim', kinds.dim, 2, show = true },
  { 'end_dim', kinds.dim, -1, show = true },
}, function(o, x)
  local n = array_ndim(x)
  local first, last = position(o.start_dim, n, 'start_dim'), position(o.end_dim, n, 'end_dim')
  if first > last then support.raise("Flatten: 'start_dim' comes after 'end_dim' (%d, %d)", o.start_dim, o.end_dim) end
  if first == last and n > 0 then return x end
  local shape, joined = {}, 1
  for d = 1, n do
    if d < first then
      shape[d] = size(x, d)
    elseif d <= last then
      joined = joined * size(x, d)
      shape[first] = joined
    else
      shape[#shape + 1] = size(x, d)
    end
  end
  if n == 0 then shape[1] = 1 end
  return reshape(x, shape)
end)
