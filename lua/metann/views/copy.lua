--- Deep copies of views: modules of their own, with the view's weights and buffers as detached leaves.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local class = require 'metann.nn.machinery.class'
local slots = require 'metann.nn.machinery.slots'
local copy = require 'metann.nn.machinery.copy'
local support = require 'metann.support'
local view = require 'metann.views.view'
local ops, keep, id = support.ops, support.keep, support.id

local viewcopy = {}

--- A leaf with the values of `tensor`; the flags are those of the slot that it is for.
local function leaf(tensor, is_parameter, requires_grad)
  local made = ops.clone(ops.detach(tensor))
  if is_parameter then support.mark_parameter(made) end
  if requires_grad then support.set_requires_grad(made, true) end
  return keep(made)
end

local function copy_fields(self, made, memo)
  for name, value in next, self do
    if name ~= '_view' then rawset(made, name, copy.value(value, memo, name)) end
  end
  for name, value in pairs(rawget(self, '_view').tensors or {}) do
    made._tensors[name] = value and leaf(value, false, false) or nil
  end
  made.training = self.training
  local dict = made._buffers
  for _, name in ipairs(dict.names) do
    if dict.values[name] then slots.set(dict, name, keep(ops.clone(ops.detach(self._buffers.values[name])))) end
  end
end

--- Puts the weights in use into the copy, tied slots getting one leaf.
local function copy_weights(modules, memo, state)
  local made_of = {}
  for _, module in ipairs(modules) do
    local record = view.record_of(module)
    local made = memo[record.base]
    local binding = state.plan.bindings[record.base]
    for k = 1, binding and binding.n or 0 do
      local name, place = binding.names[k], binding.index[k]
      local weight = module[name]
      local dict = made._parameters
      local is_parameter = dict.values[name] ~= nil
      if not is_parameter then dict = made._dependents end
      if not weight then
        slots.set(dict, name, nil)
      else
        local frozen = state.plan.slots[place].info and state.plan.slots[place].info.frozen
        local own = is_parameter and dict.values[name]
        local wants = support.requires_grad(weight) or own and support.requires_grad(own) or false
        local key = place .. '/' .. id(weight)
        made_of[key] = made_of[key] or leaf(weight, is_parameter, wants and not frozen)
        slots.set(dict, name, made_of[key])
      end
    end
  end
end

--- A copy of a view as an ordinary module of its base's class.
-- @param self the view
-- @param[opt] outer the memo of what the view is copied as a part of
function viewcopy.module(self, outer)
  local record = view.record_of(self)
  -- a memo of its own: the base may be copied beside the view
  local memo = {}
  local made = copy.value(record.base, memo, class.class_of(self)._name)
  local modules = {}
  for module in self:modules() do
    modules[#modules + 1] = module
    local base = view.record_of(module).base
    copy_fields(module, memo[base], memo)
    if outer then outer[module] = memo[base] end
  end
  copy_weights(modules, memo, record.state)
  return made
end

return viewcopy
