--- Positions in a list: numbers from 1, negative ones from the end, and ranges {first, last, step}. Shared by the
-- containers of modules and of parameters.
local support = require 'metann.support'
local raise, describe = support.raise, support.describe

local positions = {}

local function is_whole(v) return type(v) == 'number' and v % 1 == 0 end

--- The position from 1 that `i` means among n, or nil when there is none; 0 and what is no whole number are errors.
-- @param what the function's name, for messages
-- @param i a position; negative ones count from the end
-- @param n how many there are
function positions.find(what, i, n)
  if not is_whole(i) then raise('%s: position must be a whole number, got %s', what, describe(i)) end
  if i == 0 then raise('%s: position is 0, but positions count from 1 (-1 is the last)', what) end
  local at = i < 0 and n + 1 + i or i
  if at >= 1 and at <= n then return at end
  return nil
end

--- As find, but an error where there is none.
function positions.must(what, i, n)
  local at = positions.find(what, i, n)
  if not at then raise('%s: position %d is out of range, there are %d entries', what, i, n) end
  return at
end

local function bound(what, v, n, default)
  if v == nil then return default end
  if not is_whole(v) or v == 0 then
    raise('%s: a range {first, last, step} holds whole numbers other than 0, got %s', what, describe(v))
  end
  return v < 0 and n + 1 + v or v
end

--- The positions of a closed range among n, a list; what lies outside is left out.
-- @param what the function's name, for messages
-- @param range {first = 1, last = -1, step = 1}
-- @param n how many there are
function positions.range(what, range, n)
  local first, last = bound(what, range[1], n, 1), bound(what, range[2], n, n)
  local step = range[3] == nil and 1 or range[3]
  if not is_whole(step) or step < 1 then
    raise('%s: the step of a range must be a positive whole number, got %s', what, describe(step))
  end
  if first < 1 then -- goes on from the first that is there, in steps from where it began
    local passed = math.fmod(first - 1, step)
    first = 1 + (passed < 0 and passed + step or passed)
  end
  local list = {}
  for i = first, math.min(last, n), step do list[#list + 1] = i end
  return list
end

--- True for a range: a plain table.
function positions.is_range(key) return type(key) == 'table' and getmetatable(key) == nil end

return positions
