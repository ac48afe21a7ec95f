-- Containers: made, read by position and range, changed, wrong use.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local nn = metann.nn
local message = checks.message

local function names(iterator)
  local list = {}
  for name in iterator do list[#list + 1] = name end
  return list
end

local function kinds_of(container)
  local list = {}
  for i, m in container:iter() do list[i] = tostring(m):match('^%a+') end
  return list
end

describe('containers', function()
  it('Sequential takes modules, a list or named pairs', function()
    local seq = nn.Sequential{ nn.Linear(2, 2), nn.ReLU() }
    assert.equal(2, seq:len())
    assert.is_true(nn.is(seq[2], nn.ReLU))
    assert.is_true(seq:get(-1) == seq[2])
    local named = nn.Sequential{ { 'in', nn.Linear(2, 3) }, { 'out', nn.ReLU() } }
    assert.same({ 'in', 'out' }, names(named:named_children()))
    assert.same({ 1, 3 }, named(metann.ones(1, 2)).shape)
    assert.matches('argument 2 must be a module', message(nn.Sequential, nn.ReLU(), 3))
    assert.matches('argument 1 must be a module', message(nn.Sequential, nil, nn.ReLU()))
    assert.matches('out of range', message(seq.get, seq, 3))
    assert.matches('count from 1', message(seq.get, seq, 0))
    local x = metann.ones(1)
    assert.is_true(nn.Sequential()(x) == x)
  end)

  it('Sequential and ModuleList grow', function()
    local list = nn.ModuleList{ nn.ReLU() }
    list:append(nn.Tanh()):extend{ nn.ELU(), nn.GELU() }
    list:insert(1, nn.Sigmoid())
    local kinds = {}
    for i, m in list:iter() do kinds[i] = tostring(m):match('^%a+') end
    assert.same({ 'Sigmoid', 'ReLU', 'Tanh', 'ELU', 'GELU' }, kinds)
    list[2] = nn.Identity()
    assert.is_true(nn.is(list[2], nn.Identity))
    assert.equal(5, nn.ModuleList(list):len())
    assert.matches('expected a module', message(list.append, list, 3))
    assert.matches('from 1 to 6', message(list.insert, list, 9, nn.ReLU()))
    assert.matches("'forward' is not defined", message(list))
    assert.matches('expected a list', message(nn.ModuleList, 3))
  end)

  it('ModuleDict keeps modules by name', function()
    local dict = nn.ModuleDict{ { 'b', nn.ReLU() }, { 'a', nn.Linear(1, 1) } }
    assert.same({ 'b', 'a' }, dict:keys())
    assert.is_true(nn.is(dict.a, nn.Linear))
    assert.is_true(dict:contains('b'))
    assert.is_false(dict:contains('c'))
    dict:set('c', nn.Tanh())
    assert.equal(3, dict:len())
    assert.is_true(nn.is(dict:pop('b'), nn.ReLU))
    assert.same({ 'a', 'c' }, dict:keys())
    assert.matches("no module 'b'", message(dict.get, dict, 'b'))
    assert.matches('must be a module', message(nn.ModuleDict, { x = 3 }))
    assert.same({ 'a.weight', 'a.bias' }, names(dict:named_parameters()))
    -- all or nothing
    assert.matches("entry 'y' must be a module", message(dict.update, dict, { { 'x', nn.ReLU() }, { 'y', 3 } }))
    assert.matches("'y.z' must not contain a dot", message(dict.update, dict, { { 'x', nn.ReLU() }, { 'y.z', nn.ReLU() } }))
    assert.same({ 'a', 'c' }, dict:keys())
  end)

  it('ParameterList keeps parameters', function()
    local list = nn.ParameterList{ metann.ones(2), nn.Parameter(metann.zeros(3)) }
    list:append(metann.ones(1))
    assert.equal(3, list:len())
    assert.is_true(list[3].requires_grad)
    assert.same({ '1', '2', '3' }, names(list:named_parameters()))
    assert.matches('expected a parameter', message(list.append, list, 3))
    assert.matches('must be a tensor', message(nn.ParameterList, { 3 }))
  end)

  it('are read by position, from both ends, and by range', function()
    local seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Tanh())
    assert.is_true(seq[-1] == seq[4] and seq[-4] == seq[1])
    assert.is_nil(seq[5])
    assert.is_nil(seq[-5])
    assert.matches('nn_containers_spec.lua:%d+: Sequential: position is 0, but positions count from 1',
      message(function() return seq[0] end))
    assert.matches('whole number', message(function() return seq[1.5] end))
    local tail = seq[{ 3, -1 }]
    assert.is_true(tail[1] == seq[3] and tail[2] == seq[4] and tail:len() == 2)
    assert.same({ 5, 4 }, tail(metann.ones(5, 3)).shape)
    assert.same({ '1.weight', '1.bias' }, names(tail:named_parameters()))
    assert.same({ 'Linear', 'Linear' }, kinds_of(seq[{ 1, 4, 2 }]))
    assert.same({ 'Linear', 'ReLU', 'Linear', 'Tanh' }, kinds_of(seq[{}]))
    assert.same({}, kinds_of(seq[{ 4, 2 }]))
    assert.same({ 'ReLU' }, kinds_of(seq:slice(2, 2)))
    assert.matches('whole numbers other than 0', message(function() return seq[{ 0, 2 }] end))
    assert.matches('step of a range', message(function() return seq[{ 1, 2, -1 }] end))
    local list = nn.ModuleList{ nn.ReLU(), nn.Tanh() }
    assert.is_true(nn.is(list[{ 2, 2 }], nn.ModuleList))
    local named = nn.Sequential{ { 'first', nn.ReLU() }, { 'second', nn.Tanh() } }
    assert.is_true(named[2] == named.second and named[-2] == named.first)
    assert.same({ 'second' }, names(named[{ 2, 2 }]:named_children()))
    local Deep = nn.class('Deep', nn.Sequential)
    function Deep:init(n) for _ = 1, n do self:append(nn.ReLU()) end end
    assert.equal(2, Deep(3)[{ 1, 2 }]:len())
  end)

  it('are changed by position', function()
    local list = nn.ModuleList{ nn.ReLU(), nn.Tanh(), nn.ELU() }
    list[-1] = nn.GELU()
    list[4] = nn.Sigmoid()
    assert.same({ 'ReLU', 'Tanh', 'GELU', 'Sigmoid' }, kinds_of(list))
    list[2] = nil
    assert.same({ 'ReLU', 'GELU', 'Sigmoid' }, kinds_of(list))
    assert.same({ '1', '2', '3' }, names(list:named_children()))
    assert.is_true(nn.is(list:pop(), nn.Sigmoid))
    assert.is_true(nn.is(list:pop(1), nn.ReLU))
    list:insert(-1, nn.Identity())
    assert.same({ 'Identity', 'GELU' }, kinds_of(list))
    list[9] = nil
    assert.equal(2, list:len())
    assert.matches('position 4 is out of range, there are 2 entries', message(function() list[4] = nn.ReLU() end))
    assert.matches('position 3 is out of range', message(list.pop, list, 3))
    assert.matches('extend: expected a module, got number 3', message(list.extend, list, { nn.ReLU(), 3 }))
    assert.equal(2, list:len())
    local named = nn.Sequential{ { 'in', nn.ReLU() }, { 'out', nn.Tanh() } }
    named:insert(2, nn.ELU())
    assert.same({ 'in', '2', 'out' }, names(named:named_children()))
    assert.matches("'x' must be a module", message(nn.Sequential, { { 'x', 3 } }))
  end)

  it('take shared modules as often as they are given', function()
    local shared = nn.Tanh()
    local list = nn.ModuleList{ shared, nn.ReLU(), shared }
    assert.equal(3, nn.ModuleList(list):len())
    assert.equal(4, nn.Sequential(nn.ReLU()):extend(list):len())
    assert.equal(2, nn.ModuleList(list:children()):len())
  end)

  it('are read the same way in views and as dependent modules', function()
    local seq = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
    local weights = {}
    for i, p in ipairs{ seq[1].weight, seq[1].bias, seq[3].weight, seq[3].bias } do weights[i] = (p * 2):detach() end
    local view = metann.ProtoModule(seq):functional(weights)
    assert.is_true(view[-1].weight == weights[3])
    local x = metann.ones(1, 3)
    local want = (x:matmul(weights[3]:t()) + weights[4]):to_table()
    assert.same(want, view[-1](x):to_table())
    assert.same(want, view[{ 3, 3 }](x):to_table())
    assert.matches("deepcopy", message(view.pop, view))
    assert.matches("deepcopy", message(view.insert, view, 1, nn.ReLU()))
    assert.equal(3, seq:len())
    local dependent = metann.DependentModule(seq:deepcopy())
    assert.is_true(nn.is(dependent[-1], metann.DependentModule))
    dependent[4] = nn.Linear(4, 1)
    assert.is_true(nn.is(dependent[4], metann.DependentModule))
    dependent[-1] = nil
    assert.equal(3, dependent:len())
  end)

  it('ModuleDict lists and clears', function()
    local dict = nn.ModuleDict{ b = nn.ReLU(), a = nn.Tanh() }
    assert.same({ 'a', 'b' }, dict:keys())
    assert.is_true(dict:values()[1] == dict.a)
    assert.same({ 'a', 'b', 'c' }, dict:update{ c = nn.ELU() }:keys())
    dict.a = nn.GELU()
    assert.same({ 'a', 'b', 'c' }, names(dict:iter()))
    dict:clear()
    assert.equal(0, dict:len())
  end)

  it('ParameterList is read and changed by position', function()
    local list = nn.ParameterList{ metann.ones(1), metann.ones(2), metann.ones(3) }
    assert.equal(3, list[-1]:numel())
    assert.equal(2, list:get(-2):numel())
    local part = list[{ 2, 3 }]
    assert.is_true(#part == 2 and part[1] == list[2])
    list[4] = nn.Parameter(metann.ones(4))
    list[1] = nn.Parameter(metann.ones(5))
    local sizes = {}
    for i, p in list:iter() do sizes[i] = p:numel() end
    assert.same({ 5, 2, 3, 4 }, sizes)
    assert.matches('position 9 is out of range', message(function() list[9] = nn.Parameter(metann.ones(1)) end))
    assert.matches('position 9 is out of range', message(list.get, list, 9))
    local Scales = nn.class('Scales')
    function Scales:init() self.list = nn.ParameterList{ metann.ones(1), metann.ones(1) } end
    function Scales:forward(x)
      for _, p in self.list:iter() do x = x * p end
      return x * self.list[-1]
    end
    local d = metann.DependentModule.stateless(Scales())
    d:substitute_from_list{ metann.tensor{ 2 }, metann.tensor{ 3 } }
    assert.equal(18, d(metann.ones(1)):item())
    local view = metann.ProtoModule(Scales()):functional{ metann.tensor{ 2 }, metann.tensor{ 3 } }
    assert.equal(18, view(metann.ones(1)):item())
  end)
end)

describe('names that users reach for', function()
  it('add is append', function()
    local net = nn.Sequential(nn.Linear(2, 3)):add(nn.Tanh()):add(nn.Linear(3, 1))
    assert.equal(3, net:len())
    assert.is_true(nn.is(net[2], nn.Tanh))
    assert.matches('Sequential:add: expected a module, got number 3', message(net.add, net, 3))
  end)

  it('num_parameters counts each number once', function()
    local net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1), nn.BatchNorm1d(1))
    assert.equal(2 * 3 + 3 + 3 + 1 + 2, net:num_parameters()) -- no buffers
    net[1]:requires_grad_(false)
    assert.equal(6, net:num_parameters(true))
    assert.equal(6, net:num_parameters{ trainable = true })
    assert.equal(9, nn.Sequential(net[1], net[1]):num_parameters())
    assert.matches("num_parameters: 'trainable' must be true or false", message(net.num_parameters, net, 1))
  end)
end)

describe('iterators', function()
  it('are left at the first value that is of no use, for there may be no end to them', function()
    local function strings() return 'a' end
    local function numbers() return 'a', 3 end
    local net = nn.Sequential()
    assert.matches("Sequential:extend: expected a module, got string 'a'", message(net.extend, net, strings))
    assert.matches('Sequential:extend: expected a module, got number 3', message(net.extend, net, numbers))
    assert.matches("ModuleList:extend: expected a module, got string 'a'", message(nn.ModuleList, strings))
    assert.matches("SGD: entry 1 must be a tensor, got string 'a'", message(metann.optim.SGD, strings, 1))
    assert.matches('SGD: entry a must be a tensor, got number 3', message(metann.optim.SGD, numbers, 1))
    local n = 0
    local function three()
      n = n + 1
      if n <= 3 then return 'm' .. n, nn.ReLU() end
    end
    assert.equal(3, net:extend(three):len())
  end)
end)

describe('ParameterDict', function()
  it('keeps parameters by name', function()
    local dict = nn.ParameterDict{ { 'w', metann.ones(2) }, { 'b', nn.Parameter(metann.zeros(3)) } }
    assert.same({ 'w', 'b' }, dict:keys())
    assert.is_true(nn.Module.parameters and dict.w.requires_grad)
    assert.equal(dict.b, dict['b'])
    dict:set('c', metann.full({ 1 }, 4))
    dict.d = nn.Parameter(metann.ones(1))
    assert.equal(4, dict:len())
    local seen = {}
    for name, p in dict:iter() do seen[#seen + 1] = name .. p:numel() end
    assert.same({ 'w2', 'b3', 'c1', 'd1' }, seen)
    assert.equal(4, dict:pop('c'):item())
    assert.is_false(dict:contains 'c')
    assert.same({ 'w', 'b', 'd' }, dict:keys())
    local found = {}
    for name in dict:named_parameters() do found[#found + 1] = name end
    assert.same({ 'w', 'b', 'd' }, found)
    assert.same({ 'b', 'd', 'w' }, nn.ParameterDict():update{ w = dict.w, b = dict.b, d = dict.d }:keys())
    assert.equal(3, nn.ParameterDict(dict):len())
    assert.matches('%(w%): Parameter containing: %[float32 tensor of size %(2,%)%]', tostring(dict))
    dict:clear()
    assert.equal(0, dict:len())
  end)

  it('refuses what is no parameter, and adds none of a list in which one is wrong', function()
    local dict = nn.ParameterDict{ a = metann.ones(1) }
    assert.matches("ParameterDict: entry 'x' must be a parameter, got number 3", message(dict.update, dict, { b = metann.ones(1), x = 3 }))
    assert.matches("entry 'x' must be of a float dtype, got int64", message(nn.ParameterDict, { x = metann.ones(1):long() }))
    assert.matches('entry 1 must be a {name, parameter} pair', message(nn.ParameterDict, { metann.ones(1) }))
    assert.matches("ParameterDict:get: no parameter 'q'", message(dict.get, dict, 'q'))
    assert.matches("'keys' can't name a parameter, it is a method", message(dict.set, dict, 'keys', metann.ones(1)))
    assert.same({ 'a' }, dict:keys())
  end)

  it('is seen through views and as a dependent', function()
    local Scaled = nn.class('Scaled')
    function Scaled:init() self.own = nn.ParameterDict{ a = metann.tensor{ 2 }, b = metann.tensor{ 3 } } end
    function Scaled:forward(x) return x * self.own.a + self.own:get('b') + self.own:len() end
    local net, x = Scaled(), metann.tensor{ 5 }
    assert.equal(15, net(x):item())
    local a = metann.tensor({ 7 }, { requires_grad = true })
    local y = metann.ProtoModule(net):functional{ a * 2, metann.tensor{ 1 } }(x)
    assert.equal(73, y:item())
    assert.equal(10, metann.grad(y, a):item())
    local dependent = metann.DependentModule.stateless(net)
    dependent:substitute_from_list{ a * 2, metann.tensor{ 1 } }
    assert.equal(73, dependent(x):item())
  end)
end)
