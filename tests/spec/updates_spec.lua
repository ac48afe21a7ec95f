-- Updates of many tensors are made or not: never left half done by an interruption or by running out of memory.
local metann = require 'metann'
local known = require 'tests.support.optimizers'
local inject = require 'tests.support.inject'
local namespace = require 'tests.support.namespace'
local nn, optim, meta = metann.nn, metann.optim, metann.meta

local function list_of(iterator)
  local list = {}
  for p in iterator do list[#list + 1] = p end
  return list
end

local function net_of(size)
  metann.manual_seed(7)
  local net = nn.Sequential(nn.Linear(size, size), nn.BatchNorm1d(size), nn.Sequential(nn.Linear(size, 2)))
  for p in net:parameters() do p.grad = metann.randn(p.shape) end
  return net
end

--- All that a net holds: parameters, buffers, gradients.
local function state_of(net)
  local list = {}
  for p in net:parameters() do
    list[#list + 1] = p:detach()
    list[#list + 1] = p.grad or false
  end
  for b in net:buffers() do list[#list + 1] = b:detach() end
  return inject.text(list)
end

local function optimizer_case(name, options, steps)
  return {
    make = function(size)
      local net = net_of(size)
      local made = optim[name](net:parameters(), options)
      for _ = 1, steps do made:step() end
      return { net = net, optimizer = made }
    end,
    update = function(subject) subject.optimizer:step() end,
    observe = function(subject)
      return state_of(subject.net) .. inject.text(subject.optimizer:state_tensors())
    end,
  }
end

local function net_case(update, make)
  return { make = make or net_of, update = update, observe = state_of }
end

local function data(size)
  metann.manual_seed(3)
  return { metann.randn(4, size), metann.tensor{ 1, 2, 1, 2 } }
end

local function other_state(size, dtype)
  local other = net_of(size)
  for p in other:parameters() do metann.no_grad(p.add_, p, 1) end
  return other:to(dtype or 'float64'):state_dict()
end

local cases = {}
for _, name in ipairs(namespace.optimizers()) do
  local options = name == 'SGD' and { lr = 0.1, momentum = 0.9 } or { lr = 0.1 }
  if name == 'Adam' then options.amsgrad = true end
  cases[name .. ', first step'] = optimizer_case(name, options, 0)
  cases[name .. ', later step'] = optimizer_case(name, options, 2)
end
cases['zero_grad(false)'] = net_case(function(net) net:zero_grad(false) end)
cases['optimizer:zero_grad(false)'] = {
  make = optimizer_case('SGD', { lr = 1 }, 0).make,
  update = function(subject) subject.optimizer:zero_grad(false) end,
  observe = function(subject) return state_of(subject.net) end,
}
cases['to float64'] = net_case(function(net) net:to('float64') end)
cases.half = net_case(function(net) net:half() end)
cases['clip_grad_norm_'] = net_case(function(net) nn.utils.clip_grad_norm_(net:parameters(), 0.1) end)
cases['clip_grad_value_'] = net_case(function(net) nn.utils.clip_grad_value_(net:parameters(), 0.1) end)
cases['vector_to_parameters'] = net_case(function(net)
  nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(net:parameters()):detach() * 2, net:parameters())
end)
cases['a learner in place'] = net_case(function(net)
  meta.GDLearner(2, 0.1)(net, data(net[1].in_features), { inplace = true })
end)
cases['another learner in place'] = net_case(function(net)
  meta.OptimizerLearner('Adam', { steps = 2, lr = 0.1 })(net, data(net[1].in_features), { inplace = true })
end)
--- A call that moves running statistics of `size` channels.
local function statistics_case(make, sizes)
  return {
    make = function(size)
      metann.manual_seed(3)
      local subject = make(size)
      subject.x = metann.randn(sizes(size))
      return subject
    end,
    update = function(subject) subject.call(subject.x) end,
    observe = function(subject) return inject.text(subject.statistics) end,
  }
end

local function layer_of(class, options)
  return function(size)
    local layer = nn[class](size, options)
    return { call = layer, statistics = { layer.running_mean, layer.running_var, layer.num_batches_tracked } }
  end
end

local function function_of(name)
  nn.functional[name](metann.ones(2, 3, 4), nil, nil, nil, nil, true) -- the first call reads the signature: most of it
  return function(size)
    local mean, var = metann.zeros(size), metann.ones(size, { dtype = 'float64' })
    return {
      call = function(x) return nn.functional[name](x, mean, var, nil, nil, true) end, statistics = { mean, var },
    }
  end
end

local function planes(size) return { size, 4, 4 } end
local function batch(size) return { 3, size, 2 } end
cases['batch norm'] = statistics_case(layer_of('BatchNorm1d'), batch)
cases['batch norm, mean over all batches'] = statistics_case(layer_of('BatchNorm1d', { momentum = false }), batch)
cases['instance norm'] = statistics_case(layer_of('InstanceNorm2d', { track_running_stats = true }), planes)
cases['batch_norm'] = statistics_case(function_of 'batch_norm', batch)
cases['instance_norm'] = statistics_case(function_of 'instance_norm', batch)
cases['load_state_dict'] = {
  make = function(size) return { net = net_of(size), state = other_state(size) } end,
  update = function(subject) subject.net:load_state_dict(subject.state) end,
  observe = function(subject) return state_of(subject.net) end,
}
cases['a dependent module\'s load_state_dict'] = {
  make = function(size)
    local net = metann.DependentModule(net_of(size)):clear_params(true)
    return { net = net, state = other_state(size), held = list_of(net:dependents()) }
  end,
  update = function(subject) subject.net:load_state_dict(subject.state) end,
  observe = function(subject)
    local same = {}
    for i, t in ipairs(list_of(subject.net:dependents())) do same[i] = tostring(t == subject.held[i]) end
    return state_of(subject.net) .. table.concat(same, ' ')
  end,
}
cases['clear_params(true)'] = {
  make = function(size) return metann.DependentModule(net_of(size)) end,
  update = function(net) net:clear_params(true) end,
  observe = function(net)
    local names = {}
    for name in net:named_dependents() do names[#names + 1] = name end
    return state_of(net) .. table.concat(names, ' ')
  end,
}
for name, change in pairs{
  load_state_dict = function(view, size) view:load_state_dict(other_state(size, 'float32')) end,
  double = function(view) view:double() end,
} do
  cases["a view's " .. name] = {
    make = function(size)
      local net = net_of(size)
      return { net = net, size = size, view = metann.ProtoModule(net):functional(net:parameters()) }
    end,
    update = function(subject) change(subject.view, subject.size) end,
    observe = function(subject) return state_of(subject.view) .. state_of(subject.net) end,
  }
end
cases['an optimizer\'s load_state_dict'] = {
  make = function(size)
    local subject = optimizer_case('Adam', { lr = 0.1 }, 1).make(size)
    local other = optimizer_case('Adam', { lr = 0.2 }, 3).make(size)
    subject.state = other.optimizer:state_dict()
    return subject
  end,
  update = function(subject) subject.optimizer:load_state_dict(subject.state) end,
  observe = function(subject)
    return state_of(subject.net) .. inject.text(subject.optimizer:state_tensors())
      .. tostring(subject.optimizer.param_groups[1].lr)
  end,
}
cases['a schedule of tensors'] = {
  make = function()
    local groups = {}
    for i = 1, 3 do
      groups[i] = { params = nn.Parameter(metann.ones(1)), lr = metann.tensor(i), momentum = 0.9 }
    end
    local optimizer = optim.SGD(groups, 1)
    return { optimizer = optimizer,
      schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1, { total_steps = 5 }) }
  end,
  update = function(subject) subject.schedule:step() end,
  observe = function(subject)
    local list = {}
    for i, group in ipairs(subject.optimizer.param_groups) do
      list[i] = tostring(group.momentum) .. ' ' .. inject.text{ group.lr }
    end
    return table.concat(list, '\n') .. subject.schedule.last_epoch
  end,
}

--- A case whose subjects have a size.
local function sized(case, size)
  return { make = function() return case.make(size) end, update = case.update, observe = case.observe }
end

local names = {}
for name in pairs(cases) do names[#names + 1] = name end
table.sort(names)

-- What needs no memory and no operation.
local cannot_fail = { ['zero_grad(false)'] = true, ['optimizer:zero_grad(false)'] = true }

describe('updates all or nothing', function()
  setup(function()
    jit.off()
    jit.flush()
  end)
  teardown(function() jit.on() end)

  for _, name in ipairs(names) do
    it('interrupted: ' .. name, function()
      local failures = inject.everywhere(sized(cases[name], 4), inject.interrupted, 25)
      assert(failures > 3 or cannot_fail[name], failures)
    end)

    if name ~= 'a schedule of tensors' then -- three numbers
      it('out of memory: ' .. name, function()
        local failures = inject.everywhere(sized(cases[name], 32), inject.starved, 10)
        assert(failures > 1 or cannot_fail[name], failures)
      end)
    end
  end

  it('what is written is what the sources were before, whatever shares their memory', function()
    local overwrite = require('metann.support').overwrite
    local a, b = metann.tensor{ 1, 2 }, metann.tensor{ 3, 4 }
    overwrite('swap', { a, b }, { b, a })
    assert.same({ { 3, 4 }, { 1, 2 } }, { a:to_table(), b:to_table() })
    local dense = metann.arange(6)
    local turned = dense:view(2, 3):t()
    overwrite('turn', { turned }, { dense:view(3, 2) })
    assert.same({ { 0, 1 }, { 2, 3 }, { 4, 5 } }, turned:to_table())
    assert.same({ 0, 2, 4, 1, 3, 5 }, dense:to_table())
    overwrite('zero', { turned[{ {}, 1 }], a }, { false, metann.tensor({ 7, 8 }, { dtype = 'int64' }) })
    assert.same({ 0, 0, 0, 1, 3, 5 }, dense:to_table())
    assert.same({ 7, 8 }, a:to_table())
    local net = nn.Linear(2, 2, { bias = false })
    net:register_buffer('other', net.weight:detach():clone() + 1)
    local weight, other = net.weight:to_table(), net.other:to_table()
    net:load_state_dict{ weight = net.other, other = net.weight }
    assert.same({ other, weight }, { net.weight:to_table(), net.other:to_table() })
  end)

  it('and what can\'t be written is an error before the first write', function()
    local overwrite = require('metann.support').overwrite
    local function message(...) return select(2, pcall(overwrite, ...)) end
    local a, released = metann.tensor{ 1, 2 }, nil
    metann.scope(function() released = metann.ones(2) end)
    local two = metann.ones(2)
    assert.matches("op: a tensor whose elements share memory, .* can't be changed in place",
      message('op', { a, metann.ones(1):expand(2) }, { two, two }))
    assert.matches('op: expected a tensor of size %(2%), got %(3%)', message('op', { a, two }, { two, metann.ones(3) }))
    assert.matches('this tensor was released', message('op', { a, released }, { two, two }))
    assert.matches('this tensor was released', message('op', { a, two }, { two, released }))
    assert.same({ 1, 2 }, a:to_table())
  end)

  it('a recording has each write', function()
    local handle = require('metann.binding').handle
    local C, ctx = handle.C, handle.ctx
    local p = nn.Parameter(metann.ones(3))
    p.grad = metann.ones(3)
    local optimizer = optim.SGD({ p }, 0.5)
    C.mn_record_begin(ctx)
    optimizer:step()
    optimizer:zero_grad(false)
    local program = C.mn_record_end(ctx)
    local rows = {}
    for i = 1, C.mn_program_length(program) do
      local row = C.mn_program_row(program, i - 1)
      rows[i] = handle.ffi.string(C.mn_op(row.op).name) .. (row.inplace ~= 0 and '_' or '')
    end
    C.mn_program_free(program)
    assert.same({ 'sub', 'assign_', 'fill_' }, rows)
  end)

  --- Calls fn with a limit of so many bytes more than are in use; returns how many more there are afterwards.
  local function within(bytes, fn)
    collectgarbage()
    collectgarbage()
    metann.empty_cache()
    local before = metann.memory()
    metann.set_memory_limit(before.live_bytes + bytes)
    local ok, failure = pcall(fn)
    metann.set_memory_limit(before.limit_bytes)
    assert(ok, failure)
    return metann.memory().live_bytes - before.live_bytes
  end


  --- Bytes in use more after fn than before it.
  local function bytes_of(fn)
    collectgarbage()
    collectgarbage()
    local before = metann.memory().live_bytes
    fn()
    collectgarbage()
    collectgarbage()
    return metann.memory().live_bytes - before
  end

  for name, own in pairs(known) do
    local options, elementwise = own.full, optim.rules[name].elementwise
    for _, shape in ipairs{ { 8, 250, 1000 }, { 1, 2000000 } } do
      local title = 'a step of %s on %d parameters needs no more than one more copy of all, and gives it back'
      it(title:format(name, shape[1]), function()
        local p = {}
        local parameters = bytes_of(function()
          for i = 1, shape[1] do p[i] = nn.Parameter(metann.ones(unpack(shape, 2))) end
        end)
        local optimizer = optim[name](p, options)
        for i = 1, shape[1] do p[i].grad = metann.full(p[i].shape, 1) end
        local state = bytes_of(function() optimizer:step() end)
        -- what isn't in parts has whole parameters on the way, one at a time
        local least, apart = elementwise and 8e6 or 8e3, elementwise and 0 or 8 * parameters / shape[1] + 1e5
        assert.is_true(parameters >= 8e6 and state >= least)
        assert(within(parameters + state + apart, function() optimizer:step() end) <= 1e5)
      end)
    end

    if elementwise then it('a large parameter is updated in parts as its rows are, each for itself: ' .. name, function()
      metann.manual_seed(5)
      local whole, rows = nn.Parameter(metann.randn(300, 250)), {}
      local turned = nn.Parameter(whole:detach():t():contiguous():t()) -- not dense, so not in parts
      for i = 1, 300 do rows[i] = nn.Parameter(whole:detach()[i]:clone()) end
      local all = { optim[name]({ whole }, options), optim[name]({ turned }, options), optim[name](rows, options) }
      for _ = 1, 7 do
        local g = metann.randn(300, 250)
        whole.grad, turned.grad = g, g
        for i = 1, 300 do rows[i].grad = g[i] end
        for i = 1, 3 do all[i]:step() end
      end
      local expected = metann.stack(rows):detach()
      assert.is_true(metann.equal(whole, expected) and metann.equal(turned, expected))
      local state = all[1]:state_dict().state[1]
      local of_rows = all[3]:state_dict().state
      for field, t in pairs(state) do
        local list = {}
        for i = 1, 300 do list[i] = of_rows[i][field] end
        assert.is_true(metann.equal(t, t:dim() == 0 and list[300] or metann.stack(list)), field)
      end
    end) end
  end

  it('a learner that trains in place updates large parameters as the optimizer does', function()
    metann.manual_seed(6)
    local net = nn.Linear(300, 200)
    local copy = net:deepcopy()
    local x = metann.randn(5, 300)
    local function evaluator(model) return model(x):square():mean() end
    meta.OptimizerLearner('Adam', { steps = 4, lr = 0.01, evaluator = evaluator })(net, nil, { inplace = true })
    local optimizer = optim.Adam(copy:parameters(), 0.01)
    for _ = 1, 4 do
      optimizer:zero_grad()
      evaluator(copy):backward()
      optimizer:step()
    end
    assert.is_true(metann.equal(net.weight, copy.weight) and metann.equal(net.bias, copy.bias))
  end)
end)
