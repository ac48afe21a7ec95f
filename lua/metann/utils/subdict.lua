--- SubDict: access to some keys of another dictionary, the super dict, which stays the only place of the values.
local errors = require 'metann.binding.errors'
local dictionary = require 'metann.utils.dictionary'
local raise, describe = errors.raise, errors.describe

local SUPER, KEYS, MEMBER, KEEP, IS_DICTIONARY = {}, {}, {}, {}, {}

local function find(self, key)
  local super = rawget(self, SUPER)
  if rawget(self, IS_DICTIONARY) then return super:get(key, nil) end
  return super[key]
end

--- The keys to look at: a list, a dictionary's own keys, or what an iterator yields first.
local function key_list(keys)
  if keys == nil then return {} end
  local list = {}
  if type(keys) == 'function' then
    for key in keys do list[#list + 1] = key end
    return list
  end
  if type(keys) ~= 'table' then raise('SubDict: keys must be a list of keys, got %s', describe(keys)) end
  local mt = getmetatable(keys)
  if type(mt) == 'table' and mt.is_dictionary then return keys:keys() end
  for i = 1, #keys do list[i] = keys[i] end
  return list
end

--- `SubDict(super_dict, keys, keep_order)`.
-- Writes and deletes reach the super dict; membership is looked up there at each access, so it is always current. Keys
-- that the super dict doesn't have at construction are dropped; writing a new key adds it to both.
-- With `keep_order` (the default) it iterates in the super dict's order, else, and for a plain Lua table, in that of
-- `keys`.
-- @function SubDict
local SubDict = dictionary.class('SubDict', {
  parameters = { { 'super_dict', data = true }, { 'keys', data = true }, { 'keep_order', data = true } },

  init = function(self, super, keys, keep_order)
    if type(super) ~= 'table' then
      raise('SubDict: super_dict must be a dictionary or a table, got %s', describe(super))
    end
    if keep_order ~= nil and type(keep_order) ~= 'boolean' then
      raise('SubDict: keep_order must be true or false, got %s', describe(keep_order))
    end
    local mt = getmetatable(super)
    rawset(self, SUPER, super)
    rawset(self, IS_DICTIONARY, type(mt) == 'table' and mt.is_dictionary == true)
    rawset(self, KEEP, keep_order ~= false)
    local list, member = {}, {}
    rawset(self, KEYS, list)
    rawset(self, MEMBER, member)
    for _, key in ipairs(key_list(keys)) do
      if not member[key] and find(self, key) ~= nil then
        list[#list + 1], member[key] = key, true
      end
    end
  end,

  _find = function(self, key)
    if key == nil or not rawget(self, MEMBER)[key] then return nil end
    return find(self, key)
  end,

  _store = function(self, key, value)
    local super, keys, member = rawget(self, SUPER), rawget(self, KEYS), rawget(self, MEMBER)
    if rawget(self, IS_DICTIONARY) then super:set(key, value) else super[key] = value end
    if not member[key] then
      keys[#keys + 1], member[key] = key, true
    end
  end,

  _remove = function(self, key)
    local super = rawget(self, SUPER)
    if rawget(self, IS_DICTIONARY) then super:delete(key) else super[key] = nil end
    self:_forget(key)
  end,

  _forget = function(self, key)
    local keys = rawget(self, KEYS)
    rawget(self, MEMBER)[key] = nil
    for i = 1, #keys do
      if keys[i] == key then
        table.remove(keys, i)
        break
      end
    end
  end,

  _order = function(self)
    local source, order = rawget(self, KEYS), {}
    if rawget(self, KEEP) and rawget(self, IS_DICTIONARY) then source = rawget(self, SUPER):keys() end
    for _, key in ipairs(source) do
      if self:_find(key) ~= nil then order[#order + 1] = key end
    end
    return order
  end,

  --- Forgets the keys that the super dict no longer has, so that they don't come back when it gets them again.
  -- Membership needs no such call: it is always current.
  update_keys = function(self)
    local gone = {}
    for _, key in ipairs(rawget(self, KEYS)) do
      if find(self, key) == nil then gone[#gone + 1] = key end
    end
    for _, key in ipairs(gone) do self:_forget(key) end
  end,
})

return SubDict
