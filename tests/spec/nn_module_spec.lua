-- Modules: registration, ties, walks, modes, state, copies, hooks, printing, containers, wrong use.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local live = require 'tests.support.live'
local nn = metann.nn
local message = checks.message

local function names(iterator)
  local list = {}
  for name in iterator do list[#list + 1] = name end
  return list
end

local function count(iterator)
  local n = 0
  for _ in iterator do n = n + 1 end
  return n
end

local Net = nn.class('Net')
function Net:init(width)
  self.width = width
  self.first = nn.Linear(3, width)
  self.second = nn.Linear(width, 2, { bias = false })
  self:register_buffer('scale', metann.ones(2))
end
function Net:forward(x) return self.second(self.first(x):relu()) * self.scale end

describe('nn.class and nn.Module', function()
  it('makes classes whose instances register what is assigned, in order', function()
    local net = Net(4)
    assert.same({ 'first.weight', 'first.bias', 'second.weight' }, names(net:named_parameters()))
    assert.same({ 'scale' }, names(net:named_buffers()))
    assert.same({ 'first', 'second' }, names(net:named_children()))
    assert.same({ '', 'first', 'second' }, names(net:named_modules()))
    assert.same({ 'p.first.weight', 'p.first.bias', 'p.second.weight' }, names(net:named_parameters('p')))
    assert.same({}, names(net:named_parameters('', false)))
    assert.equal(4, net.width)
    assert.is_nil(net.second.bias)
    assert.equal(3, count(net:parameters()))
    assert.same({ 5, 2 }, net(metann.ones(5, 3)).shape)
  end)

  it('inherits, and nn.is tells', function()
    local Wide = nn.class('Wide', Net)
    function Wide:init() Net.init(self, 9) end
    local wide = Wide()
    assert.equal(9, wide.width)
    assert.is_true(nn.is(wide, Wide))
    assert.is_true(nn.is(wide, Net))
    assert.is_true(nn.is(wide, nn.Module))
    assert.is_false(nn.is(Net(2), Wide))
    assert.is_false(nn.is(3, Net))
    assert.matches('expected a class', message(nn.is, wide, {}))
    assert.matches('^Wide%(', tostring(wide))
  end)

  it('keeps parameters and modules out of the instance, whatever stood there before', function()
    local net = Net(2)
    net.extra = false
    net.extra = nn.Linear(1, 1)
    assert.same({ 'first', 'second', 'extra' }, names(net:named_children()))
    assert.is_nil(rawget(net, 'extra'))
    net.extra = nil
    assert.is_nil(net.extra)
    assert.equal(3, count(net:parameters()))
  end)

  it('takes new values for parameters, buffers and modules', function()
    local net = Net(2)
    local p = nn.Parameter(metann.zeros(2, 3))
    net.first.weight = p
    assert.is_true(net.first.weight == p)
    assert.same({ 'weight', 'bias' }, names(net.first:named_parameters()))
    net.scale = metann.zeros(2)
    assert.equal(0, net.scale:sum():item())
    assert.same({ 'scale' }, names(net:named_buffers()))
    net.first = nn.Identity()
    assert.is_true(nn.is(net.first, nn.Identity))
  end)

  it('refuses what would be lost or is not meant', function()
    local net = Net(2)
    assert.matches('ModuleList', message(function() net.list = { nn.Linear(1, 1) } end))
    assert.matches('ParameterList', message(function() net.list = { { nn.Parameter(metann.ones(1)) } } end))
    assert.matches('history', message(function()
      net.first.weight = nn.Parameter(metann.ones(2, 3)) * 2
    end))
    assert.matches('Parameter or nil', message(function() net.first.weight = metann.ones(2, 3) end))
    assert.matches('Parameter or nil', message(function() net.first.weight = 3 end))
    assert.matches('method', message(function() net.forward = nn.Identity() end))
    assert.matches('dot', message(net.add_module, net, 'a.b', nn.Identity()))
    assert.matches('empty', message(net.register_buffer, net, '', metann.ones(1)))
    assert.matches('takes a tensor', message(net.register_buffer, net, 'b', 3))
    assert.matches("name is a parameter's", message(net.first.register_buffer, net.first, 'weight', metann.ones(1)))
    assert.matches('field of that name', message(net.register_buffer, net, 'width', metann.ones(1)))
    assert.matches('takes an nn.Parameter', message(net.register_parameter, net, 'q', metann.ones(1)))
    assert.matches('takes a module', message(net.add_module, net, 'm', 3))
    assert.matches("nn.Parameter: 'data' must be a tensor, got", message(nn.Parameter, 3))
    assert.matches('expected a name', message(nn.class))
    assert.matches('parent must be a class', message(nn.class, 'X', {}))
    assert.matches("'forward' is not defined", message(nn.class('X')()))
    assert.matches("no 'Lineer', did you mean 'Linear'", message(function() return nn.Lineer end))
    assert.matches('nn_module_spec.lua', message(function() net.list = { nn.Linear(1, 1) } end))
  end)

  it('makes parameters that share storage and are leaves', function()
    local t = metann.ones(2)
    local p = nn.Parameter(t)
    assert.is_true(p.requires_grad)
    assert.is_true(p.is_leaf)
    assert.is_false(t.requires_grad)
    assert.is_false(nn.Parameter(t, false).requires_grad)
    assert.is_false(nn.Parameter(t, { requires_grad = false }).requires_grad)
    assert.matches("unknown option 'grad'", message(nn.Parameter, t, { grad = false }))
  end)

  it('lists ties once, and keeps them in copies', function()
    local net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[2].weight = net[1].weight
    assert.same({ '1.weight', '1.bias', '2.bias' }, names(net:named_parameters()))
    assert.same({ '1.weight', '1.bias', '2.bias' }, net:state_dict():keys())
    local copy = net:deepcopy()
    assert.is_true(copy[1].weight == copy[2].weight)
    assert.is_false(copy[1].weight == net[1].weight)
    net:to('float64')
    assert.is_true(net[1].weight == net[2].weight)
    assert.equal('float64', net[2].weight.dtype)
    local shared = nn.Linear(2, 2)
    local twice = nn.Sequential(shared, nn.ReLU(), shared)
    assert.same({ '1', '2' }, names(twice:named_children()))
    assert.equal(3, count(twice:modules()))
  end)

  it('switches modes and gradients', function()
    local net = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5)))
    assert.is_true(net[2][1].training)
    assert.is_true(net:eval() == net)
    assert.is_false(net[2][1].training)
    net:train()
    assert.is_true(net[2].training)
    assert.matches("'mode' must be true or false", message(net.train, net, 1))
    local linear = nn.Linear(2, 1)
    linear(metann.ones(1, 2)):sum():backward()
    assert.is_not_nil(linear.weight.grad)
    linear:zero_grad()
    assert.is_nil(linear.weight.grad)
    linear(metann.ones(1, 2)):sum():backward()
    linear:zero_grad(false)
    assert.equal(0, linear.weight.grad:abs():sum():item())
    linear:requires_grad_(false)
    assert.is_false(linear.weight.requires_grad)
    local seen = {}
    nn.Sequential(nn.ReLU(), nn.Tanh()):apply(function(m) seen[#seen + 1] = tostring(m):match('^%a+') end)
    assert.same({ 'ReLU', 'Tanh', 'Sequential' }, seen)
    assert.matches("ReLU:apply: 'fn' must be a function, got number 5", message(nn.ReLU().apply, nn.ReLU(), 5))
  end)

  it('converts dtypes but leaves counters alone', function()
    local norm = nn.BatchNorm2d(2):double()
    assert.equal('float64', norm.weight.dtype)
    assert.equal('float64', norm.running_mean.dtype)
    assert.equal('int64', norm.num_batches_tracked.dtype)
    assert.is_true(norm.weight.requires_grad)
    assert.equal('float32', norm:float().weight.dtype)
    assert.matches('floating%-point dtype', message(norm.to, norm, 'int64'))
    assert.matches('expected a dtype or a device', message(norm.to, norm, 3))
    assert.matches('expected a dtype or a device', message(norm.to, norm))
    assert.matches("unknown option 'dtyp', did you mean 'dtype'", message(norm.to, norm, { dtyp = 'float64' }))
    assert.equal('float64', norm:to{ dtype = 'float64', device = 'cpu' }.weight.dtype)
    assert.equal('float32', norm:to('cpu', 'float32').weight.dtype)
    assert.equal('float64', norm:to(metann.ones(1, { dtype = 'float64', device = 'cpu' })).weight.dtype)
    assert.equal('float16', norm:half().running_var.dtype)
    local here = norm.weight
    assert.is_true(norm:cpu().weight == here)
    -- what a machine without a GPU says is the tensors' business
    local ok, text = pcall(norm.to, norm, 'tpu')
    assert.is_false(ok)
    assert.matches("'tpu'", text)
  end)

  it('keeps gradients when it converts', function()
    local linear = nn.Linear(2, 1)
    linear(metann.ones(3, 2)):sum():backward()
    linear:double()
    assert.same({ { 3, 3 } }, linear.weight.grad:to_table())
    assert.equal('float64', linear.weight.grad.dtype)
    assert.is_true(linear.weight.is_leaf and linear.weight.requires_grad and linear.weight.is_parameter)
  end)

  it('forgets by nil, and remembers what the slot was for', function()
    local net = Net(2)
    net.first.bias = nil
    assert.is_nil(net.first.bias)
    assert.same({ 'first.weight', 'second.weight' }, names(net:named_parameters()))
    assert.same({ 1, 2 }, net(metann.ones(1, 3)).shape)
    assert.matches('Parameter or nil', message(function() net.first.bias = metann.ones(2) end))
    net.first.bias = nn.Parameter(metann.ones(2))
    assert.same({ 'first.weight', 'first.bias', 'second.weight' }, names(net:named_parameters()))
    net.scale = nil
    assert.same({}, names(net:named_buffers()))
    net.first:register_parameter('later', nil)
    assert.is_nil(net.first.later)
    assert.equal(3, count(net:parameters()))
    net.second = nil
    assert.same({ 'first' }, names(net:named_children()))
    assert.equal('Net(\n  (first): Linear(in_features=3, out_features=2, bias=true)\n)', tostring(net))
  end)

  it('hands its iterators on with arguments after them', function()
    local function three(iterator, a, b) return count(iterator), a, b end
    local net = Net(2)
    assert.same({ 3, 'x', true }, { three(net:parameters(), 'x', true) })
    assert.same({ 3, 'x', true }, { three(net:named_parameters(), 'x', true) })
    assert.same({ 1, 2, 3 }, { three(net:buffers(), 2, 3) })
    assert.same({ 3, 1, 1 }, { three(net:modules(), 1, 1) })
    assert.same({ 2, 1, 1 }, { three(net:named_children(), 1, 1) })
  end)

  it('finds submodules by path', function()
    local net = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()))
    assert.is_true(nn.is(net:get_submodule('1.2'), nn.Tanh))
    assert.is_true(net:get_submodule('') == net)
    assert.matches("no submodule '3'", message(net.get_submodule, net, '1.3'))
  end)
end)

describe('state_dict and load_state_dict', function()
  it('goes round, in order, detached', function()
    local a, b = Net(4), Net(4)
    local state = a:state_dict()
    assert.same({ 'scale', 'first.weight', 'first.bias', 'second.weight' }, state:keys())
    assert.is_false(state['first.weight'].requires_grad)
    local result = b:load_state_dict(state)
    assert.same({ missing_keys = {}, unexpected_keys = {} }, result)
    local x = metann.randn(3, 3)
    assert.same(a(x):to_table(), b(x):to_table())
  end)

  it('leaves out buffers that are not persistent', function()
    local m = nn.class('M')()
    m:register_buffer('a', metann.ones(1))
    m:register_buffer('b', metann.ones(1), false)
    m:register_buffer('c', metann.ones(1), { persistent = false })
    assert.same({ 'a' }, m:state_dict():keys())
    assert.same({ 'a', 'b', 'c' }, names(m:named_buffers()))
    m:register_buffer('b', metann.ones(1)) -- the last word counts
    m:register_buffer('a', metann.ones(1), false)
    assert.same({ 'b' }, m:state_dict():keys())
  end)

  it('says all that is wrong before anything is written', function()
    local net = Net(4)
    local before = net.first.bias:to_table()
    local state = net:state_dict()
    local wrong = {
      ['first.bias'] = state['first.bias'] + 1, other = metann.ones(1), ['first.weight'] = metann.ones(4, 4),
      scale = state.scale,
    }
    local text = message(net.load_state_dict, net, wrong)
    assert.matches('missing second.weight', text)
    assert.matches('unexpected other', text)
    assert.matches('size mismatch for first.weight, expect %(4, 3%), got %(4, 4%)', text)
    assert.same(before, net.first.bias:to_table())
    wrong['first.weight'] = nil
    local result = net:load_state_dict(wrong, { strict = false })
    assert.same({ missing_keys = { 'first.weight', 'second.weight' }, unexpected_keys = { 'other' } }, result)
    assert.near(before[1] + 1, net.first.bias:to_table()[1], 1e-6)
    assert.matches("unknown option 'strikt', did you mean 'strict'",
      message(net.load_state_dict, net, {}, { strikt = 1 }))
    assert.matches('must be a tensor', message(net.load_state_dict, net, { scale = 3 }))
    assert.matches('expected a table', message(net.load_state_dict, net, 3))
  end)

  it('casts to the dtype of the slot', function()
    local linear = nn.Linear(2, 1)
    local state = nn.Linear(2, 1):double():state_dict()
    linear:load_state_dict(state)
    assert.equal('float32', linear.weight.dtype)
  end)
end)

describe('deepcopy', function()
  it('shares nothing, keeps hooks, flags and sharing among plain fields', function()
    local net = Net(3)
    net.first.bias:requires_grad_(false)
    local table_ = { 1, { 2 } }
    net.plain, net.again = table_, table_
    net.constant = metann.ones(2)
    local calls = 0
    net:register_forward_hook(function() calls = calls + 1 end)
    local copy = net:deepcopy()
    assert.is_false(copy.first.bias.requires_grad)
    assert.is_true(copy.first.weight.requires_grad)
    assert.is_true(copy.plain == copy.again)
    assert.is_false(copy.plain == table_)
    assert.same(table_, copy.plain)
    assert.same(net:state_dict()['first.weight']:to_table(), copy:state_dict()['first.weight']:to_table())
    metann.no_grad(function() copy.first.weight:fill_(0) copy.constant:fill_(0) end)
    assert.not_equal(0, net.first.weight:abs():sum():item())
    assert.equal(2, net.constant:sum():item())
    copy(metann.ones(1, 3))
    assert.equal(1, calls)
    assert.same(names(net:named_parameters()), names(copy:named_parameters()))
  end)

  it('refuses tensors with a history', function()
    local net = Net(3)
    net.cache = net.first.weight * 2
    assert.matches('Net.*cache has a history', message(net.deepcopy, net))
  end)
end)

describe('hooks', function()
  it('run around forward, change inputs and outputs, and go', function()
    local m = nn.Identity()
    local seen = {}
    local before = m:register_forward_pre_hook(function(module, inputs)
      seen[#seen + 1] = { module == m, #inputs }
      return inputs[1] * 2
    end)
    local after = m:register_forward_hook(function(_, inputs, output)
      seen[#seen + 1] = inputs[1]:item()
      return output + 1
    end)
    assert.equal(7, m(metann.tensor(3)):item())
    assert.same({ { true, 1 }, 6 }, seen)
    before:remove()
    assert.equal(4, m(metann.tensor(3)):item())
    after:remove()
    assert.equal(3, m(metann.tensor(3)):item())
    assert.matches('hook must be a function', message(m.register_forward_hook, m, 3))
  end)

  it('may add and remove hooks while they run', function()
    local m, calls = nn.Identity(), {}
    local handles = {}
    handles[1] = m:register_forward_hook(function()
      calls[#calls + 1] = 'first'
      handles[1]:remove()
      m:register_forward_hook(function() calls[#calls + 1] = 'late' end)
    end)
    m:register_forward_hook(function() calls[#calls + 1] = 'second' end)
    m(metann.tensor(1))
    assert.same({ 'first', 'second' }, calls)
    m(metann.tensor(1))
    assert.same({ 'first', 'second', 'second', 'late' }, calls)
    handles[1]:remove()
  end)

  it('see all inputs and outputs, and may replace several', function()
    local Pair = nn.class('Pair')
    function Pair.forward(_, a, b) return a + 1, b end
    local m = Pair()
    m:register_forward_pre_hook(function(_, inputs) return { inputs[2], inputs[1] } end)
    local handle = m:register_forward_hook(function(_, inputs, x, y)
      assert.equal(2, #inputs)
      return y, x
    end)
    local x, y = m(metann.tensor(10), metann.tensor(20))
    assert.same({ 10, 21 }, { x:item(), y:item() })
    -- a copy's hooks are its own
    local copy = m:deepcopy()
    handle:remove()
    x, y = m(metann.tensor(10), metann.tensor(20))
    assert.same({ 21, 10 }, { x:item(), y:item() })
    x, y = copy(metann.tensor(10), metann.tensor(20))
    assert.same({ 10, 21 }, { x:item(), y:item() })
  end)

  it('run in views and dependent modules', function()
    local linear, calls = nn.Linear(2, 2), 0
    linear:register_forward_hook(function(_, _, y)
      calls = calls + 1
      return y * 2
    end)
    local x = metann.ones(1, 2)
    local want = linear(x):to_table()
    assert.same(want, metann.ProtoModule(linear):functional(linear:parameters())(x):to_table())
    assert.same(want, metann.DependentModule(linear:deepcopy())(x):to_table())
    assert.equal(3, calls)
  end)

  it('may run several times and in several copies', function()
    local m = nn.Identity()
    for _ = 1, 3 do m:register_forward_hook(function(_, _, y) return y * 2 end) end
    assert.equal(8, m(metann.tensor(1)):item())
    assert.equal(8, m:deepcopy()(metann.tensor(1)):item())
  end)
end)

describe('printing', function()
  it('draws the tree with 1-based names', function()
    local net = nn.Sequential(nn.Linear(10, 100), nn.ReLU(), nn.Sequential(nn.Conv2d(1, 8, 3, { padding = 1 }),
      nn.BatchNorm2d(8), nn.MaxPool2d(2)))
    assert.equal([[
Sequential(
  (1): Linear(in_features=10, out_features=100, bias=true)
  (2): ReLU()
  (3): Sequential(
    (1): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (2): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true)
    (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=false)
  )
)]], tostring(net))
    assert.equal('Net', tostring(Net(1)):match('^%a+'))
    -- a module that stands in two places, lines of its own, and both
    local shared = nn.ReLU()
    assert.equal('Sequential(\n  (1): ReLU()\n  (2): ReLU()\n)', tostring(nn.Sequential(shared, shared)))
    assert.equal([[
ParameterList(
  (1): Parameter containing: [float32 tensor of size (2,)]
  (2): Parameter containing: [float32 tensor of size (2, 3)]
)]], tostring(nn.ParameterList{ metann.ones(2), metann.ones(2, 3) }))
    local Noted = nn.class('Noted')
    function Noted:init() self.inner = nn.Tanh() end
    function Noted.extra_repr() return 'note' end
    assert.equal('Noted(\n  note\n  (inner): Tanh()\n)', tostring(Noted()))
    assert.equal('Sequential()', tostring(nn.Sequential()))
    assert.equal('Conv2d(1, 2, kernel_size=(2, 2), stride=(1, 1), padding=same, bias=false, padding_mode=circular)',
      tostring(nn.Conv2d(1, 2, 2, { padding = 'same', bias = false, padding_mode = 'circular' })))
    assert.equal("GELU(approximate='tanh')", tostring(nn.GELU('tanh')))
    assert.equal('ReLU(inplace=true)', tostring(nn.ReLU(true)))
    assert.equal('LSTM(3, 4, proj_size=2, num_layers=2, bias=false, batch_first=true, dropout=0.5, bidirectional=true)',
      tostring(nn.LSTM(3, 4, 2, false, true, 0.5, true, 2)))
  end)
end)

describe('garbage', function()
  it('modules and their gradients are freed', function()
    local before = live()
    local net = Net(4)
    net(metann.ones(2, 3)):sum():backward()
    net = nil -- luacheck: ignore
    assert.same(before, live())
  end)

  it('a scope keeps what modules file', function()
    local m = nn.Identity()
    m:register_buffer('b', nil)
    metann.scope(function()
      m.b = metann.ones(2) * 2
      m.t = metann.ones(2) * 3
      m.p = nn.Parameter(metann.ones(2) * 4)
    end)
    assert.same({ 4, 6, 8 }, { m.b:sum():item(), m.t:sum():item(), m.p:sum():item() })
  end)
end)
