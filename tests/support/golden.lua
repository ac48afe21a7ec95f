--- Reference vectors: reads cases of the kinds `layer` and `optim` and compares what metann computes with them.
-- A case is a safetensors file whose metadata describe what PyTorch computed; everything in it counts from 0. Used by
-- the specs on the cases in tests/golden, and by tests/golden_runner.lua on any folder of them.
local metann = require 'metann'
local json = require 'metann.binding.json'
local safetensors = require 'metann.io.safetensors'

local golden = {}

--- A case: its description, with nulls left out, and its tensors by name.
function golden.load(path)
  local tensors, metadata = safetensors.load(path)
  local function clean(value)
    if type(value) ~= 'table' then return value end
    local copy = {}
    for k, v in pairs(value) do
      if v ~= json.null then copy[k] = clean(v) end
    end
    return copy
  end
  return clean(json.decode(metadata.case)), tensors
end

--- Raises unless got equals want within the case's tolerance.
function golden.compare(case, what, got, want)
  local where = case.name .. ': ' .. what
  if not got then error(where .. ' is missing', 0) end
  local a, b = table.concat(got.shape, 'x'), table.concat(want.shape, 'x')
  if a ~= b then error(('%s has size %s, expected %s'):format(where, a, b), 0) end
  local tolerance = case.tolerance
  local x, y = got:reshape(-1):to_table(), want:reshape(-1):to_table()
  for i = 1, #y do
    local g, w = tonumber(x[i]), tonumber(y[i])
    if not g then g, w = x[i] and 1 or 0, y[i] and 1 or 0 end
    local close = math.abs(g - w) <= tolerance.atol + tolerance.rtol * math.abs(w) -- false for NaN
    if not close then
      error(('%s: element %d is %.17g, expected %.17g'):format(where, i, g, w), 0)
    end
  end
end

-- ---- layers ----

-- Arguments that name what metann has no option for, when they have the only value that it supports.
local DROPPED = {
  norm_type = true, scale_grad_by_freq = true, sparse = true, recompute_scale_factor = true, add_bias_kv = true,
  add_zero_attn = true,
}
-- Arguments that count from 0 there and from 1 here.
local COUNTED = { dim = true, start_dim = true, end_dim = true, padding_idx = true }

local function arguments_of(case, tensors)
  local args = {}
  for name, value in pairs(case.args) do
    if type(value) == 'table' and value.tensor then value = tensors[value.tensor] end
    if COUNTED[name] and value >= 0 then value = value + 1 end
    if not DROPPED[name] then args[name] = value end
  end
  if case.layer:find('^BatchNorm') and case.args.momentum == nil then args.momentum = false end
  if not next(args) then return nil end
  return args
end

-- Arguments without a default that a list of sizes stands for must not be taken for the table by name.
local function make(case, tensors)
  local module = metann.nn[case.layer](arguments_of(case, tensors))
  local state = {}
  for name, t in pairs(tensors) do
    local slot = name:match('^param%.(.*)$') or name:match('^buffer%.(.*)$')
    if slot then state[slot] = t end
  end
  -- class weights are buffers here as in PyTorch, but the cases give them as arguments
  module:load_state_dict(state, { strict = next(case.args.weight or case.args.pos_weight or {}) == nil })
  return module:train(case.training)
end

--- Class labels and indices count from 1 here; what is to be ignored stays.
local function shifted(case, t)
  if t.dtype ~= 'int64' then return t end
  local ignored = case.args.ignore_index
  if not ignored then return t + 1 end
  return metann.where(t:eq(ignored), t, t + 1)
end

local function call(case, module, values)
  local text = case.call
  local inner = text:match('^module%((.*)%)') or ''
  local positional, named = {}, {}
  for part in inner:gsub('[()%[%]]', ''):gmatch('[^,]+') do
    part = part:match('^%s*(.-)%s*$')
    local key, value = part:match('^([%w_]+)=(.*)$')
    if key then
      if value == 'False' then named[key] = false else named[key] = values[value] end
    else
      positional[#positional + 1] = values[part]
    end
  end
  if inner:find('%(h0, c0%)') then positional = { positional[1], { positional[2], positional[3] } } end
  if next(named) then positional[#positional + 1] = named end
  return { module(unpack(positional)) }
end

--- Outputs as a flat list: recurrent layers give (h_n, c_n) as a list.
local function flat(outputs)
  local list = {}
  for _, value in ipairs(outputs) do
    if type(value) == 'table' then
      for _, t in ipairs(value) do list[#list + 1] = t end
    else
      list[#list + 1] = value
    end
  end
  return list
end

local function sizes_of(names, outputs)
  if #names == 1 then return { names[1], outputs = { outputs[1] } } end
  return { outputs = outputs }
end

local function zeros_for(list, inputs)
  local result = {}
  for i, g in ipairs(list) do result[i] = g or metann.zeros_like(inputs[i]) end
  return result
end

local function leaf(t) return t:clone():requires_grad_(true) end

--- What is differentiated: names, tensors.
local function leaves_of(case, module, tensors, values)
  local parameters, names, list = {}, {}, {}
  for name, p in module:named_parameters() do parameters[name] = p end
  for _, name in ipairs(case.inputs) do values[name] = leaf(tensors['input.' .. name]) end
  for i, name in ipairs(case.differentiable) do
    names[i], list[i] = name, values[name] or parameters[name]
  end
  return names, list
end

local function check_derivatives(case, names, leaves, outputs, tensors)
  local cotangents, differentiable = {}, {}
  for k, name in ipairs(case.outputs) do
    local c = tensors[#case.outputs == 1 and 'grad_output' or 'grad_output.' .. name]
    if c then
      differentiable[#differentiable + 1] = { name, outputs[k], leaf(c) }
      cotangents[#cotangents + 1] = differentiable[#differentiable][3]
    end
  end
  local ys = {}
  for i, d in ipairs(differentiable) do ys[i] = d[2] end
  local grads = metann.grad(ys, leaves, { grad_outputs = cotangents, create_graph = true, allow_unused = true })
  grads = zeros_for(grads, leaves)
  for i, name in ipairs(names) do golden.compare(case, 'grad.' .. name, grads[i], tensors['grad.' .. name]) end
  local s
  for i, name in ipairs(names) do
    local term = (grads[i] * tensors['u.' .. name]):sum()
    s = s and s + term or term
  end
  local wanted = {}
  for _, x in ipairs(leaves) do wanted[#wanted + 1] = x end
  for _, c in ipairs(cotangents) do wanted[#wanted + 1] = c end
  local second = s.requires_grad and metann.grad(s, wanted, { allow_unused = true }) or {}
  for i, x in ipairs(wanted) do
    local name = names[i] or 'grad_output' .. (#case.outputs == 1 and '' or '.' .. differentiable[i - #names][1])
    golden.compare(case, 'grad2.' .. name, second[i] or metann.zeros_like(x), tensors['grad2.' .. name])
  end
end

--- Checks a case of kind `layer`: outputs, buffers, first and second derivatives.
function golden.layer(case, tensors)
  metann.set_default_dtype(case.dtype or 'float64')
  local module = make(case, tensors)
  local values = {}
  local names, leaves = leaves_of(case, module, tensors, values)
  for _, name in ipairs(case.consts) do values[name] = shifted(case, tensors['const.' .. name]) end
  local outputs
  for _ = 1, case.forward_passes do outputs = flat(call(case, module, values)) end
  outputs = sizes_of(case.outputs, outputs).outputs
  for k, name in ipairs(case.outputs) do
    local want = tensors[#case.outputs == 1 and 'output' or 'output.' .. name] or tensors['output.' .. name]
    if want.dtype == 'int64' then want = want + 1 end
    golden.compare(case, name, outputs[k], want)
  end
  for name, buffer in module:named_buffers() do
    local want = tensors['buffer_after.' .. name]
    if want then golden.compare(case, 'buffer ' .. name, buffer, want) end
  end
  if #case.differentiable > 0 then check_derivatives(case, names, leaves, outputs, tensors) end
end

-- ---- optimizers and schedules ----

local function optimizer_of(case, params)
  local args = {}
  for name, value in pairs(case.args) do
    if name ~= 'fused' then args[name] = value end
  end
  if not case.groups then return metann.optim[case.optimizer](params, args) end
  local groups = {}
  for k, given in ipairs(case.groups) do
    local group = {}
    for name, value in pairs(given) do group[name] = value end
    group.params = {}
    for i, number in ipairs(given.params) do group.params[i] = params[number + 1] end
    groups[k] = group
  end
  return metann.optim[case.optimizer](groups, args)
end

local function check_optimizer(case, tensors)
  local params = {}
  for i = 1, case.params do params[i] = leaf(tensors['init.' .. i - 1]) end
  local optimizer = optimizer_of(case, params)
  for step = 1, case.steps do
    for i, p in ipairs(params) do p.grad = tensors[('grad.%d.%d'):format(step, i - 1)] end
    optimizer:step()
    for i, p in ipairs(params) do
      local name = ('param.%d.%d'):format(step, i - 1)
      golden.compare(case, name, p:detach(), tensors[name])
    end
  end
end

local function check_schedule(case, tensors)
  local p = metann.zeros(1):requires_grad_(true)
  local optimizer = metann.optim.SGD({ p }, { lr = case.base_lr, momentum = case.optimizer_momentum })
  local args = {}
  for name, value in pairs(case.args) do
    if name ~= 'last_epoch' then args[name] = value end
  end
  local schedule = metann.optim.lr_scheduler[case.scheduler](optimizer, args)
  local lrs, momenta, metric = { optimizer.param_groups[1].lr }, { optimizer.param_groups[1].momentum }, tensors.metric
  for k = 1, case.steps do
    optimizer:step()
    if metric then schedule:step(metric[k]:item()) else schedule:step() end
    lrs[k + 1], momenta[k + 1] = optimizer.param_groups[1].lr, optimizer.param_groups[1].momentum
  end
  golden.compare(case, 'lr', metann.tensor(lrs, { dtype = 'float64' }), tensors.lr)
  if tensors.momentum then
    golden.compare(case, 'momentum', metann.tensor(momenta, { dtype = 'float64' }), tensors.momentum)
  end
end

--- Checks a case of kind `optim`.
function golden.optim(case, tensors)
  metann.set_default_dtype('float64')
  if case.scheduler then return check_schedule(case, tensors) end
  return check_optimizer(case, tensors)
end

--- Checks the case in a file, whatever its kind; the default dtype is float32 again afterwards.
function golden.check(path)
  local case, tensors = golden.load(path)
  local ok, message = pcall(golden[case.kind], case, tensors)
  metann.set_default_dtype('float32')
  if not ok then error(message, 0) end
end

return golden
