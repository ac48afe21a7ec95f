-- metann and the original MetaNN, fed the same weights and data in one run, agree on adapted weights and meta-gradients.
-- usage: luajit tests/bench/peers/agree.lua --python PROGRAM [--seed N] [--nets N] [--keep FILE]  (in the root of the tree)
-- PROGRAM: a Python that can import torch 1.x and metann, for example after
--   /usr/bin/python3 -m venv --system-site-packages v && v/bin/pip install --no-deps metann
-- it is v/bin/python. Nets, learners, weights and data are drawn at random from the seed, which is printed (the time,
-- unless given): ten nets, linear or convolutional. All in float64. For each net one line says what was drawn and the
-- largest relative error: the largest difference in a tensor (losses, adapted weights, meta-gradients) over the largest
-- number in it. Ends with status 1 where one is above 1e-9. --keep writes what was exchanged (JSON) to FILE.
local metann = require 'metann'
local json = require 'metann.binding.json'
local nn, meta = metann.nn, metann.meta

local LIMIT = 1e-9
local python, seed, nets, keep = nil, os.time() % 1000000, 10, nil
do
  local i = 1
  local function value()
    i = i + 1
    return arg[i] or error('agree.lua: ' .. arg[i - 1] .. ' needs a value', 0)
  end
  while arg[i] do
    local name = arg[i]
    if name == '--python' then
      python = value()
    elseif name == '--seed' then
      seed = assert(tonumber(value()), 'agree.lua: --seed needs a number')
    elseif name == '--nets' then
      nets = assert(tonumber(value()), 'agree.lua: --nets needs a number')
    elseif name == '--keep' then
      keep = value()
    else
      error('agree.lua: unknown option ' .. name, 0)
    end
    i = i + 1
  end
end
if not python then
  io.stderr:write('agree.lua: name a Python that can import torch 1.x and metann by --python PROGRAM; for example\n'
    .. '  /usr/bin/python3 -m venv --system-site-packages v && v/bin/pip install --no-deps metann\n'
    .. 'makes v/bin/python where torch 1.x is installed for /usr/bin/python3\n')
  os.exit(2)
end

-- ---- drawing ----

local function pick(list) return list[math.random(#list)] end
local function number(low, high) return low + (high - low) * math.random() end

local SMOOTH = { 'Tanh', 'Sigmoid', 'Softplus', 'SiLU', 'GELU', 'ELU' }
local ANY = { 'Tanh', 'Sigmoid', 'Softplus', 'SiLU', 'GELU', 'ELU', 'ReLU', 'LeakyReLU' }

--- Layers as both sides build them: lists {name, numbers..., options}. A bias before batch norm has a gradient that is
-- zero up to rounding, and is left out.
local function draw_linear(activations)
  local layers, width = {}, math.random(2, 8)
  local input = { width }
  for _ = 1, math.random(1, 4) do
    local out, norm = math.random(3, 12), pick{ 'none', 'batch', 'layer' }
    layers[#layers + 1] = { 'Linear', width, out, bias = norm == 'none' }
    if norm == 'batch' then layers[#layers + 1] = { 'BatchNorm1d', out } end
    if norm == 'layer' then layers[#layers + 1] = { 'LayerNorm', out } end
    layers[#layers + 1] = { pick(activations) }
    width = out
  end
  return layers, input, width
end

local function draw_conv(activations)
  local layers, channels, side = {}, math.random(1, 3), math.random(5, 8)
  local input = { channels, side, side }
  for _ = 1, math.random(1, 3) do
    local groups = math.random(1, 3)
    local out, norm = groups * math.random(1, 3), pick{ 'none', 'batch', 'group' }
    layers[#layers + 1] = { 'Conv2d', channels, out, 3, bias = norm == 'none', padding = 1 }
    if norm == 'batch' then layers[#layers + 1] = { 'BatchNorm2d', out } end
    if norm == 'group' then layers[#layers + 1] = { 'GroupNorm', groups, out } end
    layers[#layers + 1] = { pick(activations) }
    if side >= 4 then
      layers[#layers + 1] = { pick{ 'MaxPool2d', 'AvgPool2d' }, 2 }
      side = math.floor(side / 2)
    end
    channels = out
  end
  layers[#layers + 1] = { 'Flatten' }
  return layers, input, channels * side * side
end

local function draw_learner()
  local learner = { name = pick{ 'GDLearner', 'SequentialGDLearner', 'RMSPropLearner', 'MAML', 'MAMLpp' },
    steps = math.random(1, 5), lr = number(0.02, 0.2), lr_is_parameter = math.random() < 0.5,
    create_graph = math.random() < 0.75 }
  if learner.name == 'SequentialGDLearner' then learner.momentum = number(0, 0.9) end
  if learner.name == 'RMSPropLearner' then
    -- the original takes its rate for a number there
    learner.lr, learner.lr_is_parameter = number(0.001, 0.01), false
    learner.alpha, learner.eps, learner.centered = number(0.5, 0.99), pick{ 1e-8, 1e-6, 1e-4 }, math.random() < 0.5
  end
  if learner.name == 'MAMLpp' then learner.gamma = number(0.3, 0.9) end
  return learner
end

local function batch(case, input, out)
  local n = math.random(4, 7)
  local size = { n }
  for _, s in ipairs(input) do size[#size + 1] = s end
  local x = metann.randn(size, { dtype = 'float64' })
  if case.loss == 'mse' then return { x, metann.randn({ n, out }, { dtype = 'float64' }) } end
  return { x, metann.randint(1, out + 1, { n }) }
end

local function draw()
  local case = { learner = draw_learner(), loss = pick{ 'mse', 'cross_entropy' }, kind = pick{ 'linear', 'conv' } }
  -- the original's meta-gradient is NaN where RMSProp meets a gradient of exactly zero
  local activations = case.learner.name == 'RMSPropLearner' and SMOOTH or ANY
  local layers, input, width = (case.kind == 'conv' and draw_conv or draw_linear)(activations)
  local out = math.random(2, 5)
  layers[#layers + 1] = { 'Linear', width, out, bias = math.random() < 0.8 }
  case.layers, case.support = layers, {}
  local batches = case.learner.name == 'SequentialGDLearner' and case.learner.steps or 1
  for i = 1, batches do case.support[i] = batch(case, input, out) end
  case.query = batch(case, input, out)
  return case
end

-- ---- metann's side ----

local function build(case)
  local net = nn.Sequential()
  for _, layer in ipairs(case.layers) do
    local arguments, options = { unpack(layer, 2) }, { bias = layer.bias, padding = layer.padding }
    if next(options) ~= nil then arguments[#arguments + 1] = options end
    net:append(nn[layer[1]](unpack(arguments)))
  end
  return net:double()
end

local function make_learner(learner, net, lr, evaluator)
  local l, name = learner, learner.name
  if name == 'GDLearner' then return meta.GDLearner(l.steps, lr, l.create_graph, evaluator) end
  if name == 'SequentialGDLearner' then return meta.SequentialGDLearner(lr, l.momentum, l.create_graph, evaluator) end
  if name == 'RMSPropLearner' then
    return meta.RMSPropLearner(lr, l.alpha, l.eps, l.centered, l.create_graph, evaluator, l.steps)
  end
  return meta[name](net, l.steps, l.steps, lr, evaluator, not l.create_graph)
end

--- Results by name: losses, adapted weights, gradients of the query loss.
local function ours(case, net)
  local learner, losses = case.learner, {}
  local function evaluator(model, data)
    local output = model(data[1])
    local loss = case.loss == 'mse' and ((output - data[2]) ^ 2):mean() or nn.functional.cross_entropy(output, data[2])
    losses[#losses + 1] = loss:item()
    return loss
  end
  local lr = learner.lr
  if learner.lr_is_parameter then lr = nn.Parameter(metann.tensor(lr, { dtype = 'float64' })) end
  local made = make_learner(learner, net, lr, evaluator)
  for _, data in ipairs(case.support) do data[1]:requires_grad_(true) end
  local data = learner.name == 'SequentialGDLearner' and case.support or case.support[1]
  local adapted, loss
  if learner.name == 'MAML' or learner.name == 'MAMLpp' then adapted = made(data) else adapted = made(net, data) end
  if learner.name == 'MAMLpp' then
    loss = meta.mamlpp_evaluator(adapted, case.query, learner.steps, evaluator, learner.gamma)
    adapted = adapted[learner.steps + 1]
  else
    loss = evaluator(adapted, case.query)
  end
  local results = { losses = losses, query_loss = { loss:item() } }
  local inputs, names = {}, {}
  local function want(name, tensor) inputs[#inputs + 1], names[#names + 1] = tensor, name end
  local k = 0
  for p in adapted:parameters() do
    k = k + 1
    results['adapted ' .. k] = p:detach():flatten():to_table()
  end
  k = 0
  for p in net:parameters() do
    k = k + 1
    want('gradient ' .. k, p)
  end
  if learner.lr_is_parameter then want('gradient lr', lr) end
  for i, b in ipairs(case.support) do want('gradient support ' .. i, b[1]) end
  for i, g in ipairs(metann.grad(loss, inputs, { allow_unused = true })) do
    results[names[i]] = (g or metann.zeros_like(inputs[i])):flatten():to_table()
  end
  return results
end

-- ---- the exchange ----

local function plain(tensor, shift)
  local flat = (tensor:detach() + (shift or 0)):flatten():to_table()
  return { size = json.array{ unpack(tensor.shape) }, data = json.array(flat) }
end

local function for_python(case, net)
  local shift = case.loss == 'cross_entropy' and -1 or 0 -- labels count from 0 there
  local function pair(b) return { x = plain(b[1]), y = plain(b[2], shift) } end
  local weights, support, layers = {}, {}, {}
  for p in net:parameters() do weights[#weights + 1] = plain(p) end
  for i, b in ipairs(case.support) do support[i] = pair(b) end
  for i, layer in ipairs(case.layers) do
    layers[i] = { name = layer[1], sizes = json.array{ unpack(layer, 2) }, bias = layer.bias, padding = layer.padding }
  end
  return { layers = layers, learner = case.learner, loss = case.loss, weights = weights, support = support,
    query = pair(case.query) }
end

local function exchange(text)
  local path = os.tmpname()
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
  local pipe = io.popen(("'%s' tests/bench/peers/agree.py '%s' 2>&1"):format(python:gsub("'", "'\\''"), path))
  local said = pipe:read '*a'
  pipe:close()
  os.remove(path)
  local answer = said:match '\nresults (%b[])\n' or said:match '^results (%b[])\n'
  if not answer then
    io.stderr:write(('agree.lua: %s gave no results. It said:\n%s\n'):format(python, said))
    os.exit(2)
  end
  return json.decode(answer), said:match 'versions ([^\n]*)'
end

-- ---- comparing ----

--- The largest difference over the largest number, and infinity for what doesn't fit.
local function relative_error(a, b)
  if not b or #a ~= #b then return math.huge end
  local difference, size = 0, 0
  for i = 1, #a do
    local d = math.abs(a[i] - b[i])
    if d ~= d then return math.huge end
    difference, size = math.max(difference, d), math.max(size, math.abs(b[i]))
  end
  if difference == 0 then return 0 end
  return difference / size
end

local function compare(mine, theirs)
  local worst, where, count = 0, nil, 0
  for name, values in pairs(mine) do
    count = count + 1
    local e = relative_error(values, theirs[name])
    if e >= worst then worst, where = e, name end
  end
  for name in pairs(theirs) do
    if not mine[name] then worst, where = math.huge, name .. ' (only there)' end
  end
  return worst, where, count
end

local function describe(case)
  local parts = {}
  for i, layer in ipairs(case.layers) do
    local sizes = { unpack(layer, 2) }
    parts[i] = layer[1] .. (#sizes > 0 and '(' .. table.concat(sizes, ',') .. ')' or '')
  end
  local l = case.learner
  return ('%s, %d steps, lr %.3f%s, %s, %s: %s'):format(l.name, l.steps, l.lr, l.lr_is_parameter and ' learned' or '',
    l.create_graph and 'second order' or 'first order', case.loss, table.concat(parts, ' '))
end

print('seed ' .. seed)
metann.manual_seed(seed)
math.randomseed(seed)
local cases, mine, jobs = {}, {}, {}
for i = 1, nets do
  cases[i] = draw()
  local net = build(cases[i])
  jobs[i] = for_python(cases[i], net)
  mine[i] = ours(cases[i], net)
end
local text = json.encode(json.array(jobs))
if keep then
  local file = assert(io.open(keep, 'wb'))
  file:write(text)
  file:close()
end
local theirs, versions = exchange(text)
local worst = 0
for i, case in ipairs(cases) do
  local e, where, count = compare(mine[i], theirs[i])
  worst = math.max(worst, e)
  print(('%2d  %.2g  (of %d tensors, in %s)  %s'):format(i, e, count, where or '-', describe(case)))
end
print(('%d nets, largest relative error %.3g, limit %.0e; metann %s, original on %s'):format(nets, worst, LIMIT,
  metann._VERSION, versions))
if not (worst <= LIMIT) then os.exit(1) end
