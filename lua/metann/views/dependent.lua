--- DependentModule: modules whose parameters may depend on something, with a history that gradients flow into.
-- A dependent is a slot in `_dependents`, as nn's slots are, with `info` beside the values: what is remembered of a
-- slot (shape, dtype, device, frozen), and where it stands. Tied slots share one info, and filling one of them fills
-- all. Owns conversion, those slots, and what fills them.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local nn = require 'metann.nn'
local class = require 'metann.nn.machinery.class'
local copy = require 'metann.nn.machinery.copy'
local pytorch = require 'metann.nn.machinery.pytorch'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local arguments = require 'metann.arguments'
local dtypes = require 'metann.binding.dtypes'
local plans = require 'metann.views.plan'
local ops, raise, describe, keep = support.ops, support.raise, support.describe, support.keep
local is_tensor, id = support.is_tensor, support.id
local class_of = class.class_of
local Module = nn.Module

--- Turns modules into ones whose parameters may be dependents.
-- `DependentModule(module)` converts a module and all below in place and returns it; a subclass made by
-- `nn.class('Net', metann.DependentModule)` with an `init` of its own is built as any class.
-- @function DependentModule
-- @param module a module
-- @return the module
local DependentModule

local function label(self) return class_of(self)._name end

-- ---- slots ----

local function new_slots()
  local dict = slots.new()
  dict.info = {}
  return dict
end

local function remember(info, tensor)
  info.shape, info.dtype, info.device = support.shape(tensor), support.dtype(tensor), tensor.device
end

--- Fills a slot and those tied to it (nil or false: empties them), without a check.
local function fill(dict, name, tensor)
  local info = dict.info[name]
  tensor = tensor and keep(tensor) or false
  if tensor and not info.shape then remember(info, tensor) end
  for other, names in pairs(info.where) do
    for tied in pairs(names) do
      other.values[tied] = tensor
      local number = tonumber(tied)
      if number and other.values[number] ~= nil then other.values[number] = tensor end
    end
  end
end

local WEAK_KEYS = { __mode = 'k' }

--- Adds a slot. `info.where` has the names of its slots by the dictionaries they stand in, which it doesn't keep alive.
local function add(dict, name, tensor, info)
  slots.set(dict, name, tensor or nil)
  dict.info[name] = info
  info.where = info.where or setmetatable({}, WEAK_KEYS)
  info.where[dict] = info.where[dict] or {}
  info.where[dict][name] = true
  if tensor then keep(tensor) end
end

local function remove(dict, name)
  slots.remove(dict, name)
  dict.info[name].where[dict][name] = nil
  dict.info[name] = nil
end

--- What is remembered of a slot, for another one.
local function copy_info(info)
  return { shape = info.shape, dtype = info.dtype, device = info.device, frozen = info.frozen }
end

--- A leaf with a dependent's values.
local function leaf_of(tensor, info)
  local leaf = ops.clone(ops.detach(tensor))
  if support.is_float(leaf) and not info.frozen then support.set_requires_grad(leaf, true) end
  return keep(leaf)
end

--- What copying a dependent module needs in the memo: its slots. Dependents with a history become leaves.
local function copy_slots(self, memo, path)
  local dict, made = rawget(self, '_dependents'), new_slots()
  memo[dict] = made
  for _, name in ipairs(dict.names) do
    local info, value = dict.info[name], dict.values[name]
    memo[info] = memo[info] or copy_info(info)
    if value then
      if not support.is_leaf(value) then memo[id(value)] = memo[id(value)] or leaf_of(value, info) end
      value = copy.tensor(value, memo, path)
    end
    add(made, name, value, memo[info])
  end
end

-- ---- reading, writing, calling ----

--- Raises when a dependent of the module is emptied: what a call does first.
local function check_call(self)
  local dict = self._dependents
  local names, values, info = dict.names, dict.values, dict.info
  for i = 1, #names do
    local name = names[i]
    if not values[name] and info[name].shape then
      raise("%s: dependent '%s' is empty: substitute a tensor before running the module", label(self), name)
    end
  end
end

local convert

local function make_meta(of, parent_meta)
  local meta = parent_meta or Module._make_meta(of)
  local index, call = meta.__index, meta.__call
  function meta.__index(self, name)
    local value = rawget(self, '_dependents').values[name]
    if value then return value end
    return index(self, name)
  end
  function meta.__newindex(self, name, value)
    local dict = rawget(self, '_dependents')
    if dict.values[name] ~= nil then
      if value ~= nil and not is_tensor(value) then
        raise("%s: dependent '%s' takes a tensor or nil, got %s", label(self), name, describe(value))
      end
      return fill(dict, tostring(name), value)
    end
    if class_of(value) then convert(DependentModule, value, true) end
    return class.assign(self, name, value)
  end
  function meta.__call(self, ...)
    if #rawget(self, '_dependents').names > 0 then check_call(self) end
    return call(self, ...)
  end
  meta.copy = copy_slots
  return meta
end

class.own_field '_dependents'

DependentModule = class.new('DependentModule', Module)
DependentModule._check_call = check_call

local STORES = { '_parameters', '_buffers', '_dependents' }
function DependentModule._stores() return STORES end

local made = setmetatable({}, { __mode = 'k' })
local KEPT = { init = true, _name = true, _parent = true, _meta = true, _construct = true, _make_meta = true,
  to_dependentmodule = true, stateless = true }

--- The methods that a class has from DependentModule downwards, copied into `of`, where they come before the old's.
local function copy_methods(of, target)
  if target ~= DependentModule then copy_methods(of, rawget(target, '_parent')) end
  for name, method in next, target do
    if not KEPT[name] and name ~= '_mixins' then rawset(of, name, method) end
  end
end

--- What extra_repr reads instead of a module: emptied slots count as there, with the size and dtype that they had, so
-- that it tells what the layer was built with.
local function as_built(self)
  local dict = self._dependents
  return setmetatable({}, {
    class = class_of(self),
    __index = function(_, name)
      local value = self[name]
      local info = value == nil and dict.info[tostring(name)]
      if info and info.shape then return ops.full({}, 0, info.dtype, info.device):expand(info.shape) end
      return value
    end,
  })
end

--- The class of converted instances of `old`, a class, that are `target`s (DependentModule or below) too.
local function dependent_class(target, old)
  local by_old = made[target] or setmetatable({}, { __mode = 'k' })
  made[target] = by_old
  local of = by_old[old]
  if not of then
    of = class.new('Dependent' .. old._name, old)
    rawset(of, '_mixins', { target })
    rawset(of, '_source', old)
    -- class.new has made the metatable as the old class wants it
    local meta = rawget(of, '_meta')
    if not old._check_call then meta = make_meta(of, meta) end
    rawset(of, '_meta', meta)
    of.extra_repr = function(self) return old.extra_repr(as_built(self)) end
    rawset(of, '_construct', function(_, ...) return convert(target, old(...), true) end)
    by_old[old] = of
  end
  copy_methods(of, target)
  return of
end

local function convert_one(target, module)
  class.adopt(module)
  if class.is(module, target) then return end
  if not rawget(module, '_dependents') then rawset(module, '_dependents', new_slots()) end
  local old = class_of(module)
  setmetatable(module, dependent_class(target, rawget(old, '_source') or old)._meta)
end

function convert(target, module, recurse)
  if not class_of(module) then raise('%s: expected a module, got %s', target._name, describe(module)) end
  if rawget(module, '_view') then
    raise("%s: a view can't be converted, its slots are those of its base: use deepcopy()", target._name)
  end
  local list = { module }
  if recurse then
    list = {}
    for m in module:modules() do list[#list + 1] = m end
  end
  for _, m in ipairs(list) do
    if not rawget(m, '_view') then convert_one(target, m) end
  end
  return module
end

local ALL = function() return true end

local function check_filter(what, filter)
  if filter ~= nil and type(filter) ~= 'function' then
    raise("%s: 'clear_filter' must be a function, got %s", what, describe(filter))
  end
  return filter or ALL
end

local to_signature = arguments.signature('to_dependentmodule', { { 'module', opaque = true }, { 'recurse' } })
local stateless_signature = arguments.signature('stateless', { { 'module', opaque = true }, { 'clear_filter' } })

local function class_methods(of)
  --- Converts a module in place and returns it.
  -- @function DependentModule.to_dependentmodule
  -- @param module a module
  -- @param[opt=true] recurse false: the module alone, its children stay as they are
  rawset(of, 'to_dependentmodule', function(...)
    local o = arguments.read(to_signature, ...)
    return convert(of, o.module, arguments.boolean('to_dependentmodule', 'recurse', o.recurse, true))
  end)
  --- A converted deep copy whose parameters are cleared.
  -- @function DependentModule.stateless
  -- @param module a module
  -- @param[opt] clear_filter function(module); false leaves that module's parameters alone
  rawset(of, 'stateless', function(...)
    local o = arguments.read(stateless_signature, ...)
    local filter = check_filter('stateless', o.clear_filter)
    if not class_of(o.module) then raise('stateless: expected a module, got %s', describe(o.module)) end
    return convert(of, o.module:deepcopy(), true):clear_params(false, filter)
  end)
end

function DependentModule._make_meta(of)
  class_methods(of)
  return make_meta(of)
end

function DependentModule.init() end

local construct_signature = arguments.signature('DependentModule', { { 'module', opaque = true } })

function DependentModule._construct(of, ...)
  if of.init == DependentModule.init then
    local n = select('#', ...)
    if n ~= 1 then raise('%s: takes one module, got %d arguments', of._name, n) end
    return convert(of, arguments.read(construct_signature, ...).module, true)
  end
  local self = setmetatable({
    _parameters = slots.new(), _buffers = slots.new(), _modules = slots.new(), _dependents = new_slots(), _tensors = {},
    _hooked = true, training = true,
  }, of._meta)
  of.init(self, ...)
  return self
end
rawset(DependentModule, '_meta', DependentModule._make_meta(DependentModule))

-- ---- registering ----

local register_signature = arguments.signature('register_dependent', { { 'name' }, { 'tensor', table = true } })

--- Registers a tensor as a dependent: `m.name` reads it, buffers and state_dict list it, `substitute` replaces it.
-- A dependent that is there may be registered again, with another shape too.
-- @param name string, not empty, without dots; not the name of a parameter, buffer, submodule, field or method
-- @param tensor a tensor, or nil: known but inactive; what it is given later is remembered
function DependentModule:register_dependent(...)
  local o = arguments.read(register_signature, ...)
  local name, tensor = o.name, o.tensor
  class.check_name(self, 'dependent', name)
  local dict = rawget(self, '_dependents')
  for _, other in ipairs{ { '_parameters', 'parameter' }, { '_buffers', 'buffer' }, { '_modules', 'submodule' } } do
    if rawget(self, other[1]).values[name] ~= nil then
      raise("%s: can't register dependent '%s', the name is a %s's", label(self), name, other[2])
    end
  end
  if dict.values[name] == nil and self[name] ~= nil then
    raise("%s: can't register dependent '%s', there is a field of that name", label(self), name)
  end
  if tensor ~= nil and not is_tensor(tensor) then
    raise("%s: register_dependent('%s') takes a tensor or nil, got %s", label(self), name, describe(tensor))
  end
  local info = {}
  if tensor then remember(info, tensor) end
  if dict.values[name] ~= nil then remove(dict, name) end
  add(dict, name, tensor, info)
end

for _, method in ipairs{ 'register_parameter', 'register_buffer', 'add_module' } do
  local kind = method == 'add_module' and 'submodule' or method:match('_(.*)')
  -- as a module's; a dependent's name is taken
  DependentModule[method] = function(self, name, value, ...)
    if rawget(self, '_dependents').values[name] ~= nil then
      raise("%s: can't register %s '%s', the name is a dependent's", label(self), kind, tostring(name))
    end
    if method == 'add_module' and class_of(value) then convert(DependentModule, value, true) end
    return Module[method](self, name, value, ...)
  end
end
DependentModule.register_module = DependentModule.add_module

-- ---- listing ----

local join = plans.join

--- The dependents of a module tree: list of {name, info, value, dict, slot, aliases}. Tied ones once.
local function collect(self, prefix, recurse)
  local list, by_info = {}, {}
  local function look(module, path)
    local dict = rawget(module, '_dependents')
    for _, name in ipairs(dict and dict.names or {}) do
      local info = dict.info[name]
      local entry = by_info[info]
      if entry then
        entry.aliases[#entry.aliases + 1] = join(path, name)
      else
        entry = { name = join(path, name), info = info, dict = dict, slot = name, aliases = {} }
        list[#list + 1], by_info[info] = entry, entry
      end
      entry.value = entry.value or dict.values[name]
    end
  end
  if recurse == false then
    look(self, prefix)
  else
    for path, module in self:named_modules(prefix) do look(module, path) end
  end
  return list
end

local function listed(self, prefix, recurse)
  local names, values = {}, {}
  for _, entry in ipairs(collect(self, prefix, recurse)) do
    if entry.value or entry.info.shape then
      names[#names + 1], values[#values + 1] = entry.name, entry.value or false
    end
  end
  return names, values
end

--- Iterates over the dependents with their names; false stands for an emptied one. Tied ones are listed once.
-- @param prefix of the names, ''
-- @param recurse false for this module's own only
function DependentModule:named_dependents(...)
  return support.pairs_of(listed(self, arguments.walk('named_dependents', ...)))
end

--- Iterates over the dependents.
-- @param recurse false for this module's own only
function DependentModule:dependents(...)
  local _, values = listed(self, '', arguments.recurse('dependents', ...))
  return support.values_of(values)
end

-- ---- filling ----

local function targets(self)
  local list = collect(self, '')
  for i, entry in ipairs(list) do
    list[i] = { name = entry.name, aliases = entry.aliases, dict = entry.dict, slot = entry.slot, model = entry.info,
      listed = entry.value and true or entry.info.shape ~= nil }
  end
  return list
end

local function write(changes)
  for _, change in ipairs(changes) do fill(change.target.dict, change.target.slot, change.tensor) end
end

--- Replaces dependents by the tensors of the same names, which are stored as given; all is checked first.
-- @param named_params table by name or iterator of name, tensor
-- @param strict true (default): missing and unknown names are errors; 'one way': missing ones are left, unknown ones
-- ignored; false: what doesn't fit is skipped. A wrong size, dtype or device is an error but under false.
function DependentModule:substitute(named_params, strict)
  write(plans.match('substitute', targets(self), named_params, strict))
end

--- Replaces all dependents by the tensors of a list, in the order of named_dependents, emptied ones included.
-- @param params list or iterator, of exactly that many tensors
function DependentModule:substitute_from_list(params)
  write(plans.match_list('substitute_from_list', targets(self), params))
end

--- What a parameter becomes: its info, shared by tied slots, and a detached copy or nothing.
local function dependent_of(parameter, init, memo)
  local key = id(parameter)
  local entry = memo[key]
  if entry then return entry end
  local info = { frozen = not support.requires_grad(parameter) }
  remember(info, parameter)
  entry = { info = info, tensor = false }
  if init then
    entry.tensor = keep(ops.clone(ops.detach(parameter)))
    support.set_requires_grad(entry.tensor, not info.frozen)
  end
  memo[key] = entry
  return entry
end

--- Empties a slot, for good and without those tied to it in modules that are left alone.
local function empty(dict, name, memo)
  local info = dict.info[name]
  memo[info] = memo[info] or copy_info(info)
  remove(dict, name)
  add(dict, name, nil, memo[info])
end

local clear_signature = arguments.signature('clear_params', { { 'init' }, { 'clear_filter' } })

--- Turns the parameters into dependents, in this module and all below.
-- @param init true: their values are kept, as detached copies; else (default) they are emptied, their sizes remembered,
-- and earlier dependents of the same modules are emptied too
-- @param clear_filter function(module); false leaves that module's parameters alone
-- @return this module
function DependentModule:clear_params(...)
  local o = arguments.read(clear_signature, ...)
  local init = arguments.boolean('clear_params', 'init', o.init, false)
  local clear_filter = check_filter('clear_params', o.clear_filter)
  local touched = {}
  for module in self:modules() do
    if rawget(module, '_dependents') and clear_filter(module) ~= false then touched[#touched + 1] = module end
  end
  -- what they become is made before the first slot changes
  local memo = {}
  for _, module in ipairs(touched) do
    for _, parameter in pairs(rawget(module, '_parameters').values) do
      if parameter then dependent_of(parameter, init, memo) end
    end
  end
  for _, module in ipairs(touched) do
    local dict, dependents = rawget(module, '_parameters'), rawget(module, '_dependents')
    if not init then
      for _, name in ipairs{ unpack(dependents.names) } do empty(dependents, name, memo) end
    end
    for _, name in ipairs{ unpack(dict.names) } do
      local parameter = dict.values[name]
      if parameter then
        local entry = dependent_of(parameter, init, memo)
        slots.remove(dict, name)
        add(dependents, name, entry.tensor, entry.info)
      end
    end
  end
  return self
end

--- Reads again which slots of this module hold tensors. They are always looked up, so there is nothing left to do but
-- to remember the size of those that never had one.
function DependentModule:update_actives()
  local dict = rawget(self, '_dependents')
  for _, name in ipairs(dict.names) do
    local value = dict.values[name]
    if value and not dict.info[name].shape then remember(dict.info[name], value) end
  end
end

--- Remembers the present sizes, dtypes and devices of this module's dependents, for those that were assigned by hand.
function DependentModule:update_shapes()
  local dict = rawget(self, '_dependents')
  for _, name in ipairs(dict.names) do
    if dict.values[name] then remember(dict.info[name], dict.values[name]) end
  end
end

-- ---- as a module ----

--- Converts or moves as a module does, dependents included; what is remembered of emptied ones too.
function DependentModule:_convert(conversion, commits, dtype, device)
  Module._convert(self, conversion, commits)
  local dict = rawget(self, '_dependents')
  commits[#commits + 1] = function()
    for _, name in ipairs(dict.names) do
      local info, value = dict.info[name], dict.values[name]
      if value then
        remember(info, value)
      else
        if dtype and dtypes.floats[info.dtype] then info.dtype = dtype end
        if device and info.device then info.device = device end
      end
    end
  end
end

local function put(entries, field)
  for _, entry in ipairs(entries) do fill(entry.dict, entry.slot, entry[field]) end
end

--- The dependents that a state replaces: entries of `collect` with a `leaf` that can be loaded into.
local function replaced_by(self, state)
  local list = {}
  for _, entry in ipairs(collect(self, '')) do
    local info, tensor = entry.info, entry.value
    if not tensor and info.shape and type(state) == 'table' and state[entry.name] ~= nil then
      tensor = ops.full(info.shape, 0, info.dtype, info.device)
    end
    if tensor then
      entry.leaf = leaf_of(tensor, info)
      list[#list + 1] = entry
    end
  end
  return list
end

--- As a module's, but dependents get new leaves: what they held may have a history, or be somebody else's. An emptied
-- one is filled when the state has it.
function DependentModule:load_state_dict(state, options)
  local strict
  state, strict = pytorch.import(self, state, options)
  local replaced = replaced_by(self, state)
  put(replaced, 'leaf')
  local ok, result = pcall(Module.load_state_dict, self, state, strict)
  if not ok then
    put(replaced, 'value')
    error(result, 0)
  end
  local missing, kept = {}, {}
  for _, name in ipairs(result.missing_keys) do missing[name] = true end
  for _, entry in ipairs(replaced) do
    if missing[entry.name] then kept[#kept + 1] = entry end
  end
  put(kept, 'value')
  return result
end

class.guard(DependentModule, { to_dependentmodule = true, stateless = true })

return DependentModule
