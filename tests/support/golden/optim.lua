--- Kind `optim`: trajectories of optimizers under given gradients, and learning-rate schedules.
local metann = require 'metann'
local derivatives = require 'tests.support.golden.derivatives'
local registry = require 'tests.support.golden.torch.registry'
local torch = require 'tests.support.golden.torch.names'

local optim = { inputs = { '^init%.', '^grad%.', '^metric$' } }

local function options_of(args)
  local options = {}
  for name, value in pairs(args) do options[name] = value end
  return options
end

local function groups_of(case, params)
  local groups = {}
  for k, given in ipairs(case.groups) do
    groups[k] = options_of(given)
    groups[k].params = {}
    for i, number in ipairs(given.params) do groups[k].params[i] = params[number + 1] end
  end
  return groups
end

local function run_optimizer(case)
  local params = {}
  for i = 1, case.params do params[i] = derivatives.leaf(case:tensor('init.' .. i - 1)) end
  local make = metann.optim[case.optimizer]
  local optimizer = make(case.groups and groups_of(case, params) or params, options_of(case.args or {}))
  for step = 1, case.steps do
    for i, p in ipairs(params) do p.grad = case.tensors[('grad.%d.%d'):format(step, i - 1)] end
    optimizer:step()
    for i, p in ipairs(params) do case:compare(('param.%d.%d'):format(step, i - 1), p:detach()) end
  end
end

--- A function that is given as Python text.
local function lambda(text)
  local fn = torch.evaluate(text, {})
  return function(epoch) return registry.plain(fn.call({ n = 1, epoch }, {})) end
end

--- A schedule of a name and arguments, among which further schedules are lists {name, arguments}.
function optim.schedule(name, optimizer, args)
  local options = {}
  for key, value in pairs(args) do
    if key == 'lr_lambda' and type(value) == 'string' then value = lambda(value) end
    -- -1 is a schedule from its start, which is the only one here
    if not (key == 'last_epoch' and value == -1) and key ~= 'verbose' then options[key] = value end
  end
  if options.schedulers then
    local list = {}
    for i, each in ipairs(options.schedulers) do list[i] = optim.schedule(each[1], optimizer, each[2]) end
    options.schedulers = list
  end
  options.optimizer = optimizer
  return metann.optim.lr_scheduler[name](options)
end

--- Where an optimizer keeps what schedules call its momentum.
local function momentum_of(group) return group.momentum or group.betas and group.betas[1] end

local function run_schedule(case)
  local p = metann.zeros(1):requires_grad_(true)
  local options = { lr = case.base_lr }
  local momentum = case.optimizer_momentum
  if case.optimizer == 'SGD' or case.optimizer == 'RMSprop' then
    options.momentum = momentum
  elseif momentum and momentum ~= 0 then
    options.betas = { momentum, 0.999 }
  end
  local optimizer = metann.optim[case.optimizer]({ p }, options)
  local schedule = optim.schedule(case.scheduler, optimizer, case.args or {})
  local group = optimizer.param_groups[1]
  local lrs, momenta, metric = { group.lr }, { momentum_of(group) }, case.tensors.metric
  for k = 1, case.steps do
    optimizer:step()
    if metric then schedule:step(metric[k]:item()) else schedule:step() end
    lrs[k + 1], momenta[k + 1] = group.lr, momentum_of(group)
  end
  case:compare_numbers('lr', lrs)
  case:compare_numbers('momentum', momenta)
end

function optim.run(case)
  if case.scheduler then return run_schedule(case) end
  return run_optimizer(case)
end

return optim
