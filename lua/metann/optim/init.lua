--- metann.optim: optimizers. Each is a class over a pure update rule, one file a rule; `optim.rules.Adam` is the rule
-- itself, which learners run differentiably. Loaded on first use.
local support = require 'metann.support'
local errors = support.errors

local NAMES = { 'SGD', 'Adam', 'AdamW', 'RMSprop', 'Adagrad', 'Adadelta', 'Adamax', 'NAdam', 'RAdam', 'Rprop' }
local known = {}
for _, name in ipairs(NAMES) do known[name] = true end

local function missing(what, name)
  errors.no_member('metann.' .. what, name, NAMES)
end

local rules = setmetatable({}, {
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
  names = function() return { unpack(NAMES) } end,
  __index = function(self, name)
    local made
    if name == 'lr_scheduler' then
      made = require 'metann.optim.lr_scheduler'
    elseif name == 'Optimizer' then
      made = require 'metann.optim.optimizer'
    elseif known[name] then
      made = require('metann.optim.optimizer').class(rules[name])
      errors.name_member(getmetatable(made).__call, function(class) return class.name end)
    else
      missing('optim', name)
    end
    rawset(self, name, made)
    return made
  end,
})
