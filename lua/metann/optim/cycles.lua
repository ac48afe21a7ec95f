--- Learning-rate schedules that go up and down: OneCycleLR, CyclicLR, CosineAnnealingWarmRestarts.
local arguments = require 'metann.arguments'
local schedule = require 'metann.optim.schedule'
local support = require 'metann.support'
local raise, kinds, define = support.raise, arguments.kinds, schedule.define

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

--- A number, or a list with one a group.
local one_or_each = kinds.list_kind(function(v)
  local fits = type(v) == 'number' or type(v) == 'table' and #v > 0
  for i = 1, type(v) == 'table' and #v or 0 do fits = fits and type(v[i]) == 'number' end
  return fits and v or nil, 'a number or a list with one a group'
end)

--- Where a group keeps what schedules call its momentum.
local function momentum_name(group)
  if group.momentum ~= nil then return 'momentum' end
  if group.betas ~= nil then return 'betas' end
  return nil
end

--- Raises unless a list has a number for each group.
local function check_each(self, o, name)
  local list, n = o[name], #self.optimizer.param_groups
  if type(list) == 'table' and #list ~= n then
    raise("%s: '%s' has %d numbers for %d groups", self.name, name, #list, n)
  end
end

local function check_momentum(self, o, group)
  if o.cycle_momentum and not momentum_name(group) then
    raise("%s: 'cycle_momentum' needs an optimizer with momentum or betas", self.name)
  end
end

--- What changes in a group whose momentum changes.
local function momentum_change(group, momentum)
  local name = momentum_name(group)
  return { [name] = name == 'momentum' and momentum or { momentum, group.betas[2] } }
end

--- OneCycleLR(optimizer, max_lr, {total_steps | epochs and steps_per_epoch, pct_start=0.3, anneal_strategy='cos',
-- cycle_momentum=true, base_momentum=0.85, max_momentum=0.95, div_factor=25, final_div_factor=1e4, three_phase=false}):
-- up to max_lr and down again, momentum the other way (Smith and Topin 2019). The cycle ends with total_steps - 1
-- calls of `step`, as the first lr is there from the start; one more is taken, so that a loop may call it after each
-- of total_steps batches (on the curve beyond its end, as in PyTorch), and the next is an error.
local OneCycleLR = define('OneCycleLR', {
  { 'max_lr', one_or_each }, { 'total_steps', kinds.count, optional = true },
  { 'epochs', kinds.count, optional = true }, { 'steps_per_epoch', kinds.count, optional = true }, { 'pct_start', kinds.probability, 0.3 },
  { 'anneal_strategy', kinds.choice('cos', 'linear'), 'cos' }, { 'cycle_momentum', kinds.boolean, true },
  { 'base_momentum', kinds.number, 0.85 }, { 'max_momentum', kinds.number, 0.95 },
  { 'div_factor', kinds.positive, 25 }, { 'final_div_factor', kinds.positive, 1e4 },
  { 'three_phase', kinds.boolean, false },
}, function(self, o)
  if not o.total_steps and not (o.epochs and o.steps_per_epoch) then
    raise("OneCycleLR: give 'total_steps', or 'epochs' and 'steps_per_epoch'")
  end
  check_each(self, o, 'max_lr')
  self.total_steps = o.total_steps or o.epochs * o.steps_per_epoch
  self._phases = {}
  for i, group in ipairs(self.optimizer.param_groups) do
    self._phases[i] = phases(self, o, i)
    check_momentum(self, o, group)
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
    changes = momentum_change(group, fn(phase.m_from, phase.m_to, part))
  end
  return fn(phase.from, phase.to, part), changes
end

-- ---- many cycles ----

-- The part of the height that a cycle (counted from 1), or a step, has.
local scale = {
  triangular = function() return 1 end,
  triangular2 = function(_, cycle) return 1 / 2 ^ (cycle - 1) end,
  exp_range = function(o, _, step) return o.gamma ^ step end,
}

local function of_group(value, i) return type(value) == 'table' and value[i] or value end

--- CyclicLR(optimizer, base_lr, max_lr, {step_size_up=2000, step_size_down, mode='triangular', gamma=1, scale_fn,
-- scale_mode='cycle', cycle_momentum=true, base_momentum=0.8, max_momentum=0.9}): in lines from base_lr to max_lr and
-- back, momentum the other way (Smith 2017, "Cyclical learning rates for training neural networks"). mode: cycles of
-- one height, half as high each ('triangular2'), or times gamma each step ('exp_range'); scale_fn in its place gives
-- the part of the height for a cycle or, with scale_mode 'iterations', a step. Rates and momenta may be lists with one
-- a group.
local CyclicLR = define('CyclicLR', {
  { 'base_lr', one_or_each }, { 'max_lr', one_or_each }, { 'step_size_up', kinds.positive, 2000 },
  { 'step_size_down', kinds.positive, optional = true },
  { 'mode', kinds.choice('triangular', 'triangular2', 'exp_range'), 'triangular' }, { 'gamma', kinds.number, 1 },
  { 'scale_fn', kinds.callable, optional = true }, { 'scale_mode', kinds.choice('cycle', 'iterations'), 'cycle' },
  { 'cycle_momentum', kinds.boolean, true }, { 'base_momentum', one_or_each, 0.8 },
  { 'max_momentum', one_or_each, 0.9 },
}, function(self, o)
  for _, name in ipairs{ 'base_lr', 'max_lr', 'base_momentum', 'max_momentum' } do check_each(self, o, name) end
  for i, group in ipairs(self.optimizer.param_groups) do
    check_momentum(self, o, group)
    self.base_lrs[i] = of_group(o.base_lr, i)
  end
end)

--- The part of the height at the present step.
function CyclicLR:_height()
  local o, k = self.options, self.last_epoch
  local down = o.step_size_down or o.step_size_up
  local total = o.step_size_up + down
  local cycle = math.floor(1 + k / total)
  local x, up = 1 + k / total - cycle, o.step_size_up / total
  local part = x <= up and x / up or (x - 1) / (up - 1)
  if not o.scale_fn then return part * scale[o.mode](o, cycle, k) end
  local factor = o.scale_fn(o.scale_mode == 'cycle' and cycle or k)
  if type(factor) ~= 'number' then
    raise("CyclicLR: 'scale_fn' must return a number, got %s", support.describe(factor))
  end
  return part * factor
end

function CyclicLR:_lr(i)
  local o, base, height, changes = self.options, self.base_lrs[i], self:_height(), nil
  if o.cycle_momentum then
    local low, high = of_group(o.base_momentum, i), of_group(o.max_momentum, i)
    changes = momentum_change(self.optimizer.param_groups[i], high - (high - low) * height)
  end
  return base + (of_group(o.max_lr, i) - base) * height, changes
end

-- ---- restarts ----

--- Where step `epoch` lies: how far it is in its cycle, and how long that is.
local function place(o, epoch)
  if o.T_mult == 1 then return epoch % o.T_0, o.T_0 end
  local length = o.T_0
  while epoch >= length do epoch, length = epoch - length, length * o.T_mult end
  return epoch, length
end

--- CosineAnnealingWarmRestarts(optimizer, T_0, {T_mult=1, eta_min=0}): half a cosine from the first lr to eta_min in
-- T_0 steps, then again from the first lr, in T_mult times as many each time (Loshchilov and Hutter 2017).
-- `step(epoch)` goes to a step, which need not be whole.
local Restarts = define('CosineAnnealingWarmRestarts', {
  { 'T_0', kinds.count }, { 'T_mult', kinds.count, 1 }, { 'eta_min', kinds.number, 0 },
}, function(self, o) self.T_cur, self.T_i = place(o, self.last_epoch) end)

function Restarts:_lr(i)
  local low, base = self.options.eta_min, self.base_lrs[i]
  return low + (base - low) * (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
end

local restarts_step = arguments.reader('CosineAnnealingWarmRestarts:step', {
  { 'epoch', kinds.nonnegative, optional = true },
})

--- Goes on by one step, or to step `epoch`, a number of at least 0.
function Restarts:step(...)
  local epoch, before = select('#', ...) > 0 and restarts_step(...).epoch or nil, self:_save()
  if not epoch and self.last_epoch < 0 then epoch = 0 end
  if epoch then
    self.T_cur, self.T_i = place(self.options, epoch)
    self.last_epoch = math.floor(epoch)
  else
    self.last_epoch, self.T_cur = self.last_epoch + 1, self.T_cur + 1
    if self.T_cur >= self.T_i then
      self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.options.T_mult
    end
  end
  local ok, message = pcall(self._apply, self)
  if ok then return end
  self:_put_back(before)
  error(message, 0)
end

function Restarts:_restart() self:step(0) end

schedule.guard(Restarts)
