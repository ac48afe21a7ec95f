--- Tensors in nested tables. Internal.
-- A tree is a tensor, a plain table of trees, or anything else, which stands for itself. Tables with metatables are
-- anything else.
local pairs = require('metann.binding.traversal').pairs
local is_tensor = require('metann.binding').handle.is_tensor

local tree = {}

local function is_branch(x) return type(x) == 'table' and getmetatable(x) == nil end
tree.is_branch = is_branch

--- Keys in an order that doesn't depend on how the table was made: numbers, then strings, then the rest as it comes.
local function keys_of(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b)
    local x, y = type(a), type(b)
    if x ~= y then return x < y end
    return (x == 'number' or x == 'string') and a < b
  end)
  return keys
end

local function collect(x, list, want)
  if is_tensor(x) then
    if not want or want(x) then list[#list + 1] = x end
  elseif is_branch(x) then
    for _, k in ipairs(keys_of(x)) do collect(x[k], list, want) end
  end
end

--- The tensors in x, in a fixed order; want(t) chooses among them.
function tree.tensors(x, want)
  local list = {}
  collect(x, list, want)
  return list
end

local function rebuild(x, list, at, is_place, other)
  if is_place(x) then return list[at], at + 1 end
  if not is_branch(x) then return other(x), at end
  local copy = {}
  for _, k in ipairs(keys_of(x)) do copy[k], at = rebuild(x[k], list, at, is_place, other) end
  return copy, at
end

local function itself(x) return x end
local function none() return false end

local function place_of(want)
  return function(x) return is_tensor(x) and (not want or want(x)) end
end

--- A copy of x with the tensors that tree.tensors(x, want) found replaced by those of a list.
function tree.with(x, list, want) return (rebuild(x, list, 1, place_of(want), itself)) end

--- The same with false in place of everything else: what a gradient looks like.
function tree.only(x, list, want) return (rebuild(x, list, 1, place_of(want), none)) end

--- A copy of x with fn(t) in place of every tensor t.
function tree.map(fn, x)
  if is_tensor(x) then return fn(x) end
  if not is_branch(x) then return x end
  local copy = {}
  for _, k in ipairs(keys_of(x)) do copy[k] = tree.map(fn, x[k]) end
  return copy
end

local PLACE = setmetatable({}, {})

--- A copy of x with gaps in place of its tensors, for tree.fill.
function tree.shape(x) return tree.map(function() return PLACE end, x) end

--- A copy of what tree.shape returned with the tensors of a list in the gaps.
function tree.fill(x, list) return (rebuild(x, list, 1, function(y) return y == PLACE end, itself)) end

local function pair(x, y, path, list, want, check)
  if is_tensor(x) then
    if not want or want(x) then list[#list + 1] = check(x, y, path) end
  elseif is_branch(x) then
    for _, k in ipairs(keys_of(x)) do
      local below = path .. (type(k) == 'number' and ('[%d]'):format(k) or '.' .. tostring(k))
      pair(x[k], type(y) == 'table' and y[k] or nil, below, list, want, check)
    end
  end
end

--- A list of check(t, what y has in its place, path) for each tensor that tree.tensors(x, want) finds.
function tree.pairs_of(x, y, path, want, check)
  local list = {}
  pair(x, y, path, list, want, check)
  return list
end

return tree
