--- OptimizerLearner: any optimizer of metann.optim as the inner rule.
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local errors = require 'metann.binding.errors'
local RuleLearner = require 'metann.meta.rulelearner'
local evaluators = require 'metann.meta.evaluators'
local raise, describe = errors.raise, errors.describe

local OWN = { steps = true, lr = true, create_graph = true, evaluator = true }

--- `OptimizerLearner(rule, {steps, create_graph=true, evaluator, ...})`, with the rule's own options, lr among them.
-- @param rule a class of metann.optim, or its name
-- @param options `steps`: the same data at each of them; without it the data is a list or an iterator of batches, one a
-- step. `lr` as GDLearner takes it, or the optimizer's default.
local OptimizerLearner = nn.class('OptimizerLearner', RuleLearner)

local function class_named(rule)
  local class = rule
  if type(rule) == 'string' then
    class = optim.rules[rule]
    if not class then
      local names = {}
      for name in pairs(optim.rules) do names[#names + 1] = name end
      table.sort(names)
      raise("OptimizerLearner: unknown optimizer '%s'%s", rule, errors.suggestion(rule, names))
    end
  end
  if type(class) ~= 'table' or type(class.update) ~= 'function' or type(class.defaults) ~= 'table' then
    raise('OptimizerLearner: rule must be a class of metann.optim or its name, got %s', describe(rule))
  end
  return class
end

function OptimizerLearner:init(rule, options)
  local class = class_named(rule)
  if options ~= nil and type(options) ~= 'table' then
    raise('OptimizerLearner: options must be a table, got %s', describe(options))
  end
  options = options or {}
  local known = { 'steps', 'create_graph', 'evaluator' }
  for name in pairs(class.defaults) do known[#known + 1] = name end
  table.sort(known)
  errors.check_options('OptimizerLearner', options, known)
  local own = {}
  for name, value in pairs(options) do
    if not OWN[name] then own[name] = value end
  end
  local lr = options.lr
  if lr == nil then lr = class.defaults.lr end
  if lr == nil then raise("OptimizerLearner: argument 'lr' is missing") end
  self:set_up('OptimizerLearner', {
    class = class, options = own, lr = lr, steps = options.steps,
    create_graph = options.create_graph == nil or options.create_graph,
    evaluator = options.evaluator or evaluators.default_evaluator_classification,
  })
end

return OptimizerLearner
