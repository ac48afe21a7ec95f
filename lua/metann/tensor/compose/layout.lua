--- Another shape of the same elements, for the compositions: what shape.lua makes public. Internal.
local common = require 'metann.tensor.compose.common'
local raw, array, handle = common.raw, common.array, common.handle

local layout = {}

--- t itself, or a copy whose elements lie in order.
function layout.contiguous(t)
  if array(t).contiguous == 1 then return t end
  return (raw.clone(t))
end

--- The same elements in another shape (a list): a view where the layout allows one, else a copy. One size may be -1.
function layout.reshape(t, sizes)
  if array(t).contiguous ~= 1 and handle.reshape_copies(t, sizes) then t = raw.clone(t) end
  return (raw.view(t, sizes))
end

return layout
