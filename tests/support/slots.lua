-- Rows by name and their attributes as the C interface takes them.
local handle = require('metann.binding').handle
local ffi, C = handle.ffi, handle.C

local slots = {}

--- The number of a row, and its description.
function slots.row_of(name)
  for i = 0, C.mn_op_count() - 1 do
    if ffi.string(C.mn_op(i).name) == name then return i, C.mn_op(i) end
  end
  error('no row ' .. name)
end

--- Slots with a row's defaults, and what `set` gives by attribute: a number, or a list with its length as `n`.
function slots.of(info, set)
  local list = ffi.new('mn_slot[?]', info.n_slots)
  ffi.copy(list, info.defaults, info.n_slots * ffi.sizeof 'mn_slot')
  for i = 0, info.n_attrs - 1 do
    local a = info.attrs[i]
    local value = set[ffi.string(a.name)]
    local at = list + a.slot
    if type(value) == 'table' then
      at[0].i = value.n or #value
      for k, v in ipairs(value) do at[k].i = v end
    elseif value ~= nil then
      if a.kind == C.MN_ATTR_NUM then at[0].f = value else at[0].i = value end
    end
  end
  return list
end

return slots
