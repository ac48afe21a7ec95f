--- ProtoModule: a module whose functional views run with other parameters; and tensor_copy.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local nn = require 'metann.nn'
local class = require 'metann.nn.machinery.class'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local arguments = require 'metann.arguments'
local MultipleList = require 'metann.utils.multiplelist'
local plans = require 'metann.views.plan'
local view = require 'metann.views.view'
local raise, describe, errors = support.raise, support.describe, support.errors
local is_tensor = support.is_tensor

--- `ProtoModule(module)` holds a module by reference: it runs it, and lists its parameters, buffers and state under the
-- module's own names. `proto.module` is the module.
-- @function ProtoModule
-- @param module a module
local ProtoModule = nn.class('ProtoModule')

local init_signature = arguments.signature('ProtoModule', { { 'module', opaque = true } })

function ProtoModule:init(...)
  local module = arguments.read(init_signature, ...).module
  if not class.class_of(module) then raise('ProtoModule: expected a module, got %s', describe(module)) end
  if class.class_of(module)._held then module = module.module end
  -- a submodule without a name of its own: paths through it are the module's
  slots.set(self._modules, '', module)
  self._modules.values.module = module
end

--- For views: the module that is held.
function ProtoModule:_held() return self._modules.values[''] end

function ProtoModule:forward(...) return self.module(...) end

--- As the module's own.
function ProtoModule:get_submodule(path) return self._modules.values['']:get_submodule(path) end

--- Iterates over the module's parameters with their names, without a prefix for the module.
function ProtoModule:named_parameters(...)
  return self:_held():named_parameters(arguments.walk('named_parameters', ...))
end

--- Iterates over the module's parameters.
function ProtoModule:parameters(...)
  local base, recurse = self:_held(), arguments.recurse('parameters', ...)
  if recurse == false or view.record_of(base) then return base:parameters(recurse) end
  -- a plan is there anyhow, and reading it is quicker than walking the modules
  local plan, values = plans.of(base), {}
  for i = 1, plan.n do
    local slot = plan.slots[i]
    if not slot.info then values[#values + 1] = slot.dict(slot.module).values[slot.name] end
  end
  return support.values_of(values)
end

function ProtoModule:_print()
  return ('ProtoModule(\n  (module): %s\n)'):format((tostring(self:_held()):gsub('\n', '\n  ')))
end

local BUFFERS = { view = true, shared = true, frozen = true }

local function read_options(training, options)
  if type(training) == 'table' then
    if options ~= nil then raise('ProtoModule:functional: two tables of options') end
    training, options = nil, training
  end
  local buffers = 'view'
  if options ~= nil then
    if type(options) ~= 'table' then
      raise('ProtoModule:functional: options must be a table, got %s', describe(options))
    end
    errors.check_options('ProtoModule:functional', options, { 'training', 'buffers' })
    if options.training ~= nil then
      if training ~= nil then raise("ProtoModule:functional: 'training' is given twice, by position and by name") end
      training = options.training
    end
    buffers = options.buffers == nil and 'view' or options.buffers
  end
  if training ~= nil and type(training) ~= 'boolean' then
    raise("ProtoModule:functional: 'training' must be true, false or nil, got %s", describe(training))
  end
  if not BUFFERS[buffers] then
    raise("ProtoModule:functional: 'buffers' must be 'view', 'shared' or 'frozen', got %s", describe(buffers))
  end
  return training, buffers
end

local WHAT = 'ProtoModule:functional'

--- Where a tensor of the base, or what is remembered of it, stands for weight i; weights of views have no base's.
local function model_of(plan, i)
  local slot = plan.slots[i]
  return slot.info and slot.info.shape and slot.info or slot.dict(slot.module).values[slot.name] or slot.info
end

local function check(plan, i, tensor)
  if not is_tensor(tensor) then
    raise("%s: '%s' must be a tensor, got %s", WHAT, plan.names[i], describe(tensor))
  end
  local model = model_of(plan, i)
  if is_tensor(model) and plans.same_form(model, tensor) then return end
  local misfit = plans.misfit(plan.names[i], model, tensor)
  if misfit then raise('%s: %s', WHAT, misfit) end
end

--- The weights by position from what functional was given; checked.
local function read_weights(plan, params)
  if params == nil then raise("%s: 'params' must be given", WHAT) end
  local list, names = support.to_list(params, WHAT)
  if not names then
    if #list ~= plan.n then raise('%s: expected %d parameters, got %d', WHAT, plan.n, #list) end
    for i = 1, plan.n do
      if list[i] then check(plan, i, list[i]) end
    end
    return list
  end
  local weights = {}
  for i = 1, plan.n do weights[i] = false end
  for k, name in ipairs(names) do
    local i = plan.by_name[name]
    if not i then raise("%s: unknown name '%s'%s", WHAT, tostring(name), errors.suggestion(name, plan.names)) end
    if list[k] then
      check(plan, i, list[k])
      if weights[i] and weights[i] ~= list[k] then
        raise("%s: '%s' is given twice, with different tensors", WHAT, plan.names[i])
      end
      weights[i] = list[k]
    end
  end
  return weights
end

--- A callable view of the module with other parameters. Any number may be alive; none changes the module or another.
-- @param params list (in the order of named_parameters; false: the module's own), table by name (those left out are
-- the module's own) or iterator; they may have a history, which gradients flow into
-- @param[opt] training true or false sets all submodules, in the view only; nil: as they are
-- @param[opt] options `{buffers='view'}`: buffers are written in the view ('view'), into the module ('shared'), or not
-- at all ('frozen')
-- @return the view: a module with the same names and methods
function ProtoModule:functional(params, training, options)
  local buffers
  training, buffers = read_options(training, options)
  local base = self._modules.values['']
  local record = view.record_of(base)
  local plan = plans.of(record and record.base or base)
  local weights = read_weights(plan, params)
  if record then
    local own = view.weights_below(base, plan)
    for i = 1, plan.n do weights[i] = weights[i] or own[i] end
  end
  local view_options = { training = training, buffers = buffers, from = record }
  return view.new(record and record.base or base, plan, weights, view_options).root
end

class.guard(ProtoModule)

local function copied(x, above)
  if x == nil or type(x) == 'number' or type(x) == 'boolean' or type(x) == 'string' then return x end
  if is_tensor(x) then return x:clone() end
  if type(x) ~= 'table' or class.class_of(x) or support.is_callable(x) then
    raise('tensor_copy: expected a tensor, nil, a list or a table of these, got %s', describe(x))
  end
  if above[x] then raise('tensor_copy: the table contains itself') end
  above[x] = true
  local made = {}
  if #x > 0 or next(x) == nil then
    for i = 1, #x do made[i] = copied(x[i], above) end
    made = MultipleList.new(made)
  else
    for key, value in pairs(x) do made[key] = copied(value, above) end
  end
  above[x] = nil
  return made
end

--- A copy: of a tensor (a clone, which keeps its history), a list or an iterator (as a MultipleList), or a table,
-- nested as it may be.
local function tensor_copy(x)
  if type(x) == 'function' then x = support.to_list(x, 'tensor_copy') end
  return copied(x, {})
end

return { ProtoModule = ProtoModule, tensor_copy = tensor_copy }
