-- metann.save and metann.load.
local scratch = require 'tests.support.scratch'
local rows = require 'tests.support.rows'
local metann = require 'metann'
local json = require 'metann.binding.json'
local namespace = require 'tests.support.namespace'
local nn, optim, meta = metann.nn, metann.optim, metann.meta
local safetensors = metann.io.safetensors

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/a'
end)
after_each(function() scratch.remove(folder) end)

local function round(value)
  metann.save(path, value)
  return metann.load(path)
end

--- A file with this description of its contents and these tensors.
local function described(text, tensors)
  safetensors.save(path, tensors or {}, { format = 'metann', structure = text })
end

local function fails(fn, pattern, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok, pattern)
  assert.truthy(message:find(pattern, 1, true), message)
  assert.truthy(message:find 'io_save_spec', message)
end

describe('what was saved comes back:', function()
  it('numbers, strings, booleans, nested tables', function()
    local value = {
      1, -2.5, 'x', true, false, { list = { 1, 2, 3 }, empty = {}, ['with space'] = { [10] = 'a', [20] = 'b' } },
      { [true] = 1, [false] = 0, [1] = 'one', [2.5] = 'two and a half', x = 'y' }, 1e300, 5e-324, 0.1, 2 ^ 53, -2 ^ 60,
      'é', 'a\0b', '\255\254', '', '"\\\n\1', { '' , [''] = 1 },
    }
    assert.are.same(value, round(value))
    for _, plain in ipairs { 3, 'text', true, false, '' } do assert.are.equal(plain, round(plain)) end
    assert.are.same({}, round {})
    local back = round { 1 / 0, -1 / 0, 0 / 0, -1 / math.huge }
    assert.are.same({ 1 / 0, -1 / 0 }, { back[1], back[2] })
    assert.is_true(back[3] ~= back[3])
    assert.are.equal(-1 / 0, 1 / back[4])
  end)

  it('tensors of every dtype, bit for bit, with what is known of them', function()
    for dtype in pairs { float32 = 1, float64 = 1, float16 = 1, bfloat16 = 1, int64 = 1, int32 = 1, uint8 = 1, bool = 1 } do
      local t = metann.tensor { { 1, 0, 3 }, { 100, 1, 0 } }:to(dtype)
      local back = round { t, [3] = t:transpose(1, 2):contiguous() }
      assert.are.same({ dtype, { 2, 3 } }, { back[1].dtype, back[1].shape })
      assert.are.equal(rows.bytes(t), rows.bytes(back[1]))
      assert.are.equal(rows.bytes(t:transpose(1, 2)), rows.bytes(back[3]))
    end
    local scalar, empty = metann.tensor(2.5), metann.zeros(0, 3)
    local back = round { scalar, empty, scalar[{}] }
    assert.are.same({ 2.5, {}, { 0, 3 } }, { back[1]:item(), back[1].shape, back[2].shape })
    assert.are.equal(7, round(metann.tensor(7)):item())
  end)

  it('requires_grad and parameters, without history and .grad', function()
    local p = nn.Parameter(metann.ones(2))
    local leaf = metann.ones(2, { requires_grad = true })
    local made = p * 2
    made:sum():backward()
    local back = round { p = p, leaf = leaf, made = made, plain = metann.ones(2), frozen = nn.Parameter(metann.ones(1), false) }
    assert.is_true(back.p.requires_grad and back.leaf.requires_grad and back.made.requires_grad)
    assert.is_false(back.plain.requires_grad or back.frozen.requires_grad)
    assert.is_true(back.made.is_leaf)
    assert.is_nil(back.p.grad)
    local module = nn.Module()
    module.p = back.p
    module.frozen = back.frozen
    assert.are.same({ 'p', 'frozen' }, module:state_dict():keys())
    assert.has_error(function() module.plain = nil module:register_parameter('leaf', back.leaf) end)
  end)

  it('what is the same is the same again', function()
    local t, inner = metann.ones(2), { 1, 2 }
    local back = round { a = t, b = { t }, c = inner, d = { inner, inner } }
    assert.is_true(back.a:id() == back.b[1]:id())
    assert.is_true(back.c == back.d[1] and back.c == back.d[2])
    back.a:fill_(5)
    assert.are.same({ 5, 5 }, back.b[1]:to_table())
    assert.are.same({ 'a' }, safetensors.open(path):names())
  end)

  it('ties: aliases and views share a storage again, which is written once', function()
    local base = metann.arange(12):view(3, 4)
    local value = {
      base = base, detached = base:detach(), transposed = base:t(), row = base[2], part = base[{ { 2, 3 }, { 1, 2 } }],
      flat = base:view(12),
    }
    local back = round(value)
    for name, t in pairs(value) do
      assert.are.same({ t:to_table(), t.shape }, { back[name]:to_table(), back[name].shape }, name)
    end
    assert.are.same({ 'base' }, safetensors.open(path):names())
    back.base:fill_(-1)
    assert.are.equal(-2, back.row[1]:item() + back.transposed[4][3]:item())
    assert.are.same({ { -1, -1 }, { -1, -1 } }, back.part:to_table())
    assert.is_false(back.detached:id() == back.base:id())
  end)

  it('views without their base share the stretch that they lie on', function()
    local base = metann.arange(100)
    local value = { base[{ { 11, 20 } }], base[{ { 16, 25 } }], metann.ones(1):expand(1000), base:view(10, 10):t()[2] }
    local back = round(value)
    for i, t in ipairs(value) do assert.are.same(t:to_table(), back[i]:to_table()) end
    back[1]:fill_(-7)
    assert.are.equal(-7, back[2][5]:item())
    local reader = safetensors.open(path)
    assert.are.same({ '1.storage', '3.storage' }, reader:names())
    assert.are.same({ 91 }, reader:info '1.storage'.shape) -- 1 to 91 of the hundred
    assert.are.same({ 1 }, reader:info '3.storage'.shape)
  end)

  it('state dicts and ordered dictionaries, in order', function()
    local net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    local dict = metann.utils.OrderedDict { { 'z', 1 }, { 'a', { 2 } }, { 3, 'c' } }
    local back = round { net:state_dict(), dict }
    assert.are.same(net:state_dict():keys(), back[1]:keys())
    assert.are.same({ 'z', 'a', 3 }, back[2]:keys())
    assert.are.same({ 1, { 2 }, 'c' }, back[2]:values())
  end)

  it('a state dict with entries that are called as its methods', function()
    local module = nn.Module()
    module.weights = nn.Parameter(metann.ones(1))
    local state = module:state_dict()
    state['keys'] = metann.ones(2)
    state['get'] = metann.ones(3)
    local back = round(state)
    assert.are.same({ 2 }, rawget(back, 'keys').shape)
    assert.are.same({ 'keys', 'get' }, module:load_state_dict(back, { strict = false }).unexpected_keys)
  end)
end)

describe('training goes on after loading:', function()
  local function batch(i) return metann.full({ 4, 3 }, i / 10), metann.full({ 4, 2 }, i / 7) end

  local function step(net, optimizer, schedule, i)
    local x, y = batch(i)
    optimizer:zero_grad()
    nn.functional.mse_loss(net(x), y):backward()
    optimizer:step()
    schedule:step()
  end

  local function start(rule)
    local net = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2))
    local optimizer = optim[rule](net:parameters(), { lr = 0.1 })
    return net, optimizer, optim.lr_scheduler.StepLR(optimizer, { step_size = 2, gamma = 0.5 })
  end

  for _, rule in ipairs(namespace.optimizers()) do
    it(rule .. ' takes the same steps as without the interruption', function()
      metann.manual_seed(3)
      local net, optimizer, schedule = start(rule)
      for i = 1, 3 do step(net, optimizer, schedule, i) end
      metann.save(path, {
        net = net:state_dict(), optimizer = optimizer:state_dict(), schedule = schedule:state_dict(),
        rng = metann.get_rng_state(), epoch = 3,
      })
      local again, other, plan = start(rule)
      local saved = metann.load(path)
      again:load_state_dict(saved.net)
      other:load_state_dict(saved.optimizer)
      plan:load_state_dict(saved.schedule)
      for i = saved.epoch + 1, 6 do
        step(net, optimizer, schedule, i)
        step(again, other, plan, i)
      end
      for name, t in net:state_dict():pairs() do
        assert.are.equal(rows.bytes(t), rows.bytes(again:state_dict()[name]), name)
      end
      metann.set_rng_state(saved.rng)
    end)
  end

  it('ties within a module hold', function()
    local function tied()
      local net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
      net[2].weight = net[1].weight
      return net
    end
    local net, again = tied(), tied()
    again:load_state_dict(round(net:state_dict()))
    assert.are.same(net[2].weight:to_table(), again[2].weight:to_table())
    assert.is_true(again[1].weight:id() == again[2].weight:id())
  end)

  it('learners and adapted models', function()
    metann.manual_seed(4)
    local function mse(model, d) return nn.functional.mse_loss(model(d[1]), d[2]) end
    local function maml()
      return meta.MAML(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Linear(5, 2)), {
        steps_train = 2, steps_eval = 2, evaluator = mse, lr = nn.Parameter(metann.tensor(0.05)),
      })
    end
    local first, second = maml(), maml()
    local support, query = { batch(1) }, { batch(2) }
    second:load_state_dict(round(first:state_dict()))
    local one, two = first(support), second(support)
    assert.are.equal(mse(one, query):item(), mse(two, query):item())
    local third = maml()(support)
    third:load_state_dict(round(one:state_dict()))
    assert.are.equal(mse(one, query):item(), mse(third, query):item())
  end)
end)

describe('other tools', function()
  it('find the tensors by their paths', function()
    local net = nn.Sequential(nn.Linear(2, 3))
    metann.save(path, { model = net:state_dict(), list = { metann.ones(1) }, ['a.b'] = metann.ones(2), a = { b = metann.ones(3) } })
    local tensors, metadata = safetensors.load(path)
    assert.are.equal('metann', metadata.format)
    local names = {}
    for name in pairs(tensors) do names[#names + 1] = name end
    table.sort(names)
    assert.are.same({ 'a.b', 'a.b~2', 'list.1', 'model.1.bias', 'model.1.weight' }, names)
    metann.save(path, net:state_dict())
    nn.Sequential(nn.Linear(2, 3)):load_state_dict((safetensors.load(path)))
    metann.save(path, { __metadata__ = metann.ones(1), ['\255'] = metann.ones(1) })
    assert.are.same({ 1 }, metann.load(path)['\255'].shape)
  end)

  it('write files that metann.load takes for state dicts', function()
    local state = metann.load('tests/golden/io/convnet.safetensors', { from = 'pytorch' })
    local net = nn.Sequential(nn.Conv2d(1, 4, 3, { stride = 2 }), nn.BatchNorm2d(4), nn.ReLU(),
      nn.Sequential(nn.Conv2d(4, 3, 3, { bias = false }), nn.GELU()), nn.Flatten(), nn.Linear(12, 5))
    net:load_state_dict(state)
    assert.are.equal(10, state:len())
  end)
end)

describe('metann.save', function()
  it("says what it can't save, and where", function()
    local cycle = { a = { b = {} } }
    cycle.a.b.c = cycle.a
    local deep = {}
    for _ = 1, 600 do deep = { deep } end
    local net = nn.Linear(1, 1)
    for pattern, value in pairs {
      ["save: a.b.c is the table a again, inside itself: a cycle can't be saved"] = cycle,
      ["save: f is a function and can't be saved"] = { f = print },
      ["save: the value is a function and can't be saved"] = print,
      ["save: x.1 is a thread and can't be saved"] = { x = { coroutine.create(print) } },
      ["save: n is a cdata and can't be saved"] = { n = 1LL },
      ["save: net is a module (Linear) and can't be saved: save its state_dict()"] = { net = net },
      ["save: o is a table with a metatable and can't be saved: save its state_dict()"] = { o = optim.SGD({ net.weight }, { lr = 1 }) },
      ["save: m is a table with a metatable and can't be saved"] = { m = setmetatable({}, {}) },
      ["save: t has float32 tensor of size () for a key"] = { t = { [metann.tensor(1)] = 1, [2] = 2 } },
      ['is nested deeper than 500 tables'] = deep,
    } do
      fails(metann.save, pattern, path, value)
    end
    fails(function() metann.save(path) end, "save: the value is a nil and can't be saved")
    fails(function() metann.save(nil, 1) end, "save: 'path' must be given, as in save(path, value)")
    fails(function() metann.save(folder .. '/none/a', 1) end, 'save: ' .. folder .. '/none/a: No such file')
    assert.are.same({}, require('metann.binding.posix').list(folder))
  end)

  it('writes equal files for equal values', function()
    metann.save(path, { b = 1, a = metann.ones(2), [1] = 'x', [true] = 2 })
    local first = scratch.read(path)
    metann.save(path, { [true] = 2, [1] = 'x', a = metann.ones(2), b = 1 })
    assert.are.equal(first, scratch.read(path))
  end)
end)

describe('metann.load', function()
  it("refuses descriptions that don't hold", function()
    local t = { t = metann.ones(2, 3), i = metann.ones(2):to 'int64' }
    local function text(value, tensors) return ('{"version":1,"tensors":[%s],"value":%s}'):format(tensors or '', value) end
    local both = '{"name":"t"},{"name":"i"}'
    local function view(fields) return '{"name":"i"},{"name":"t",' .. fields .. '}' end
    for i, case in ipairs {
      { 'x', 'JSON, line 1' }, { '[]', 'no JSON object' }, { '{"version":2}', 'version 2, where version 1 is known' },
      { '{"version":1,"tensors":[]}', 'there is no value' }, { '{"version":1,"value":1}', 'no list of tensors' },
      { text '1', "doesn't say what the tensor" }, { text('1', '{"name":"x"}'), 'no tensor x' },
      { text('1', '{"name":3}'), 'tensor 1 has no name' }, { text('1', '3'), 'tensor 1 is no JSON object' },
      { text('1', '{"name":"t","code":"os.exit()"}'), "unknown field 'code'" },
      { text('1', '{"name":"t","parameter":1}'), "'parameter' must be true" },
      { text('1', '{"name":"t"},{"name":"i","requires_grad":true}'), "a int64 can't require gradients" },
      { text('1', view '"size":[7],"stride":[1],"offset":0'), 'reach beyond the 6 elements' },
      { text('1', view '"size":[2],"stride":[1],"offset":5'), 'reach beyond the 6 elements' },
      { text('1', view '"size":[2],"stride":[9007199254740992],"offset":0'), 'reach beyond the 6 elements' },
      { text('1', view '"size":[9007199254740992,9007199254740992],"stride":[0,0],"offset":0'), 'reach beyond' },
      { text('1', view '"size":[2],"stride":[-1],"offset":1'), 'stride has -1' },
      { text('1', view '"size":[2.5],"stride":[1],"offset":1'), 'size has 2.5' },
      { text('1', view '"size":[1,1,1,1,1,1,1,1,1],"stride":[],"offset":1'), 'no list of at most 8' },
      { text('1', view '"size":[1],"stride":[],"offset":1'), 'as many strides as sizes' },
      { text('1', view '"size":[1],"stride":[1]'), 'the offset is nil' },
      { text('{"tensor":3}', both), 'no tensor number 3' }, { text('{"tensor":0}', both), 'no tensor number 0' },
      { text('null', both), 'neither plain nor one' }, { text('{}', both), 'neither plain nor one' },
      { text('{"call":"os.exit"}', both), 'neither plain nor one of the known forms (call)' },
      { text('{"table":[],"hex":""}', both), 'neither plain nor one' },
      { text('{"table":[1]}', both), 'no list of keys and values' }, { text('{"table":{}}', both), 'no list of keys' },
      { text('{"table":[{"tensor":1},1]}', both), 'a table has the key' },
      { text('{"table":[{"number":"nan"},1]}', both), 'a table has the key nan' },
      { text('{"table":["a",1,"a",2]}', both), 'a table has the key a' },
      { text('{"state_dict":[1,1]}', both), 'a state dict has the key 1' },
      { text('{"same":1}', both), 'no table number 1 yet' }, { text('[[],{"same":1}]', both), 'no table number 1 yet' },
      { text('{"number":"one"}', both), "'one' is no number" }, { text('{"hex":"0g"}', both), 'not in hexadecimal' },
      { text('{"hex":"abc"}', both), 'not in hexadecimal' },
    } do
      described(case[1], t)
      fails(metann.load, case[2], path)
      fails(metann.load, 'load: ' .. path .. ': the description of the contents: ', path)
      assert(i)
    end
  end)

  it('takes descriptions that hold', function()
    described('{"version":1,"tensors":[{"name":"t","size":[3,2],"stride":[1,3],"offset":0}],"value":[[],{"same":2},{"tensor":1}]}',
      { t = metann.tensor { { 1, 2, 3 }, { 4, 5, 6 } } })
    local value = metann.load(path)
    assert.is_true(value[1] == value[2])
    assert.are.same({ { 1, 4 }, { 2, 5 }, { 3, 6 } }, value[3]:to_table())
  end)

  it('never takes memory that a view only claims', function()
    described(json.encode {
      version = 1, value = { tensor = 1 },
      tensors = { { name = 't', size = { 2 ^ 26, 2 ^ 26 }, stride = { 0, 0 }, offset = 0 } },
    }, { t = metann.ones(1) })
    local before = metann.memory().live_bytes
    assert.are.same({ 2 ^ 26, 2 ^ 26 }, metann.load(path).shape)
    assert.is_true(metann.memory().live_bytes - before < 4096)
  end)

  it('names what is wrong', function()
    fails(metann.load, "load: 'path' must be given, as in load(path)", nil)
    fails(metann.load, 'load: ' .. folder .. '/none: No such file', folder .. '/none')
    metann.save(path, { 1 })
    fails(metann.load, "unknown option 'fro', did you mean 'from'", path, { fro = 1 })
    fails(metann.load, 'its names count from 1 already', path, { from = 'pytorch' })
  end)
end)

it('Readers and writers take arguments by position and by name', function()
  local t, io = metann.tensor{ 1, 2 }, metann.io
  local place = os.tmpname()
  metann.save{ path = place, value = { t } }
  assert.are.same({ 1, 2 }, metann.load{ path = place, map = true }[1]:to_table())
  io.safetensors.save{ path = place, tensors = { t = t }, metadata = { a = 'b' } }
  local tensors, metadata = io.safetensors.load(place, { map = false })
  assert.are.same({ { 1, 2 }, { a = 'b' } }, { tensors.t:to_table(), metadata })
  local reader = io.safetensors.open{ path = place }
  assert.are.same({ 1, 2 }, reader:get{ name = 't' }:to_table())
  fails(reader.get, "safetensors reader:get: must be called with ':', as in safetensors reader:get(...), got string 't'", 't')
  reader:close()
  io.npy.save{ path = place, t = t }
  assert.are.same({ 1, 2 }, io.npy.load{ path = place }:to_table())
  io.npz.save{ path = place, tensors = { t = t }, compress = true }
  assert.are.same({ 1, 2 }, io.npz.load{ path = place }.t:to_table())
  for words, call in pairs{
    ['save: takes 2 arguments, got 3'] = function() metann.save(place, 1, 2) end,
    ['safetensors.save: takes 3 arguments, got 4'] = function() io.safetensors.save(place, {}, {}, 1) end,
    ["load: unknown option 'mapp', did you mean 'map'"] = function() metann.load(place, { mapp = true }) end,
    ["npy.load: unknown option 'map'"] = function() io.npy.load(place, { map = true }) end,
    ["npz.save: 'tensors' must be given"] = function() io.npz.save(place) end,
  } do
    fails(call, words)
  end
  os.remove(place)
end)
