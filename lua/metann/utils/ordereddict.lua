--- OrderedDict: a dictionary that keeps the order in which its keys were first set.
local dictionary = require 'metann.utils.dictionary'

-- Keys of the state inside an instance: tables, so that no caller's key meets them.
local VALUES, ORDER, POSITION = {}, {}, {}

--- `OrderedDict{{'a', 1}, {'b', 2}}`, or from another dictionary; empty without an argument.
-- Methods: get set delete contains len keys values pairs pop clear update, and indexing for keys that aren't method
-- names; a missing key without a default is an error.
-- @function OrderedDict
local OrderedDict = dictionary.class('OrderedDict', {
  parameters = { { 'source', data = true } },

  init = function(self, source)
    rawset(self, VALUES, {})
    rawset(self, ORDER, {})
    rawset(self, POSITION, {})
    if source ~= nil then self:update(source) end
  end,

  _find = function(self, key)
    if key == nil then return nil end
    return rawget(self, VALUES)[key]
  end,

  _store = function(self, key, value)
    local values, order = rawget(self, VALUES), rawget(self, ORDER)
    if values[key] == nil then
      order[#order + 1] = key
      rawget(self, POSITION)[key] = #order
    end
    values[key] = value
  end,

  _remove = function(self, key)
    local order, position = rawget(self, ORDER), rawget(self, POSITION)
    local at = position[key]
    rawget(self, VALUES)[key], position[key] = nil, nil
    table.remove(order, at)
    for i = at, #order do position[order[i]] = i end
  end,

  _order = function(self)
    local order, copy = rawget(self, ORDER), {}
    for i = 1, #order do copy[i] = order[i] end
    return copy
  end,
})

return OrderedDict
