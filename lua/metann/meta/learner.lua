--- Learner: the base class of what adapts a model to data.
local nn = require 'metann.nn'
local class = require 'metann.nn.machinery.class'
local errors = require 'metann.binding.errors'
local call = require 'metann.meta.call'
local raise, describe, class_of = errors.raise, errors.describe, class.class_of

--- A learner is called as `learner(model, data, {inplace=false, evaluator=nil, mimo=false, buffers='view',
-- training=true, allow_unused=nil})`, the options also by position in the order `inplace, evaluator`. `allow_unused`: a
-- step in which no weight gets a gradient is no error.
--
-- Subclass it with `nn.class('Mine', meta.Learner)` and define `forward_pure(model, data, options)`, which leaves the
-- model as it is and returns an adapted one, or `forward_inplace(model, data, options)`, which trains and returns it.
-- `options` are those of the call, defaults filled in; the data is passed on as it is. The one that isn't defined
-- raises 'not implemented'.
-- @function Learner
local Learner = nn.class('Learner')

function Learner:forward(first, second, ...)
  -- the usual call is a short one: learners are called once a task
  if select('#', ...) == 0 and second ~= nil and class_of(first) then
    return self:forward_pure(first, second, call.defaults())
  end
  local name = class_of(self)._name
  local o = call.of_learner(name, first, second, ...)
  local model, data = o.model, o.data
  o.model, o.data = nil, nil
  if not class_of(model) then
    raise('%s: model must be a module, got %s', name, describe(model))
  end
  if not o.inplace then return self:forward_pure(model, data, o) end
  if o.mimo then raise("%s: 'mimo' needs the models after each step, which 'inplace' overwrites", name) end
  return self:forward_inplace(model, data, o)
end

--- Adapts without touching the model; a subclass defines it.
function Learner:forward_pure()
  raise('%s: forward_pure is not implemented: define it, or call with inplace=true', class_of(self)._name)
end

--- Adapts the model itself; a subclass defines it.
function Learner:forward_inplace()
  raise('%s: forward_inplace is not implemented: define it, or call without inplace', class_of(self)._name)
end

class.guard(Learner)

return Learner
