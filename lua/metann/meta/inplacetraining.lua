--- Learners' in-place variant: the model itself is trained, with `.grad` and the optimizer.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local support = require 'metann.support'
local optim = require 'metann.optim'
local make_quickly = require('metann.optim.step').make_quickly
local inner = require 'metann.meta.inner'
local rates = require 'metann.meta.rates'
local class_of = require('metann.nn.machinery.class').class_of
local raise = errors.raise
local is_tensor = support.is_tensor

local inplace = {}

--- True for a floating-point tensor that needs no gradient.
local function is_constant(tensor)
  return support.is_float(tensor) and not support.requires_grad(tensor)
end

--- What is trained: parameters of the model that require gradients and its dependents, with their names.
local function trainable(what, model)
  local list, names, seen = {}, {}, {}
  local function take(name, tensor)
    if not tensor or not support.requires_grad(tensor) or seen[support.id(tensor)] then return end
    if not support.is_leaf(tensor) then
      raise("%s: '%s' has a history, so it can't be trained in place: adapt a copy, model:deepcopy()", what, name)
    end
    seen[support.id(tensor)] = true
    list[#list + 1], names[#names + 1] = tensor, name
  end
  for name, p in model:named_parameters() do take(name, p) end
  for path, module in model:named_modules() do
    local dict = rawget(module, '_dependents')
    for _, name in ipairs(dict and dict.names or {}) do
      local tensor = dict.values[name]
      if tensor and not dict.info[name].frozen and is_constant(tensor) then
        -- it may be somebody else's, so what is trained is a leaf of the model's own
        tensor = tensor:detach():clone():requires_grad_(true)
        module[name] = tensor
      end
      take(path == '' and name or path .. '.' .. name, tensor)
    end
  end
  return list, names
end

--- The names of all parameters and dependents of the model, adapted or not: a set.
local function known_names(model)
  local known = {}
  for name in model:named_parameters() do known[name] = true end
  for name in model:named_buffers() do known[name] = true end
  return known
end

local function number(rate) return is_tensor(rate) and rate:item() or rate end

local function set_rates(optimizer, lr, step, names, known)
  local one, each = rates.at(lr, step, names, known)
  for i, group in ipairs(optimizer.param_groups) do group.lr = number(one or each[i]) end
end

--- What training may change of a model: the tensors in its slots, their values and their gradients.
local function snapshot(model)
  local saved = { slots = {}, tensors = {}, values = {}, versions = {}, grads = {} }
  for module in model:modules() do
    for _, kind in ipairs(module:_stores()) do
      local dict = module[kind]
      for _, name in ipairs(dict.names) do
        local tensor = dict.values[name]
        if tensor and support.is_leaf(tensor) and (kind ~= '_parameters' or support.requires_grad(tensor)) then
          local n = #saved.tensors + 1
          saved.slots[n] = { module, name }
          saved.tensors[n], saved.values[n] = tensor, tensor:detach():clone()
          saved.versions[n], saved.grads[n] = support.version(tensor), support.grad(tensor) or false
        end
      end
    end
  end
  return saved
end

--- Puts a model back to where it was; asks for no memory, so that it works when there is none.
local function restore(saved)
  local targets, sources = {}, {}
  for i, tensor in ipairs(saved.tensors) do
    if support.version(tensor) ~= saved.versions[i] then
      targets[#targets + 1], sources[#sources + 1] = tensor, saved.values[i]
    end
  end
  support.overwrite('learner', targets, sources)
  for i, slot in ipairs(saved.slots) do
    local module, name, tensor = slot[1], slot[2], saved.tensors[i]
    if not rawequal(module[name], tensor) then module[name] = tensor end
    support.set_grad(tensor, saved.grads[i])
  end
end

local function has_gradient(list)
  for _, p in ipairs(list) do
    if support.grad(p) then return true end
  end
  return false
end

--- Makes the steps; `run` is {spec, rule, model, evaluator, allow_unused}.
local function train(run, data)
  local spec, model = run.spec, run.model
  local list, names = trainable(spec.what, model)
  local known = known_names(model)
  local optimizer
  local function step(_, i, batch)
    if not optimizer and #list > 0 then
      local groups = {}
      for k, p in ipairs(list) do groups[k] = { params = { p } } end
      local options = {}
      for key, value in pairs(spec.options) do options[key] = value end
      options.lr = number(rates.at(spec.lr, 1, names, known)) or 0
      optimizer = optim[run.rule.name](groups, options)
    end
    support.zero_grads(spec.what, list)
    local loss = support.enable_grad(run.evaluator, model, batch)
    inner.check_loss(spec.what, loss)
    if not optimizer then return end
    if loss.requires_grad then loss:backward() end
    if not run.allow_unused and not has_gradient(list) then inner.raise_unused(spec.what) end
    set_rates(optimizer, spec.lr, i, names, known)
    make_quickly(optimizer)
  end
  inner.each_step(spec, data, step)
end

--- Trains `model` on `data` and returns it. A training that fails leaves the model as it was.
-- @param spec as inner.adapt takes it
-- @param rule a rule of metann.optim
-- @param model module, ProtoModule, DependentModule or detached view
-- @param data for the evaluator; a list or iterator of such without `steps`
-- @param call options of the call, complete
function inplace.train(spec, rule, model, data, call)
  if not class_of(model) then raise('%s: model must be a module, got %s', spec.what, errors.describe(model)) end
  if call.training == false or call.buffers == 'frozen' then
    raise("%s: with 'inplace' the model runs in its own mode and writes its own buffers: 'training' and 'buffers' are "
      .. 'for views', spec.what)
  end
  local saved = snapshot(model)
  local ok, message = pcall(train, {
    spec = spec, rule = rule, model = model, evaluator = call.evaluator or spec.evaluator,
    allow_unused = inner.allows_unused(spec, call),
  }, data)
  if not ok then
    restore(saved)
    error(message, 0)
  end
  return model
end

return inplace
