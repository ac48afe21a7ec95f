--- Optimizers: what runs a rule over parameters in place, by groups.
-- A rule is a table {name, state, positions, defaults, kinds, update, elementwise, check, counts, prepare}. `update(p,
-- g, state, o)` returns the new parameter and the new state (a table of tensors by name, empty at first) and changes
-- nothing; `o` are the options of a group. It is made of ordinary ops, so it can be differentiated. Whatever changes
-- from step to step is a tensor in the state. `state` lists the names that the state may have; `defaults` holds an
-- option's default, or shared.REQUIRED; `kinds` what options must be that shared.lua doesn't know (see
-- metann.arguments.kinds); `positions` lists the options that may be given by position, in PyTorch's order;
-- `elementwise` says that each element of a parameter is updated for itself, so that large ones may be in parts;
-- `check(what, o)` raises on bad options. A rule that counts steps names its 0-dim state in `counts`, and
-- `prepare(state, o)` makes of that what is the same for all parameters that have made equally many: a table with the
-- new counts and further numbers, which `update` takes as its last argument, and makes itself where it is not given
-- them. `sizes(name, p)` gives the sizes of a parameter's state where they aren't the parameter's. What is no rule but
-- shares the rest (LBFGS) has methods of its own, `one_group` where it takes no more, and `load(rule, state, i, p,
-- params)`, which checks and copies a saved state.
local pairs = require('metann.binding.traversal').pairs
local guards = require 'metann.binding.guards'
local arguments = require 'metann.arguments'
local shared = require 'metann.optim.shared'
local counts = require 'metann.optim.counts'
local step = require 'metann.optim.step'
local support = require 'metann.support'
local errors = support.errors
local raise, describe, is_tensor, id = support.raise, support.describe, support.is_tensor, support.id
local ops, keep = support.ops, support.keep

local Optimizer = {}
Optimizer.__index = Optimizer

local function is_optimizer(value)
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'rule') ~= nil
end

local function guard(methods) guards.guard(methods, 'optimizer', is_optimizer, { class = true }) end

-- ---- construction ----

local function option_names(rule)
  local names = {}
  for name in pairs(rule.defaults) do names[#names + 1] = name end
  table.sort(names)
  return names
end

--- A value that is the caller's own no longer: lists copied, tensors as they are.
local function unshared(value)
  if type(value) ~= 'table' then return value end
  local list = {}
  for k, v in pairs(value) do list[k] = v end
  return list
end

--- The options of a group: what is given, over the optimizer's own, over the rule's; checked.
local function complete(rule, given, base)
  local o = {}
  for name, default in pairs(rule.defaults) do
    local value = given[name]
    if value == nil and base then value = base[name] end
    if value == nil then value = default end
    if value == shared.REQUIRED then raise("%s: option '%s' must be given", rule.name, name) end
    o[name] = unshared(value)
  end
  shared.check(rule.name, rule, o)
  return o
end

local function is_group(value) return type(value) == 'table' and getmetatable(value) == nil and value.params ~= nil end

--- Raises unless an optimizer that has those in `seen` can take a list of parameters.
local function check_parameters(rule, list, names, seen)
  if #list == 0 then raise('%s: there are no parameters to optimize', rule.name) end
  local listed = {}
  for i, p in ipairs(list) do
    local label, key = names and names[i] or tostring(i), id(p)
    if not support.is_leaf(p) then
      raise('%s: parameter %s has a history; an optimizer works on leaves', rule.name, label)
    end
    if seen[key] or listed[key] then raise('%s: parameter %s is listed twice', rule.name, label) end
    listed[key] = true
  end
end

local function add_group(self, given)
  if not is_group(given) then raise('%s: expected a group {params = ...}, got %s', self.rule.name, describe(given)) end
  if self.rule.one_group and #self.param_groups > 0 then
    raise('%s: takes one group of parameters, as its options hold for all', self.rule.name)
  end
  local options = arguments.read(self.rule.signature, given)
  shared.take_backend(self.rule, options)
  local group = complete(self.rule, options, self.defaults)
  local list, labels = support.tensors(given.params, self.rule.name)
  check_parameters(self.rule, list, labels, self._seen)
  for _, p in ipairs(list) do self._seen[id(keep(p))] = true end
  group.params = list
  self.param_groups[#self.param_groups + 1] = group
end

local function construct(class, ...)
  local rule = class.rule
  local o = arguments.read(rule.signature, ...)
  local params = o.params
  o.params = nil
  shared.take_backend(rule, o)
  local defaults = {}
  for name, value in pairs(o) do defaults[name] = unshared(value) end
  local self = setmetatable({ rule = rule, defaults = defaults, param_groups = {}, state = {}, _seen = {} }, class)
  if type(params) == 'table' and is_group(params[1]) then
    for _, group in ipairs(params) do add_group(self, group) end
  else
    add_group(self, { params = params })
  end
  return self
end

--- What an optimizer of a rule reads: the parameters, the rule's options in PyTorch's order, the others by name.
local function signature_of(rule)
  local list, placed = { { 'params', required = true, opaque = true } }, {}
  for _, name in ipairs(rule.positions) do
    placed[name] = true
    list[#list + 1] = { name }
  end
  for _, name in ipairs(option_names(rule)) do
    if not placed[name] then list[#list + 1] = { name, named = true } end
  end
  for _, name in ipairs(shared.BACKEND) do list[#list + 1] = { name, named = true } end
  return arguments.signature(rule.name, list)
end

--- The class of optimizers for a rule. Called as Class(params, options): params is a parameter, a list, a table by name
-- or an iterator of leaves, or a list of groups {params = ..., option = ...}; options stand by position, in PyTorch's
-- order, or in a table by name.
-- @param rule as above
-- @param[opt] methods of the class's own, by name
function Optimizer.class(rule, methods)
  rule.known_state, rule.known_counts, rule.signature = {}, {}, signature_of(rule)
  rule.step = arguments.signature(rule.name .. ':step', { { 'closure', arguments.kinds.callable, optional = true } })
  rule.zero_grad = arguments.signature(rule.name .. ':zero_grad', { { 'set_to_none', arguments.kinds.boolean, true } })
  for _, name in ipairs(rule.state) do rule.known_state[name] = true end
  for _, name in ipairs(rule.counts or {}) do rule.known_counts[name] = true end
  local class = setmetatable({ rule = rule, name = rule.name, __tostring = Optimizer.__tostring }, {
    __index = Optimizer, __call = construct, is_optimizer_class = true,
  })
  class.__index = class
  for name, method in pairs(methods or {}) do class[name] = method end
  if methods then guard(class) end
  return class
end

--- Adds a group of parameters: {params = ..., option = ...}.
function Optimizer:add_param_group(group) add_group(self, group) end

-- ---- steps ----

--- Makes one step with the gradients in `.grad`; parameters without one stay. Returns what the closure returned.
-- @function Optimizer:step
-- @param[opt] closure function that computes the gradients anew and returns the loss
function Optimizer:step(...)
  local closure, loss
  if select('#', ...) > 0 then closure = arguments.read(self.rule.step, ...).closure end
  if closure ~= nil then loss = support.enable_grad(closure) end
  step.make(self)
  return loss
end

--- Forgets the gradients of all parameters; with set_to_none false they become zeros.
-- @function Optimizer:zero_grad
-- @param[opt=true] set_to_none boolean
function Optimizer:zero_grad(...)
  local set_to_none = arguments.read(self.rule.zero_grad, ...).set_to_none
  local list = {}
  for _, group in ipairs(self.param_groups) do
    for _, p in ipairs(group.params) do list[#list + 1] = p end
  end
  support.zero_grads(self.rule.name .. ':zero_grad', list, set_to_none)
end

-- ---- state ----

--- The tensors that the optimizer keeps from step to step, a list in the order of the parameters.
function Optimizer:state_tensors()
  local list = {}
  for _, group in ipairs(self.param_groups) do
    for _, p in ipairs(group.params) do
      local state = self.state[id(p)] or {}
      for _, name in ipairs(self.rule.state) do list[#list + 1] = state[name] end
    end
  end
  return list
end

local function copied(value)
  if is_tensor(value) then return ops.clone(ops.detach(value)) end
  if type(value) == 'table' then
    local list = {}
    for k, v in pairs(value) do list[k] = copied(v) end
    return list
  end
  return value
end

--- The optimizer's state, by numbers instead of parameters: {state = {[i] = tensors by name}, param_groups = list of
-- options with params = list of numbers}. Copies.
function Optimizer:state_dict()
  local result, number = { state = {}, param_groups = {} }, 0
  for k, group in ipairs(self.param_groups) do
    local options = { params = {} }
    for name, value in pairs(group) do
      if name ~= 'params' then options[name] = copied(value) end
    end
    for i, p in ipairs(group.params) do
      number = number + 1
      options.params[i] = number
      local state = self.state[id(p)]
      if state then result.state[number] = copied(state) end
    end
    result.param_groups[k] = options
  end
  return result
end

local function check_groups(self, dict)
  local name = self.rule.name
  if type(dict) ~= 'table' or type(dict.state) ~= 'table' or type(dict.param_groups) ~= 'table' then
    raise('%s:load_state_dict: expected what state_dict returns, got %s', name, describe(dict))
  end
  if #dict.param_groups ~= #self.param_groups then
    raise('%s:load_state_dict: expected %d groups, got %d', name, #self.param_groups, #dict.param_groups)
  end
  for k, group in ipairs(self.param_groups) do
    local given = dict.param_groups[k]
    if type(given) ~= 'table' or type(given.params) ~= 'table' then
      raise('%s:load_state_dict: group %d must be a table with params, a list of numbers, got %s', name, k,
        describe(type(given) ~= 'table' and given or given.params))
    end
    if #given.params ~= #group.params then
      raise('%s:load_state_dict: group %d has %d parameters, got %d', name, k, #group.params, #given.params)
    end
  end
end

--- Raises unless `state` may be that of p, the parameter i of its group.
local function check_state(rule, state, i, p)
  local name = rule.name
  if type(state) ~= 'table' then
    raise('%s:load_state_dict: the state of parameter %d must be a table of tensors by name, got %s', name, i,
      describe(state))
  end
  for field, value in pairs(state) do
    if not rule.known_state[field] then
      raise("%s:load_state_dict: unknown state '%s' of parameter %d%s", name, tostring(field), i,
        errors.suggestion(field, rule.state))
    end
    if not is_tensor(value) then
      raise("%s:load_state_dict: '%s' of parameter %d must be a tensor, got %s", name, field, i, describe(value))
    end
    local expected = support.tuple(rule.sizes and rule.sizes(field, p) or support.shape(p))
    local given = support.shape_text(value)
    if given ~= expected and not (rule.known_counts[field] and support.ndim(value) == 0) then
      raise("%s:load_state_dict: size mismatch for '%s' of parameter %d, expect %s, got %s", name, field, i, expected,
        given)
    end
  end
end

--- A parameter's own copy of a state that fits it, on its device, cast to its dtype as in PyTorch; what counts keeps its
-- own.
local function load_state(rule, state, i, p)
  check_state(rule, state, i, p)
  local own = {}
  for name, t in pairs(state) do
    local copy = copied(t):to(p.device)
    if not rule.known_counts[name] then copy = ops.cast(copy, support.dtype(p)) end
    own[name] = keep(copy)
  end
  return own
end

--- Takes over a state that state_dict gave; everything is checked first.
function Optimizer:load_state_dict(dict)
  check_groups(self, dict)
  local groups, states = {}, {}
  for k, group in ipairs(self.param_groups) do
    local given = dict.param_groups[k]
    local options = {}
    for name in pairs(self.rule.defaults) do options[name] = copied(given[name]) end
    groups[k] = complete(self.rule, options, group)
    local of_group = {}
    for i, p in ipairs(group.params) do
      local state = dict.state[given.params[i]]
      if state ~= nil then
        states[id(p)] = (self.rule.load or load_state)(self.rule, state, i, p, group.params)
        of_group[#of_group + 1] = states[id(p)]
      end
    end
    counts.join(self.rule, of_group)
  end
  self.state = states
  for k, group in ipairs(self.param_groups) do
    for name, value in pairs(groups[k]) do group[name] = is_tensor(value) and keep(value) or value end
    group.initial_lr = dict.param_groups[k].initial_lr
  end
end

--- As PyTorch prints it: the options of each group.
function Optimizer:__tostring()
  local lines = { self.rule.name .. ' (' }
  for k, group in ipairs(self.param_groups) do
    lines[#lines + 1] = 'Parameter Group ' .. k
    for _, name in ipairs(option_names(self.rule)) do
      local value = group[name]
      if type(value) == 'table' then value = support.tuple(value) end
      lines[#lines + 1] = ('    %s: %s'):format(name, tostring(value))
    end
  end
  lines[#lines + 1] = ')'
  return table.concat(lines, '\n')
end

guard(Optimizer)

return Optimizer
