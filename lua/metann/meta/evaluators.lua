--- Evaluators: functions of a model and data that give a 0-dim loss.
local nn = require 'metann.nn'
local class_of = require('metann.nn.machinery.class').class_of
local errors = require 'metann.binding.errors'
local arguments = require 'metann.arguments'
local raise, describe = errors.raise, errors.describe

local evaluators = {}

-- The default criterion, nn.CrossEntropyLoss(), made when it is first needed.
local cross_entropy

local signature = arguments.signature('default_evaluator_classification', {
  { 'model', required = true, opaque = true }, { 'data', required = true, opaque = true }, { 'criterion' },
})

--- True when a table by name stands in place of the last arguments.
local function by_name(model, data, criterion)
  if criterion ~= nil then return type(criterion) == 'table' and getmetatable(criterion) == nil end
  if data == nil then return type(model) == 'table' and getmetatable(model) == nil end
  return type(data) == 'table' and data.data ~= nil
end

--- Raises unless `data` is a pair.
local function check_data(data)
  local got
  if class_of(data) then
    got = 'a module (a meta-learner is called with the data alone, as it holds its model)'
  elseif type(data) ~= 'table' then
    got = describe(data)
  elseif data[1] == nil or data[2] == nil then
    got = ('a table without [%d]'):format(data[1] == nil and 1 or 2)
  end
  if got then raise('default_evaluator_classification: data must be a table {x, y}, got %s', got) end
end

--- The loss of a classifier: `criterion(model(x), y)`.
-- @param model callable: x of size (n, ...) to scores of size (n, classes)
-- @param data `{x, y}`; y holds n labels from 1
-- @param[opt] criterion function or module of scores and labels; nn.CrossEntropyLoss() when nil
-- @return a 0-dim tensor
function evaluators.default_evaluator_classification(model, data, criterion, ...)
  if by_name(model, data, criterion) or select('#', ...) > 0 then
    local o = arguments.read(signature, model, data, criterion, ...)
    model, data, criterion = o.model, o.data, o.criterion
  end
  if not arguments.is_callable(model) then
    raise('default_evaluator_classification: model must be a module or a function, got %s', describe(model))
  end
  check_data(data)
  if criterion == nil then
    cross_entropy = cross_entropy or nn.CrossEntropyLoss()
    criterion = cross_entropy
  elseif not arguments.is_callable(criterion) then
    raise('default_evaluator_classification: criterion must be a function or a module, got %s', describe(criterion))
  end
  return criterion(model(data[1]), data[2])
end

return evaluators
