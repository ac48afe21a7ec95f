-- The runner of reference vectors itself: that it reads Python as Python does, and that it says so when a case is wrong,
-- damaged or not understood.
local metann = require 'metann'
local json = require 'metann.binding.json'
local names = require 'tests.support.golden.torch.names'
local host = require 'tests.support.golden.torch.tensors'
local registry = require 'tests.support.golden.torch.registry'
local runner = require 'tests.support.golden.runner'
local safetensors = require 'metann.io.safetensors'
local scratch = require 'tests.support.scratch'
local values = require 'tests.support.golden.python.values'

--- A Python value as Lua data: lists and tuples as tables, tensors as nested tables.
local function lua(v)
  if values.is_sequence(v) then
    local list = {}
    for i = 1, v.n do list[i] = lua(v[i]) end
    return list
  end
  if type(v) == 'table' and values.number(v) then return values.number(v) end
  if metann.is_tensor and metann.is_tensor(v) or type(v) == 'cdata' then return v:to_table() end
  return v
end

local function evaluate(text, variables) return lua(names.evaluate(text, variables or {})) end

describe('Python', function()
  it('computes with numbers', function()
    for text, expected in pairs{
      ['1 + 2 * 3'] = 7, ['(1 + 2) * 3'] = 9, ['-2 ** 2'] = -4, ['2 ** 3 ** 2'] = 512, ['2 ** -1'] = 0.5,
      ['7 // 2'] = 3, ['-7 // 2'] = -4, ['-7 % 3'] = 2, ['1 / 4'] = 0.25, ['1_000 + 0x10'] = 1016, ['1e-2 * 100'] = 1,
      ['not 1 < 2 < 2'] = true, ['1 < 3 > 2'] = true, ['0 or 5'] = 5, ['3 and 0'] = 0, ['1 if 0 else 2'] = 2,
      ['5 & 3 | 8'] = 9, ['~5'] = -6, ['min(3, 1, 2)'] = 1, ['max([3, 1], key=lambda v: -v)'] = 1, ['round(2.5)'] = 2,
      ['int(-3.7)'] = -3, ['float("inf") > 1'] = true, ['len("abc" * 2)'] = 6, ['math.sqrt(16)'] = 4,
      ['1 is None'] = false, ['2 in (1, 2)'] = true, ['"b" not in "abc"'] = false, ['sum(x * x for x in range(4))'] = 14,
    } do
      assert.equal(expected, evaluate(text), text)
    end
  end)

  it('makes lists and tuples', function()
    for text, expected in pairs{
      ['[1, 2, 3][::-1]'] = { 3, 2, 1 }, ['(1, 2, 3)[-2:]'] = { 2, 3 }, ['[1] * 3 + [2]'] = { 1, 1, 1, 2 },
      ['[a + b for a, b in zip([1, 2], [3, 4])]'] = { 4, 6 }, ['[i for i in range(7) if i % 3 == 0]'] = { 0, 3, 6 },
      ['[x for r in [[1], [2, 3]] for x in r]'] = { 1, 2, 3 }, ['[*range(2), 5]'] = { 0, 1, 5 },
      ['list(enumerate("a", 4))'] = { { 4, 'a' } }, ['sorted([3, 1, 2], reverse=True)'] = { 3, 2, 1 },
      ['list({"a": 1, "b": 2}.values())'] = { 1, 2 }, ['(lambda a, *b, c=3: (a, b, c))(1, 2, 4)'] = { 1, { 2, 4 }, 3 },
      ['list(map(lambda v: v + 1, [1, 2]))'] = { 2, 3 }, ['[1, 2, 3, 4][1:-1]'] = { 2, 3 }, ['[].__len__ if 0 else ()'] = {},
    } do
      assert.same(expected, evaluate(text), text)
    end
  end)

  it('runs programs', function()
    local result = names.run([[
def power(x, n=2):
    # a comment
    if n == 0:
        return 1
    elif n < 0: return None
    else:
        return x * power(x, n - 1)

first, *rest = [power(k) for k in range(4)]
total = 0
for i, r in enumerate(rest):
    if i == 1: continue
    total += r
k = 0
while True:
    k += 1
    if (k > 5 and
            k % 2 == 0):
        break
x = torch.arange(4)
x[1:3] = 7; x[-1] *= 2
none = power(1, -1) is None
import torch, math as m
import torch.nn.functional as functional
from torch import (linalg as la, nn)
relu = functional.relu(getattr(torch, 'tensor')([-1.0, 2.0]))
kinds = [isinstance(v, c) for v, c in zip([1, 1.5, relu], [int, (int, list), torch.Tensor])]
]], {})
    assert.equal(10, result.total)
    assert.equal(6, result.k)
    assert.same({ 0, 7, 7, 6 }, lua(result.x))
    assert.is_true(result.none)
    assert.same({ 0, 2 }, lua(result.relu))
    assert.same({ true, false, true }, lua(result.kinds))
  end)

  it('indexes tensors from 0, and gives positions from 0', function()
    local x = metann.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    for text, expected in pairs{
      ['x[0, -1].item()'] = 3, ['x[:, 1:]'] = { { 2, 3 }, { 5, 6 } }, ['x[..., 0]'] = { 1, 4 }, ['x[1][None]'] = { { 4, 5, 6 } },
      ['x[:, [2, 0]]'] = { { 3, 1 }, { 6, 4 } }, ['x[x > 4]'] = { 5, 6 }, ['x.argmax().item()'] = 5, ['x.shape'] = { 2, 3 },
      ['x.max(dim=1).indices'] = { 2, 2 }, ['x.sum(0)'] = { 5, 7, 9 }, ['x[torch.tensor([1])]'] = { { 4, 5, 6 } },
      ['x[torch.tensor(1)]'] = { 4, 5, 6 }, ['(1 < x).sum().item()'] = 5, ['x.size(-1)'] = 3, ['x.repeat(1, 2)[0]'] = { 1, 2, 3, 1, 2, 3 },
      ['x.gather(1, torch.tensor([[0], [2]]))'] = { { 1 }, { 6 } }, ['torch.nonzero(x > 5)'] = { { 1, 2 } },
      ['F.one_hot(torch.tensor([1, 0]))'] = { { 0, 1 }, { 1, 0 } }, ['x.T[0]'] = { 1, 4 }, ['x[:, ::2]'] = { { 1, 3 }, { 4, 6 } },
    } do
      assert.same(expected, evaluate(text, { x = x }), text)
    end
  end)

  it('makes numbers of the types that they have in Python', function()
    for text, dtype in pairs{
      ['torch.tensor([1, 2])'] = 'int64', ['torch.tensor([1, 2.0])'] = 'float32', ['torch.tensor([[True]])'] = 'bool',
      ['torch.arange(3)'] = 'int64', ['torch.arange(0, 1, 0.5)'] = 'float32', ['torch.full((2,), 1)'] = 'int64',
      ['torch.full((2,), 1, dtype=torch.float64)'] = 'float64', ['torch.zeros(2)'] = 'float32',
      ['torch.arange(3) * 2.0'] = 'float32', ['torch.add(torch.arange(3), 2)'] = 'int64', ['torch.arange(3) < 1.5'] = 'bool',
      ['torch.arange(3).to(torch.float64)'] = 'float64', ['torch.arange(3).to("cpu", torch.bfloat16)'] = 'bfloat16',
    } do
      assert.equal(dtype, names.evaluate(text, {}).dtype, text)
    end
  end)

  it('has of torch what metann has by that name, and no more', function()
    local x = metann.ones(2)
    for text, message in pairs{
      ['torch.no_such_(x, 0, 1)'] = "torch has no 'no_such_'", ['x.no_such()'] = "a Tensor has no 'no_such'",
      ['torch.sparse.sum(x)'] = "torch has no 'sparse'", ['F.no_such(x)'] = "F has no 'no_such'",
      ['torch.linalg.no_such(x)'] = "torch.linalg has no 'no_such'", ['x.no_such_()'] = "a Tensor has no 'no_such_'",
      ['nn.NoSuch(1)'] = "torch.nn has no 'NoSuch'", ['torch.Tensor.no_such(x)'] = "a Tensor has no 'no_such'",
    } do
      local ok, fault = pcall(evaluate, text, { x = x })
      assert.is_false(ok, text)
      assert.truthy(fault:find(message, 1, true), fault)
    end
  end)

  it("says what it doesn't understand", function()
    for text, message in pairs{
      ['foo(1)'] = "the name 'foo' is not known", ['torch.foo(1)'] = "torch has no 'foo'", ['1 +'] = 'not understood',
      ['(1'] = "expected '%)'", ['f"a"'] = 'f%-strings', ['torch.sum(x, bar=2)'] = "'bar' is not understood",
      ['torch.sum()'] = "'input' is missing", ['[1][3]'] = 'out of range', ['x[::-1]'] = 'no negative step',
      ['[0 for i in range(10000) for j in range(10000)]'] = 'takes too long', ['"abc'] = 'not closed',
      ['(lambda f: f(f))(lambda f: f(f))'] = 'calls itself too often', ['1 / 0'] = 'division by zero',
    } do
      local ok, fault = pcall(evaluate, text, { x = metann.ones(2) })
      assert.is_false(ok, text)
      assert.matches(message, fault)
    end
    local ok, fault = pcall(evaluate, ('('):rep(1000) .. '1' .. (')'):rep(1000))
    assert.is_false(ok)
    assert.matches('nested too deeply', fault)
  end)
end)

describe('a call', function()
  --- What a function gets that PyTorch's arguments are given to, and what Python gets back.
  local function called(signature, args, named, ...)
    local got
    local results = { n = select('#', ...), ... }
    local value = registry.signature(signature):call(function(...)
      got = { n = select('#', ...), ... }
      return unpack(results, 1, results.n)
    end, args, named, host)
    return got, value
  end
  local None = values.None

  it('gives by position what stands by position, the rest by name in a table at the end', function()
    assert.same({ n = 3, 'x', 2, { keepdim = true } },
      (called('f(input, dim=None, keepdim=False)', { n = 2, 'x', 1 }, { keepdim = true })))
    assert.same({ n = 2, 'x', { dim = { 1, -1 } } }, (called('f(input, dim)', { n = 1, 'x' }, { dim = values.tuple{ 0, -1 } })))
    assert.same({ n = 3, 'x', 2, 3 }, (called('f(input, *size)', { n = 3, 'x', 2, 3 }, {})))
    assert.same({ n = 2, 'x', { 2, 3 } }, (called('f(input, *size)', { n = 2, 'x', values.list{ 2, 3 } }, {})))
    assert.same({ n = 2, 'x', { size = { 2 } } }, (called('f(input, *size)', { n = 1, 'x' }, { size = values.list{ 2 } })))
  end)

  it('leaves out None, by name and at the end, but not between others', function()
    assert.same({ n = 1, 'x' }, (called('f(input, a, b=1)', { n = 2, 'x', None }, { b = None })))
    assert.same({ n = 3, 'x', nil, 5 }, (called('f(input, a, b=1)', { n = 3, 'x', None, 5 }, {})))
  end)

  it("gives by name what stands behind PyTorch's deprecated arguments, and the choices of var and std", function()
    local loss = 'f(input, target, size_average=None, reduce=None, reduction="mean")'
    assert.same({ n = 3, 'x', 'y', { reduction = 'sum' } }, (called(loss, { n = 5, 'x', 'y', None, None, 'sum' }, {})))
    assert.same({ n = 2, 'x', { unbiased = true } }, (called('var(input, dim=None, unbiased=True)', { n = 2, 'x', true }, {})))
    assert.same({ n = 3, 'x', 1, { unbiased = false } },
      (called('var(input, dim=None, unbiased=True)', { n = 3, 'x', 0, false }, {})))
  end)

  it('counts positions from 1, those from the end and masks as they are', function()
    local index = metann.tensor({ 0, 2, -1 }, { dtype = 'int64' })
    local mask = metann.tensor{ true, false }
    local got = called('f(input, index, start: position)', { n = 3, index, index, index }, {})
    assert.same({ 0, 2, -1 }, got[1]:to_table())
    assert.same({ 1, 3, -1 }, got[2]:to_table())
    assert.same({ 1, 3, -1 }, got[3]:to_table())
    got = called('f(indices)', { n = 1, values.tuple{ None, mask, index } }, {})
    assert.is_false(got[1][1])
    assert.equal(mask, got[1][2])
    assert.same({ 1, 3, -1 }, got[1][3]:to_table())
  end)

  it('gives positions back from 0, by name', function()
    local index = metann.tensor({ 1, 3 }, { dtype = 'int64' })
    local _, value = called('f(input) -> values, indices', { n = 1, 'x' }, {}, 'v', index)
    assert.same({ 'v', { 0, 2 } }, lua(value))
    assert.same({ 'values', 'indices' }, value.names)
    _, value = called('f(input) -> values, indices', { n = 1, 'x' }, {}, 'v')
    assert.equal('v', value)
    _, value = called('f(input) => values, indices', { n = 1, 'x' }, {}, 'v')
    assert.same({ 'v', None }, { value[1], value[2] })
    _, value = called('f(input) -> indices', { n = 1, 'x' }, {}, { index, index })
    assert.same({ { 0, 2 }, { 0, 2 } }, lua(value))
  end)

  it("refuses what the signature doesn't have", function()
    for message, call in pairs{
      ["f: the argument 'c' is not understood"] = { { n = 1, 'x' }, { c = 1 } }, ["f: 'a' is missing"] = { { n = 0 }, {} },
      ['f: 3 arguments by position, at most 2'] = { { n = 3, 1, 2, 3 }, {} }, ["f: 'a' is given twice"] = { { n = 1, 1 }, { a = 1 } },
    } do
      local ok, fault = pcall(called, 'f(a, b=1)', call[1], call[2])
      assert.is_false(ok)
      assert.truthy(fault:find(message, 1, true), fault)
    end
  end)
end)

describe('a case', function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  local function description(changes)
    local case = {
      kind = 'op', name = 'made', dtype = 'float64', tolerance = { rtol = 1e-9, atol = 1e-10 }, expr = 'x * x',
      args = json.null, inputs = { 'x' }, consts = json.array{}, outputs = { 'output' }, differentiable = json.array{ 'x' },
    }
    for name, value in pairs(changes or {}) do case[name] = value end
    return { case = json.encode(case) }
  end

  local function double(list) return metann.tensor(list, { dtype = 'float64' }) end

  --- y = x^2 at 3, cotangent 2, u = 5: dy = 4x = 12, s = 5 * 2 * c * x.
  local function tensors(changes)
    local all = {
      ['input.x'] = double{ 3 }, output = double{ 9 }, grad_output = double{ 2 }, ['u.x'] = double{ 5 },
      ['grad.x'] = double{ 12 }, ['grad2.x'] = double{ 20 }, ['grad2.grad_output'] = double{ 30 },
    }
    for name, value in pairs(changes or {}) do all[name] = value end
    return all
  end

  local function verdict(all, metadata)
    safetensors.save(folder .. '/made.safetensors', all, metadata)
    local cases = runner.cases(folder)
    assert.equal(1, #cases)
    return (runner.check(cases[1]))
  end

  it('that is right passes', function() assert.is_nil(verdict(tensors(), description())) end)

  it('that is off is named, with its largest error and what is allowed', function()
    local fault = verdict(tensors{ ['grad2.x'] = double{ 20.5 }, output = double{ 9.125 } }, description())
    assert.matches('^made: grad2%.x: largest error 0%.5, 2%.06e%-08 allowed %(element 1 is 20, expected 20%.5%)', fault)
    assert.matches('also off: output', fault)
    assert.matches('has size %(1%), expected %(2%)', verdict(tensors{ output = double{ 9, 9 } }, description()))
    local nan = verdict(tensors{ ['input.x'] = double{ 0 / 0 } }, description())
    assert.matches('largest error nan', nan)
  end)

  it('may have NaN where NaN is expected, infinity where that is, and nothing else there', function()
    local function check(x, y)
      return verdict({ ['input.x'] = double{ x }, output = double{ y } }, description{ differentiable = json.array{} })
    end
    local nan, inf = 0 / 0, math.huge
    assert.is_nil(check(nan, nan))
    assert.is_nil(check(inf, inf))
    assert.matches('largest error nan', check(nan, 1))
    assert.matches('largest error nan', check(1, nan))
    assert.matches('largest error inf', check(inf, 1))
    assert.matches('largest error inf', check(1, inf))
    assert.matches('largest error inf', check(inf, -inf))
  end)

  it('has the dtypes that are expected, those of floats and of gradients too', function()
    assert.matches('^made: output has dtype float32, expected float64', verdict(tensors(), description{ expr = 'x.float() ** 2' }))
    assert.matches('^made: output has dtype float64, expected float32', verdict(tensors{ output = double{ 9 }:float() }, description()))
    assert.matches('^made: grad.x has dtype float64, expected float32',
      verdict(tensors{ ['grad.x'] = double{ 12 }:float() }, description()))
    assert.matches('^made: grad2.grad_output has dtype float64, expected float16',
      verdict(tensors{ ['grad2.grad_output'] = double{ 30 }:half() }, description()))
  end)

  it('has integers that are equal, beyond 2^53 too', function()
    local big = metann.tensor({ 2 ^ 53 }, { dtype = 'int64' })
    local made = description{ inputs = json.array{}, consts = { 'x' }, expr = 'x + 1', differentiable = json.array{} }
    assert.is_nil(verdict({ ['const.x'] = big, output = big + 1 }, made))
    assert.matches('^made: output: largest error', verdict({ ['const.x'] = big, output = big }, made))
  end)

  it("whose tensors are not all computed doesn't pass", function()
    assert.matches('never computed: adapted.1.w', verdict(tensors{ ['adapted.1.w'] = double{ 1 } }, description()))
  end)

  it('that is not understood is named', function()
    for message, changes in pairs{
      ["the kind 'opp' is not understood"] = { kind = 'opp' }, ["torch has no 'foo'"] = { expr = 'torch.foo(x)' },
      ["no tensor 'input.z'"] = { inputs = { 'x', 'z' } }, ["'tolerance' must have"] = { tolerance = 3 },
      ["the dtype 'int8' is not understood"] = { dtype = 'int8' }, ["'inputs' must be a list"] = { inputs = 5 },
      ['2 outputs are expected, 1 were computed'] = { outputs = { 'a', 'b' } },
      ["metann.nn has no 'Foo'"] = { kind = 'layer', layer = 'Foo', call = 'module(x)' },
      ['takes too long'] = { kind = 'high', program = 'while True: pass' },
      ["the program makes no 'output'"] = { kind = 'high', program = 'y = x' },
      ["the evaluator 'foo' is not understood"] = { kind = 'meta', evaluator = 'foo', learner = 'GDLearner',
        model = json.array{}, param_names = json.array{}, learner_args = { steps = 1 }, steps = 1, lr = 0.1 },
    } do
      local fault = verdict(tensors(), description(changes))
      assert.matches('^made: not understood, or not computed: ', fault)
      assert.truthy(fault:find(message, 1, true), fault)
    end
    assert.matches("have no 'case'", verdict(tensors(), { other = 'x' }))
    assert.matches('not a JSON object', verdict(tensors(), { case = '{"a": ' }))
  end)

  it('whose file is damaged is named', function()
    safetensors.save(folder .. '/a.safetensors', tensors(), description())
    local bytes = scratch.read(folder .. '/a.safetensors')
    for _, text in ipairs{ '', 'abc', bytes:sub(1, 100), bytes:sub(1, -9), ('\255'):rep(64) } do
      scratch.overwrite(folder .. '/a.safetensors', text)
      assert.matches('^a: not understood, or not computed: ', (runner.check(runner.cases(folder)[1])))
    end
  end)

  it('is found by the index, or where there is none by its files, parts together', function()
    local first, second = tensors(), {}
    second.output, first.output = first.output, nil
    os.execute(("mkdir -p '%s/op'"):format(folder))
    safetensors.save(folder .. '/op/two.safetensors', first, description())
    safetensors.save(folder .. '/op/two.part2.safetensors', second, description())
    local cases = runner.cases(folder)
    assert.equal(1, #cases)
    assert.equal('op/two', cases[1].name)
    assert.is_nil((runner.check(cases[1])))
    scratch.overwrite(folder .. '/index.json', json.encode{ list = {
      { kind = 'op', name = 'two', files = { 'op/two.safetensors', 'op/two.part2.safetensors' } },
      { kind = 'op', name = 'gone', files = { 'op/gone.safetensors' } }, { kind = 'op' },
      { kind = 'op', name = 'out', files = { '../x.safetensors' } },
    } })
    cases = runner.cases(folder)
    assert.equal(4, #cases)
    assert.is_nil((runner.check(cases[1])))
    assert.matches('^op/gone: ', (runner.check(cases[2])))
    assert.matches('^entry 3 of index.json: .*no list of files', (runner.check(cases[3])))
    assert.matches('^entry 4 of index.json: .*outside the folder', (runner.check(cases[4])))
    scratch.overwrite(folder .. '/index.json', '[')
    assert.matches('^index.json: ', (runner.check(runner.cases(folder)[1])))
  end)

  it('is found in folders at any depth, with an index of their own or without; a folder without cases is an error', function()
    os.execute(("mkdir -p '%s/a/b.c/d' '%s/e' '%s/none/below'"):format(folder, folder, folder))
    safetensors.save(folder .. '/a/b.c/d/one.safetensors', tensors(), description())
    safetensors.save(folder .. '/e/two.safetensors', tensors(), description())
    safetensors.save(folder .. '/e/hidden.safetensors', tensors(), description())
    scratch.overwrite(folder .. '/e/index.json', json.encode{ list = { { files = { 'two.safetensors' } } } })
    local cases = runner.cases(folder)
    local found = {}
    for i, case in ipairs(cases) do
      found[i] = case.name
      assert.is_nil((runner.check(case)))
    end
    assert.same({ 'a/b.c/d/one', 'e/two' }, found)
    for _, empty in ipairs{ '/none', '/nowhere' } do
      local ok, fault = pcall(runner.cases, folder .. empty)
      assert.is_false(ok)
      assert.matches('no index.json and no .safetensors file', fault)
    end
  end)
end)
