--- Plans: which weights a module tree has, and which slots each of them fills.
-- Parameters tied in the base (one tensor in several slots) and tied dependents (slots that share their info) are
-- one weight, listed under its first name. A plan is kept with its base and made anew when slots have changed. Owns
-- also how tensors given by name or in a list are matched with weights: all is checked before anything is written.
local support = require 'metann.support'
local errors = support.errors
local raise, describe = support.raise, support.describe
local is_tensor, id = support.is_tensor, support.id

local plans = {}

-- A plan must not keep its base alive: all that it has of modules is weak, and whoever uses a plan holds the base.
local WEAK_KEYS, WEAK_VALUES = { __mode = 'k' }, { __mode = 'v' }
local cache = setmetatable({}, WEAK_KEYS)

--- The path of a name below a prefix.
function plans.join(prefix, name)
  if prefix == '' then return name end
  if name == '' then return prefix end
  return prefix .. '.' .. name
end
local join = plans.join

local function parameters_of(module) return module._parameters end
-- a view's slots don't stand raw in it
local function dependents_of(module)
  return rawget(module, '_dependents') or rawget(module, '_view') and module._dependents
end

local function number_of(name) return name:find('^[1-9]%d*$') and tonumber(name) or false end

local function add_slot(plan, binding, module, name, key, slot)
  local i = plan.by_key[key]
  if not i then
    i = plan.n + 1
    plan.n, plan.by_key[key] = i, i
    plan.slots[i] = slot
    plan.names[i] = slot.path
  end
  plan.by_name[slot.path] = i
  binding.n = binding.n + 1
  binding.names[binding.n], binding.index[binding.n], binding.numbers[binding.n] = name, i, number_of(name)
  binding.size = binding.size + (binding.numbers[binding.n] and 2 or 1)
  plan.bindings[module] = binding
end

local function add_module(plan, module, path)
  local binding = { n = 0, size = 0, names = {}, index = {}, numbers = {} }
  local dict = module._parameters
  for _, name in ipairs(dict.names) do
    local value = dict.values[name]
    if value then
      add_slot(plan, binding, module, name, id(value),
        setmetatable({ module = module, name = name, path = join(path, name), dict = parameters_of }, WEAK_VALUES))
    end
  end
  dict = dependents_of(module)
  for _, name in ipairs(dict and dict.names or {}) do
    local info = dict.info[name]
    local slot = { module = module, name = name, path = join(path, name), dict = dependents_of, info = info }
    add_slot(plan, binding, module, name, info, setmetatable(slot, WEAK_VALUES))
  end
end

--- How often the slots of a module have changed.
local function stamp(module)
  local dependents = dependents_of(module)
  return module._parameters.version + module._modules.version + (dependents and dependents.version or 0)
end

local function build(base)
  local plan = {
    n = 0, names = {}, slots = {}, by_key = {}, by_name = {}, stamps = {}, count = 0,
    bindings = setmetatable({}, WEAK_KEYS), modules = setmetatable({}, WEAK_VALUES),
  }
  for path, module in base:named_modules() do
    local n = plan.count + 1
    plan.count, plan.modules[n], plan.stamps[n] = n, module, stamp(module)
    add_module(plan, module, path)
  end
  return plan
end

local function is_current(plan)
  local modules, stamps = plan.modules, plan.stamps
  for i = 1, plan.count do
    local module = modules[i]
    if not module or stamp(module) ~= stamps[i] then return false end
  end
  return true
end

--- The plan of a module: its `modules` (it is the first), `n` weights, their `names`, their `slots` ({module, name,
-- path, dict, info}, the first of each), `bindings` by module, and `by_name` (names of ties too).
function plans.of(base)
  local plan = cache[base]
  if plan and is_current(plan) then return plan end
  plan = build(base)
  cache[base] = plan
  return plan
end

--- The place in `plan` of the weight that fills a slot of a module, or nil.
function plans.place(plan, module, name)
  local binding = plan.bindings[module]
  for k = 1, binding and binding.n or 0 do
    if binding.names[k] == name then return binding.index[k] end
  end
  return nil
end

-- ---- matching ----

local function device_of(t) return t.device end

local handle = require('metann.binding').handle
local array = handle.array

--- True when two tensors agree in size, dtype and device.
function plans.same_form(t, u)
  local a, b = array(t), array(u)
  return a.dtype == b.dtype and a.device == b.device and handle.same_size(a, b)
end

--- Why a tensor doesn't fit where `model` (a tensor, or info with shape, dtype and device) stands; nil when it does.
function plans.misfit(name, model, tensor)
  if not model then return nil end
  local shape, dtype, device
  if is_tensor(model) then
    if not support.same_shape(model, tensor) then shape = support.shape(model) end
    dtype, device = support.dtype(model), device_of(model)
  else
    if not model.shape then return nil end
    local got = support.shape(tensor)
    local same = #got == #model.shape
    for d = 1, #got do same = same and got[d] == model.shape[d] end
    if not same then shape = model.shape end
    dtype, device = model.dtype, model.device
  end
  if shape then
    return ('size mismatch for %s, expect %s, got %s'):format(name, support.tuple(shape), support.shape_text(tensor))
  end
  if dtype ~= support.dtype(tensor) then
    return ('dtype mismatch for %s, expect %s, got %s'):format(name, dtype, support.dtype(tensor))
  end
  if device ~= device_of(tensor) then
    return ('device mismatch for %s, expect %s, got %s'):format(name, device, device_of(tensor))
  end
  return nil
end

local function named(what, source)
  local list, names = support.to_list(source, what)
  if not names and #list > 0 then raise('%s: expected tensors by name, got a list', what) end
  return list, names or {}
end

local STRICT = { [true] = true, [false] = true, ['one way'] = true }

--- Matches tensors by name with targets.
-- @param what the caller's name, for messages
-- @param targets list of `{name, model, listed, aliases}`: `model` is what a tensor must agree with (tensor, info, or
-- false for anything), `listed` whether it may not be missing
-- @param source table by name or iterator of name, tensor; false for none
-- @param strict true, 'one way' or false
-- @return list of {target, tensor}
function plans.match(what, targets, source, strict)
  if strict == nil then strict = true end
  if not STRICT[strict] then
    raise("%s: 'strict' must be true, false or 'one way', got %s", what, describe(strict))
  end
  local list, names = named(what, source)
  local by_name, order = {}, {}
  for i, target in ipairs(targets) do
    by_name[target.name], order[i] = target, target.name
    for _, alias in ipairs(target.aliases or {}) do by_name[alias] = target end
  end
  local changes, given = {}, {}
  for i, name in ipairs(names) do
    local target, tensor = by_name[name], list[i]
    if not is_tensor(tensor) and tensor ~= false and strict ~= false then
      raise("%s: '%s' must be a tensor, got %s", what, tostring(name), describe(tensor))
    end
    if target then
      if given[target] ~= nil and strict ~= false and given[target] ~= tensor then
        raise("%s: '%s' is given twice, with different tensors", what, target.name)
      end
      local misfit = is_tensor(tensor) and plans.misfit(target.name, target.model, tensor)
      if misfit and strict ~= false then raise('%s: %s', what, misfit) end
      if not misfit and given[target] == nil and (is_tensor(tensor) or tensor == false) then
        changes[#changes + 1] = { target = target, tensor = tensor }
      end
      given[target] = tensor
    elseif strict == true then
      raise("%s: unknown name '%s'%s", what, tostring(name), errors.suggestion(name, order))
    end
  end
  if strict == true then
    local missing = {}
    for _, target in ipairs(targets) do
      if target.listed and given[target] == nil then missing[#missing + 1] = target.name end
    end
    if #missing > 0 then raise('%s: missing %s', what, table.concat(missing, ', ')) end
  end
  return changes
end

--- Matches a list with the targets that are listed, in order; its length must agree. A table by name, which has no
-- order, is matched by name.
function plans.match_list(what, targets, source)
  local list, names = support.to_list(source, what)
  if names and type(source) == 'table' and getmetatable(source) == nil then
    return plans.match(what, targets, source, true)
  end
  local listed = {}
  for _, target in ipairs(targets) do
    if target.listed then listed[#listed + 1] = target end
  end
  if #list ~= #listed then raise('%s: expected %d tensors, got %d', what, #listed, #list) end
  local changes = {}
  for i, target in ipairs(listed) do
    local tensor = list[i]
    if not is_tensor(tensor) and tensor ~= false then
      raise("%s: entry %d, for '%s', must be a tensor, got %s", what, i, target.name, describe(tensor))
    end
    local misfit = is_tensor(tensor) and plans.misfit(target.name, target.model, tensor)
    if misfit then raise('%s: %s', what, misfit) end
    changes[i] = { target = target, tensor = tensor }
  end
  return changes
end

return plans
