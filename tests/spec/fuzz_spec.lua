-- Every public function, method, layer and optimizer called at random: with what could be meant and with garbage, by position
-- and by name, with tensors of any dtype, size and layout, released ones among them. Each call returns or raises an error of
-- metann's at the caller's line; arguments and settings stay as they were, views give what dense tensors give, in-place
-- functions what the others give, gradients are slopes; nothing crashes, and nothing stays behind. What fails is printed as a
-- line of Lua. METANN_TEST_SEED gives other calls, METANN_FUZZ_CALLS more of each; ./dev fuzz goes on for as long as wanted.
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local calls = require 'tests.fuzz.calls'
local damaged = require 'tests.support.damaged'
local guard = require 'tests.fuzz.guard'
local inventory = require 'tests.fuzz.inventory'
local oracles = require 'tests.fuzz.oracles'
local scratch = require 'tests.support.scratch'
local values = require 'tests.fuzz.values'

local SEED = tonumber(os.getenv 'METANN_TEST_SEED') or 1
local CALLS = tonumber(os.getenv 'METANN_FUZZ_CALLS') or 4 -- of each function
print('fuzz seed ' .. SEED)
local here = select(2, scratch.run 'LD_PRELOAD= pwd'):gsub('%s+$', '')

local limit = metann.memory().limit_bytes
metann.set_memory_limit(calls.MEMORY)
local everything = calls.everything()

--- Where an entry belongs: methods, objects, or its namespace.
local function area_of(entry)
  if entry.style == 'method' or entry.style == 'operator' then return 'methods and operators of tensors' end
  if entry.style == 'object' then return 'methods of objects of ' .. entry.of:match '^(.*)%.' end
  return entry.path:match '^(.*)%.'
end

local areas, names = {}, {}
for i, entry in ipairs(everything.entries) do
  local area = area_of(entry)
  if not areas[area] then
    areas[area] = {}
    names[#names + 1] = area
  end
  table.insert(areas[area], { entry, i })
end

describe('random calls of', function()
  local folder, totals = nil, { result = 0, error = 0, none = 0 }
  setup(function()
    folder = scratch.folder()
    guard.go(folder)
  end)
  teardown(function()
    guard.go(here)
    scratch.remove(folder)
    metann.set_memory_limit(limit)
  end)

  for _, area in ipairs(names) do
    it(area, function()
      local before, cases, bad = calls.live(), {}, {}
      for _, pair in ipairs(areas[area]) do
        for k = 1, CALLS do
          local case = calls.case(pair[1], (SEED * 1000003 + pair[2] * 1009 + k) % 2147483647, everything.list)
          local fault, outcome = calls.check(case, everything)
          totals[outcome] = totals[outcome] + 1
          cases[#cases + 1] = case
          if fault then bad[#bad + 1] = calls.report(case, fault, everything) end
        end
      end
      assert(#bad == 0, ('seed %d\n  %s'):format(SEED, table.concat(bad, '\n  ')))
      if calls.live() ~= before then
        local case, text = calls.leak(cases, everything)
        assert(not case, case and ('seed %d: %s\n    %s'):format(SEED, text, call.line(case)))
      end
    end)
  end

  it('everything are results in part, and errors in part', function()
    local total = totals.result + totals.error + totals.none
    assert.is_true(totals.result > total / 5 and totals.error > total / 5 and totals.none < total / 10)
  end)
end)

describe('the generator', function()
  it('finds every namespace, layer, optimizer and schedule', function()
    for _, path in ipairs{
      'metann.exp', 'metann.exp_', 'metann.cat', 'metann.linalg.svd', 'metann.nn.Linear', 'metann.nn.functional.relu',
      'metann.nn.init.zeros_', 'metann.nn.utils.clip_grad_norm_', 'metann.optim.Adam', 'metann.optim.lr_scheduler.StepLR',
      'metann.meta.GDLearner', 'metann.func.grad', 'metann.autograd.checkpoint', 'metann.io.npy.load', 'metann.data.Sinusoid',
      'metann.train.Mean', 'metann.utils.OrderedDict', 't:sum', 't:backward', 't:to_table', 'metann.nn.Linear:()',
      'metann.optim.Adadelta:step',
    } do
      assert.truthy(everything.by_path[path], path)
    end
    local unmade = {}
    for _, path in ipairs(everything.unmade) do
      if path:find '^metann.nn' or path:find '^metann.optim' then unmade[#unmade + 1] = path end
    end
    assert.same({}, unmade)
  end)

  it('finds what a lazy module has not loaded yet', function()
    local lazy = require 'metann.binding.lazy'('metann', { arguments = 'arguments' }, { here = 1 })
    local members = inventory.members(lazy)
    assert.equal(1, members.here)
    assert.truthy(members.arguments)
  end)

  it('writes a call as a line that makes it again', function()
    local entry = everything.by_path['metann.add']
    for seed = 1, 200 do
      local case = calls.case(entry, seed, everything.list)
      assert.truthy(loadstring(call.line(case)), call.line(case))
      local other = calls.case(entry, seed, everything.list)
      assert.equal(call.line(case), call.line(other))
    end
  end)

  it('makes a failing case simple', function()
    local entry = everything.by_path['metann.cat']
    local case = { entry = entry, seed = 1, args = {
      values.table({ values.tensor{ size = { 3, 4, 5 }, dtype = 'int64', layout = 'transposed' }, values.text '7' }),
      values.text '5', values.table({}, { { 'dim', values.text '3' } }),
    } }
    local simple = calls.shrink(case, function(other)
      local first = other.args[1]
      return first and first.kind == 'table' and first.list[1] and first.list[1].kind == 'tensor' and #first.list[1].size > 0
    end)
    assert.equal("local metann = require 'metann'; print(metann.cat({metann.zeros({0}, {dtype = 'float32'})}))", call.line(simple))
  end)
end)

describe('an oracle', function()
  local P = call.PLACE

  it('wants errors at the caller, about what the caller gave', function()
    assert.is_nil(oracles.error(P .. "add: 'other' must be a tensor or a number, got nil"))
    for message, said in pairs{
      ["lua/metann/x.lua:3: attempt to index a nil value"] = "without the caller's line",
      [P .. "attempt to index local 'self' (a nil value)"] = 'an internal error',
      [P .. "bad argument #1 to 'abs' (number expected, got cdata)"] = 'an internal error',
      [P .. 'add: x.lua:5: mine'] = 'a line of other code',
    } do
      assert.truthy(oracles.error(message):find(said, 1, true), message)
    end
    assert.matches('is a table', oracles.error{})
  end)

  it('wants the name of the function that was called', function()
    local on = oracles.names
    oracles.names = true
    local case = { entry = { name = 'narrow', style = 'function', path = 'metann.narrow' }, args = {} }
    assert.is_nil(oracles.name(case, P .. "narrow: 'dim' must be given"))
    assert.matches("doesn't name 'narrow'", oracles.name(case, P .. "slice: 'dim' must be given"))
    assert.matches("doesn't name 'narrow'", oracles.name(case, P .. "narrow_copy: 'dim' must be given"))
    case.args[1] = values.text 'function() error(1) end'
    assert.is_nil(oracles.name(case, P .. "slice: 'dim' must be given"))
    case = { entry = { name = '()', of = 'metann.nn.AvgPool2d', style = 'object', object = 'x' }, args = {} }
    assert.is_nil(oracles.name(case, P .. 'AvgPool2d: x'))
    assert.is_nil(oracles.name(case, P .. 'avg_pool2d: x'))
    assert.matches("doesn't name 'AvgPool2d'", oracles.name(case, P .. 'max_pool2d: x'))
    oracles.names = on
  end)

  local function leaf(size, options)
    local o = { size = size, dtype = 'float64', grad = 'leaf' }
    for key, value in pairs(options or {}) do o[key] = value end
    return values.tensor(o)
  end
  local index = values.tensor{ size = { 2 }, dtype = 'int64', style = 'index' }

  --- What is found in a call of an entry.
  local function found(entry, ...)
    if type(entry) == 'string' then entry = assert(everything.by_path[entry], entry) end
    local fault = calls.check({ entry = entry, args = { ... }, seed = 1 }, everything)
    return fault and fault.oracle
  end

  it('finds a derivative that is not the slope, and none at a kink or where a part is left out', function()
    local function entry(body) return { name = 'mine', style = 'function', path = ('(function(x) return %s end)'):format(body) } end
    assert.equal('derivative', found(entry 'x:detach() * x', leaf{ 3 }))
    assert.equal('derivative', found(entry 'x:expand(3):detach() * 2 + x', leaf{ 3 }))
    assert.equal('derivative', found(entry '(x * x:detach()):cumsum(1)', leaf{ 3 }))
    for _, body in ipairs{ 'x * x', 'x:median()', 'x:amax()', '(x - x:detach()):abs()', 'x:sort()' } do
      assert.is_nil(found(entry(body), leaf{ 3 }), body)
      assert.is_nil(found(entry(body), leaf({ 3 }, { layout = 'expanded' })), body)
    end
    assert.is_nil(found('metann.nll_loss', leaf{ 2, 3 }, index, leaf{ 3 }))
    assert.is_nil(found('t:nll_loss', leaf{ 2, 3 }, index, leaf{ 3 }))
    assert.is_nil(found('metann.linalg.pinv', leaf{ 2, 2 }, values.table({}, { { 'atol', values.text '2' } })))
  end)

  it('knows what embedding writes, what has no name by its place, and what a table of names is', function()
    local entry, rows = everything.by_path['metann.nn.functional.embedding'], leaf({ 3, 2 }, { grad = false })
    local none = values.text 'nil'
    assert.is_nil(found(entry, index, rows, none, values.text '1'))
    assert.is_nil(found(entry, index, rows, values.table({}, { { 'max_norm', values.text '1' } })))
    local writing = { name = 'embedding', style = 'function', path = '(function(i, w) w:add_(1) return i end)' }
    assert.equal('arguments', found(writing, index, rows))
    assert.is_nil(found('metann.autograd.grad', leaf{}, values.text 'function(...) return ... end'))
    assert.is_nil(found('metann.randint', values.text '1', values.text 'setmetatable({}, {})'))
  end)

  it('sees what a call changes, and what views change', function()
    local t = metann.tensor{ 1, 2, 3 }
    local case = { entry = { name = 'sum', style = 'function' }, args = {} }
    local seen = oracles.look{ n = 2, { t }, 5 }
    assert.is_nil(oracles.unchanged(case, seen, false))
    t:add_(1)
    assert.matches('tensor 1 among the arguments was changed$', oracles.unchanged(case, seen, false))
    case.entry.name = 'add_'
    assert.is_nil(oracles.unchanged(case, seen, false))
    assert.matches('by a call that failed', oracles.unchanged(case, seen, true))
    local nan = metann.tensor{ 0 / 0, 1 / 0 }
    assert.is_nil(oracles.difference({ n = 2, nan, 'x' }, { n = 2, nan:clone(), 'x' }))
    assert.matches('element 1 is 1 and 2', oracles.difference({ n = 1, metann.tensor{ 1 } }, { n = 1, metann.tensor{ 2 } }))
    assert.matches('dtype float32 and float64', oracles.difference({ n = 1, t }, { n = 1, t:double() }))
    assert.matches('result 1 is x and y', oracles.difference({ n = 1, 'x' }, { n = 1, 'y' }))
  end)
end)

describe('what is live', function()
  it('is counted without what only compiled code holds, before as after', function()
    local function held()
      local t = metann.ones(96)
      local function read() return t end
      local n = 0
      for _ = 1, 1000 do n = n + (read() and 1 or 0) end -- compiled, with t as a constant
      return n
    end
    local before = calls.live()
    held()
    assert.equal(before, calls.live())
    held()
    damaged.with_limits({ name = 'nothing' }, '/', function() end)
  end)
end)
