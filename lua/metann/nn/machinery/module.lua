--- Module: the base of all layers and networks. What stands where in an instance is told in class.lua.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local devices = require 'metann.binding.devices'
local dtypes = require 'metann.binding.dtypes'
local class = require 'metann.nn.machinery.class'
local slots = require 'metann.nn.machinery.slots'
local StateDict = require 'metann.nn.machinery.statedict'
local copy = require 'metann.nn.machinery.copy'
local pytorch = require 'metann.nn.machinery.pytorch'
local support = require 'metann.support'
local errors = support.errors
local ops, raise, describe = support.ops, support.raise, support.describe
local is_tensor, is_parameter, id = support.is_tensor, support.is_parameter, support.id
local class_of, kinds = class.class_of, arguments.kinds

local Module = class.new('Module')

local function label(self) return class_of(self)._name end

-- Signatures of methods, by what messages call them.
local signatures = {}

--- The arguments of a method, read by the rule that all functions have.
local function read(self, method, parameters, ...)
  local what = label(self) .. ':' .. method
  local signature = signatures[what]
  if not signature then
    signature = arguments.signature(what, parameters)
    signatures[what] = signature
  end
  return arguments.read(signature, ...)
end

--- Sets an instance up; subclasses define their own.
function Module.init() end

--- What calling the module computes; subclasses must define it.
function Module:forward() raise("%s: 'forward' is not defined", label(self)) end

-- ---- what kinds of modules that are made elsewhere answer ----

local STORES = { '_parameters', '_buffers' }

--- The kinds of slots in which the tensors of the state stand, in order.
function Module._stores() return STORES end

--- The module whose slots these are. One that only shows another's answers that one.
function Module:_owner() return self end

-- ---- registration ----

local function check_new(self, what, name)
  class.check_name(self, what, name)
  for _, kind in ipairs{ '_parameters', '_buffers', '_modules' } do
    local own = (kind == '_parameters' and what == 'parameter') or (kind == '_buffers' and what == 'buffer')
      or (kind == '_modules' and what == 'submodule')
    if not own and rawget(self, kind).values[name] ~= nil then
      raise("%s: can't register %s '%s', the name is a %s's", label(self), what, name,
        kind == '_parameters' and 'parameter' or kind == '_buffers' and 'buffer' or 'submodule')
    end
  end
  if rawget(self, name) ~= nil or self._tensors[name] ~= nil then
    raise("%s: can't register %s '%s', there is a field of that name", label(self), what, name)
  end
end

--- Registers a parameter, as assigning it to a field does; nil makes the name known without one.
-- @function Module:register_parameter
-- @param name string without dots
-- @param parameter an nn.Parameter or nil
function Module:register_parameter(...)
  local o = read(self, 'register_parameter', { { 'name' }, { 'parameter' } }, ...)
  local name, parameter = o.name, o.parameter
  check_new(self, 'parameter', name)
  if parameter ~= nil and not (is_tensor(parameter) and is_parameter(parameter)) then
    raise("%s: register_parameter('%s') takes an nn.Parameter or nil, got %s", label(self), name, describe(parameter))
  end
  class.file(self, '_parameters', name, parameter)
end

--- Registers a tensor that belongs to the module's state without being trained.
-- @function Module:register_buffer
-- @param name string without dots
-- @param tensor a tensor or nil
-- @param[opt=true] persistent false: state_dict leaves it out
function Module:register_buffer(...)
  local o = read(self, 'register_buffer', { { 'name' }, { 'tensor' }, { 'persistent', kinds.boolean, true } }, ...)
  local name, tensor = o.name, o.tensor
  check_new(self, 'buffer', name)
  if tensor ~= nil and not is_tensor(tensor) then
    raise("%s: register_buffer('%s') takes a tensor or nil, got %s", label(self), name, describe(tensor))
  end
  class.file(self, '_buffers', name, tensor)
  local transient = rawget(self, '_transient') or {}
  transient[name] = not o.persistent or nil
  rawset(self, '_transient', transient)
end

--- Registers a submodule, as assigning it to a field does.
-- @function Module:add_module
-- @param name string without dots
-- @param module a module or nil
function Module:add_module(...)
  local o = read(self, 'add_module', { { 'name' }, { 'module', opaque = true } }, ...)
  local name, module = o.name, o.module
  if type(name) == 'number' then name = tostring(name) end
  check_new(self, 'submodule', name)
  if module ~= nil and not class_of(module) then
    raise("%s: add_module('%s') takes a module or nil, got %s", label(self), name, describe(module))
  end
  if module == nil then return class.file(self, '_modules', name, nil) end
  self[name] = module
end
Module.register_module = Module.add_module

-- ---- walks ----

--- A path. A submodule without a name of its own (what a ProtoModule holds) adds nothing.
local function join(prefix, name)
  if name == '' then return prefix end
  return prefix == '' and name or prefix .. '.' .. name
end

--- The modules below and with `self`, each once, in order; and their paths.
local function collect_modules(self, prefix, modules, names, seen)
  if seen[self] then return end
  seen[self] = true
  modules[#modules + 1], names[#names + 1] = self, prefix
  class.adopt(self)
  local dict = self._modules
  for _, name in ipairs(dict.names) do
    local child = dict.values[name]
    if child then collect_modules(child, join(prefix, name), modules, names, seen) end
  end
end

local function modules_of(self, prefix, recurse)
  local modules, names = {}, {}
  if recurse == false then
    class.adopt(self)
    return { self }, { prefix or '' }
  end
  collect_modules(self, prefix or '', modules, names, {})
  return modules, names
end

--- Adds the tensors in some slots to lists of names (by path) and values, each once (ties by id).
local function add_tensors(dict, path, names, values, seen)
  for _, name in ipairs(dict.names) do
    local value = dict.values[name]
    if value and not seen[id(value)] then
      seen[id(value)] = true
      names[#names + 1], values[#values + 1] = join(path, name), value
    end
  end
end

local function collect_parameters(self, prefix, recurse)
  local modules, paths = modules_of(self, prefix, recurse)
  local names, values, seen = {}, {}, {}
  for i, module in ipairs(modules) do add_tensors(module._parameters, paths[i], names, values, seen) end
  return names, values
end

--- All tensors of the state but the parameters.
local function collect_buffers(self, prefix, recurse)
  local modules, paths = modules_of(self, prefix, recurse)
  local names, values, seen = {}, {}, {}
  for i, module in ipairs(modules) do
    for _, kind in ipairs(module:_stores()) do
      if kind ~= '_parameters' then add_tensors(module[kind], paths[i], names, values, seen) end
    end
  end
  return names, values
end

--- Iterates over the parameters with their names: `for name, p in net:named_parameters() do`. Ties are listed once.
-- @function Module:named_parameters
-- @param[opt=''] prefix of the names
-- @param[opt=true] recurse false for this module's own only
function Module:named_parameters(...)
  return support.pairs_of(collect_parameters(self, arguments.walk('named_parameters', ...)))
end

--- Iterates over the parameters.
-- @function Module:parameters
-- @param[opt=true] recurse false for this module's own only
function Module:parameters(...)
  local _, values = collect_parameters(self, '', arguments.recurse('parameters', ...))
  return support.values_of(values)
end

--- How many numbers the parameters hold, tied ones counted once.
-- @function Module:num_parameters
-- @param[opt=false] trainable true: those that require gradients alone
function Module:num_parameters(...)
  local trainable = read(self, 'num_parameters', { { 'trainable', kinds.boolean, false } }, ...).trainable
  local _, list = collect_parameters(self, '')
  local n = 0
  for _, p in ipairs(list) do
    if not trainable or p.requires_grad then n = n + p:numel() end
  end
  return n
end

--- Iterates over the buffers with their names.
-- @function Module:named_buffers
-- @param[opt=''] prefix of the names
-- @param[opt=true] recurse false for this module's own only
function Module:named_buffers(...)
  return support.pairs_of(collect_buffers(self, arguments.walk('named_buffers', ...)))
end

--- Iterates over the buffers.
-- @function Module:buffers
-- @param[opt=true] recurse false for this module's own only
function Module:buffers(...)
  local _, values = collect_buffers(self, '', arguments.recurse('buffers', ...))
  return support.values_of(values)
end

local function children_of(self)
  class.adopt(self)
  local names, values, seen, dict = {}, {}, {}, self._modules
  for _, name in ipairs(dict.names) do
    local child = dict.values[name]
    if child and not seen[child] then
      seen[child] = true
      names[#names + 1], values[#values + 1] = name, child
    end
  end
  return names, values
end

--- Iterates over the direct submodules with their names.
function Module:named_children() return support.pairs_of(children_of(self)) end

--- Iterates over the direct submodules.
function Module:children()
  local _, values = children_of(self)
  return support.values_of(values)
end

--- Iterates over this module and all below, each once, with their paths ('' for this one).
-- @function Module:named_modules
-- @param[opt=''] prefix of the names
function Module:named_modules(...)
  local modules, names = modules_of(self, read(self, 'named_modules', { { 'prefix', kinds.name, '' } }, ...).prefix)
  return support.pairs_of(names, modules)
end

--- Iterates over this module and all below, each once.
function Module:modules() return support.values_of((modules_of(self))) end

--- The module at a path such as 'features.1'; '' is this one.
-- @function Module:get_submodule
-- @param path string
function Module:get_submodule(...)
  local path = read(self, 'get_submodule', { { 'path', kinds.name } }, ...).path
  local module = self
  for name in path:gmatch('[^.]+') do
    local child = module._modules.values[name]
    if not child then
      raise("%s:get_submodule: %s has no submodule '%s' (path '%s')", label(self), label(module), name, path)
    end
    module = child
  end
  return module
end

-- ---- modes and changes to all ----

--- Calls fn(module) for every module, children first; returns this one.
-- @function Module:apply
-- @param fn function(module)
function Module:apply(...)
  local fn = read(self, 'apply', { { 'fn', kinds.callable } }, ...).fn
  for child in self:children() do child:apply(fn) end
  fn(self)
  return self
end

--- Puts this module and all below in training mode (or, with false, in evaluation mode); returns this one.
-- @function Module:train
-- @param[opt=true] mode boolean
function Module:train(...)
  local mode = read(self, 'train', { { 'mode', kinds.boolean, true } }, ...).mode
  for module in self:modules() do module.training = mode end
  return self
end

--- Puts this module and all below in evaluation mode; returns this one.
function Module:eval() return self:train(false) end

--- Forgets the gradients of all parameters; with set_to_none false they become zeros. Returns this module.
-- @function Module:zero_grad
-- @param[opt=true] set_to_none boolean
function Module:zero_grad(...)
  local set_to_none = read(self, 'zero_grad', { { 'set_to_none', kinds.boolean, true } }, ...).set_to_none
  local _, list = collect_parameters(self, '')
  support.zero_grads(label(self) .. ':zero_grad', list, set_to_none)
  return self
end

--- Says whether the parameters shall require gradients (default true); returns this module.
-- @function Module:requires_grad_
-- @param[opt=true] requires_grad boolean
function Module:requires_grad_(...)
  local requires = read(self, 'requires_grad_', { { 'requires_grad', kinds.boolean, true } }, ...).requires_grad
  local names, list = collect_parameters(self, '')
  for i, p in ipairs(requires and list or {}) do
    if not support.is_float(p) then
      raise("%s:requires_grad_: parameter '%s' is %s, and only floats have gradients", label(self), names[i],
        support.dtype(p))
    end
  end
  for _, p in ipairs(list) do support.set_requires_grad(p, requires) end
  return self
end

--- Moves or converts one tensor; a parameter becomes another one, with its gradient.
local function converted(t, move, is_parameter_of_module)
  local made = move(t)
  if is_parameter_of_module and id(made) ~= id(t) then
    local grad = support.grad(t)
    made = ops.detach(made)
    support.mark_parameter(made)
    support.set_requires_grad(made, support.requires_grad(t))
    if grad then made.grad = ops.detach(move(grad)) end
  end
  return support.keep(made)
end

--- A function that converts tensors, each once. What it is given with `as_weight` keeps its history.
local function converter(dtype, device)
  local as_is, as_weights = {}, {}
  local function move(t)
    if device then t = t:to(device) end
    if dtype and support.is_float(t) then t = t:to(dtype) end
    return t
  end
  return function(t, as_weight)
    local memo, key = as_weight and as_weights or as_is, id(t)
    if not memo[key] then memo[key] = converted(t, move, not as_weight and is_parameter(t)) end
    return memo[key]
  end
end

--- What `to` is asked for: a dtype's name or nil, a device's name or nil.
local function read_target(self, target, second)
  if type(target) == 'table' and second == nil then
    errors.check_options(label(self) .. ':to', target, { 'dtype', 'device' })
    target, second = target.dtype, target.device
  end
  if is_tensor(target) then target, second = support.dtype(target), target.device end
  local dtype, device
  for _, given in pairs{ target, second } do
    if devices.is_object(given) then given = tostring(given) end
    if type(given) ~= 'string' then
      raise("%s:to: expected a dtype or a device, such as 'float64' or 'cpu', got %s", label(self), describe(given))
    end
    if support.dtypes[given] then dtype = support.dtype_names[support.dtypes[given]] else device = given end
  end
  if not dtype and not device then
    raise("%s:to: expected a dtype or a device, such as 'float64' or 'cpu', got nothing", label(self))
  end
  if dtype and not dtypes.floats[dtype] then
    raise("%s:to: a module takes a floating-point dtype, got '%s'", label(self), dtype)
  end
  return dtype, device
end

--- Converts the tensors in this module's own slots. Kinds of modules that keep more of them have their own.
-- @param convert function(tensor)
-- @param commits list of functions to which those are added that put the results in place
function Module:_convert(convert, commits)
  for _, kind in ipairs(self:_stores()) do
    local dict = self[kind]
    for _, name in ipairs(dict.names) do
      local value = dict.values[name]
      local made = value and convert(value)
      if made then commits[#commits + 1] = function() slots.set(dict, name, made) end end
    end
  end
end

--- Converts the floating-point parameters and buffers to a dtype, or moves all to a device, or both; returns this
-- module. The parameters are new tensors then (ties and gradients are kept): make the optimizer afterwards. All are
-- made before the first is put in place, so that a conversion that fails changes nothing.
-- @param target a float dtype's name or a device's, such as 'float64' or 'cpu'; {dtype=, device=}; or a tensor, for its
-- dtype and device
-- @param second the other of the two names
function Module:to(target, second)
  local dtype, device = read_target(self, target, second)
  local convert, commits = converter(dtype, device), {}
  for module in self:modules() do module:_convert(convert, commits, dtype, device) end
  for _, commit in ipairs(commits) do commit() end
  return self
end

--- Moves all parameters and buffers to main memory; returns this module.
function Module:cpu() return self:to('cpu') end

--- Moves all parameters and buffers to the GPU; returns this module.
function Module:cuda() return self:to('cuda') end

--- Converts floating-point parameters and buffers to float16, for storage; returns this module.
function Module:half() return self:to('float16') end

--- Converts floating-point parameters and buffers to float32; returns this module.
function Module:float() return self:to('float32') end

--- Converts floating-point parameters and buffers to float64; returns this module.
function Module:double() return self:to('float64') end

--- A copy that shares nothing with this one; ties, hooks and the sharing among plain fields are kept.
-- A tensor with a history anywhere in it is an error.
function Module:deepcopy() return copy.module(self) end

-- ---- state ----

local function is_transient(module, name)
  local transient = rawget(module, '_transient')
  return transient and transient[name]
end

--- Every slot of the state, in order: lists of paths and tensors, ties included.
local function state_slots(self)
  local modules, paths = modules_of(self)
  local names, values = {}, {}
  for i, module in ipairs(modules) do
    for _, kind in ipairs(module:_stores()) do
      local dict = module[kind]
      for _, name in ipairs(dict.names) do
        local value = dict.values[name]
        if value and not (kind ~= '_parameters' and is_transient(module, name)) then
          names[#names + 1], values[#values + 1] = join(paths[i], name), value
        end
      end
    end
  end
  return names, values
end

--- The parameters and persistent buffers by name, in order, detached but sharing their storage; ties once.
-- @param options {to='pytorch'}: entries of containers count from 0 in the names
-- @return an ordered table: `sd[name]`, `sd:pairs()`, `sd:keys()`
function Module:state_dict(options)
  local names, values = state_slots(self)
  local state, seen = StateDict.new(), {}
  for i, name in ipairs(names) do
    local key = id(values[i])
    if not seen[key] then
      seen[key] = true
      state[name] = ops.detach(values[i])
    end
  end
  return pytorch.export(self, state, options)
end

local function read_state(self, state)
  if type(state) ~= 'table' then
    raise('%s:load_state_dict: expected a table of tensors by name, got %s', label(self), describe(state))
  end
  local list, names = support.to_list(state, label(self) .. ':load_state_dict')
  local given = {}
  for i, name in ipairs(names or {}) do
    if not is_tensor(list[i]) then
      raise("%s:load_state_dict: '%s' must be a tensor, got %s", label(self), tostring(name), describe(list[i]))
    end
    given[name] = list[i]
  end
  if not names and #list > 0 then
    raise('%s:load_state_dict: expected a table of tensors by name, got a list', label(self))
  end
  return given, names or {}
end

--- Compares a state with the slots: what to copy where (lists of tensors), and what doesn't fit.
local function match_state(self, given, order)
  local names, values = state_slots(self)
  local known, loaded, first = {}, {}, {}
  local targets, sources, missing, unexpected, wrong = {}, {}, {}, {}, {}
  for i, name in ipairs(names) do
    known[name] = true
    local source, key = given[name], id(values[i])
    first[key] = first[key] or name
    if source then
      loaded[key] = true
      if support.same_shape(source, values[i]) then
        targets[#targets + 1], sources[#sources + 1] = values[i], source
      else
        wrong[#wrong + 1] = ('size mismatch for %s, expect %s, got %s'):format(name, support.shape_text(values[i]),
          support.shape_text(source))
      end
    end
  end
  for i, name in ipairs(names) do
    local key = id(values[i])
    if not loaded[key] and first[key] == name then missing[#missing + 1] = name end
  end
  for _, name in ipairs(order) do
    if not known[name] then unexpected[#unexpected + 1] = tostring(name) end
  end
  return targets, sources, missing, unexpected, wrong
end

--- Copies a state into the parameters and buffers, casting to their dtypes. All is checked before anything is written.
-- @param state a table of tensors by name, such as state_dict gives
-- @param options {strict=true}: missing and unexpected names are errors; sizes must fit in any case. {from='pytorch'}:
-- entries of containers count from 0 in the names
-- @return {missing_keys = {...}, unexpected_keys = {...}}
function Module:load_state_dict(state, options)
  local strict
  state, strict = pytorch.import(self, state, options)
  for path, module in self:named_modules() do
    if not rawequal(module:_owner(), module) then
      raise("%s:load_state_dict: submodule '%s' is a functional view: load into it by itself", label(self), path)
    end
  end
  local targets, sources, missing, unexpected, wrong = match_state(self, read_state(self, state))
  local faults = {}
  if strict and #missing > 0 then faults[1] = 'missing ' .. table.concat(missing, ', ') end
  if strict and #unexpected > 0 then faults[#faults + 1] = 'unexpected ' .. table.concat(unexpected, ', ') end
  for _, text in ipairs(wrong) do faults[#faults + 1] = text end
  if #faults > 0 then raise('%s:load_state_dict: %s', label(self), table.concat(faults, '; ')) end
  support.overwrite(label(self) .. ':load_state_dict', targets, sources)
  return { missing_keys = missing, unexpected_keys = unexpected }
end

-- ---- hooks ----
-- `_hooked` sends a call the slow way, which finds out whether there are hooks.

--- Lists of hooks are never changed but replaced, so that a hook may add and remove hooks while they run.
local function put_hooks(self, field, hooks)
  rawset(self, field, hooks)
  self._hooked = true
end

local function add_hook(self, field, hook)
  if type(hook) ~= 'function' then raise('%s: a hook must be a function, got %s', label(self), describe(hook)) end
  local entry, hooks = { hook }, { unpack(rawget(self, field) or {}) }
  hooks[#hooks + 1] = entry
  put_hooks(self, field, hooks)
  return {
    remove = function()
      local left = {}
      for _, other in ipairs(rawget(self, field)) do
        if other ~= entry then left[#left + 1] = other end
      end
      put_hooks(self, field, left)
    end,
  }
end

--- Has hook(module, inputs) called before forward; `inputs` is a list. A value that it returns replaces the inputs: a
-- list, or one value alone. Returns a handle with `remove()`.
function Module:register_forward_pre_hook(hook) return add_hook(self, '_forward_pre_hooks', hook) end

--- Has hook(module, inputs, outputs...) called after forward; what it returns, unless nil, replaces the outputs.
-- Returns a handle with `remove()`.
function Module:register_forward_hook(hook) return add_hook(self, '_forward_hooks', hook) end

local function pack(...) return { n = select('#', ...), ... } end

--- What calling a module does that has hooks, or is called for the first time.
function Module:_call_with_hooks(...)
  local owner = self:_owner()
  class.adopt(owner)
  rawset(owner, '_hooked', #(rawget(owner, '_forward_hooks') or {}) + #(rawget(owner, '_forward_pre_hooks') or {}) > 0)
  local inputs = pack(...)
  for _, entry in ipairs(self._forward_pre_hooks or {}) do
    local hook = entry[1]
    local changed = hook(self, inputs)
    if changed ~= nil then
      if type(changed) ~= 'table' or getmetatable(changed) ~= nil then changed = { changed } end
      inputs = changed
      inputs.n = inputs.n or #inputs
    end
  end
  local outputs = pack(self:forward(unpack(inputs, 1, inputs.n)))
  for _, entry in ipairs(self._forward_hooks or {}) do
    local hook = entry[1]
    local changed = pack(hook(self, inputs, unpack(outputs, 1, outputs.n)))
    if changed[1] ~= nil then outputs = changed end
  end
  return unpack(outputs, 1, outputs.n)
end

-- ---- printing ----

--- What stands between the parentheses when the module is printed; subclasses define their own.
function Module.extra_repr() return '' end

local function indented(text) return (text:gsub('\n', '\n  ')) end

--- The tree of modules, as tostring gives it. A module that stands in two places is drawn in both.
function Module:_print()
  class.adopt(self)
  local extra, lines, dict = self:extra_repr(), {}, self._modules
  for _, name in ipairs(dict.names) do
    local child = dict.values[name]
    if child then lines[#lines + 1] = ('  (%s): %s'):format(name, indented(tostring(child))) end
  end
  if #lines == 0 and not extra:find('\n', 1, true) then return ('%s(%s)'):format(label(self), extra) end
  if extra ~= '' then table.insert(lines, 1, '  ' .. indented(extra)) end
  return ('%s(\n%s\n)'):format(label(self), table.concat(lines, '\n'))
end

Module._read = read
class.guard(Module)

return Module
