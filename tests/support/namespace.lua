--- What there is, by the namespaces themselves: specs that loop over these see a new class on the day it is added.
local metann = require 'metann'
local class = require 'metann.nn.class'
local nn, optim, meta = metann.nn, metann.optim, metann.meta

local namespace = {}

local function classes(room)
  local list = {}
  for _, name in ipairs(getmetatable(room).names(room)) do
    if class.is_class(room[name]) and room[name] ~= nn.Module then list[#list + 1] = name end
  end
  return list
end

local function enough(list, least)
  assert(#list >= least, ('only %d names, at least %d are there'):format(#list, least))
  return list
end

--- Names of layers, losses and containers.
function namespace.layers() return enough(classes(nn), 60) end

--- Names of the functions of nn.functional.
function namespace.functions() return enough(getmetatable(nn.functional).names(), 55) end

--- Names of the optimizers that are rules.
function namespace.optimizers() return enough(getmetatable(optim.rules).names(), 13) end

--- Names of all optimizers.
function namespace.every_optimizer() return enough(getmetatable(optim).names(), 14) end

--- Names of learning-rate schedules.
function namespace.schedules()
  local list = {}
  for name in pairs(optim.lr_scheduler) do list[#list + 1] = name end
  table.sort(list)
  return enough(list, 15)
end

--- Names of distributions, and of the functions beside them.
function namespace.distributions() return enough(getmetatable(metann.distributions).names(), 13) end

--- Names of learners and of what holds their models.
function namespace.learners() return enough(classes(meta), 8) end

--- Names of metann.meta's functions.
function namespace.meta_functions()
  local list = {}
  for _, name in ipairs(getmetatable(meta).names(meta)) do
    if type(meta[name]) == 'function' then list[#list + 1] = name end
  end
  return enough(list, 3)
end

--- Options that an optimizer can't do without.
function namespace.required(optimizer) return optimizer == 'SGD' and { lr = 0.1 } or {} end

return namespace
