--- Learning rates of the inner loop: one number or tensor, one per parameter name, one per step, or one per both.
-- Owns checking them when a learner is made, registering those that are parameters, and finding the one that holds.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local errors = require 'metann.binding.errors'
local support = require 'metann.support'
local nn = require 'metann.nn'
local raise, describe = errors.raise, errors.describe
local is_tensor, is_parameter = support.is_tensor, support.is_parameter

--- A module that holds the rates given as a table, so that those which are parameters are found and moved.
-- `tree` has the table's shape; a leaf is a number, a tensor, or `{slot = name}` for a registered parameter.
local Rates = nn.class('LearningRates')

local function check_leaf(what, where, value)
  if type(value) == 'number' then
    if value ~= value then raise('%s: %s must be a number, got nan', what, where) end
    if value < 0 then raise('%s: %s must be at least 0, got %s', what, where, describe(value)) end
    return
  end
  if not is_tensor(value) then
    raise('%s: %s must be a number, a 0-dim tensor or parameter, or a table of these, got %s', what, where,
      describe(value))
  end
  if support.ndim(value) ~= 0 then
    raise('%s: %s must be 0-dim, got a tensor of size %s', what, where, support.shape_text(value))
  end
end

local function plant(self, what, where, slot, value, depth)
  if type(value) ~= 'table' then
    check_leaf(what, where, value)
    if is_tensor(value) and is_parameter(value) then
      slot = slot:gsub('%.', '_')
      self:register_parameter(slot, value)
      return { slot = slot }
    end
    return value
  end
  local tree = {}
  local steps = #value
  if steps > 0 and depth > 1 then raise('%s: %s must be a number or a tensor, got a list', what, where) end
  for key, v in pairs(value) do
    if steps > 0 then
      if type(key) ~= 'number' then
        raise("%s: a list of learning rates can't have the name %s", what, describe(key))
      end
    elseif type(key) ~= 'string' or depth > 2 then
      raise('%s: %s must be a list of steps or a table by parameter name', what, where)
    end
    local name = ('%s[%s]'):format(where, type(key) == 'string' and ("'%s'"):format(key) or key)
    tree[key] = plant(self, what, name, slot == '' and tostring(key) or slot .. '_' .. key, v,
      steps > 0 and depth + 1 or 3)
  end
  return tree
end

function Rates:init(what, value)
  local tree = plant(self, what, 'lr', '', value, 1)
  self.what = what
  self.steps = #value > 0 and #value or nil
  self.tree = tree
end

local rates = {}

--- Checks a learning rate and gives what a learner keeps in its field `lr`.
function rates.new(what, value)
  if type(value) == 'table' and not nn.is_module(value) then
    if next(value) == nil then raise('%s: lr is an empty table', what) end
    return Rates(what, value)
  end
  if type(value) == 'table' then
    local list = {}
    for p in value:parameters() do list[#list + 1] = p end
    if #list == 0 then raise('%s: lr is a module without parameters', what) end
    return Rates(what, list)
  end
  check_leaf(what, 'lr', value)
  return value
end

--- What a learner's field `lr` holds, checked again where it was assigned later on.
function rates.current(what, lr)
  if type(lr) == 'number' or nn.is_module(lr) then return lr end
  return rates.new(what, lr)
end

--- Raises unless there is a rate for each of `steps` steps.
function rates.check_steps(what, lr, steps)
  local have = type(lr) == 'table' and lr.steps
  if have and have < steps then raise('%s: lr is a list for %d steps, but %d are made', what, have, steps) end
end

local function leaf(lr, value)
  if type(value) == 'table' then return lr[value.slot] end
  return value
end

local function check_names(lr, by_name, names, known)
  for _, name in ipairs(names) do
    if by_name[name] == nil then raise("%s: lr has no entry for parameter '%s'", lr.what, name) end
  end
  for name in pairs(by_name) do
    if not known[name] then
      raise("%s: lr has an entry for '%s', which is no parameter of the model%s", lr.what, name,
        errors.suggestion(name, names))
    end
  end
end

--- The rate at a step: one value for all parameters, or nil and a list in the order of `names`.
-- @param lr what rates.new gave
-- @param step number of the step, from 1
-- @param names of the parameters that are adapted
-- @param known set of the names of all parameters: those that aren't adapted may have a rate too
function rates.at(lr, step, names, known)
  if type(lr) ~= 'table' then return lr end
  local tree = lr.tree
  if lr.steps then
    rates.check_steps(lr.what, lr, step)
    tree = tree[step]
  end
  if type(tree) ~= 'table' or tree.slot then return leaf(lr, tree) end
  if step == 1 or lr.steps then check_names(lr, tree, names, known) end
  local list = {}
  for i, name in ipairs(names) do list[i] = leaf(lr, tree[name]) end
  return nil, list
end

return rates
