--- Ordered tables of tensors by name: what `state_dict` returns.
-- The tensors stand in the table under their names, so `sd.weight`, `sd['1.weight'] = t` and `pairs(sd)` work as with
-- any table; `sd:pairs()` and `sd:keys()` keep the order in which names were set.
local next = require('metann.binding.traversal').next
local guards = require 'metann.binding.guards'
local StateDict = { is_dictionary = true }
local methods = {}
-- Where the order is kept, per dictionary; the dictionaries themselves hold nothing but tensors.
local orders = setmetatable({}, { __mode = 'k' })

--- The names in the order in which they were set; a dictionary that was copied without it starts in alphabetical order.
local function order_of(self)
  local order = orders[self]
  if not order then
    order = {}
    for name in next, self do order[#order + 1] = name end
    table.sort(order)
    orders[self] = order
  end
  return order
end

function StateDict.__index(_, name) return methods[name] end

function StateDict.__newindex(self, name, value)
  local order = order_of(self)
  order[#order + 1] = name
  rawset(self, name, value)
end

--- The names, a fresh list in order.
function methods:keys()
  local names, seen = {}, {}
  for _, name in ipairs(order_of(self)) do
    if rawget(self, name) ~= nil and not seen[name] then
      names[#names + 1], seen[name] = name, true
    end
  end
  return names
end

--- How many names there are.
function methods:len() return #methods.keys(self) end

--- The tensor of a name, or nil.
function methods:get(name) return rawget(self, name) end

--- Gives a name a tensor, as assigning it does.
function methods:set(name, tensor) self[name] = tensor end

--- Takes a name out.
function methods:delete(name) rawset(self, name, nil) end

--- Iterates over name, tensor in order: `for name, t in sd:pairs() do`.
function methods:pairs()
  local names, i = methods.keys(self), 0
  return function()
    i = i + 1
    local name = names[i]
    if name ~= nil then return name, rawget(self, name) end
  end
end

function StateDict.__tostring(self) return ('state dict of %d tensors'):format(#methods.keys(self)) end

guards.guard(methods, 'state', function(value) return getmetatable(value) == StateDict end)

--- An empty state dict.
function StateDict.new()
  local self = {}
  orders[self] = {}
  return setmetatable(self, StateDict)
end

return StateDict
