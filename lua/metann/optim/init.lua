--- metann.optim: optimizers. Each but LBFGS is a class over a pure update rule, one file a rule; `optim.rules.Adam` is
-- the rule itself, which learners run differentiably. Loaded on first use.
local support = require 'metann.support'
local errors = support.errors

local RULES = {
  'SGD', 'Adam', 'AdamW', 'RMSprop', 'Adagrad', 'Adadelta', 'Adamax', 'NAdam', 'RAdam', 'Rprop', 'ASGD', 'Adafactor',
  'Lion',
}
-- What calls its closure itself is no rule.
local OTHERS = { 'LBFGS' }
local known, names = {}, {}
for _, name in ipairs(RULES) do known[name], names[#names + 1] = true, name end
for _, name in ipairs(OTHERS) do names[#names + 1] = name end

local function missing(what, name)
  errors.no_member('metann.' .. what, name, what == 'optim' and names or RULES)
end

local rules = setmetatable({}, {
  names = function() return { unpack(RULES) } end,
  __index = function(self, name)
    if not known[name] then missing('optim.rules', name) end
    local rule = require('metann.optim.' .. name:lower())
    rawset(self, name, rule)
    return rule
  end,
})

local optim = { rules = rules }

--- True when a value is a class of optimizers, such as optim.Adam.
function optim.is_class(value)
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and mt.is_optimizer_class == true
end

return setmetatable(optim, {
  names = function() return { unpack(names) } end,
  __index = function(self, name)
    local made
    if name == 'lr_scheduler' then
      made = require 'metann.optim.lr_scheduler'
    elseif name == 'Optimizer' then
      made = require 'metann.optim.optimizer'
    elseif known[name] or name == 'LBFGS' then
      made = known[name] and require('metann.optim.optimizer').class(rules[name]) or require 'metann.optim.lbfgs'
      errors.name_member(getmetatable(made).__call, function(class) return class.name end)
    else
      missing('optim', name)
    end
    rawset(self, name, made)
    return made
  end,
})
