-- Every public function, called wrongly, says its own name at the caller's line, whatever it is made of.
local metann = require 'metann'
local binding = require 'metann.binding'
local call = require 'tests.fuzz.call'
local calls = require 'tests.fuzz.calls'
local guard = require 'tests.fuzz.guard'
local oracles = require 'tests.fuzz.oracles'
local scratch = require 'tests.support.scratch'
local values = require 'tests.fuzz.values'
local methods = binding.handle.methods

local SOURCE = debug.getinfo(1, 'S').short_src

--- Names of functions, sorted: those of a table and whatever a second one lists.
local function names_of(...)
  local seen, names = {}, {}
  for _, list in ipairs{ ... } do
    for name, value in pairs(list) do
      if type(name) == 'number' then name, value = value, true end
      if not seen[name] and (type(value) == 'function' or value == true) then
        seen[name] = true
        names[#names + 1] = name
      end
    end
  end
  table.sort(names)
  return names
end

--- The rows of the op table and their in-place forms.
local function rows()
  local list = {}
  for name, row in pairs(binding.stub.rows) do
    list[#list + 1] = name
    if row.has 'INPLACE' then list[#list + 1] = name .. '_' end
  end
  return list
end

local t = metann.ones(2, 2)
-- What is wrong for every function with arguments that are checked: nothing at all, a string, a table of unknown names.
local WRONG = {
  { n = 0 }, { n = 1, 'x' }, { n = 2, t, 'x' }, { n = 2, t, { no_such_option = 1 } }, { n = 1, { no_such_option = 1 } },
  { n = 2, t, print }, { n = 2, t, function() end }, { n = 3, t, 1, function() end }, { n = 1, function() end },
  { n = 3, t, t, 'x' }, { n = 3, t, t, { no_such_option = 1 } }, { n = 2, t, metann.ones(3, 5, 7) },
  { n = 12, t, t, t, t, t, t, t, t, t, t, t, t },
}

local function called(name, fn, given)
  local ok, said = pcall(function() local r = fn(unpack(given, 1, given.n)) return r end)
  if ok then return true end
  said = tostring(said)
  local wanted = ('%s:%%d+: %s: '):format(SOURCE:gsub('%p', '%%%0'), (name:gsub('%p', '%%%0')))
  return false, not said:find('^' .. wanted) and said
end

local function check(names, find)
  local offences = {}
  for _, name in ipairs(names) do
    local fn, failed = find(name), false
    for i, given in ipairs(WRONG) do
      local ok, offence = called(name, fn, given)
      failed = failed or not ok
      if offence then offences[#offences + 1] = ('%s with wrong arguments %d: %s'):format(name, i, offence) end
    end
    if not failed then offences[#offences + 1] = name .. ' takes everything' end
  end
  assert(#offences == 0, '\n  ' .. table.concat(offences, '\n  '))
end

describe('an error names the function that was called', function()
  it('of metann', function()
    check(names_of(require 'metann.tensor.ops', rows()), function(name) return metann[name] end)
  end)

  it('of tensors', function()
    check(names_of(methods), function(name) return t[name] end)
  end)

  it('of metann.linalg', function()
    check(names_of(metann.linalg), function(name) return metann.linalg[name] end)
  end)

  it('of metann.nn.functional', function()
    check(names_of(metann.nn.functional), function(name) return metann.nn.functional[name] end)
  end)

  it('or the class of the object that was called, whatever it is made of', function()
    local nn, meta = metann.nn, metann.meta
    local half, double = metann.ones(1):half(), metann.ones(1, 2):double()
    local index = metann.tensor(9, { dtype = 'int64' })
    local function says(wanted, fn, ...)
      local text = tostring(select(2, pcall(fn, ...)))
      assert(text:find(('^%s:%%d+: %s'):format(SOURCE:gsub('%p', '%%%0'), wanted)), text)
    end
    says('PReLU: not defined for dtype float16', function() return nn.PReLU()(half), nil end)
    says('PReLU: not defined for dtype float16', function() return nn.PReLU():forward(half), nil end)
    says('RNN: input is float64 but weight is float32', function() return nn.RNN(2, 1)(double), nil end)
    says('Embedding: index 9 is out of range', function() return nn.Embedding(4, 2)(index), nil end)
    says('Upsample: expected %(N, C, ...%)', function() return nn.Upsample(1)(index), nil end)
    -- a layer within says so itself, and where it stands
    says('RNN: input is float64 .* %(in Sequential%[1%]%)', function() return nn.Sequential(nn.RNN(2, 1))(double), nil end)
    local view = metann.ProtoModule(nn.Embedding(4, 2)):functional{ metann.ones(4, 2) }
    says('Embedding: index 9 is out of range', function() return view(index), nil end)
    says("GRU: 'device' must be 'cpu', the only device here, got string 'x'", nn.GRU, 1, 1, { device = 'x' })
    says("Linear: 'dtype' must be a floating%-point dtype such as 'float32', got string 'int64'", nn.Linear, 1, 1,
      { dtype = 'int64' })
    says('ParameterList: a parameter must be of a float dtype, got int64', nn.ParameterList, index)
    local learner = meta.GDLearner(1, 0.1)
    says("GDLearner: 'model' must be given", function() return learner(), nil end)
    says('GDLearner: model must be a module, got number 1', function() return learner(1, 2), nil end)
    says("SequentialGDLearner: option 'momentum' must be", meta.SequentialGDLearner, 1, 'x')
    says("RMSPropLearner: 'centered' must be true or false, got number 1", meta.RMSPropLearner, nil, nil, nil, 1)
    says("SGD: 'nesterov' needs a momentum", metann.optim.SGD, { nn.Parameter(half:float()) }, { lr = 1, nesterov = true })
  end)
end)

-- ---- whatever it is made of ----

-- What fails late, in what a class or method is made of: sizes that no memory has, small numbers that don't fit each other,
-- names of something else, tensors where one number is wanted, and functions.
local HUGE = { '1e9', '2^31', '2^53', '2^59', '2^60', '2^63', '1/0' }
local OTHER = {
  "'x'", "'bilinear'", values.tensor{ size = { 2 } }, values.tensor{ size = { 3 }, dtype = 'int64' },
  values.tensor{ size = { 3, 3 } }, '{}', "{'x'}", '{no_such_option = 1}', '{metann.ones(2)}', 'true', '0', '-1', '0.5',
}

--- Lists of arguments, each a text or a node.
local function wrong_lists()
  local lists = { {} }
  for a = 1, 3 do
    lists[#lists + 1] = { a }
    for b = 1, 3 do
      lists[#lists + 1] = { a, b }
      for c = 1, 3 do lists[#lists + 1] = { a, b, c } end
    end
  end
  for _, odd in ipairs{ HUGE, OTHER } do
    for _, text in ipairs(odd) do
      for at = 1, 3 do
        local list = { 2, 2, 2 }
        list[at] = text
        lists[#lists + 1] = { unpack(list, 1, at) }
        if at < 3 then lists[#lists + 1] = list end
      end
    end
  end
  return lists
end

--- The case of a call of an entry of the inventory.
local function case_of(entry, list)
  local case = { entry = entry, args = {}, seed = 1 }
  if entry.style == 'object' then case.args[1] = values.text(entry.object) end
  for _, arg in ipairs(list) do
    case.args[#case.args + 1] = type(arg) == 'table' and arg or values.text(tostring(arg))
  end
  return case
end

describe('an error names the class that was called, or the object\'s', function()
  local here = select(2, scratch.run 'LD_PRELOAD= pwd'):gsub('%s+$', '')
  local device = metann.get_default_device()
  local folder, limit
  setup(function()
    folder, limit = scratch.folder(), metann.memory(device).limit_bytes
    guard.go(folder)
    metann.set_memory_limit(calls.MEMORY, device)
  end)
  teardown(function()
    guard.go(here)
    scratch.remove(folder)
    metann.set_memory_limit(limit, device)
  end)

  local lists = wrong_lists()
  for _, style in ipairs{ 'class', 'object' } do
    it('whatever fails in there: ' .. style, function()
      local offences, errors, everything = {}, 0, calls.everything()
      for _, entry in ipairs(everything.entries) do
        -- a layer's cases are for calls that fit; what is wrong is given to one object of its class
        local again = entry.inputs and everything.objects[entry.of]
        for _, list in ipairs(entry.style == style and not again and lists or {}) do
          local case = case_of(entry, list)
          local ok, message = call.run(case, call.arguments(case, values.render))
          local fault = not ok and (oracles.error(message) or oracles.name(case, message))
          if not ok then errors = errors + 1 end
          if fault then offences[#offences + 1] = fault .. '\n    ' .. call.line(case) end
        end
      end
      assert(#offences == 0, '\n  ' .. table.concat(offences, '\n  '))
      assert.is_true(errors > 1000)
    end)
  end
end)

describe('an error in what the user wrote', function()
  -- ends with a call of metann's, so that nothing of it is on the stack
  local function own() return metann.add(metann.ones(2), metann.ones(3)) end

  local function says_add(fn)
    local text = tostring(select(2, pcall(function() local r = fn() return r end)))
    assert(text:find(('^%s:%%d+: add: '):format((SOURCE:gsub('%p', '%%%0')))), text)
  end

  it('names what failed there, not what called it', function()
    local nn, optim, meta = metann.nn, metann.optim, metann.meta
    local model, x = nn.Linear(1, 1), metann.ones(1, 1)
    local Net = nn.class('Net')
    function Net.init(_, fails) return fails and own() end
    function Net.forward() return own() end
    function Net.other() return own() end
    says_add(function() return Net()(1) end)
    says_add(function() return Net(true) end)
    says_add(function() return Net():forward(1) end)
    says_add(function() return Net():other() end)
    says_add(function() return meta.GDLearner(1, 0.1)(model, x, { evaluator = own }) end)
    says_add(function() return meta.GDLearner(1, 0.1, true, own)(model, x) end)
    says_add(function() return meta.MAML(model, 1, 1, 0.1, own)(x) end)
    local optimizer = optim.SGD(model:parameters(), { lr = 1 })
    says_add(function() return optimizer:step(own) end)
    says_add(function() return optim.SGD(own, { lr = 1 }) end)
    says_add(function() return optim.lr_scheduler.LambdaLR(optimizer, own) end)
    says_add(function() return model:apply(own) end)
    says_add(function() return nn.TransformerEncoderLayer(2, 1, { activation = own })(metann.ones(2, 2, 2)) end)
    model:register_forward_hook(own)
    says_add(function() return model(x) end)
    says_add(function() return metann.utils.DefaultList(own):get(1) end)
    says_add(function() return metann.train.Progress{ steps = 1, clock = own } end)
  end)
end)
