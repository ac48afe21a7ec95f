-- Chains of pointwise rows over blocks (core/cpu/group.c): the bits are those of the rows one by one.
local metann = require 'metann'
local handle = require('metann.binding').handle
local groups = require 'tests.support.groups'
local ffi, C = handle.ffi, handle.C
local group_of = groups.make

local SEED = os.time() % 100000

local function bytes(t)
  local a = groups.array(t)
  return ffi.string(a.data, tonumber(a.numel) * groups.WIDTH[t.dtype])
end

local function run(g, inputs, outputs, n)
  C.mn_cpu_group_run(g, groups.addresses(inputs), groups.addresses(outputs), n)
end

--- The outputs by the rows one by one.
local function one_by_one(inputs, steps)
  local values, outputs = groups.one_by_one(metann, inputs, steps), {}
  for i, s in ipairs(steps) do
    if s.out then outputs[s.out] = values[#inputs + i] end
  end
  return outputs
end

local function check(inputs, steps, dtype)
  local want, made, n = one_by_one(inputs, steps), {}, 0
  for _, t in ipairs(inputs) do n = math.max(n, t:numel()) end
  local g, held = group_of(inputs, steps, dtype)
  assert.equal(0, C.mn_cpu_group_plan(g))
  for i, t in ipairs(want) do made[i] = metann.zeros_like(t) end
  run(g, inputs, made, n)
  for i, t in ipairs(want) do assert(bytes(t) == bytes(made[i]), 'output ' .. i .. ' has other bits') end
  return g, held
end

local UNARY = { 'relu', 'neg', 'abs', 'square', 'exp', 'tanh', 'sigmoid' }
local BINARY = { 'add', 'sub', 'mul', 'div', 'maximum', 'minimum' }

--- A random chain whose steps read what came shortly before or any input; the last step and some others are outputs.
local function random_chain(n_in, count)
  local steps, outs = {}, 0
  for i = 1, count do
    local known = n_in + i - 1
    local recent = i == 1 and 1 or known -- each result is read by the step after it
    if math.random() < 0.4 then
      steps[i] = { UNARY[math.random(#UNARY)], recent }
    else
      steps[i] = { BINARY[math.random(#BINARY)], recent, math.random(known) }
    end
    if i == count or math.random() < 0.2 then
      outs = outs + 1
      steps[i].out = outs
    end
  end
  return steps
end

describe('groups of pointwise rows', function()
  it('give the bits of the rows one by one, for any chain, size and number of threads', function()
    print('seed ' .. SEED)
    math.randomseed(SEED)
    metann.manual_seed(SEED)
    local threads = metann.get_num_threads()
    for _, dtype in ipairs{ 'float32', 'float64' } do
      for _, n in ipairs{ 2, 37, 1025, 70001 } do
        local inputs = { metann.randn(n, { dtype = dtype }), metann.randn(n, { dtype = dtype }),
          metann.randn(1, { dtype = dtype }) }
        for count = 1, 12 do
          metann.set_num_threads(({ 1, 2, 7 })[count % 3 + 1])
          check(inputs, random_chain(#inputs, count), dtype)
        end
      end
    end
    metann.set_num_threads(threads)
  end)

  it('hold masks in their own width', function()
    local x, y = metann.randn(5000), metann.randn(5000)
    check({ x, y }, { { 'lt', 1, 2, dtype = 'bool' }, { 'where', 3, 1, 2, out = 1 } }, 'float32')
  end)

  it('share places among what is needed at a time', function()
    local x, steps = metann.randn(3000), {}
    for i = 1, 40 do steps[i] = { 'sigmoid', i } end
    steps[40].out = 1
    local g = check({ x }, steps, 'float32')
    assert.equal(2, g.slots)
    assert.equal(1024, tonumber(g.portion))
  end)

  it('write an output over an input that no later step reads', function()
    local x, y = metann.randn(2000), metann.randn(2000)
    local steps = { { 'mul', 1, 2 }, { 'add', 1, 3, out = 1 }, { 'relu', 4, out = 2 } }
    local want = one_by_one({ x, y }, steps)
    local g, held = group_of({ x, y }, steps, 'float32')
    assert.equal(0, C.mn_cpu_group_plan(g))
    local other = metann.zeros(2000)
    run(g, { x, y }, { x, other }, 2000)
    assert(bytes(want[1]) == bytes(x) and bytes(want[2]) == bytes(other))
    assert.is_table(held)
  end)

  it('refuse chains that can\'t be run', function()
    local x, one = metann.randn(10), metann.randn(1)
    groups.WIDTH.wide = 1000
    local wide = {} -- all of 17 results are needed at the end
    for i = 1, 17 do wide[i] = { 'neg', 1 } end
    for i = 1, 16 do wide[17 + i] = { 'add', i == 1 and 2 or 17 + i, i + 2, out = i == 16 and 1 or nil } end
    for what, case in pairs{
      ['a value that is not there yet'] = { { x }, { { 'neg', 2, out = 1 } } },
      ['a negative value'] = { { x }, { { 'neg', 0, out = 1 } } },
      ['a result that nobody takes'] = { { x }, { { 'neg', 1 }, { 'abs', 1, out = 1 } } },
      ['numbers alone'] = { { x, one }, { { 'neg', 2, out = 1 } } },
      ['no input'] = { {}, { { 'neg', 1, out = 1 } } },
      ['no step'] = { { x }, {} },
      ['elements of no dtype'] = { { x }, { { 'neg', 1, out = 1, dtype = 'wide' } } },
      ['too much at once'] = { { x }, wide },
    } do
      local g, held = group_of(case[1], case[2], 'float32')
      assert.equal(-1, C.mn_cpu_group_plan(g), what)
      assert.is_table(held)
    end
  end)
end)
