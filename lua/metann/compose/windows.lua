--- What convolution and pooling share: arguments that stand for one or several sides, and how many dims there must be.
local common = require 'metann.compose.common'
local raise, describe, array, tensor = common.raise, common.describe, common.array, common.tensor

local windows = {}

--- n integers of at least `least`: out of a number, which stands for all, or a list; `default` where x is nil.
function windows.sides(op, name, x, n, least, default)
  if x == nil then x = default end
  local list = {}
  if type(x) ~= 'table' then
    for i = 1, n do list[i] = common.integer(x, op, name, least) end
    return list
  end
  if #x ~= n and #x ~= 1 then raise("%s: '%s' must be a number or a list of %d, got %d entries", op, name, n, #x) end
  for i = 1, n do list[i] = common.integer(#x == 1 and x[1] or x[i], op, name, least) end
  return list
end

--- The first of a list, or the number itself.
function windows.one(op, name, x, least, default) return windows.sides(op, name, x, 1, least, default)[1] end

--- How many dims t has: `most`, or one less where the dim of samples is left out.
function windows.plane(t, op, most)
  local n = array(tensor(t, op, 'input')).ndim
  if n ~= most and n ~= most - 1 then raise('%s: expected %d or %d dims, got %d', op, most - 1, most, n) end
  return n
end

--- Values by position or out of an options table, wherever it stands; in the order of names.
function windows.arguments(op, names, ...)
  local values, n = {}, select('#', ...)
  for i = 1, n do
    local x = select(i, ...)
    if type(x) == 'table' and x[1] == nil then
      common.check_options(op, x, names)
      for k = 1, #names do
        if x[names[k]] ~= nil then values[k] = x[names[k]] end
      end
    elseif i > #names and x ~= nil then
      raise('%s: too many arguments, got %s', op, describe(x))
    else
      values[i] = x
    end
  end
  return values
end

return windows
