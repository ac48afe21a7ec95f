--- OptimizerLearner: any optimizer of metann.optim as the inner rule.
local pairs = require('metann.binding.traversal').pairs
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local errors = require 'metann.binding.errors'
local RuleLearner = require 'metann.meta.rulelearner'
local rules = require 'metann.meta.rules'
local evaluators = require 'metann.meta.evaluators'
local raise, describe = errors.raise, errors.describe

local OWN = { steps = true, lr = true, create_graph = true, evaluator = true, allow_unused = true }

--- `OptimizerLearner(rule, {steps, create_graph=true, evaluator, ...})`, with the rule's own options, lr among them.
-- @param rule a class of metann.optim, or its name
-- @param options `steps`: the same data at each of them; without it the data is a list or an iterator of batches, one a
-- step. `lr` as GDLearner takes it, or the optimizer's default.
-- @function OptimizerLearner
local OptimizerLearner = nn.class('OptimizerLearner', RuleLearner)

local function rule_of(rule)
  if type(rule) == 'string' then return optim.rules[rule] end
  if optim.is_class(rule) then return rule.rule end
  return raise('OptimizerLearner: rule must be a class of metann.optim or its name, got %s', describe(rule))
end

--- `OptimizerLearner{rule=..., ...}` has all in one table.
local function by_name(options)
  local rest = {}
  for name, value in pairs(options) do rest[name] = value end
  rest.rule = nil
  return options.rule, rest
end

function OptimizerLearner:init(rule, options)
  if type(rule) == 'table' and getmetatable(rule) == nil and options == nil then rule, options = by_name(rule) end
  rule = rule_of(rule)
  if options ~= nil and type(options) ~= 'table' then
    raise('OptimizerLearner: options must be a table, got %s', describe(options))
  end
  options = options or {}
  local known = { 'steps', 'create_graph', 'evaluator', 'allow_unused' }
  for name in pairs(rule.defaults) do known[#known + 1] = name end
  table.sort(known)
  errors.check_options('OptimizerLearner', options, known)
  local own = {}
  for name, value in pairs(options) do
    if not OWN[name] then own[name] = value end
  end
  local lr, evaluator = options.lr, options.evaluator
  if evaluator == nil then evaluator = evaluators.default_evaluator_classification end
  if lr == nil then lr = rules.default(rule, 'lr') end
  if lr == nil then raise("OptimizerLearner: 'lr' must be given") end
  self:set_up('OptimizerLearner', {
    rule = rule, options = own, lr = lr, steps = options.steps,
    create_graph = options.create_graph == nil or options.create_graph,
    evaluator = evaluator, allow_unused = options.allow_unused,
  })
end

return OptimizerLearner
