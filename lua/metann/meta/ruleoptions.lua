--- The options of optim's rules, as learners need them: complete, checked, and with an lr that is set later.
local pairs = require('metann.binding.traversal').pairs
local shared = require 'metann.optim.shared'

local rules = {}

--- A rule's default for an option; nil where it must be given.
function rules.default(rule, name)
  local default = rule.defaults[name]
  if default == shared.REQUIRED then return nil end
  return default
end

--- All options of a rule, checked.
-- @param what the learner's name, for messages
-- @param rule of metann.optim
-- @param given table of options by name, lr left out
-- @param lr what the learner was given; a table stands for rates that are found at each step
function rules.options(what, rule, given, lr)
  local options = {}
  for name in pairs(rule.defaults) do
    options[name] = given[name]
    if given[name] == nil then options[name] = rules.default(rule, name) end
  end
  options.lr = type(lr) == 'number' and lr or 0
  shared.check(what, rule, options)
  return options
end

return rules
