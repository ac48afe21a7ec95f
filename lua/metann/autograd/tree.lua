--- Tensors in nested tables. Internal.
-- A tree is a tensor, a plain table of trees, or anything else, which stands for itself. Tables with metatables are
-- anything else.
local pairs = require('metann.binding.traversal').pairs
local is_tensor = require('metann.binding').handle.is_tensor

local tree = {}

local function is_branch(x) return type(x) == 'table' and getmetatable(x) == nil end
tree.is_branch = is_branch

--- Keys in an order that does not depend on how the table was made: numbers, then strings, then the rest as it comes.
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

local function rebuild(x, list, at, is_place)
  if is_place(x) then return list[at], at + 1 end
  if not is_branch(x) then return x, at end
  local copy = {}
  for _, k in ipairs(keys_of(x)) do copy[k], at = rebuild(x[k], list, at, is_place) end
  return copy, at
end

--- A copy of x with the tensors that tree.tensors(x, want) found replaced by those of a list.
function tree.with(x, list, want)
  local function is_place(y) return is_tensor(y) and (not want or want(y)) end
  return (rebuild(x, list, 1, is_place))
end

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
function tree.fill(x, list) return (rebuild(x, list, 1, function(y) return y == PLACE end)) end

return tree
