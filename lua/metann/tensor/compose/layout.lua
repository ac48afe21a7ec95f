--- Another shape of the same elements, for the compositions: what shape.lua makes public. Internal.
local common = require 'metann.tensor.compose.common'
local raw, array = common.raw, common.array

local layout = {}

--- t itself, or a copy whose elements lie in order.
function layout.contiguous(t)
  if array(t).contiguous == 1 then return t end
  return (raw.clone(t))
end

--- True when sizes split and join only dims of t that lie evenly in memory, so that a view is possible.
local function view_fits(a, sizes)
  local d, n = a.ndim - 1, #sizes
  local j = n
  while d >= 0 do
    -- a run of dims of t that are dense with each other
    local base, run = a.stride[d], a.size[d]
    while d > 0 and (a.size[d - 1] == 1 or a.stride[d - 1] == run * base) do
      d = d - 1
      run = run * a.size[d]
    end
    local covered = 1
    while j >= 1 and covered < run do
      covered = covered * sizes[j]
      j = j - 1
    end
    if covered ~= run then return false end
    d = d - 1
  end
  return true
end

local function resolve(sizes, numel)
  local resolved, known, open = {}, 1, nil
  for i = 1, #sizes do
    local s = sizes[i]
    resolved[i] = s
    if s == -1 then open = i else known = known * s end
  end
  if open and known > 0 then resolved[open] = numel / known end
  return resolved
end

--- The same elements in another shape (a list): a view where the layout allows one, else a copy. One size may be -1.
function layout.reshape(t, sizes)
  local a = array(t)
  if a.contiguous ~= 1 and not view_fits(a, resolve(sizes, tonumber(a.numel))) then t = raw.clone(t) end
  return (raw.view(t, sizes))
end

return layout
