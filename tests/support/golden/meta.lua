--- Kind `meta`: learners, MAML and MAML++ on a sequential net, and outer loops of MAML.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local modules = require 'tests.support.golden.torch.modules'
local nn, meta = metann.nn, metann.meta

local runner = { inputs = { '^init%.', '^support%.', '^query%.', '^buffer_before%.' } }

-- ---- the net ----

local function build(case)
  local net = nn.Sequential()
  for _, layer in ipairs(case.model) do net:append(modules.build(layer.layer, layer.args or {})) end
  net:to(case.dtype)
  local state = {}
  for _, name in ipairs(case.param_names) do state[cases.lua_name(name)] = case:tensor('init.' .. name) end
  for _, name in ipairs(case.buffer_names or {}) do
    -- outer loops don't give buffers: a fresh net's are meant
    state[cases.lua_name(name)] = case.tensors['buffer_before.' .. name]
  end
  net:load_state_dict(state, { strict = false })
  local count = 0
  for _ in net:named_parameters() do count = count + 1 end
  if count ~= #case.param_names then
    error(('the net has %d parameters, the case names %d'):format(count, #case.param_names), 0)
  end
  return net
end

local function parameters_of(case, model)
  local by_name, list = {}, {}
  for name, p in model:named_parameters() do by_name[name] = p end
  for i, name in ipairs(case.param_names) do
    list[i] = by_name[cases.lua_name(name)]
    if not list[i] then error(("the net has no parameter '%s'"):format(name), 0) end
  end
  return list
end

local function compare_parameters(case, prefix, model)
  for i, p in ipairs(parameters_of(case, model)) do case:compare(prefix .. case.param_names[i], p) end
end

local function compare_buffers(case, prefix, model)
  local state = model:state_dict()
  for _, name in ipairs(case.buffer_names or {}) do case:compare(prefix .. name, state[cases.lua_name(name)]) end
end

-- ---- data and evaluators ----

local EVALUATORS = {
  mse = { labels = false, loss = function(output, y) return ((output - y) ^ 2):mean() end },
  cross_entropy = { labels = true, loss = function(output, y) return nn.CrossEntropyLoss()(output, y) end },
}

local function evaluator_of(case)
  local evaluator = EVALUATORS[case.evaluator]
  if not evaluator then error(("the evaluator '%s' is not understood"):format(tostring(case.evaluator)), 0) end
  return evaluator
end

--- {x, y}; `pick` chooses a part of each.
local function batch(case, name, pick)
  local x, y = case:tensor(name .. '.x'), case:tensor(name .. '.y')
  if pick then x, y = pick(x), pick(y) end
  return { x, evaluator_of(case).labels and y + 1 or y }
end

local function make_evaluator(case, watch)
  local loss_of = evaluator_of(case).loss
  return function(model, data)
    local output = model(data[1])
    local loss = loss_of(output, data[2])
    if watch then watch(model, loss, output) end
    return loss
  end
end

--- True for a learner that takes a list of batches, one a step.
local function takes_list(case)
  return case.learner == 'SequentialGDLearner' or (case.learner == 'RMSPropLearner' and not case.learner_args.steps)
end

--- What the learner is given. Where there is one batch for a learner that takes a list, each step has it.
local function support_data(case)
  local data = {}
  while case.tensors[('support.%d.x'):format(#data + 1)] do data[#data + 1] = batch(case, 'support.' .. #data + 1) end
  if #data == 0 then data[1] = batch(case, 'support') end
  if case.support_requires_grad then data[1][1] = data[1][1]:detach():requires_grad_(true) end
  if not takes_list(case) and #data == 1 then return data[1], data[1] end
  for i = #data + 1, takes_list(case) and #data == 1 and case.steps or 0 do data[i] = data[1] end
  return data, data[1]
end

-- ---- learners ----

--- A function of the support data that adapts, as the metadata describe it.
local function make_learner(case, net, lr, evaluator)
  local class = meta[case.learner]
  local args = { lr = lr, evaluator = evaluator }
  for name, value in pairs(case.learner_args or {}) do args[name] = value end
  if case.learner:find '^MAML' then
    args.model = net
    local maml = class(args)
    return function(data) return maml(data) end
  end
  local learner = class(args)
  return function(data) return learner(net, data, { mimo = case.mimo, inplace = case.inplace }) end
end

local function query_loss(case, model, evaluator, query)
  if not case.mimo then return evaluator(model, query) end
  if case.gamma then
    local total, last = meta.mamlpp_evaluator(model, query, case.steps, evaluator, case.gamma)
    case:compare('last_loss', last)
    return total
  end
  local loss
  for i = 1, model:len() do loss = evaluator(model[i], query) end
  return loss
end

local function compare_gradients(case, loss, net, lr, x)
  local names, inputs = {}, parameters_of(case, net)
  for i, name in ipairs(case.param_names) do names[i] = 'meta_grad.' .. name end
  for name, t in pairs{ ['meta_grad.lr'] = lr, ['meta_grad.support.x'] = x } do
    if case.tensors[name] then names[#names + 1], inputs[#inputs + 1] = name, t end
  end
  local grads = metann.grad(loss, inputs, { allow_unused = true })
  for i, name in ipairs(names) do case:compare(name, grads[i] or metann.zeros_like(inputs[i])) end
end

local function run_learner(case)
  local net, lr = build(case), case.lr
  if case.lr_is_parameter then lr = nn.Parameter(metann.tensor(lr, { dtype = case.dtype, device = cases.device })) end
  local losses, outputs, adapting = {}, {}, true
  local evaluator = make_evaluator(case, function(model, loss, output)
    if adapting and #losses > 0 then compare_parameters(case, ('adapted.%d.'):format(#losses), model) end
    losses[#losses + 1], outputs[#outputs + 1] = loss:item(), output
  end)
  local data, first = support_data(case)
  local adapted = make_learner(case, net, lr, evaluator)(data)
  adapting = false
  case:compare_numbers('support_loss', losses)
  local last = case.mimo and adapted[adapted:len()] or adapted
  compare_parameters(case, ('adapted.%d.'):format(case.steps), last)
  compare_buffers(case, 'adapted_buffer.', last)
  losses = {}
  local loss = query_loss(case, adapted, evaluator, batch(case, 'query'))
  case:compare('query_loss', loss)
  case:compare_numbers('query_losses', losses)
  case:compare('query_output', outputs[#outputs])
  compare_buffers(case, 'adapted_buffer_query.', last)
  compare_buffers(case, 'buffer_after.', net)
  if not case.inplace then compare_gradients(case, loss, net, lr, first[1]) end
end

-- ---- outer loops ----

local function run_outer(case)
  local net, args = build(case), case.learner_args
  local evaluator = make_evaluator(case)
  local maml = meta.MAML(net, {
    steps_train = args.steps, steps_eval = args.steps, lr = case.lr, evaluator = evaluator,
    first_order = args.first_order or false,
  })
  local outer = case.outer_optimizer
  local optimizer = metann.optim[outer.name](net:parameters(), outer.args or {})
  local query_losses = {}
  for it = 1, case.iterations do
    local total
    query_losses[it] = {}
    optimizer:zero_grad()
    for k = 1, case.tasks do
      local function pick(t) return t[it][k] end
      local loss = evaluator(maml(batch(case, 'support', pick)), batch(case, 'query', pick))
      query_losses[it][k] = loss:item()
      total = total and total + loss or loss
    end
    local mean = total / case.tasks
    mean:backward()
    optimizer:step()
    compare_parameters(case, ('param.%d.'):format(it), net)
  end
  case:compare_numbers('query_loss', query_losses)
  compare_buffers(case, 'buffer_after.', net)
end

function runner.run(case)
  if case.learner == 'MAML-outer' then return run_outer(case) end
  return run_learner(case)
end

return runner
