--- Learning-rate schedules, as PyTorch has them. Each is made for an optimizer and changes the lr of its groups at
-- every `step()`, called after the optimizer's. An lr that is a tensor is written in place. Most go from the present lr
-- to the next, so that several schedules of one optimizer multiply. The lr that all of them start from stands in the
-- group as `initial_lr`, from the first schedule on. `last_epoch` (-1: from the start) continues after that many steps,
-- for groups that have an `initial_lr`.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local schedule = require 'metann.optim.schedule'
local support = require 'metann.support'
local errors, raise, is_tensor = support.errors, support.raise, support.is_tensor
local kinds, define, scheduler = arguments.kinds, schedule.define, schedule.classes

--- StepLR(optimizer, step_size, {gamma=0.1}): times gamma every step_size steps.
local StepLR = define('StepLR', { { 'step_size', kinds.count }, { 'gamma', kinds.number, 0.1 } })
function StepLR:_lr(_, lr)
  local k = self.last_epoch
  return k > 0 and k % self.options.step_size == 0 and lr * self.options.gamma or lr
end

--- MultiStepLR(optimizer, milestones, {gamma=0.1}): times gamma at each of the given steps.
local MultiStepLR = define('MultiStepLR', { { 'milestones', schedule.whole_numbers }, { 'gamma', kinds.number, 0.1 } })
function MultiStepLR:_lr(_, lr)
  for _, at in ipairs(self.options.milestones) do
    if at == self.last_epoch then lr = lr * self.options.gamma end
  end
  return lr
end

--- ExponentialLR(optimizer, gamma): times gamma every step.
local ExponentialLR = define('ExponentialLR', { { 'gamma', kinds.number } })
function ExponentialLR:_lr(_, lr) return self.last_epoch > 0 and lr * self.options.gamma or lr end

--- CosineAnnealingLR(optimizer, T_max, {eta_min=0}): half a cosine from the first lr to eta_min in T_max steps, and
-- back (Loshchilov and Hutter 2017).
local CosineAnnealingLR = define('CosineAnnealingLR', { { 'T_max', kinds.count }, { 'eta_min', kinds.number, 0 } })
function CosineAnnealingLR:_lr(i, lr)
  local o, k, base = self.options, self.last_epoch, self.base_lrs[i]
  if k == 0 then return lr end
  local function height(step) return 1 + math.cos(math.pi * step / o.T_max) end
  if self._resumed then return o.eta_min + (base - o.eta_min) * height(k) / 2 end
  if (k - 1 - o.T_max) % (2 * o.T_max) == 0 then
    -- from the lowest point, where the proportion below is 0 / 0
    return lr + (base - o.eta_min) * (1 - math.cos(math.pi / o.T_max)) / 2
  end
  return height(k) / height(k - 1) * (lr - o.eta_min) + o.eta_min
end

local function start_factor(v)
  if type(v) == 'number' and v > 0 and v <= 1 then return v end
  return nil, 'a number above 0 and up to 1'
end

--- LinearLR(optimizer, {start_factor=1/3, end_factor=1, total_iters=5}): the first lr times a factor that goes in a
-- line from start_factor to end_factor in total_iters steps.
local LinearLR = define('LinearLR', {
  { 'start_factor', start_factor, 1 / 3 }, { 'end_factor', kinds.probability, 1 }, { 'total_iters', kinds.count, 5 },
})
function LinearLR:_lr(_, lr)
  local o, k = self.options, self.last_epoch
  if k == 0 then return lr * o.start_factor end
  if k > o.total_iters then return lr end
  local way = o.end_factor - o.start_factor
  return lr * (1 + way / (o.total_iters * o.start_factor + (k - 1) * way))
end

--- ConstantLR(optimizer, {factor=1/3, total_iters=5}): the first lr times factor, and itself after total_iters steps.
local ConstantLR = define('ConstantLR', { { 'factor', start_factor, 1 / 3 }, { 'total_iters', kinds.whole, 5 } })
function ConstantLR:_lr(_, lr)
  local o, k = self.options, self.last_epoch
  if k == 0 then return lr * o.factor end
  return k == o.total_iters and lr * (1 / o.factor) or lr
end

--- PolynomialLR(optimizer, {total_iters=5, power=1}): the first lr times (1 - steps / total_iters)^power, down to 0.
local PolynomialLR = define('PolynomialLR', { { 'total_iters', kinds.count, 5 }, { 'power', kinds.number, 1 } })
function PolynomialLR:_lr(_, lr)
  local total, k = self.options.total_iters, self.last_epoch
  if k == 0 or k > total then return lr end
  return lr * ((1 - k / total) / (1 - (k - 1) / total)) ^ self.options.power
end

-- ---- functions of the user's ----

--- What LambdaLR and MultiplicativeLR take: a function, or a list with one a group.
local LR_LAMBDA = { 'lr_lambda', kinds.list_kind(function(v)
  if type(v) == 'function' or type(v) == 'table' then return v end
  return nil, 'a function or a list of functions'
end) }

local function check_lambdas(self, o)
  local list, n = o.lr_lambda, #self.optimizer.param_groups
  if type(list) == 'table' and #list ~= n then
    raise("%s: 'lr_lambda' has %d functions for %d groups", self.name, #list, n)
  end
  for i = 1, type(list) == 'table' and n or 0 do
    if type(list[i]) ~= 'function' then
      raise("%s: 'lr_lambda' must be a function or a list of functions, entry %d is %s", self.name, i,
        support.describe(list[i]))
    end
  end
end

--- What the function of group i gives for the steps so far.
local function factor_of(self, i)
  local fn = self.options.lr_lambda
  if type(fn) == 'table' then fn = fn[i] end
  local factor = fn(self.last_epoch)
  if type(factor) ~= 'number' then
    raise("%s: 'lr_lambda' must return a number, got %s", self.name, support.describe(factor))
  end
  return factor
end

--- LambdaLR(optimizer, lr_lambda): the first lr times lr_lambda(steps so far); a function, or a list with one a group.
local LambdaLR = define('LambdaLR', { LR_LAMBDA }, check_lambdas)
function LambdaLR:_lr(i) return self.base_lrs[i] * factor_of(self, i) end

--- MultiplicativeLR(optimizer, lr_lambda): the lr times lr_lambda(steps so far) at each step; a function, or a list
-- with one a group.
local MultiplicativeLR = define('MultiplicativeLR', { LR_LAMBDA }, check_lambdas)
function MultiplicativeLR:_lr(i, lr) return self.last_epoch > 0 and lr * factor_of(self, i) or lr end
function MultiplicativeLR:_start_lr(i, lr) return lr * factor_of(self, i) end

-- ---- plateau ----

local least_lr = kinds.list_kind(function(v)
  for _, each in ipairs(type(v) == 'table' and v or { v }) do
    if type(each) ~= 'number' or each < 0 then return nil, 'a number of at least 0, or a list with one a group' end
  end
  if type(v) == 'table' and #v == 0 then return nil, 'a number of at least 0, or a list with one a group' end
  return v
end)

--- ReduceLROnPlateau(optimizer, {mode='min', factor=0.1, patience=10, threshold=1e-4, threshold_mode='rel', cooldown=0,
-- min_lr=0, eps=1e-8}): `step(metric)`, a number or 0-dim tensor; times factor when the metric has not improved for
-- more than `patience` steps. min_lr may be a list with one a group.
local Plateau = define('ReduceLROnPlateau', {
  { 'mode', kinds.choice('min', 'max'), 'min' }, { 'factor', kinds.number, 0.1 }, { 'patience', kinds.whole, 10 },
  { 'threshold', kinds.number, 1e-4 }, { 'threshold_mode', kinds.choice('rel', 'abs'), 'rel' },
  { 'cooldown', kinds.whole, 0 }, { 'min_lr', least_lr, 0 }, { 'eps', kinds.nonnegative, 1e-8 },
}, function(self, o)
  local groups = #self.optimizer.param_groups
  if type(o.min_lr) == 'table' and #o.min_lr ~= groups then
    raise("ReduceLROnPlateau: 'min_lr' has %d numbers for %d groups", #o.min_lr, groups)
  end
  if o.factor >= 1 then raise("ReduceLROnPlateau: 'factor' must be below 1, got %s", tostring(o.factor)) end
  self.best = o.mode == 'min' and math.huge or -math.huge
  self.num_bad_epochs, self.cooldown_counter, self._reducing = 0, 0, false
end)

local function better(o, value, best)
  local sign = o.mode == 'min' and -1 or 1
  local bar = best + sign * o.threshold
  if o.threshold_mode == 'rel' then bar = best * (1 + sign * o.threshold) end
  if o.mode == 'min' then return value < bar end
  return value > bar
end

function Plateau:_lr(i, lr)
  local o = self.options
  if not self._reducing then return lr end
  local least = type(o.min_lr) == 'table' and (o.min_lr[i] or 0) or o.min_lr
  local new = math.max(lr * o.factor, least)
  return lr - new > o.eps and new or lr
end

--- The counters after a metric, and whether the lr is to be reduced.
function Plateau:_after(metric)
  local o, best, bad, cooldown = self.options, self.best, self.num_bad_epochs, self.cooldown_counter
  if better(o, metric, best) then best, bad = metric, 0 else bad = bad + 1 end
  if cooldown > 0 then cooldown, bad = cooldown - 1, 0 end
  local reducing = bad > o.patience
  if reducing then cooldown, bad = o.cooldown, 0 end
  return { best = best, num_bad_epochs = bad, cooldown_counter = cooldown }, reducing
end

local plateau_step = arguments.reader('ReduceLROnPlateau:step', { { 'metric' } })

function Plateau:step(...)
  local metric = plateau_step(...).metric
  if is_tensor(metric) and support.numel(metric) == 1 then metric = metric:item() end
  if type(metric) ~= 'number' then
    raise("ReduceLROnPlateau:step: 'metric' must be a number or a 0-dim tensor, got %s", support.describe(metric))
  end
  local after, reducing = self:_after(metric)
  self._reducing = reducing
  schedule.Scheduler.step(self)
  for name, value in pairs(after) do self[name] = value end
end

schedule.guard(Plateau)

require 'metann.optim.cycles'
require 'metann.optim.sequences'

local names = {}
for name in pairs(scheduler) do names[#names + 1] = name end

return setmetatable(scheduler, {
  __index = function(_, name)
    raise("optim.lr_scheduler has no '%s'%s", tostring(name), errors.suggestion(name, names))
  end,
})
