--- nn.utils.parametrize: parameters that are what modules make of others, as constraints are: symmetric, positive,
-- orthogonal weights. The parameter `original` and the modules stand in `module.parametrizations.NAME`, as PyTorch names
-- them; the field itself is computed whenever it is read.
local arguments = require 'metann.arguments'
local class = require 'metann.nn.machinery.class'
local computed = require 'metann.nn.machinery.computed'
local Container = require 'metann.nn.machinery.container'
local Module = require 'metann.nn.machinery.module'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local define, kinds, raise, describe = arguments.define, arguments.kinds, support.raise, support.describe

local parametrize = {}

-- What holds the lists of a module, by the names of the fields; a list has the parameter `original`, too.
local Parametrizations = class.new('Parametrizations', Module)
local ParametrizationList = class.new('ParametrizationList', Container)

local function module_kind(v) return class.class_of(v) and v or nil, 'a module' end

local MODULE, NAME = { 'module', module_kind }, { 'tensor_name', kinds.name }

--- The list of a field, or nil.
local function list_of(module, name)
  local all = module._modules.values.parametrizations
  return all and class.is(all, Parametrizations) and all._modules.values[name] or nil
end

--- Raises unless what a parametrization gave can stand in the field's place.
local function check(what, given, like)
  if not support.is_tensor(given) or not support.same_shape(given, like) or support.dtype(given) ~= support.dtype(like) then
    raise('%s: the parametrization must keep size %s and dtype %s, it gave %s', what, support.shape_text(like),
      support.dtype(like), describe(given))
  end
  return given
end

--- The parametrization's inverse of a value, if it has one: a method `right_inverse`.
local function inverse(parametrization, value)
  local right_inverse = class.class_of(parametrization).right_inverse
  return right_inverse and right_inverse(parametrization, value) or value
end

local function begin(module, name, parametrization)
  local parameter = computed.parameter('register_parametrization', module, name)
  local trained, list = support.requires_grad(parameter), ParametrizationList()
  local original = support.no_grad(function() return support.ops.clone(inverse(parametrization, parameter)) end)
  check('register_parametrization', support.no_grad(parametrization, original), parameter)
  list:register_parameter('original', support.parameter(original, trained))
  if not module._modules.values.parametrizations then module.parametrizations = Parametrizations() end
  module.parametrizations:add_module(name, list)
  computed.install(module, name, function(self)
    local here = self.parametrizations[name]
    local value = here.original
    for i = 1, here:len() do value = here[i](value) end
    return value
  end)
  return list
end

--- Has a parameter be what a module makes of `original`, or, where it is that already, what one more makes of it. A module
-- with a method `right_inverse` says which original gives a value.
-- @function register_parametrization
-- @param module a module
-- @param tensor_name name of the parameter
-- @param parametrization a module of one tensor that keeps its size and dtype
-- @return the module
parametrize.register_parametrization = define('register_parametrization', {
  MODULE, NAME, { 'parametrization', module_kind },
}, function(module, name, parametrization)
  local list = list_of(module, name)
  if list then
    check('register_parametrization', support.no_grad(parametrization, module[name]), module[name])
  else
    list = begin(module, name, parametrization)
  end
  list:append(parametrization)
  return module
end)

--- Whether a field of a module, or any without a name, is made so.
-- @function is_parametrized
parametrize.is_parametrized = define('is_parametrized', {
  MODULE, { 'tensor_name', kinds.name, optional = true },
}, function(module, name)
  if name then return list_of(module, name) ~= nil end
  local all = module._modules.values.parametrizations
  return all and class.is(all, Parametrizations) or false
end)

--- Makes the field a parameter again: with the values that it has, or with leave_parametrized=false the original.
-- @function remove_parametrizations
-- @return the module
parametrize.remove_parametrizations = define('remove_parametrizations', {
  MODULE, NAME, { 'leave_parametrized', kinds.boolean, true },
}, function(module, name, leave)
  local list = list_of(module, name)
  if not list then raise("remove_parametrizations: '%s' of this %s isn't parametrized", name, class.class_of(module)._name) end
  local original = list.original
  computed.restore(module, name, leave and support.no_grad(computed.value, module, name) or original,
    support.requires_grad(original))
  local all = module.parametrizations
  slots.remove(all._modules, name)
  if #all._modules.names == 0 then slots.remove(module._modules, 'parametrizations') end
  return module
end)

return parametrize
