--- Learning-rate schedules made of others: SequentialLR, ChainedScheduler.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local schedule = require 'metann.optim.schedule'
local support = require 'metann.support'
local raise, kinds, Scheduler = support.raise, arguments.kinds, schedule.Scheduler

local schedulers = kinds.list_kind(function(v)
  local fits = type(v) == 'table' and not schedule.is(v) and #v > 0
  for i = 1, fits and #v or 0 do fits = fits and schedule.is(v[i]) end
  return fits and { unpack(v) } or nil, 'a list of schedules'
end)

--- Raises unless all are schedules of one optimizer that can be stepped without a number.
local function check(name, list, optimizer)
  for i, each in ipairs(list) do
    if each.name == 'ReduceLROnPlateau' then
      raise("%s: schedule %d is a ReduceLROnPlateau, whose step needs a metric", name, i)
    end
    if not rawequal(each.optimizer, optimizer) then
      raise('%s: schedule %d is of another optimizer', name, i)
    end
  end
end

--- Calls fn; where it fails the schedules and the groups are put back.
local function all_or_nothing(self, fn)
  local saved, groups = self:_save(), {}
  for i, group in ipairs(self.optimizer.param_groups) do
    groups[i] = { lr = schedule.read_lr(group), momentum = group.momentum, betas = group.betas }
  end
  local ok, message = pcall(fn, self)
  if ok then return end
  self:_put_back(saved)
  local rates = {}
  for i, before in ipairs(groups) do
    local group = self.optimizer.param_groups[i]
    rates[i], group.momentum, group.betas = before.lr, before.momentum, before.betas
  end
  schedule.write_lrs(self.name .. ':step', self.optimizer.param_groups, rates)
  error(message, 0)
end

-- ---- what both have ----

local Several = setmetatable({}, { __index = Scheduler })

function Several:_save()
  local saved = { own = Scheduler._save(self), parts = {} }
  for i, each in ipairs(self._schedulers) do saved.parts[i] = each:_save() end
  return saved
end

function Several:_put_back(saved)
  Scheduler._put_back(self, saved.own)
  for i, each in ipairs(self._schedulers) do each:_put_back(saved.parts[i]) end
end

--- Where it and its schedules stand.
function Several:state_dict()
  local parts, list = {}, self._schedulers
  for i, each in ipairs(list) do parts[i] = each:state_dict() end
  self._schedulers = nil
  local state = Scheduler.state_dict(self)
  self._schedulers, state._schedulers = list, parts
  return state
end

--- Takes over what state_dict gave; the schedules must be of the same kinds, in the same order.
function Several:load_state_dict(state)
  local list, parts = self._schedulers, type(state) == 'table' and state._schedulers
  if type(parts) ~= 'table' or #parts ~= #list then
    raise('%s:load_state_dict: expected what state_dict of %d schedules returns, got %s', self.name, #list,
      type(parts) == 'table' and ('that of %d'):format(#parts) or support.describe(state))
  end
  local own = {}
  for key, value in pairs(state) do
    if key ~= '_schedulers' then own[key] = value end
  end
  local saved = self:_save()
  local ok, message = pcall(function()
    Scheduler.load_state_dict(self, own)
    for i, each in ipairs(list) do each:load_state_dict(parts[i]) end
  end)
  if ok then return end
  self:_put_back(saved)
  error(message, 0)
end

--- What a schedule of several is: {optimizer, options, base_lrs, last_epoch, _schedulers}.
local function make(class, optimizer, list, options)
  check(class.name, list, optimizer)
  return setmetatable({
    optimizer = optimizer, options = options, base_lrs = {}, last_epoch = 0, _schedulers = list, _last_lr = {},
  }, class)
end

local function class_of(name, option_names)
  local class = setmetatable({ name = name, option_names = option_names }, { __index = Several })
  class.__index = class
  return class
end

-- ---- one after the other ----

local Sequential = class_of('SequentialLR', { milestones = true })

--- The number of the schedule whose turn it is.
local function turn(milestones, epoch)
  local n = 1
  for _, at in ipairs(milestones) do
    if at <= epoch then n = n + 1 end
  end
  return n
end

local function sequential_step(self)
  self.last_epoch = self.last_epoch + 1
  local milestones = self.options.milestones
  local n = turn(milestones, self.last_epoch)
  local each = self._schedulers[n]
  if n > 1 and milestones[n - 1] == self.last_epoch then each:_restart() else each:step() end
  self._last_lr = each:get_last_lr()
end

--- Goes on by one step of the schedule whose turn it is; at a milestone the next one begins.
function Sequential:step() all_or_nothing(self, sequential_step) end

function Sequential:_undo()
  self.last_epoch = self.last_epoch - 1
  for _, each in ipairs(self._schedulers) do each:_undo() end
end

function Sequential:_restart()
  self.last_epoch = 0
  local first = self._schedulers[turn(self.options.milestones, 0)]
  first:_restart()
  self._last_lr = first:get_last_lr()
end

schedule.add(Sequential, {
  { 'optimizer', schedule.an_optimizer, opaque = true }, { 'schedulers', schedulers },
  { 'milestones', schedule.whole_numbers }, { 'last_epoch', kinds.integer, -1 },
}, function(o)
  local list, milestones = o.schedulers, o.milestones
  if #milestones ~= #list - 1 then
    raise('SequentialLR: %d schedules need %d milestones, got %d', #list, #list - 1, #milestones)
  end
  if o.last_epoch < -1 then raise("SequentialLR: 'last_epoch' must be at least -1, got %d", o.last_epoch) end
  local self = make(Sequential, o.optimizer, list, { milestones = milestones })
  self.last_epoch = o.last_epoch + 1
  -- each has made its first step; only that of the first one is to stand
  local rates = {}
  for i, group in ipairs(o.optimizer.param_groups) do rates[i] = group.initial_lr or schedule.read_lr(group) end
  schedule.write_lrs('SequentialLR', o.optimizer.param_groups, rates)
  for _, each in ipairs(list) do each:_undo() end
  local first = list[turn(milestones, 0)]
  first:step()
  self._last_lr = first:get_last_lr()
  return self
end)

-- ---- all at once ----

local Chained = class_of('ChainedScheduler', {})

local function chained_step(self)
  self.last_epoch = self.last_epoch + 1
  for _, each in ipairs(self._schedulers) do each:step() end
  self._last_lr = self._schedulers[#self._schedulers]:get_last_lr()
end

--- Makes a step of each.
function Chained:step() all_or_nothing(self, chained_step) end

function Chained:_undo()
  self.last_epoch = self.last_epoch - 1
  for _, each in ipairs(self._schedulers) do each:_undo() end
end

function Chained:_restart()
  self.last_epoch = 0
  for _, each in ipairs(self._schedulers) do each:_restart() end
  self._last_lr = self._schedulers[#self._schedulers]:get_last_lr()
end

schedule.add(Chained, {
  { 'schedulers', schedulers }, { 'optimizer', schedule.an_optimizer, opaque = true, optional = true },
}, function(o)
  local self = make(Chained, o.optimizer or o.schedulers[1].optimizer, o.schedulers, {})
  for i, group in ipairs(self.optimizer.param_groups) do self._last_lr[i] = schedule.read_lr(group) end
  return self
end)
