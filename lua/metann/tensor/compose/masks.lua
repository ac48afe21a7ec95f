--- Masks as positions: what indexing and the functions of masks share. Internal.
local common = require 'metann.tensor.compose.common'
local raw, raise, array = common.raw, common.raise, common.array

local masks = {}

--- True for a tensor of bool or uint8.
function masks.is_mask(t)
  local dtype = common.dtype(t)
  return dtype == 'bool' or dtype == 'uint8'
end

--- Raises unless mask has the sizes of t's dims from d on.
-- @param mask a mask
-- @param t the tensor
-- @param d its dim that the mask's first one stands for
-- @param op the function's name, for the message; none for t[mask]
function masks.check(mask, t, d, op)
  local a, m = array(t), array(mask)
  for i = 0, m.ndim - 1 do
    if d + i > a.ndim or m.size[i] ~= a.size[d - 1 + i] then
      raise('%sthe mask has size %d in its dim %d, the tensor %s in dim %d', op and op .. ': ' or '',
        tonumber(m.size[i]), i + 1, d + i > a.ndim and 'none' or tostring(tonumber(a.size[d - 1 + i])), d + i)
    end
  end
end

--- Positions of a mask's nonzero elements as a list of 1-dim tensors, one for each dim.
function masks.positions(mask)
  local places = raw.nonzero(mask)
  local list = {}
  for d = 1, array(mask).ndim do list[d] = raw.select(places, 2, d) end
  return list
end

--- The elements of t where mask, broadcast with it, holds: 1-dim.
function masks.selected(t, mask)
  local a, b = common.shape(t), common.shape(mask)
  local size = {}
  local n = math.max(#a, #b)
  for d = 1, n do
    local x, y = a[d - n + #a] or 1, b[d - n + #b] or 1
    if x ~= y and x ~= 1 and y ~= 1 then raise("masked_select: the mask doesn't fit, %d against %d", y, x) end
    size[d] = x == 1 and y or x
  end
  if n == 0 then
    t, mask, size = raw.view(t, 1), raw.view(mask, 1), { 1 }
  end
  return (raw.index{ raw.expand(t, size), unpack(masks.positions(raw.expand(mask, size))) })
end

return masks
