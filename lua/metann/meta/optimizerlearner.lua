--- OptimizerLearner: any optimizer of metann.optim as the inner rule.
local pairs = require('metann.binding.traversal').pairs
local nn = require 'metann.nn'
local optim = require 'metann.optim'
local shared = require 'metann.optim.shared'
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local RuleLearner = require 'metann.meta.rulelearner'
local rules = require 'metann.meta.ruleoptions'
local evaluators = require 'metann.meta.evaluators'
local raise, describe, kinds = errors.raise, errors.describe, arguments.kinds

--- `OptimizerLearner(rule, {steps, create_graph=true, evaluator, allow_unused=false, ...})`, with the rule's own options,
-- lr among them.
-- @param rule a class of metann.optim, or its name
-- @param options `steps`: the same data at each of them; without it the data is a list or an iterator of batches, one a
-- step. `lr` as GDLearner takes it, or the optimizer's default.
-- @function OptimizerLearner
local OptimizerLearner = nn.class('OptimizerLearner', RuleLearner)

local function rule_of(rule)
  if type(rule) == 'string' then return optim.rules[rule] end
  if optim.is_class(rule) then
    if not rule.rule.update then
      raise('OptimizerLearner: %s calls its closure itself, so it is no inner rule', rule.name)
    end
    return rule.rule
  end
  return raise('OptimizerLearner: rule must be a class of metann.optim or its name, got %s', describe(rule))
end

-- What an OptimizerLearner of a rule reads, by rule; a rule that isn't known yet is read first.
local signatures = setmetatable({}, { __mode = 'k' })

local function signature_of(rule)
  local signature = signatures[rule]
  if signature then return signature end
  local list = { { 'rule', required = true }, { 'steps', named = true }, { 'lr', named = true },
    { 'create_graph', named = true, default = true },
    { 'evaluator', named = true, default = evaluators.default_evaluator_classification },
    { 'allow_unused', named = true, default = false } }
  for name in pairs(rule.defaults) do
    if name ~= 'lr' then list[#list + 1] = { name, named = true } end
  end
  for _, name in ipairs(shared.BACKEND) do list[#list + 1] = { name, kinds.boolean, named = true, optional = true } end
  signature = arguments.signature('OptimizerLearner', list)
  signatures[rule] = signature
  return signature
end

function OptimizerLearner:init(first, options, ...)
  if options ~= nil and type(options) ~= 'table' then
    raise('OptimizerLearner: options must be a table, got %s', describe(options))
  end
  local given = first
  if type(first) == 'table' and getmetatable(first) == nil then given = first.rule end
  local rule = rule_of(given)
  local o = arguments.read(signature_of(rule), first, options, ...)
  o.rule, o.options = rule, {}
  for name in pairs(rule.defaults) do
    if name ~= 'lr' then o.options[name] = o[name] end
  end
  if o.lr == nil then o.lr = rules.default(rule, 'lr') end
  if o.lr == nil then raise("OptimizerLearner: 'lr' must be given") end
  self:set_up('OptimizerLearner', o)
end

return OptimizerLearner
