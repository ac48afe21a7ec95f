--- MultiModel: the models after 0, 1, 2, ... inner steps.
local nn = require 'metann.nn'
local Module = require 'metann.nn.machinery.module'
local class = require 'metann.nn.machinery.class'
local errors = require 'metann.binding.errors'
local view = require 'metann.views.view'
local proto = require 'metann.views.proto'
local raise, describe, class_of = errors.raise, errors.describe, class.class_of

--- `MultiModel(model, fast_weight_lst)`: `mm[i]` is the model with the i-th list of weights, from 1.
-- The models share one set of buffers, which starts from the base's values. `mm:len()` says how many there are,
-- `for i, model in mm:iter() do` goes through them. The base's parameters are the module's.
-- @param model a ProtoModule
-- @param fast_weight_lst list of what `model:functional` takes
-- @function MultiModel
local MultiModel = nn.class('MultiModel')

-- Where the models stand in an instance; a raw field that nn's walks see as no module.
class.own_field '_models'
local function models_of(self) return rawget(self, '_models') end

local function set_up(self, state, lists)
  rawset(self, '_models', { state = state, lists = lists, made = {} })
end

function MultiModel:init(model, fast_weight_lst, state)
  if not class_of(model) or not class_of(model)._held then
    raise('MultiModel: model must be a ProtoModule, got %s',
      class_of(model) and class_of(model)._name or describe(model))
  end
  if type(fast_weight_lst) ~= 'table' then
    raise('MultiModel: fast_weight_lst must be a list of lists of tensors, got %s', describe(fast_weight_lst))
  end
  self.model = model
  if state then return set_up(self, state, fast_weight_lst) end
  local lists = {}
  for i = 1, #fast_weight_lst do
    local made = view.record_of(model:functional(fast_weight_lst[i])).state
    state = state or made
    lists[i] = view.weights(made)
  end
  if not state then raise('MultiModel: fast_weight_lst is empty') end
  set_up(self, state, lists)
end

--- A MultiModel of a learner's view and the weights after each of its steps.
function MultiModel.of(state, lists)
  return MultiModel(proto.ProtoModule(view.record_of(state.root).base), lists, state)
end

--- How many models there are: steps + 1.
function MultiModel:len() return #models_of(self).lists end

local function at(self, i)
  local models = models_of(self)
  if not models or i % 1 ~= 0 or i < 1 or i > #models.lists then
    raise('MultiModel: index %s is out of range 1..%d', tostring(i), models and #models.lists or 0)
  end
  local made = models.made[i]
  if not made then
    made = view.sibling(models.state, models.lists[i])
    models.made[i] = made
  end
  return made
end

--- Iterates over number, model: `for i, model in mm:iter() do`.
function MultiModel:iter()
  local i, n = 0, self:len()
  return function()
    i = i + 1
    if i <= n then return i, at(self, i) end
  end
end

function MultiModel.forward()
  raise('MultiModel: it holds several models: call one of them, mm[i](x)')
end

--- As any module's metatable, but for numbers, which pick a model.
function MultiModel._make_meta(of)
  local meta = Module._make_meta(of)
  local index = meta.__index
  function meta.__index(self, name)
    if type(name) == 'number' then return at(self, name) end
    return index(self, name)
  end
  function meta.copy() raise('MultiModel: copy one of its models, mm[i]:deepcopy()') end
  return meta
end
rawset(MultiModel, '_meta', MultiModel._make_meta(MultiModel))

class.guard(MultiModel, { of = true })

return MultiModel
