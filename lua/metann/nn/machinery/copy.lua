--- Deep copies of modules: ties, hooks and sharing between plain fields are kept.
-- A metatable may have a function `copy(value, memo, path)`: it returns the copy, or puts copies of parts into the memo
-- and returns nil.
local next = require('metann.binding.traversal').next
local class = require 'metann.nn.machinery.class'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local ops, raise, is_tensor = support.ops, support.raise, support.is_tensor

local copy = {}

--- A leaf with the same values, flags and no history.
function copy.tensor(t, memo, path)
  local id = support.id(t)
  local made = memo[id]
  if made then return made end
  if not support.is_leaf(t) then
    raise("deepcopy: %s has a history, and only leaves can be copied: keep a detached tensor there, t:detach()", path)
  end
  made = ops.clone(ops.detach(t))
  if support.is_parameter(t) then support.mark_parameter(made) end
  if support.requires_grad(t) then support.set_requires_grad(made, true) end
  memo[id] = support.keep(made)
  return made
end

-- What users don't see of a module: where its tensors and submodules stand.
local INNER = { _parameters = true, _buffers = true, _modules = true, _tensors = true }

--- The path of an entry of a table, as a user would write it.
local function below(path, owner, key)
  if class.class_of(owner) and INNER[key] then return path end
  if key == 'values' and slots.is_slots(owner) then return path end
  return path .. '.' .. tostring(key)
end

--- Copies a value: tensors, tables and modules deeply, each once; anything else, and classes, stand for themselves.
-- @param value anything
-- @param memo table of what has been copied so far
-- @param path where the value stands, for messages
function copy.value(value, memo, path)
  if is_tensor(value) then return copy.tensor(value, memo, path) end
  if type(value) ~= 'table' or class.is_class(value) then return value end
  local made = memo[value]
  if made then return made end
  local meta = getmetatable(value)
  local own = type(meta) == 'table' and rawget(meta, 'copy')
  made = own and own(value, memo, path)
  if made then
    memo[value] = made
    return made
  end
  made = {}
  memo[value] = made
  for k, v in next, value do
    rawset(made, copy.value(k, memo, path), copy.value(v, memo, below(path, value, k)))
  end
  return setmetatable(made, meta)
end

--- A copy of a module.
function copy.module(module) return copy.value(module, {}, class.class_of(module)._name) end

return copy
