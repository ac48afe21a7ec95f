--- What learning-rate schedules share: the step, the state, how a class is made. A schedule is {optimizer, options,
-- base_lrs, last_epoch} and what its class adds. `class:_lr(i, lr)` gives the lr of group i after last_epoch steps,
-- from the present one, and a table of what else changes in the group; `_start_lr(i, lr)` that of a schedule that
-- begins when others have run, which is `_lr` of the first lr.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local guards = require 'metann.binding.guards'
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local errors, raise, is_tensor = support.errors, support.raise, support.is_tensor
local kinds = arguments.kinds

local schedule, NOTHING = {}, {}

--- The classes by name.
schedule.classes = {}

--- A group's lr, a number.
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
      sources[#sources + 1] = support.full(lr, support.shape(lr), values[i])
    end
  end
  if #targets > 0 then support.overwrite(what, targets, sources) end
  for i = 1, #values do
    if not is_tensor(groups[i].lr) then groups[i].lr = values[i] end
  end
end

local Scheduler = {}
Scheduler.__index = Scheduler
schedule.Scheduler = Scheduler

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
-- @param[opt] lr_of in place of `_lr`
function Scheduler:_apply(lr_of)
  local groups, found, others = self.optimizer.param_groups, {}, {}
  lr_of = lr_of or self._lr
  for i = 1, #self.base_lrs do found[i], others[i] = lr_of(self, i, read_lr(groups[i])) end
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

-- ---- as one of several ----

--- The lr of group i of a schedule that begins when others have run.
function Scheduler:_start_lr(i) return self:_lr(i, self.base_lrs[i]) end

--- Begins anew, from whatever the groups' lr are.
function Scheduler:_restart()
  self.last_epoch = 0
  self:_apply(self._start_lr)
end

--- Takes back the step that its construction made; what it wrote stays.
function Scheduler:_undo() self.last_epoch = self.last_epoch - 1 end

--- Everything that a step may change of it, and puts it back.
function Scheduler:_save()
  local saved = {}
  for key, value in pairs(self) do saved[key] = value end
  return saved
end
function Scheduler:_put_back(saved)
  for key in pairs(self) do
    if saved[key] == nil then self[key] = nil end
  end
  for key, value in pairs(saved) do self[key] = value end
end

-- ---- classes ----

--- True for a schedule.
function schedule.is(value)
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'option_names') ~= nil
end

--- Makes the methods of a class say so when they are called with '.'.
function schedule.guard(class) guards.guard(class, 'schedule', schedule.is) end

schedule.guard(Scheduler)

--- A kind: an optimizer.
function schedule.an_optimizer(v)
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

--- Files a class whose objects `make` makes of what is read.
-- @param class with its methods, a name and option_names
-- @param parameters as metann.arguments takes them
-- @param make function of what was read
function schedule.add(class, parameters, make)
  schedule.guard(class)
  local read = arguments.reader(class.name, parameters)
  schedule.classes[class.name] = setmetatable({ name = class.name }, {
    __call = errors.name_member(function(_, ...) return make(read(...)) end, class.name),
  })
end

--- Makes a class.
-- @param name the class's
-- @param parameters after the optimizer, as metann.arguments takes them
-- @param[opt] start function(self, o), which prepares
function schedule.define(name, parameters, start)
  local class = setmetatable({ name = name, option_names = {} }, { __index = Scheduler })
  class.__index = class
  local list = { { 'optimizer', schedule.an_optimizer, opaque = true } }
  for i, p in ipairs(parameters) do list[i + 1], class.option_names[p[1]] = p, true end
  list[#list + 1] = { 'last_epoch', kinds.integer, -1 }
  schedule.add(class, list, function(o)
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
    for i, lr in ipairs(self.base_lrs) do
      local group = optimizer.param_groups[i]
      group.initial_lr = group.initial_lr or lr
    end
    return self
  end)
  return class
end

--- A kind: a list of whole numbers.
schedule.whole_numbers = kinds.list_kind(function(v)
  if type(v) ~= 'table' then return nil, 'a list of whole numbers' end
  for i = 1, #v do
    if type(v[i]) ~= 'number' or v[i] % 1 ~= 0 then return nil, 'a list of whole numbers' end
  end
  return v
end)

schedule.read_lr, schedule.write_lrs = read_lr, write_lrs

return schedule
