--- Learning-rate schedules, as PyTorch has them. Each is made for an optimizer and changes the lr of its groups at
-- every `step()`, called after the optimizer's. An lr that is a tensor is written in place.
-- Most go from the present lr to the next, so that several schedules of one optimizer multiply. The lr that all of them
-- start from stands in the group as `initial_lr`, from the first schedule on. `last_epoch` (-1: from the start) continues
-- after that many steps, for groups that have an `initial_lr`.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local guards = require 'metann.binding.guards'
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local errors, raise, is_tensor, ops = support.errors, support.raise, support.is_tensor, support.ops
local kinds = arguments.kinds

local scheduler, NOTHING = {}, {}

local function read_lr(group)
  local lr = group.lr
  if is_tensor(lr) then return lr:item() end
  return lr
end

--- Gives groups their lr, all or none; the tensors among them can fail, so they come first.
local function write_lrs(what, groups, values)
  local targets, sources = {}, {}
  for i = 1, #values do
    local lr = groups[i].lr
    if is_tensor(lr) then
      targets[#targets + 1] = lr
      sources[#sources + 1] = support.beside(lr, ops.full, support.shape(lr), values[i], support.dtype(lr))
    end
  end
  if #targets > 0 then support.overwrite(what, targets, sources) end
  for i = 1, #values do
    if not is_tensor(groups[i].lr) then groups[i].lr = values[i] end
  end
end

local Scheduler = {}
Scheduler.__index = Scheduler

--- Goes on by one step: sets every group's lr. A step that fails, in a function of the user's, changes nothing.
function Scheduler:step()
  local before = self.last_epoch
  self.last_epoch = before + 1
  local ok, message = pcall(self._apply, self)
  if ok then return end
  self.last_epoch = before
  error(message, 0)
end

--- Sets the lr of the groups that were there when the schedule was made, and what else `_lr` gives for a group; all is
-- found before any is written.
function Scheduler:_apply()
  local groups, found, others = self.optimizer.param_groups, {}, {}
  for i = 1, #self.base_lrs do found[i], others[i] = self:_lr(i, read_lr(groups[i])) end
  write_lrs(self.name .. ':step', groups, found)
  self._last_lr = {}
  for i = 1, #found do
    for name, value in pairs(others[i] or NOTHING) do groups[i][name] = value end
    self._last_lr[i] = read_lr(groups[i])
  end
  self._resumed = false
end

--- The groups' learning rates, a list.
function Scheduler:get_last_lr()
  local list = {}
  for i, lr in ipairs(self._last_lr) do list[i] = lr end
  return list
end

--- A copy of a value without functions.
local function plain_copy(value)
  if type(value) == 'function' then return nil end
  if type(value) ~= 'table' then return value end
  local made = {}
  for key, entry in pairs(value) do made[key] = plain_copy(entry) end
  return made
end

--- Where the schedule stands and what its options are, but for functions: plain numbers, strings and tables.
function Scheduler:state_dict()
  local state = {}
  for key, value in pairs(self) do
    if key ~= 'optimizer' then state[key] = plain_copy(value) end
  end
  return state
end

--- Takes over what state_dict of a schedule of this kind gave; functions stay. The groups' lr belong to the optimizer's
-- own state.
function Scheduler:load_state_dict(state)
  if type(state) ~= 'table' or type(state.last_epoch) ~= 'number' or type(state.options) ~= 'table' then
    raise('%s:load_state_dict: expected what state_dict returns, got %s', self.name, support.describe(state))
  end
  for key, value in pairs(state) do
    if self[key] == nil or type(self[key]) ~= type(value) then
      raise("%s:load_state_dict: '%s' doesn't belong to a %s", self.name, tostring(key), self.name)
    end
  end
  for key in pairs(state.options) do
    if not self.option_names[key] then
      raise("%s:load_state_dict: '%s' doesn't belong to a %s", self.name, tostring(key), self.name)
    end
  end
  for key, value in pairs(state) do
    if key ~= 'options' then self[key] = plain_copy(value) end
  end
  for key, value in pairs(state.options) do
    -- of a list of functions only the holes come back
    if type(value) ~= 'table' or next(value) ~= nil then self.options[key] = plain_copy(value) end
  end
end

local function is_schedule(value)
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'option_names') ~= nil
end

guards.guard(Scheduler, 'schedule', is_schedule)

local function an_optimizer(v)
  return type(v) == 'table' and type(rawget(v, 'param_groups')) == 'table' and v or nil, 'an optimizer'
end

--- The first lr of each group.
local function base_lrs(name, optimizer, last_epoch)
  local list = {}
  for i, group in ipairs(optimizer.param_groups) do
    if last_epoch == -1 then
      list[i] = group.initial_lr or read_lr(group)
    elseif group.initial_lr == nil then
      raise("%s: 'last_epoch' is %d, but group %d of the optimizer has no 'initial_lr', which the first schedule notes "
        .. 'and load_state_dict brings back', name, last_epoch, i)
    else
      list[i] = group.initial_lr
    end
  end
  return list
end

--- Makes a class. `start(self, o)` prepares; `class:_lr(i, lr)` gives the lr of group i after last_epoch steps, from
-- the present one.
local function define(name, parameters, start)
  local class = setmetatable({ name = name, option_names = {} }, { __index = Scheduler })
  class.__index = class
  local list = { { 'optimizer', an_optimizer, opaque = true } }
  for i, p in ipairs(parameters) do list[i + 1], class.option_names[p[1]] = p, true end
  list[#list + 1] = { 'last_epoch', kinds.integer, -1 }
  local read = arguments.reader(name, list)
  scheduler[name] = setmetatable({ name = name }, {
    __call = errors.name_member(function(_, ...)
      local o = read(...)
      local optimizer, last_epoch = o.optimizer, o.last_epoch
      o.optimizer = nil
      if last_epoch < -1 then raise("%s: 'last_epoch' must be at least -1, got %d", name, last_epoch) end
      o.last_epoch = nil
      local self = setmetatable({ optimizer = optimizer, options = o }, class)
      self.base_lrs, self.last_epoch = base_lrs(name, optimizer, last_epoch), last_epoch + 1
      self._resumed = self.last_epoch > 0
      if start then start(self, o) end
      self:_apply()
      -- for schedules to come
      for i, lr in ipairs(self.base_lrs) do optimizer.param_groups[i].initial_lr = lr end
      return self
    end, name),
  })
  return class
end

local numbers = kinds.list_kind(function(v)
  if type(v) ~= 'table' then return nil, 'a list of whole numbers' end
  for i = 1, #v do
    if type(v[i]) ~= 'number' or v[i] % 1 ~= 0 then return nil, 'a list of whole numbers' end
  end
  return v
end)

--- StepLR(optimizer, step_size, {gamma=0.1}): times gamma every step_size steps.
local StepLR = define('StepLR', { { 'step_size', kinds.count }, { 'gamma', kinds.number, 0.1 } })
function StepLR:_lr(_, lr)
  local k = self.last_epoch
  return k > 0 and k % self.options.step_size == 0 and lr * self.options.gamma or lr
end

--- MultiStepLR(optimizer, milestones, {gamma=0.1}): times gamma at each of the given steps.
local MultiStepLR = define('MultiStepLR', { { 'milestones', numbers }, { 'gamma', kinds.number, 0.1 } })
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

--- LambdaLR(optimizer, lr_lambda): the first lr times lr_lambda(steps so far); a function, or a list with one a group.
local LambdaLR = define('LambdaLR', {
  { 'lr_lambda', kinds.list_kind(function(v)
    if type(v) == 'function' or type(v) == 'table' then return v end
    return nil, 'a function or a list of functions'
  end) },
}, function(self, o)
  local list, n = o.lr_lambda, #self.optimizer.param_groups
  if type(list) == 'table' and #list ~= n then
    raise("LambdaLR: 'lr_lambda' has %d functions for %d groups", #list, n)
  end
  for i = 1, type(list) == 'table' and n or 0 do
    if type(list[i]) ~= 'function' then
      raise("LambdaLR: 'lr_lambda' must be a function or a list of functions, entry %d is %s", i,
        support.describe(list[i]))
    end
  end
end)
function LambdaLR:_lr(i)
  local fn = self.options.lr_lambda
  if type(fn) == 'table' then fn = fn[i] end
  local factor = fn(self.last_epoch)
  if type(factor) ~= 'number' then
    raise("LambdaLR: 'lr_lambda' must return a number, got %s", support.describe(factor))
  end
  return self.base_lrs[i] * factor
end

-- ---- one cycle ----

local anneal = {
  cos = function(from, to, part) return to + (from - to) / 2 * (1 + math.cos(math.pi * part)) end,
  linear = function(from, to, part) return from + (to - from) * part end,
}

--- The phases: each ends at step `last` and goes from one lr to another, and for momentum.
local function phases(self, o, i)
  local total, top = self.total_steps, o.max_lr
  if type(top) == 'table' then top = top[i] end
  local first = top / o.div_factor
  local least = first / o.final_div_factor
  local low, high = o.base_momentum, o.max_momentum
  local up = o.pct_start * total - 1
  if o.three_phase then
    return {
      { last = up, from = first, to = top, m_from = high, m_to = low },
      { last = 2 * o.pct_start * total - 2, from = top, to = first, m_from = low, m_to = high },
      { last = total - 1, from = first, to = least, m_from = high, m_to = high },
    }
  end
  return {
    { last = up, from = first, to = top, m_from = high, m_to = low },
    { last = total - 1, from = top, to = least, m_from = low, m_to = high },
  }
end

local max_lr = kinds.list_kind(function(v)
  local fits = type(v) == 'number' or type(v) == 'table' and #v > 0
  for i = 1, type(v) == 'table' and #v or 0 do fits = fits and type(v[i]) == 'number' end
  return fits and v or nil, 'a number or a list with one a group'
end)

local function momentum_name(group)
  if group.momentum ~= nil then return 'momentum' end
  if group.betas ~= nil then return 'betas' end
  return nil
end

--- OneCycleLR(optimizer, max_lr, {total_steps | epochs and steps_per_epoch, pct_start=0.3, anneal_strategy='cos',
-- cycle_momentum=true, base_momentum=0.85, max_momentum=0.95, div_factor=25, final_div_factor=1e4, three_phase=false}):
-- up to max_lr and down again, momentum the other way (Smith and Topin 2019). The cycle ends with total_steps - 1
-- calls of `step`, as the first lr is there from the start; one more is taken, so that a loop may call it after each
-- of total_steps batches (on the curve beyond its end, as in PyTorch), and the next is an error.
local OneCycleLR = define('OneCycleLR', {
  { 'max_lr', max_lr }, { 'total_steps', kinds.count, optional = true }, { 'epochs', kinds.count, optional = true },
  { 'steps_per_epoch', kinds.count, optional = true }, { 'pct_start', kinds.probability, 0.3 },
  { 'anneal_strategy', kinds.choice('cos', 'linear'), 'cos' }, { 'cycle_momentum', kinds.boolean, true },
  { 'base_momentum', kinds.number, 0.85 }, { 'max_momentum', kinds.number, 0.95 },
  { 'div_factor', kinds.positive, 25 }, { 'final_div_factor', kinds.positive, 1e4 },
  { 'three_phase', kinds.boolean, false },
}, function(self, o)
  if not o.total_steps and not (o.epochs and o.steps_per_epoch) then
    raise("OneCycleLR: give 'total_steps', or 'epochs' and 'steps_per_epoch'")
  end
  if type(o.max_lr) == 'table' and #o.max_lr ~= #self.optimizer.param_groups then
    raise("OneCycleLR: 'max_lr' has %d numbers for %d groups", #o.max_lr, #self.optimizer.param_groups)
  end
  self.total_steps = o.total_steps or o.epochs * o.steps_per_epoch
  self._phases = {}
  for i, group in ipairs(self.optimizer.param_groups) do
    self._phases[i] = phases(self, o, i)
    if o.cycle_momentum and not momentum_name(group) then
      raise("OneCycleLR: 'cycle_momentum' needs an optimizer with momentum or betas")
    end
  end
end)
function OneCycleLR:_lr(i)
  local o, k, start = self.options, self.last_epoch, 0
  if k > self.total_steps then raise('OneCycleLR: step %d is past total_steps %d', k, self.total_steps) end
  local phase, part, changes
  for j, p in ipairs(self._phases[i]) do
    -- of a phase without length (pct_start 1) its end holds
    phase, part = p, p.last == start and 1 or (k - start) / (p.last - start)
    if k <= p.last or j == #self._phases[i] then break end
    start = p.last
  end
  local fn = anneal[o.anneal_strategy]
  if o.cycle_momentum then
    local group = self.optimizer.param_groups[i]
    local momentum = fn(phase.m_from, phase.m_to, part)
    local name = momentum_name(group)
    changes = { [name] = name == 'momentum' and momentum or { momentum, group.betas[2] } }
  end
  return fn(phase.from, phase.to, part), changes
end

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
  Scheduler.step(self)
  for name, value in pairs(after) do self[name] = value end
end

guards.guard(Plateau, 'schedule', is_schedule)

local names = {}
for name in pairs(scheduler) do names[#names + 1] = name end

return setmetatable(scheduler, {
  __index = function(_, name)
    raise("optim.lr_scheduler has no '%s'%s", tostring(name), errors.suggestion(name, names))
  end,
})
