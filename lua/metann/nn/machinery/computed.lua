--- Fields of a module that are computed whenever they are read, in place of a parameter: weights made of other parameters.
-- What computes one gets the module that it is read from, so that in a view or a DependentModule it is made of the weights
-- there, and gradients flow into what those depend on.
local next = require('metann.binding.traversal').next
local class = require 'metann.nn.machinery.class'
local slots = require 'metann.nn.machinery.slots'
local support = require 'metann.support'
local raise = support.raise

local computed = {}

--- The module's own parameter of a name, or an error.
function computed.parameter(what, module, name)
  if not class.class_of(module) then raise('%s: expected a module, got %s', what, support.describe(module)) end
  if not rawequal(module:_owner(), module) then
    raise("%s: a view's parameters are those of its base: use deepcopy()", what)
  end
  local label, by = class.class_of(module)._name, rawget(module, '_computed')
  if by and by[name] then raise("%s: '%s' of this %s is computed already", what, name, label) end
  local parameter = module._parameters.values[name]
  if not parameter then raise("%s: this %s has no parameter '%s'", what, label, name) end
  return parameter
end

--- Takes a parameter out and has fn(self) compute the field instead.
function computed.install(module, name, fn)
  slots.remove(module._parameters, name)
  local by = rawget(module, '_computed') or {}
  by[name] = fn
  rawset(module, '_computed', by)
end

--- What the field is now.
function computed.value(module, name) return rawget(module, '_computed')[name](module) end

--- Undoes install: the field is a parameter with the given values.
function computed.restore(module, name, value, requires_grad)
  local by = rawget(module, '_computed')
  by[name] = nil
  if next(by) == nil then rawset(module, '_computed', nil) end
  module[name] = support.parameter(value, requires_grad)
end

--- Undoes install: the field is a parameter with the values that were computed last; `used` are the names of the
-- parameters and buffers that it was made of, which go.
function computed.remove(what, module, name, used)
  local by = rawget(module, '_computed')
  if not (by and by[name]) or module._parameters.values[used[1]] == nil then
    raise("%s: '%s' of this %s isn't computed so", what, name, class.class_of(module)._name)
  end
  local requires_grad = support.requires_grad(module[used[1]])
  local value = support.no_grad(computed.value, module, name)
  for _, other in ipairs(used) do
    slots.remove(module._parameters, other)
    slots.remove(module._buffers, other)
  end
  computed.restore(module, name, value, requires_grad)
end

return computed
