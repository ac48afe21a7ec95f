--- What convolution and pooling share: their parameters, and how many dims there must be. Internal.
local next = require('metann.binding.traversal').next
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local raise, array = common.raise, common.array
local kinds = arguments.kinds

local windows = { input = { 'input', kinds.tensor }, weight = { 'weight', kinds.tensor } }

--- How many dims t has: `most`, or one less where the dim of samples is left out.
function windows.plane(t, op, most)
  local n = array(t).ndim
  if n ~= most and n ~= most - 1 then raise('%s: expected %d or %d dims, got %d', op, most - 1, most, n) end
  return n
end

--- A parameter of n numbers of at least `least`, one for each side; a number, or a list of one, stands for all.
function windows.sides(name, n, least, default)
  return { name, kinds.sides(n, least), default }
end

--- A pool's stride for n sides: as its kernel unless given, also by an empty list.
function windows.stride(n)
  local sides = kinds.sides(n, 1)
  return { 'stride', kinds.list_kind(function(v)
    if type(v) == 'table' and next(v) == nil then return {} end
    return sides(v)
  end), optional = true }
end

return windows
