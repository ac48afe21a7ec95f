-- Runs the reference cases of kind `meta` of a folder: each case is interpreted from its own metadata.
-- As a program: luajit tests/golden_meta.lua DIR [pattern]. As a module: run(dir, pattern, print) -> failed, count.
-- DIR holds the *.safetensors files or a folder `meta` with them. Names and labels in the files count from 0.
local metann = require 'metann'
local safetensors = require 'metann.io.safetensors'
local json = require 'metann.binding.json'
local nn, meta = metann.nn, metann.meta

local golden = {}

local function given(value)
  if value == json.null then return nil end
  return value
end

--- '0.weight' here is '1.weight' there.
local function lua_name(name)
  return (name:gsub('^%d+', function(n) return tostring(tonumber(n) + 1) end))
end

-- ---- reading ----

local function read_case(path)
  local tensors, metadata = safetensors.load(path)
  local case = assert(json.decode(metadata.case))
  local part = 2
  while true do
    local more = path:gsub('%.safetensors$', '.part' .. part .. '.safetensors')
    local file = io.open(more, 'rb')
    if not file then break end
    file:close()
    for name, t in pairs((safetensors.load(more))) do tensors[name] = t end
    part = part + 1
  end
  case.tensors = tensors
  return case
end

local layers = {
  Linear = function(a) return nn.Linear(a.in_features, a.out_features, { bias = a.bias ~= false }) end,
  Conv2d = function(a)
    return nn.Conv2d(a.in_channels, a.out_channels, a.kernel_size, { padding = a.padding or 0, bias = a.bias ~= false })
  end,
  BatchNorm2d = function(a) return nn.BatchNorm2d(a.num_features) end,
  MaxPool2d = function(a) return nn.MaxPool2d(a.kernel_size) end,
  ReLU = function() return nn.ReLU() end,
  Tanh = function() return nn.Tanh() end,
  Flatten = function() return nn.Flatten() end,
}

local function build(case)
  local net = nn.Sequential()
  for _, layer in ipairs(case.model) do
    local make = assert(layers[layer.layer], 'golden: no layer ' .. layer.layer)
    net:append(make(layer.args))
  end
  net:to('float64')
  local state = {}
  for _, name in ipairs(case.param_names) do state[lua_name(name)] = case.tensors['init.' .. name] end
  for _, name in ipairs(case.buffer_names or {}) do
    -- the outer-loop cases don't list buffers: a fresh net's are meant
    state[lua_name(name)] = case.tensors['buffer_before.' .. name]
  end
  net:load_state_dict(state, { strict = false })
  return net
end

-- ---- comparing ----

local function compare(case, name, got)
  local want = case.tensors[name]
  if not want then return end
  case.seen[name] = true
  local g, w = got:detach():to(want.dtype):flatten():to_table(), want:flatten():to_table()
  if #g ~= #w then
    case.faults[#case.faults + 1] = ('%s has %d elements, not %d'):format(name, #g, #w)
    return
  end
  local rtol, atol = case.tolerance.rtol, case.tolerance.atol
  for i = 1, #w do
    local error = math.abs(g[i] - w[i])
    local excess = error / (atol + rtol * math.abs(w[i]))
    if excess ~= excess then excess = math.huge end
    if excess > 1 then case.bad[name] = true end
    if excess > case.worst then case.worst, case.worst_name, case.worst_error = excess, name, error end
  end
end

local function compare_numbers(case, name, list)
  if not case.tensors[name] then return end
  compare(case, name, metann.tensor(list, { dtype = 'float64' }))
end

local function compare_parameters(case, prefix, model)
  local by_name = {}
  for name, p in model:named_parameters() do by_name[name] = p end
  for _, name in ipairs(case.param_names) do compare(case, prefix .. name, assert(by_name[lua_name(name)], name)) end
end

local function compare_buffers(case, prefix, model)
  local state = model:state_dict()
  for _, name in ipairs(case.buffer_names or {}) do
    compare(case, prefix .. name, assert(state[lua_name(name)], name))
  end
end

--- Tensors that stand in the file as results and were not compared.
local INPUTS = { 'init%.', 'support%.', 'query%.', 'buffer_before%.' }
local function unseen(case)
  for name in pairs(case.tensors) do
    local input = case.seen[name]
    for _, prefix in ipairs(INPUTS) do input = input or name:find('^' .. prefix) end
    if not input then case.faults[#case.faults + 1] = name .. ' was never compared' end
  end
end

-- ---- running ----

local function labels(case, y) return case.evaluator == 'cross_entropy' and y + 1 or y end

local function task(case, name)
  return { case.tensors[name .. '.x'], labels(case, case.tensors[name .. '.y']) }
end

local function make_evaluator(case, watch)
  return function(model, data)
    local output = model(data[1])
    local loss
    if case.evaluator == 'mse' then
      loss = ((output - data[2]) ^ 2):mean()
    else
      loss = nn.CrossEntropyLoss()(output, data[2])
    end
    if watch then watch(model, loss, output) end
    return loss
  end
end

--- The learner, as a function of the data, that the metadata describes.
local function make_learner(case, net, lr, evaluator)
  local args, options = case.learner_args, { mimo = case.mimo, inplace = case.inplace }
  local learner
  if case.learner == 'GDLearner' then
    learner = meta.GDLearner(args.steps, lr, args.create_graph, evaluator)
  elseif case.learner == 'SequentialGDLearner' then
    learner = meta.SequentialGDLearner(lr, args.momentum, args.create_graph, evaluator)
  elseif case.learner == 'RMSPropLearner' then
    local steps = given(args.steps)
    learner = meta.RMSPropLearner(lr, args.alpha, args.eps, args.centered, args.create_graph, evaluator, steps)
  else
    local class = assert(meta[case.learner], 'golden: no learner ' .. case.learner)
    local maml = class(net, args.steps_train, args.steps_eval, lr, evaluator, args.first_order)
    return function(data) return maml(data) end
  end
  return function(data) return learner(net, data, options) end
end

local function query_loss(case, model, evaluator, query)
  if not case.mimo then return evaluator(model, query) end
  local gamma = given(case.gamma)
  if gamma then
    local total, last = meta.mamlpp_evaluator(model, query, case.steps, evaluator, gamma)
    compare(case, 'last_loss', last)
    return total
  end
  local loss
  for i = 1, model:len() do loss = evaluator(model[i], query) end
  return loss
end

local function compare_gradients(case, loss, net, lr, data)
  local names, inputs = {}, {}
  local by_name = {}
  for name, p in net:named_parameters() do by_name[name] = p end
  for i, name in ipairs(case.param_names) do names[i], inputs[i] = 'meta_grad.' .. name, by_name[lua_name(name)] end
  if case.tensors['meta_grad.lr'] then names[#names + 1], inputs[#inputs + 1] = 'meta_grad.lr', lr end
  if case.tensors['meta_grad.support.x'] then
    names[#names + 1], inputs[#inputs + 1] = 'meta_grad.support.x', data[1]
  end
  local grads = metann.grad(loss, inputs, { allow_unused = true })
  for i, name in ipairs(names) do compare(case, name, grads[i] or metann.zeros_like(inputs[i])) end
end

local function run_learner(case)
  local net = build(case)
  local lr = case.lr
  if case.lr_is_parameter then lr = nn.Parameter(metann.tensor(lr, { dtype = 'float64' })) end
  local losses, outputs = {}, {}
  local adapting = true
  local evaluator = make_evaluator(case, function(model, loss, output)
    if adapting and #losses > 0 then compare_parameters(case, ('adapted.%d.'):format(#losses), model) end
    losses[#losses + 1], outputs[#outputs + 1] = loss:item(), output
  end)
  local data
  if case.support_batches > 1 then
    data = {}
    for i = 1, case.support_batches do data[i] = task(case, 'support.' .. i) end
  else
    data = task(case, 'support')
    if case.support_requires_grad then data[1] = data[1]:detach():requires_grad_(true) end
  end
  local adapted = make_learner(case, net, lr, evaluator)(data)
  adapting = false
  compare_numbers(case, 'support_loss', losses)
  local last = case.mimo and adapted[adapted:len()] or adapted
  compare_parameters(case, ('adapted.%d.'):format(case.steps), last)
  compare_buffers(case, 'adapted_buffer.', last)
  losses = {}
  local loss = query_loss(case, adapted, evaluator, task(case, 'query'))
  compare(case, 'query_loss', loss)
  compare_numbers(case, 'query_losses', losses)
  compare(case, 'query_output', outputs[#outputs])
  compare_buffers(case, 'adapted_buffer_query.', last)
  compare_buffers(case, 'buffer_after.', net)
  if not case.inplace then compare_gradients(case, loss, net, lr, data) end
end

local function run_outer(case)
  local net, args = build(case), case.learner_args
  local evaluator = make_evaluator(case)
  local maml = meta.MAML(net, args.steps, args.steps, case.lr, evaluator, args.first_order)
  local options = {}
  for name, value in pairs(case.outer_optimizer.args) do options[name] = given(value) end
  local optimizer = metann.optim[case.outer_optimizer.name](net:parameters(), options)
  local query_losses = {}
  for it = 1, case.iterations do
    local total
    query_losses[it] = {}
    optimizer:zero_grad()
    for k = 1, case.tasks do
      local function part(name)
        return { case.tensors[name .. '.x'][it][k], labels(case, case.tensors[name .. '.y'][it][k]) }
      end
      local loss = evaluator(maml(part 'support'), part 'query')
      query_losses[it][k] = loss:item()
      total = total and total + loss or loss
    end
    local mean = total / case.tasks
    mean:backward()
    optimizer:step()
    compare_parameters(case, ('param.%d.'):format(it), net)
  end
  compare_numbers(case, 'query_loss', query_losses)
  compare_buffers(case, 'buffer_after.', net)
end

--- Runs one file; returns nil, or what is wrong.
local function run_file(path)
  local case = read_case(path)
  case.faults, case.bad, case.seen, case.worst = {}, {}, {}, 0
  if case.learner == 'MAML-outer' then run_outer(case) else run_learner(case) end
  unseen(case)
  local bad = {}
  for name in pairs(case.bad) do bad[#bad + 1] = name end
  if #bad > 0 then
    table.sort(bad)
    table.insert(case.faults, 1, ('%d tensors off, the most %s: error %.3g, %.3g times what is allowed'):format(#bad,
      case.worst_name, case.worst_error, case.worst))
  end
  if #case.faults > 0 then return table.concat(case.faults, '; ') end
  return nil
end

local function files_of(dir)
  local names = {}
  for _, folder in ipairs{ dir .. '/meta', dir } do
    local pipe = assert(io.popen(("ls '%s' 2>/dev/null"):format(folder:gsub("'", "'\\''"))))
    for name in pipe:lines() do
      if name:find('%.safetensors$') and not name:find('%.part%d+%.') then names[#names + 1] = folder .. '/' .. name end
    end
    pipe:close()
    if #names > 0 then break end
  end
  return names
end

--- Runs all cases of a folder whose names match a pattern.
-- @return list of failed cases (text), and how many cases there were
function golden.run(dir, pattern, say)
  local failed, count = {}, 0
  for _, path in ipairs(files_of(dir)) do
    local name = path:match('([^/]*)%.safetensors$')
    if not pattern or name:find(pattern) then
      count = count + 1
      local ok, fault = xpcall(run_file, debug.traceback, path)
      if fault then
        failed[#failed + 1] = name .. ': ' .. (ok and '' or 'error ') .. fault
        if say then say('FAIL ' .. failed[#failed]) end
      end
    end
  end
  if say then say(('%d of %d meta cases pass'):format(count - #failed, count)) end
  return failed, count
end

if arg and arg[0] and arg[0]:find('golden_meta%.lua$') then
  local failed, count = golden.run(assert(arg[1], 'usage: golden_meta.lua DIR [pattern]'), arg[2], print)
  os.exit((#failed == 0 and count > 0) and 0 or 1)
end

return golden
