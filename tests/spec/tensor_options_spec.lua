-- How functions that make tensors, work elementwise or over dims are called: by position, by name in one table, both in
-- one table; what they refuse, and under whose name.
local metann = require 'metann'
local pairs = require('metann.binding.traversal').pairs

local function double(x) return metann.tensor(x, { dtype = 'float64' }) end
local function long(x) return metann.tensor(x, { dtype = 'int64' }) end
local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(message)
end

--- All that a call gives, as text.
local function text(...)
  local parts = {}
  for i = 1, select('#', ...) do
    local v = select(i, ...)
    parts[i] = metann.is_tensor(v) and ('%s (%s) %s'):format(v.dtype, table.concat(v.shape, ','),
      table.concat(v:detach():double():to_flat_table(), ' ')) or tostring(v)
  end
  return table.concat(parts, ' | ')
end

local t, u = double{ { 3, -1 }, { 0.5, 2 } }, double{ { 1, 2 }, { -4, 0.25 } }
local w = double{ 1, 2, 3 }
local mask = metann.tensor{ { true, false }, { false, true } }

-- name, arguments by position, the same as one table after the first `kept` of them
local CALLS = {
  { 'rsub', { t, u, 2 }, 1, { other = u, alpha = 2 } },
  { 'div', { t, u, 'floor' }, 2, { rounding_mode = 'floor' } },
  { 'div', { t, u, 'trunc' }, 1, { other = u, rounding_mode = 'trunc' } },
  { 'floor_divide', { t, u }, 1, { other = u } },
  { 'clamp', { t, 0, u }, 1, { min = 0, max = u } },
  { 'clamp_min', { t, 1 }, 1, { min = 1 } },
  { 'clamp_max', { t, u }, 1, { max = u } },
  { 'hardtanh', { t, -2, 1 }, 1, { min_val = -2, max_val = 1 } },
  { 'lerp', { t, u, 0.75 }, 1, { ['end'] = u, weight = 0.75 } },
  { 'addcmul', { t, u, t, 2 }, 1, { tensor1 = u, tensor2 = t, value = 2 } },
  { 'addcdiv', { t, u, u, 2 }, 3, { value = 2 } },
  { 'round', { t, 1 }, 1, { decimals = 1 } },
  { 'where', { mask, t, u }, 0, { condition = mask, input = t, other = u } },
  { 'masked_fill', { t, mask, 7 }, 1, { mask = mask, value = 7 } },
  { 'fill', { t, true }, 1, { value = true } },
  { 'equal', { t, u }, 1, { other = u } },
  { 'isclose', { t, u, 0.5, 1, true }, 2, { rtol = 0.5, atol = 1, equal_nan = true } },
  { 'allclose', { t, u, 0.5 }, 2, { rtol = 0.5 } },
  { 'sum', { t, 1, true }, 1, { dim = 1, keepdim = true } },
  { 'mean', { t, { 1, 2 }, true }, 1, { 1, 2, keepdim = true } },
  { 'amax', { t, { 1 }, true }, 1, { 1, keepdim = true } },
  { 'logsumexp', { t, 2 }, 1, { dim = 2 } },
  { 'argmax', { t, 2, true }, 1, { dim = 2, keepdim = true } },
  { 'prod', { t, 1 }, 1, { dim = 1 } },
  { 'cumsum', { t, 1 }, 1, { dim = 1 } },
  { 'cumprod', { t, 2 }, 1, { dim = 2 } },
  { 'softmax', { t, 2 }, 1, { dim = 2 } },
  { 'log_softmax', { t, 1 }, 1, { dim = 1 } },
  { 'var', { t, 1, 0, true }, 1, { dim = 1, correction = 0, keepdim = true } },
  { 'std', { t, { 1, 2 }, 0 }, 1, { 1, 2, unbiased = false } },
  { 'norm', { t, 3, 1, true }, 1, { p = 3, dim = 1, keepdim = true } },
  { 'norm', { t, 3, 1, true }, 2, { dim = 1, keepdim = true } },
  { 'normalize', { t, 1, 2, 0.5 }, 1, { p = 1, dim = 2, eps = 0.5 } },
  { 'cosine_similarity', { t, u, 1 }, 1, { other = u, dim = 1 } },
  { 'max', { t, 1, true }, 1, { dim = 1, keepdim = true } },
  { 'max', { t, u }, 1, { other = u } },
  { 'min', { t, 2 }, 1, { dim = 2 } },
  { 'sort', { t, 1, true }, 1, { dim = 1, descending = true, stable = true } },
  { 'argsort', { t, 1 }, 1, { dim = 1 } },
  { 'topk', { t, 1, 1, false }, 2, { dim = 1, largest = false, sorted = true } },
  { 'kthvalue', { t, 2, 1, true }, 2, { dim = 1, keepdim = true } },
  { 'median', { t, 1, true }, 1, { dim = 1, keepdim = true } },
  { 'mode', { t, 1 }, 1, { dim = 1 } },
  { 'count_nonzero', { t, 1 }, 1, { dim = 1 } },
  { 'multinomial', { w, 4, true }, 1, { num_samples = 4, replacement = true } },
  { 'dropout', { t, 0.5, true }, 1, { p = 0.5, training = true } },
  { 'normal', { 1, 2, { 3 } }, 0, { mean = 1, std = 2, size = 3 } },
  { 'tensor', { { 1, 2 }, { dtype = 'int64' } }, 0, { 1, 2, dtype = 'int64' } },
  { 'tensor', { { { 1 }, { 2 } } }, 0, { data = { { 1 }, { 2 } } } },
  { 'zeros', { 2, 3 }, 0, { 2, 3 } },
  { 'zeros', { 2, 3, { dtype = 'int64' } }, 0, { 2, 3, dtype = 'int64' } },
  { 'ones', { { 2 }, { dtype = 'bool' } }, 0, { size = 2, dtype = 'bool' } },
  { 'rand', { { 2, 2 } }, 0, { size = { 2, 2 } } },
  { 'randn_like', { t, { dtype = 'float32' } }, 0, { input = t, dtype = 'float32' } },
  { 'full', { { 2 }, 3, { dtype = 'int32' } }, 0, { size = { 2 }, fill_value = 3, dtype = 'int32' } },
  { 'full_like', { t, true }, 1, { fill_value = true } },
  { 'eye', { 2, 3 }, 0, { n = 2, m = 3 } },
  { 'arange', { 5 }, 0, { stop = 5 } },
  { 'arange', { 1, 5, 2 }, 0, { start = 1, stop = 5, step = 2 } },
  { 'arange', { 1, 5, { dtype = 'int32' } }, 1, { stop = 5, dtype = 'int32' } },
  { 'linspace', { 0, 1, 3 }, 0, { start = 0, stop = 1, count = 3 } },
  { 'randint', { 2, 9, { 3 } }, 0, { low = 2, high = 9, size = { 3 } } },
  { 'randint', { 9, { 3 } }, 0, { high = 9, size = { 3 } } },
  { 'randint', { 2, 9, 3, 2 }, 2, { size = { 3, 2 } } },
  { 'randperm', { 5 }, 0, { n = 5 } },
}

describe('arguments', function()
  it('may stand by position or in one table by name', function()
    for _, call in ipairs(CALLS) do
      local name, positions, kept, named = unpack(call)
      local short = { unpack(positions, 1, kept) }
      short[kept + 1] = named
      metann.manual_seed(3)
      local want = text(metann[name](unpack(positions)))
      metann.manual_seed(3)
      assert.equal(want, text(metann[name](unpack(short, 1, kept + 1))), name)
    end
  end)

  it('may all be given by name, those of a function with a short way for plain calls too', function()
    local whole = long{ 1, 3 }
    for name, want in pairs{ sum = '() 4', mean = '() 2', prod = '() 3' } do
      assert.equal('float64 ' .. want, text(metann[name]{ input = whole, dtype = 'float64' }), name)
      assert.equal('float64 ' .. want, text(metann[name]{ input = whole, dim = 1, dtype = 'float64' }), name)
    end
    assert.equal('float64 (2) 1 4', text(metann.cumsum{ input = whole, dim = 1, dtype = 'float64' }))
    assert.equal('float64 (2) 1 3', text(metann.cumprod{ input = whole, dim = 1, dtype = 'float64' }))
    for _, name in ipairs{ 'softmax', 'log_softmax' } do
      assert.equal('float64', metann[name]{ input = whole, dim = 1, dtype = 'float64' }.dtype)
    end
    assert.equal('int64 (2) 0 1', text(metann.div{ input = whole, other = 2, rounding_mode = 'floor' }))
    assert.equal('int64 (2) 3 1', text(metann.div{ input = 3, other = whole, rounding_mode = 'trunc' }))
  end)

  it('that are unknown, doubled or too many are errors under the name of the function', function()
    for _, call in ipairs(CALLS) do
      local name, positions, kept, named = unpack(call)
      local wrong = { junk = 1 }
      for k, v in pairs(named) do wrong[k] = v end
      local short = { unpack(positions, 1, kept) }
      short[kept + 1] = wrong
      local message = message_of(metann[name], unpack(short, 1, kept + 1))
      assert.truthy(message:find(name .. ": unknown option 'junk'", 1, true), message)
    end
    assert.truthy(message_of(t.sum, t, 1, { dim = 1 }):find("sum: 'dim' is given twice", 1, true))
    assert.truthy(message_of(t.lerp, t, u, 1, 2):find('lerp: takes 3 arguments, got 4', 1, true))
  end)

  it('by name in a list that is not the last table are errors, not ignored', function()
    local one, two = metann.ones(1, 1), metann.zeros(1, 1)
    for _, call in ipairs{
      { 'full', 'size', { 2, dtype = 'int64' }, 3 }, { 'zeros', 'size', { 2, dtype = 'int64' }, { dtype = 'bool' } },
      { 'cat', 'tensors', { one, two, dim = 2 }, 1 }, { 'stack', 'tensors', { one, two, dim = 2 }, { dim = 1 } },
      { 'roll', 'shifts', t, { 1, junk = 1 }, { 1 } }, { 'movedim', 'source', t, { 1, junk = 1 }, 2 },
      { 'split', 'split_size', t, { 1, 1, junk = 1 }, 1 }, { 'std', 'dim', t, { 1, correction = 0 }, true },
      { 'sum', 'dim', t, { dim = { 1, keepdim = true } } }, { 'index_put', 'indices', t, { false, junk = 1 }, 3 },
      { 'tensordot', 'dims', t, t, { dims = { { 1 }, { 1 }, junk = 1 } } },
      { 'conv2d', 'stride', metann.ones(1, 1, 3, 3), metann.ones(1, 1, 1, 1), { stride = { 1, 1, junk = 1 } } },
    } do
      local message = message_of(metann[call[1]], unpack(call, 3))
      local want = ("%s: '%s' must be a list, got a table with the key"):format(call[1], call[2])
      assert.truthy(message:find(want, 1, true), message)
    end
    local message = message_of(t.new_full, t, { 2, dtype = 'int64' }, 3)
    assert.truthy(message:find("new_full: 'size' must be a list, got a table with the key 'dtype'", 1, true), message)
  end)

  it('of methods that take none are errors, in place too', function()
    for _, name in ipairs{ 'dim', 'numel', 'nelement', 'is_contiguous', 'is_floating_point', 'id', 'version', 'data_ptr',
      'item', 'to_table', 'to_flat_table', 'float', 'double', 'long', 'int', 'byte', 'bool', 'half', 'bfloat16', 'cpu',
      'retain_grad', 'zero_', 'neg_', 'floor_', 'clone', 't' } do
      local message = message_of(t[name], metann.ones(1), { junk = 1 })
      assert.truthy(message:find(name .. ": unknown option 'junk'", 1, true), message)
      assert.truthy(message_of(t[name], metann.ones(1), 3):find(name .. ': '), name)
    end
  end)

  it("are not a method's where a function takes them", function()
    for _, name in ipairs{ 'where', 'index', 'where_true', 'cat' } do
      local message = message_of(function() return t[name] end)
      local want = ("a tensor has no method '%s', it is a function: metann.%s(...)"):format(name, name)
      assert.truthy(message:find(want, 1, true), message)
    end
  end)

  it('of a wrong type are errors under the name of the function, in place too', function()
    for _, call in ipairs(CALLS) do
      local name = call[1]
      local message = message_of(metann[name], print)
      assert.truthy(message:find('tensor_options_spec.lua:%d+: ' .. name .. ': '), message)
    end
    for _, name in ipairs{ 'uniform_', 'normal_', 'bernoulli_', 'clamp_', 'lerp_', 'rsub_', 'addcmul_', 'floor_divide_',
      'div_', 'copy_', 'fill_', 'round_', 'cumsum_' } do
      local message = message_of(metann[name], 'x')
      assert.truthy(message:find(name .. ": 'input' must be a tensor", 1, true), message)
      assert.truthy(message_of(t[name], t:clone(), print):find(': ' .. name .. ': '), name)
    end
  end)
end)

describe('dtype', function()
  it('is what sums and their like compute in', function()
    assert.equal('float64 () 6', text(long{ 1, 2, 3 }:sum{ dtype = 'float64' }))
    assert.equal('int64 (2) 3 1', text(t:sum(1, { dtype = 'int64' }))) -- the fractions are cut before
    assert.equal('float64 () 2', text(long{ 1, 2, 3 }:mean{ dtype = 'float64' }))
    assert.equal('float64 () 6', text(long{ 1, 2, 3 }:prod{ dtype = 'float64' }))
    assert.equal('float64 (3) 1 3 6', text(long{ 1, 2, 3 }:cumsum(1, { dtype = 'float64' })))
    assert.equal('int32 (2) 1 2', text(long{ 1, 2 }:cumprod{ dim = 1, dtype = 'int32' }:int()))
    assert.equal('float64', metann.zeros(2):softmax(1, { dtype = 'float64' }).dtype)
    assert.equal('float64', metann.zeros(2):log_softmax{ dim = 1, dtype = 'float64' }.dtype)
    assert.equal('float64', metann.ones(2):norm{ dtype = 'float64' }.dtype)
    local x = metann.tensor({ 1, 2 }, { requires_grad = true })
    assert.equal('float32 (2) 2 4', text(metann.grad((x * x):sum{ dtype = 'float64' }, x)))
  end)
end)

describe('booleans', function()
  it('have a sign, a square and a fill', function()
    local b = metann.tensor{ true, false }
    assert.equal('bool (2) 1 0', text(b:sign()))
    assert.equal('int64 (2) 1 0', text(b:square()))
    assert.equal('bool (2) 1 1', text(b:fill(true)))
    assert.equal('float64 (2) 1 1', text(double{ 5, 6 }:fill_(true)))
  end)
end)

describe('options of normal', function()
  it('are those of all constructors', function()
    local x = metann.normal(0, 1, { 2 }, { dtype = 'float64', device = 'cpu', requires_grad = true })
    assert.equal('float64', x.dtype)
    assert.is_true(x.requires_grad)
    assert.truthy(message_of(metann.normal, 0, 1):find("normal: 'size' must be given", 1, true))
  end)
end)

describe('arange of booleans', function()
  it('takes false for 0, wherever it stands, and booleans alone for whole numbers', function()
    assert.equal('int64 (1) 0', text(metann.arange(false, true, true)))
    assert.equal('int64 (1) 0', text(metann.arange(true)))
    assert.equal('int64 (0) ', text(metann.arange(false)))
    assert.equal('float64 (1) 0', text(metann.arange(false, true, { dtype = 'float64' })))
    assert.equal('float32 (2) 2 1', text(metann.arange(2, false, -1)))
    assert.equal('float32 (1) 1', text(metann.arange{ start = true, stop = false, step = -1 }))
    assert.truthy(message_of(metann.arange, 1, 2, false):find("arange: 'step' must not be 0", 1, true))
  end)
end)

describe('new_tensor', function()
  it('takes its data by position, by name, and in one table with the options', function()
    local like = double{ 1 }
    assert.equal('float64 () 1', text(like:new_tensor{ data = 1 }))
    assert.equal('int64 (2) 1 2', text(like:new_tensor{ data = { 1, 2 }, dtype = 'int64' }))
    assert.equal('int64 (2) 1 2', text(like:new_tensor{ 1, 2, dtype = 'int64' }))
    assert.equal('int64 (2) 1 2', text(like:new_tensor({ 1, 2 }, { dtype = 'int64' })))
    assert.equal('float64 (2,2) 1 2 3 4', text(like:new_tensor{ { 1, 2 }, { 3, 4 } }))
    assert.equal('float64 (0) ', text(like:new_tensor{}))
    assert.truthy(message_of(like.new_tensor, like, { dat = 1 }):find("new_tensor: unknown option 'dat', did you mean 'data'?", 1, true))
    assert.truthy(message_of(like.new_tensor, like, { dtype = 'int64' }):find("new_tensor: 'data' must be given", 1, true))
  end)
end)
