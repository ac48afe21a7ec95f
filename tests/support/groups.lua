-- Chains of pointwise rows as the C interface takes them (mn_cpu_group_plan).
local handle = require('metann.binding').handle
local slots = require 'tests.support.slots'
local ffi, C = handle.ffi, handle.C

local groups = { WIDTH = { float32 = 4, float64 = 8, int64 = 8, bool = 1 } }

--- A chain, not planned yet, and what must live as long as it.
-- @param inputs tensors; one of one element is repeated
-- @param steps lists {row, values..., out =, set =, dtype =}: values from 1, first the inputs, then what steps make; out:
-- the output that the result is, from 1; set: attributes; dtype: of the result, where it isn't the chain's
-- @param dtype of the chain
function groups.make(inputs, steps, dtype)
  local g = ffi.new 'mn_group'
  local by, list = ffi.new('int64_t[?]', #inputs), ffi.new('mn_group_step[?]', #steps)
  for i, t in ipairs(inputs) do by[i - 1] = t:numel() > 1 and groups.WIDTH[t.dtype] or 0 end
  for i, s in ipairs(steps) do
    local op, info = slots.row_of(s[1])
    local found = C.mn_cpu_line(op, slots.of(info, s.set or {}), handle.dtypes[dtype], -1, list[i - 1].line)
    if found ~= 0 then error('no line of ' .. s[1]) end
    for k = 2, #s do list[i - 1]['in'][k - 2] = s[k] - 1 end
    list[i - 1].item, list[i - 1].out = groups.WIDTH[s.dtype or dtype], s.out and s.out - 1 or -1
  end
  g.n_in, g.n_steps, g.step, g.steps = #inputs, #steps, by, list
  return g, { by, list }
end

function groups.array(t) return ffi.cast('const mn_array *', handle.array(t)) end

--- Where tensors' elements lie, as the C interface takes them.
function groups.addresses(tensors)
  local list = ffi.new('char *[?]', #tensors)
  for i, t in ipairs(tensors) do list[i - 1] = ffi.cast('char *', groups.array(t).data) end
  return list
end

--- What the rows make one by one: all values, the inputs first.
function groups.one_by_one(metann, inputs, steps)
  local values = { unpack(inputs) }
  for _, s in ipairs(steps) do
    local operands = {}
    for k = 2, #s do operands[k - 1] = values[s[k]] end
    values[#values + 1] = metann[s[1]](unpack(operands))
  end
  return values
end

return groups
