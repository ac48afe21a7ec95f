--- Runs a file of cases (cases.py has the format): nil or what is wrong with each.
local metann = require 'metann'
local json = require 'metann.binding.json'
local safetensors = require 'metann.io.safetensors'
local compare = require 'tests.peers.opinfo.compare'
local pytorch = require 'metann.nn.machinery.pytorch'
local is_tensor = metann.is_tensor

local run = {}

--- What Lua text gives for a table `a` of tensors.
local function evaluate(code, a, also)
  local chunk, message = loadstring('local metann, a, also = ... return ' .. code)
  if not chunk then error(message, 0) end
  return chunk(metann, a, also)
end

--- Positions count from 0 there.
local function adapted(case, results)
  for _, i in ipairs(case.places) do
    local t = results[i]
    if is_tensor(t) and (t.dtype == 'int64' or t.dtype == 'int32') then results[i] = metann.where(t:gt(0), t - 1, t) end
  end
  local shown = { unpack(results) }
  for _, i in ipairs(case.signs) do shown[i] = is_tensor(results[i]) and results[i]:abs() or results[i] end
  return shown
end

local function values(case, results, tensors)
  if #results < case.outputs then return ('gives %d results, not %d'):format(#results, case.outputs) end
  local ignored = {}
  for _, i in ipairs(case.ignored) do ignored[i] = true end
  local shown = adapted(case, results)
  for i = 1, case.outputs do
    local fault = not ignored[i] and compare.tensors(shown[i], tensors['y.' .. i], case.loose)
    if fault then return ('result %d %s'):format(i, fault) end
  end
end

--- Makes the tensors named in `leaves` require grad; their list.
local function leaves_of(case, tensors)
  local list = {}
  for i, name in ipairs(case.leaves) do list[i] = tensors[name]:requires_grad_(true) end
  return list
end

local function checked(case, results, leaves, tensors)
  local fault = values(case, results, tensors)
  if fault or #leaves == 0 then return fault end
  return compare.derivatives(results, case.leaves, leaves, tensors)
end

function run.op(case, tensors)
  local leaves = leaves_of(case, tensors)
  return checked(case, compare.flatten(evaluate(case.code, tensors)), leaves, tensors)
end

function run.module(case, tensors)
  local net = evaluate(case.constructor, tensors):to 'float64'
  net:train(case.training)
  local state = {}
  for _, name in ipairs(case.state) do state[name] = tensors['p.' .. name] end
  net:load_state_dict(state, { from = 'pytorch' })
  local named = {}
  for name, parameter in net:named_parameters() do named['p.' .. name] = parameter end
  local leaves = {}
  for i, name in ipairs(case.leaves) do leaves[i] = named[pytorch.shifted(name)] or named[name] or tensors[name]:requires_grad_(true) end
  return checked(case, compare.flatten(evaluate('also(' .. case.code .. ')', tensors, net)), leaves, tensors)
end

function run.optimizer(case, tensors, name)
  local parameters = {}
  while tensors['start.' .. #parameters + 1] do
    parameters[#parameters + 1] = metann.nn.Parameter(tensors['start.' .. #parameters + 1])
  end
  local optimizer = metann.optim[name](parameters, evaluate(case.code, tensors))
  local function closure()
    local loss = 0
    for i, p in ipairs(parameters) do
      p.grad = (p * tensors['curve.' .. i]):detach()
      loss = loss + (tensors['curve.' .. i] * p:detach() ^ 2):sum() / 2
    end
    return loss
  end
  for _ = 1, case.steps do
    closure()
    if name == 'LBFGS' then optimizer:step(closure) else optimizer:step() end
  end
  for i, p in ipairs(parameters) do
    local fault = compare.tensors(p:detach(), tensors['end.' .. i])
    if fault then return ('parameter %d %s'):format(i, fault) end
  end
end

function run.schedule(case, tensors)
  local optimizer = metann.optim.SGD({ metann.nn.Parameter(metann.zeros(1)) }, { lr = 0.3 })
  local chunk = assert(loadstring('local S, o = ... return ' .. case.code))
  local schedule = chunk(metann.optim.lr_scheduler, optimizer)
  local found = { optimizer.param_groups[1].lr }
  for i = 1, tensors.rates:numel() - 1 do
    optimizer:step()
    if #case.metrics > 0 then schedule:step(case.metrics[i]) else schedule:step() end
    found[i + 1] = optimizer.param_groups[1].lr
  end
  return compare.tensors(metann.tensor(found, { dtype = 'float64' }), tensors.rates)
end

--- A list without the nulls of JSON.
local function listed(value) return type(value) == 'table' and value or {} end

--- Runs all cases of a file. Calls note(kind, name, case, fault), fault being nil where it passed; the list of what
-- could not be written as Lua comes back.
function run.file(path, note)
  local all, metadata = assert(safetensors.load(path))
  local texts = assert(json.decode(metadata.opinfo))
  for number, case in ipairs(texts.cases) do
    local tensors, prefix = {}, '^' .. number .. '/(.*)$'
    for name, t in pairs(all) do
      local own = name:match(prefix)
      if own then tensors[own] = t end
    end
    for _, field in ipairs{ 'leaves', 'places', 'signs', 'ignored', 'state', 'metrics' } do case[field] = listed(case[field]) end
    metann.set_default_dtype(case.dtype or 'float64')
    local ok, fault = pcall(run[texts.kind], case, tensors, texts.name)
    metann.set_default_dtype 'float32'
    note(texts.kind, texts.name, case, not ok and 'error: ' .. tostring(fault) or fault)
  end
  return texts
end

return run
