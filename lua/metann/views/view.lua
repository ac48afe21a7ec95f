--- Functional views: a module seen with other parameters, without a copy of it and without touching it.
-- A view stands for one module of the base; it has the class's methods, and what it doesn't override it reads from the
-- base. Views of submodules are made when they are first read, once. Owns what a view reads and writes; which weight
-- fills which slots says its base's plan (plan.lua). Knows nothing of learners.
--
-- A view's only raw field of its own is `_view`, a record {base, state, weights, children, tensors}:
--   base      the module of the base that it stands for
--   state     what all views of one root share: plan, weights (a list), buffers, views by module
--   weights   tensors by slot name, in place of the base's parameters and dependents; false for none
--   tensors   plain tensor fields written in the view
-- Plain fields written in a view stand raw in it, as in any module.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local guards = require 'metann.binding.guards'
local class = require 'metann.nn.machinery.class'
local where = require 'metann.nn.machinery.where'
local Module = require 'metann.nn.machinery.module'
local StateDict = require 'metann.nn.machinery.statedict'
local pytorch = require 'metann.nn.machinery.pytorch'
local support = require 'metann.support'
local plans = require 'metann.views.plan'
local arguments = require 'metann.arguments'
local reads = require 'metann.autograd.reads'
local ops, raise, describe, keep = support.ops, support.raise, support.describe, support.keep
local kinds = arguments.kinds
local is_tensor, is_parameter, id = support.is_tensor, support.is_parameter, support.id
local requires_grad, is_float = support.requires_grad, support.is_float
local class_of, finished, inside = class.class_of, class.finished, guards.inside
-- tables of a size that is known are made at once, not grown: views are made at every adaptation
local new_table = require 'table.new'

local view = {}

class.own_field '_view'

local NO_WEIGHTS = {}
local meta_of

--- The record of a view, or nil for what is none.
local function record_of(value) return type(value) == 'table' and rawget(value, '_view') or nil end
view.record_of = record_of

--- Tells the checkpoint that is running what is read, or about to be written, here.
local function note(record, name)
  if record.weights == NO_WEIGHTS then return end
  record.state.noted = true
  reads.note(record.weights, name, record.weights[name])
end

-- ---- making ----

local function fill(record, binding, weights)
  local own = record.weights
  for k = 1, binding.n do
    local weight = weights[binding.index[k]]
    if weight then
      own[binding.names[k]] = weight
      local number = binding.numbers[k]
      if number then own[number] = weight end
    end
  end
end

--- The view of one module of the base.
local function view_of(state, base)
  local made = state.views[base]
  if made then return made end
  local record = { base = base, state = state, weights = NO_WEIGHTS }
  local self = setmetatable({ _view = record }, meta_of(getmetatable(base).class))
  state.views[base] = self
  local binding = state.plan.bindings[base]
  if binding then
    record.weights = new_table(0, binding.size)
    fill(record, binding, state.weights)
    local filled = state.filled
    filled[#filled + 1] = record
  end
  if state.training ~= nil then rawset(self, 'training', state.training) end
  local fields = state.fields and state.fields[base]
  if fields then
    for key, value in pairs(fields.raw) do rawset(self, key, value) end
    record.tensors = fields.tensors
  end
  return self
end

--- Makes a root view.
-- @param base the module
-- @param plan of the base, from plans.of
-- @param weights list in the plan's order; false where the base's own is used. The view takes it over.
-- @param options `training` (nil: as in the base), `buffers` ('view', 'shared', 'frozen'), `from` (the record of a view
-- that this one continues)
function view.new(base, plan, weights, options)
  local state = {
    plan = plan, weights = weights, training = options.training, mode = options.buffers, buffers = {}, root = false,
    views = new_table(0, plan.count), filled = new_table(plan.count, 0), origin = nil, fields = nil, writes = 0,
  }
  if options.from then view.continue(state, options.from.state) end
  state.root = view_of(state, base)
  return state
end

local function copy_table(source)
  local copy = {}
  for key, value in pairs(source) do copy[key] = value end
  return copy
end

--- The plain fields written in a state's views, by module of the base.
-- @param from the state
-- @param own true: without `training`, which the state they are for has of its own
local function fields_of(from, own)
  local fields = {}
  local function add(base, written, tensors)
    local raw, any = {}, tensors ~= nil
    for key, value in next, written do
      if key ~= '_view' and not (own and key == 'training') then raw[key], any = value, true end
    end
    fields[base] = any and { raw = raw, tensors = tensors and copy_table(tensors) } or nil
  end
  for base, written in pairs(from.fields or {}) do add(base, written.raw, written.tensors) end
  for base, made in pairs(from.views) do add(base, made, rawget(made, '_view').tensors) end
  return fields
end

--- Has a new state start from what an older view's has: its buffers and the plain fields written in it.
-- References are copied, not the state itself, so that a model adapted again and again keeps no chain of the past.
function view.continue(state, from)
  local shared = state.mode == 'shared'
  if shared then
    state.buffers, state.mode = from.buffers, from.mode
  else
    state.origin = {}
    for base, store in pairs(from.buffers) do state.origin[base] = copy_table(store) end
  end
  state.fields = fields_of(from, state.training ~= nil)
  if state.training == nil and from.training ~= nil then state.training = from.training end
end

--- Puts other weights (a list in the plan's order, which the view takes over) into a view that is in use.
function view.assign(state, weights)
  state.weights, state.writes = weights, state.writes + 1
  local filled, bindings = state.filled, state.plan.bindings
  for i = 1, #filled do
    local record = filled[i]
    fill(record, bindings[record.base], weights)
  end
end

--- Another root view of the same base, with its own weights and the same buffers and modes.
function view.sibling(state, weights)
  local other = {
    plan = state.plan, weights = weights, training = state.training, mode = state.mode, buffers = state.buffers,
    origin = state.origin, fields = state.fields, views = {}, filled = {}, writes = 0,
  }
  other.root = view_of(other, rawget(state.root, '_view').base)
  return other.root
end

--- Empties a list or table of weights; whoever reads one that was there gets an error.
local function retired(weights)
  local names = {}
  for name in pairs(weights) do names[name], weights[name] = true, nil end
  return setmetatable(weights, { __index = function(_, name)
    if not names[name] then return nil end
    return raise("view: weight '%s' is of an earlier step of a learner, and only that step's checkpoints read it: use "
      .. 'the model that the evaluator is given, or the adapted one', tostring(name))
  end })
end

--- Takes the weights out of a view that only checkpoints go on reading, which bring those that they read with them. A
-- view that kept them would keep all steps before, and each would wait for the collector to find the one after.
local function retire(state)
  retired(state.weights)
  for _, record in ipairs(state.filled) do retired(record.weights) end
end

--- The state of a root view that goes on where another one ends, with other weights: for learners, where a checkpoint
-- has read the old one. What the checkpoint keeps then leads to none of the weights that were made of its results,
-- which would keep it for ever.
function view.renewed(state, weights)
  local other = {
    plan = state.plan, weights = weights, training = state.training, mode = state.mode, buffers = state.buffers,
    origin = state.origin, fields = fields_of(state, false), views = {}, filled = {}, writes = 0,
  }
  other.root = view_of(other, rawget(state.root, '_view').base)
  retire(state)
  return other
end

-- ---- reading ----

--- A buffer as the view's mode has it.
local function buffer(record, name, value)
  local state, base = record.state, record.base
  if state.mode == 'shared' then return value end
  local store = state.buffers[base]
  local own = store and store[name]
  if own then return own end
  local origin = state.origin and state.origin[base]
  value = origin and origin[name] or value
  if state.mode == 'frozen' then return ops.clone(ops.detach(value)) end
  own = keep(support.no_grad(ops.clone, ops.detach(value)))
  if not store then
    store = {}
    state.buffers[base] = store
  end
  store[name] = own
  return own
end

--- Dictionaries of slots as nn's walks read them, made when asked for.
local special = {}

local function weights_of(record, dict)
  local values = {}
  for name, value in pairs(dict.values) do
    if reads.current then note(record, name) end
    local weight = record.weights[name]
    if weight == nil then weight = value end
    values[name] = weight
  end
  return { names = dict.names, values = values, info = dict.info, version = dict.version + record.state.writes }
end

function special._parameters(record) return weights_of(record, record.base._parameters) end

function special._dependents(record)
  local dict = record.base._dependents
  return dict and weights_of(record, dict)
end

function special._buffers(record)
  local dict, values = record.base._buffers, {}
  for name, value in pairs(dict.values) do values[name] = value and buffer(record, name, value) end
  return { names = dict.names, values = values }
end

function special._modules(record)
  local dict, made = record.base._modules, record.modules
  if made and made.version == dict.version then return made end
  local names, given, values = dict.names, dict.values, {}
  for i = 1, #names do
    local name = names[i]
    local module = given[name]
    local own, number = module and view_of(record.state, module), tonumber(name)
    values[name] = own
    if number and given[number] == module then values[number] = own end
  end
  made = { names = dict.names, values = values, version = dict.version }
  record.modules = made
  return made
end

function special._tensors(record)
  local tensors = copy_table(record.base._tensors)
  for name, value in pairs(record.tensors or {}) do tensors[name] = value or nil end
  return tensors
end

--- A raw field of the base that is a table: slots, a module that was written over a raw field, or a plain table.
local function table_field(record, name, value)
  local make = special[name]
  if make then return make(record) end
  if class_of(value) then
    class.adopt(record.base)
    return view_of(record.state, value)
  end
  return value
end

--- What a module of the base computes when it is read, or nil; the base may be a view itself.
local function computed_of(base) return rawget(base, '_computed') or record_of(base) and base._computed end

local methods = {}

function methods:_owner() return rawget(self, '_view').base end

local function index(self, name)
  local record = rawget(self, '_view')
  local value = record.weights[name]
  -- (a comparison of a tensor with nil would be a call)
  if value or value == false then
    if reads.current then note(record, name) end
    return value or nil
  end
  local base = record.base
  value = rawget(base, name)
  if value ~= nil then
    if type(value) == 'table' then return table_field(record, name, value) end
    if reads.current and is_tensor(value) then note(record, name) end
    return value
  end
  value = base._modules.values[name]
  if value then return view_of(record.state, value) end
  value = methods[name]
  if value ~= nil then return value end
  value = base._buffers.values[name]
  if value then return buffer(record, tostring(name), value) end
  local tensors = record.tensors
  value = tensors and tensors[name]
  if value ~= nil then return value or nil end
  local computed = computed_of(base)
  if computed and computed[name] then return computed[name](self) end
  -- only where the base is a view too, whose slots don't stand raw in it
  if special[name] then return special[name](record) end
  if type(name) ~= 'string' then
    local position = base._position
    if position then return position(self, name) end
  end
  return base[name]
end

-- ---- writing ----

--- Puts a tensor, or false for none, into one slot of a view.
local function set(record, name, value)
  if record.weights == NO_WEIGHTS then record.weights = {} end
  local number = tonumber(name)
  if reads.current then
    note(record, name)
    if number then note(record, number) end
  end
  record.weights[name] = value
  if number then record.weights[number] = value end
end

--- Puts a tensor, or false for none, into a slot of a view and into those tied to it.
local function write(record, name, value)
  local state = record.state
  local place = plans.place(state.plan, record.base, name)
  state.writes = state.writes + 1
  if not place then return set(record, name, value) end
  for base, binding in pairs(state.plan.bindings) do
    for k = 1, binding.n do
      if binding.index[k] == place then set(record_of(view_of(state, base)), binding.names[k], value) end
    end
  end
end

local function newindex(self, name, value)
  local record = rawget(self, '_view')
  local base, label = record.base, class_of(self)._name
  if type(name) == 'number' then name = tostring(name) end
  class.check_written(self, computed_of(base), name)
  local dependents = base._dependents
  if base._parameters.values[name] ~= nil or dependents and dependents.values[name] ~= nil then
    if value ~= nil and not is_tensor(value) then
      raise("%s: slot '%s' of a view takes a tensor or nil, got %s", label, name, describe(value))
    end
    return write(record, name, value == nil and false or keep(value))
  end
  if base._modules.values[name] ~= nil or class_of(value) or (is_tensor(value) and is_parameter(value)) then
    raise("%s: can't assign '%s' in a view, whose parameters and submodules are those of its base: use deepcopy()",
      label, name)
  end
  if base._buffers.values[name] ~= nil then return view.set_buffer(record, name, value) end
  if is_tensor(value) or value == nil or base._tensors[name] ~= nil then
    record.tensors = record.tensors or {}
    record.tensors[name] = is_tensor(value) and keep(value) or nil
    if is_tensor(value) then return end
    if base._tensors[name] ~= nil then record.tensors[name] = false end
  end
  rawset(self, name, value)
end

--- Gives a buffer of a view another tensor, as the view's mode has it.
function view.set_buffer(record, name, value)
  if value ~= nil and not is_tensor(value) then
    raise("%s: buffer '%s' takes a tensor or nil, got %s", class_of(record.base)._name, name, describe(value))
  end
  local state = record.state
  if state.mode == 'frozen' then return end
  if state.mode == 'shared' then
    record.base[name] = value
    return
  end
  local store = state.buffers[record.base] or {}
  state.buffers[record.base] = store
  store[name] = value and keep(value)
end

--- What nn's deep copies make of a view.
function view.copy(self, memo) return require('metann.views.copy').module(self, memo) end

-- ---- calling ----

--- The metatable of the views of a class's instances.
local metas = setmetatable({}, { __mode = 'k' })
function meta_of(of)
  local meta = metas[of]
  if meta then return meta end
  local check = of._check_call
  meta = { class = of, __index = index, __newindex = newindex, __tostring = of._meta.__tostring, copy = view.copy }
  meta.__call = where.announce(function(self, ...)
    local base = rawget(self, '_view').base
    if check then check(self) end
    if base._hooked or rawget(self, '_hooked') then return finished(self, self:_call_with_hooks(...)) end
    local forward = rawget(self, 'forward') or rawget(base, 'forward') or of.forward
    return finished(self, (inside[forward] or forward)(self, ...))
  end, of._name)
  metas[of] = meta
  return meta
end

-- ---- walking ----

--- The tensor in use in a slot of the plan.
local function current(state, i)
  local slot = state.plan.slots[i]
  local made = state.views[slot.module]
  local weight
  if reads.current then
    made = view_of(state, slot.module)
    note(rawget(made, '_view'), slot.name)
  end
  if made then weight = rawget(made, '_view').weights[slot.name] else weight = state.weights[i] or nil end
  if weight == nil then weight = slot.dict(slot.module).values[slot.name] end
  return weight or false
end

--- The weights in use, a fresh list in the plan's order; false for none.
function view.weights(state)
  local weights = {}
  for i = 1, state.plan.n do weights[i] = current(state, i) end
  return weights
end

--- Which weights of a view learners change: floating-point tensors whose slots aren't frozen.
-- @return the set of their places, and the set of the places of weights that require gradients
function view.adaptable(state, weights)
  local slots, adapted, needy = state.plan.slots, {}, {}
  for i = 1, state.plan.n do
    local weight, slot = weights[i], slots[i]
    if weight then
      local needs_grad = requires_grad(weight)
      needy[i] = needs_grad
      if slot.info then
        adapted[i] = not slot.info.frozen and is_float(weight)
      elseif needs_grad then
        adapted[i] = true
      else
        local own = slot.dict(slot.module).values[slot.name]
        adapted[i] = own and requires_grad(own) and is_float(weight)
      end
    end
  end
  return adapted, needy
end

--- Names and places of the weights below one view, as the plan of its base lists them.
local function own_slots(self, prefix, recurse)
  local record = rawget(self, '_view')
  local plan, root = record.state.plan, record.base
  if recurse == false then
    local names, places, binding = {}, {}, plan.bindings[root]
    local seen = {}
    for k = 1, binding and binding.n or 0 do
      local i = binding.index[k]
      if not seen[i] then
        seen[i] = true
        names[#names + 1], places[#places + 1] = plans.join(prefix, binding.names[k]), i
      end
    end
    return names, places
  end
  local names, places = {}, {}
  local sub = plan.modules[1] == root and plan or plans.of(root)
  for i = 1, sub.n do
    local slot = sub.slots[i]
    names[i] = plans.join(prefix, sub.names[i])
    places[i] = sub == plan and i or plans.place(plan, slot.module, slot.name)
  end
  return names, places
end

--- Lists of names and tensors in use; `gaps` keeps false for emptied ones.
local function in_use(self, prefix, recurse, gaps)
  local names, places = own_slots(self, prefix, recurse)
  local state = rawget(self, '_view').state
  local out_names, values = {}, {}
  for k = 1, #names do
    local weight = current(state, places[k])
    local info = state.plan.slots[places[k]].info
    if weight or (gaps and (not info or info.shape)) then
      out_names[#out_names + 1], values[#values + 1] = names[k], weight
    end
  end
  return out_names, values
end

--- The weights in use, with the base's names: parameters and dependents, perhaps with a history.
function methods:named_parameters(...)
  return support.pairs_of(in_use(self, arguments.walk('named_parameters', ...)))
end

--- The weights in use.
function methods:parameters(...)
  local _, values = in_use(self, '', arguments.recurse('parameters', ...))
  return support.values_of(values)
end

--- All slots that the view can fill, by name; false for an emptied one.
function methods:named_dependents(...)
  local prefix, recurse = arguments.walk('named_dependents', ...)
  return support.pairs_of(in_use(self, prefix, recurse, true))
end

--- The tensors of named_dependents.
function methods:dependents(...)
  local _, values = in_use(self, '', arguments.recurse('dependents', ...), true)
  return support.values_of(values)
end

--- What `substitute` fills, as plan.substitute wants it.
local function targets(self)
  local record = rawget(self, '_view')
  local names, places = own_slots(self, '')
  local list = {}
  for k = 1, #names do
    local weight = current(record.state, places[k])
    local slot = record.state.plan.slots[places[k]]
    list[k] = { name = names[k], place = places[k], model = weight or slot.info, listed = weight or not slot.info
      or slot.info.shape ~= nil }
  end
  return list
end

local function put(self, changes)
  local state = rawget(self, '_view').state
  local weights = view.weights(state)
  for _, change in ipairs(changes) do weights[change.target.place] = change.tensor end
  for _, record in ipairs(state.filled) do
    for name in pairs(record.weights) do
      if reads.current then note(record, name) end
      record.weights[name] = nil
    end
  end
  view.assign(state, weights)
end

--- Puts other weights into this view, by name; as DependentModule's substitute.
function methods:substitute(named_params, strict)
  put(self, plans.match('substitute', targets(self), named_params, strict))
end

--- Puts other weights into this view, in the order of named_dependents.
function methods:substitute_from_list(params)
  put(self, plans.match_list('substitute_from_list', targets(self), params))
end

--- Lists of the buffers' names, records and own names below a view, each base buffer once.
local function buffers_below(self)
  local names, places, seen = {}, {}, {}
  for path, module in Module.named_modules(self) do
    local record = rawget(module, '_view')
    local dict = record.base._buffers
    for _, name in ipairs(dict.names) do
      local value = dict.values[name]
      local transient = rawget(record.base, '_transient')
      if value and not seen[id(value)] and not (transient and transient[name]) then
        seen[id(value)] = true
        names[#names + 1], places[#places + 1] = plans.join(path, name), { record, name, value }
      end
    end
  end
  return names, places
end

--- Weights and buffers by the base's names, detached; in the base's order, ties once. Options as a module's.
function methods:state_dict(options)
  local weights, buffers = {}, {}
  local names, values = in_use(self, '')
  for k = 1, #names do weights[names[k]] = values[k] end
  local buffer_names, places = buffers_below(self)
  for k, name in ipairs(buffer_names) do buffers[name] = places[k] end
  local state = StateDict.new()
  for path, module in Module.named_modules(self) do
    local base = rawget(module, '_view').base
    for _, kind in ipairs(base:_stores()) do
      for _, slot in ipairs(base[kind].names) do
        local name = plans.join(path, slot)
        local place = buffers[name]
        if weights[name] then
          state[name] = ops.detach(weights[name])
        elseif place and kind == '_buffers' then
          state[name] = ops.detach(buffer(place[1], place[2], place[3]))
        end
      end
    end
  end
  return pytorch.export(self, state, options)
end

--- Loads weights and buffers into this view only, as detached leaves; all is checked first. Options as a module's.
function methods:load_state_dict(state, options)
  local strict
  state, strict = pytorch.import(self, state, options)
  local list = targets(self)
  local names, places = buffers_below(self)
  for k, name in ipairs(names) do
    list[#list + 1] = { name = name, buffer = places[k], model = places[k][3], listed = true }
  end
  local changes = plans.match('load_state_dict', list, state, strict and true or 'one way')
  local weights, buffers = {}, {}
  for _, change in ipairs(changes) do
    local target = change.target
    local tensor = support.no_grad(ops.clone, ops.detach(change.tensor))
    if target.buffer then
      buffers[#buffers + 1] = { target.buffer, keep(tensor) }
    else
      local slot = rawget(self, '_view').state.plan.slots[target.place]
      local frozen = slot.info and slot.info.frozen
      if support.is_float(tensor) and not frozen then support.set_requires_grad(tensor, true) end
      weights[#weights + 1] = { target = target, tensor = keep(tensor) }
    end
  end
  for _, entry in ipairs(buffers) do view.set_buffer(entry[1][1], entry[1][2], entry[2]) end
  put(self, weights)
end

--- Converts the weights in use and the view's buffers; the base stays as it is. Histories are kept.
function methods:_convert(convert, commits)
  local state = rawget(self, '_view').state
  local changes, buffers = {}, {}
  for _, entry in ipairs(targets(self)) do
    local weight = current(state, entry.place)
    if weight then changes[#changes + 1] = { target = entry, tensor = convert(weight, true) } end
  end
  local _, places = buffers_below(self)
  for k, place in ipairs(places) do buffers[k] = convert(buffer(place[1], place[2], place[3]), true) end
  commits[#commits + 1] = function()
    for k, place in ipairs(places) do view.set_buffer(place[1], place[2], buffers[k]) end
    put(self, changes)
  end
end

--- True when a tensor in use is the base's own, which a view must not change.
local function is_base(state, place, weight)
  local slot = state.plan.slots[place]
  local own = slot.dict(slot.module).values[slot.name]
  return own and id(own) == id(weight) or false
end

--- Forgets the gradients of the weights that are the view's; those of its base stay.
function methods:zero_grad(...)
  local o = Module._read(self, 'zero_grad', { { 'set_to_none', kinds.boolean, true } }, ...)
  local state, list = rawget(self, '_view').state, {}
  for _, entry in ipairs(targets(self)) do
    local weight = current(state, entry.place)
    if weight and not is_base(state, entry.place, weight) then list[#list + 1] = weight end
  end
  support.zero_grads(class_of(self)._name .. ':zero_grad', list, o.set_to_none)
  return self
end

--- Says whether the weights shall require gradients; in place of those of its base the view gets leaves that share
-- their storage.
function methods:requires_grad_(...)
  local requires = Module._read(self, 'requires_grad_', { { 'requires_grad', kinds.boolean, true } }, ...).requires_grad
  local state, changes, list = rawget(self, '_view').state, {}, {}
  for _, entry in ipairs(targets(self)) do
    local weight = current(state, entry.place)
    if weight and is_base(state, entry.place, weight) then
      weight = keep(ops.detach(weight))
      changes[#changes + 1] = { target = entry, tensor = weight }
    end
    if weight and not requires and not support.is_leaf(weight) then
      raise("%s:requires_grad_: '%s' has a history, and so requires a gradient", class_of(self)._name, entry.name)
    end
    list[#list + 1] = weight or nil
  end
  for _, weight in ipairs(list) do support.set_requires_grad(weight, requires) end
  put(self, changes)
  return self
end

for _, name in ipairs{ 'register_forward_hook', 'register_forward_pre_hook' } do
  local field = name == 'register_forward_hook' and '_forward_hooks' or '_forward_pre_hooks'
  -- as a module's; the hook is the view's own, after those of the base
  methods[name] = function(self, hook)
    if not rawget(self, field) then
      local hooks = {}
      for i, entry in ipairs(rawget(rawget(self, '_view').base, field) or {}) do hooks[i] = entry end
      rawset(self, field, hooks)
    end
    return Module[name](self, hook)
  end
end

local function refuse(name)
  return function(self)
    raise("%s: %s can't be called on a view, whose slots are those of its base: use deepcopy()", class_of(self)._name,
      name)
  end
end
for _, name in ipairs{ 'register_parameter', 'register_buffer', 'register_dependent', 'add_module', 'register_module',
  'clear_params', 'append' } do
  methods[name] = refuse(name)
end

--- A module of its own with this view's weights and buffers as detached leaves.
function methods:deepcopy() return view.copy(self) end

guards.guard(methods, 'module', function(value) return class_of(value) ~= nil end)

-- ---- for learners ----

--- The weights in use below a view, in the order of the plan of its own base.
function view.weights_below(self, plan)
  local weights, state = {}, rawget(self, '_view').state
  local _, places = own_slots(self, '')
  for i = 1, plan.n do weights[i] = current(state, places[i]) end
  return weights
end

--- Opens a view of whatever can be adapted: a module, a ProtoModule, a DependentModule or a view.
-- @param what the caller's name, for messages
-- @param model the model
-- @param buffers 'view', 'shared' or 'frozen'
-- @param training true, false, or 'model' for each submodule's own
-- @return the state of the new view; its `weights` are the tensors in use (false for none), and no slot is filled yet
-- but the root's own
function view.open(what, model, buffers, training)
  if not class_of(model) then raise('%s: model must be a module, got %s', what, describe(model)) end
  local base = model
  if class_of(model)._held then base = model:_held() end
  local options = { buffers = buffers or 'view', training = training }
  if training == 'model' then options.training = nil end
  local record = record_of(base)
  if not record then
    local plan = plans.of(base)
    local weights = {}
    for i = 1, plan.n do
      local slot = plan.slots[i]
      weights[i] = slot.dict(slot.module).values[slot.name] or false
    end
    return view.new(base, plan, weights, options)
  end
  local plan = plans.of(record.base)
  options.from = record
  return view.new(record.base, plan, view.weights_below(base, plan), options)
end

return view
