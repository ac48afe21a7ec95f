-- The edges of kernels, over many of them: elements that share memory, sizes near what 64 bits hold, numbers that are
-- not finite. Ordinary values of every row are in tests/samples.
local metann = require 'metann'

--- fn fails at this file's line with a message that has `want` in it.
local function fails(want, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(want, 1, true), message)
end

describe('float16 and bfloat16', function()
  it('are for storage, as every row says in the same words', function()
    for _, dtype in ipairs{ 'float16', 'bfloat16' } do
      local t = metann.zeros(2, 2, { dtype = dtype })
      local function refused(name, ...)
        fails(('%s: not defined for dtype %s, which is for storage: cast it first'):format(name, dtype), t[name], t, ...)
      end
      refused 'exp'
      refused 'sum'
      refused 'amax'
      refused('add', t)
      refused('matmul', t)
      refused('softmax', 1)
      refused('cumsum', 1)
    end
  end)
end)

describe('a step that reaches past 2^63', function()
  it('is fine where it is not taken', function()
    local column = metann.arange(1, 121):view(3, 40):narrow(2, 1, 1):squeeze() -- its stride is 40
    assert.same({ { 1, 41, 81 } }, column:unfold(1, 3, 2 ^ 59):to_table())
    assert.same({ 41 }, column[{ { 2, 3, 2 ^ 59 } }]:to_table())
  end)
end)

describe('a tensor whose elements share memory', function()
  local want = "a tensor whose elements share memory, as expand and unfold make them, can't be changed in place; clone() it"

  it('is not changed in place', function()
    local t = metann.zeros(4)
    for _, shared in ipairs{ t:expand(2, 4), t:unfold(1, 2, 1), t:unfold(1, 3, 1):t(), t:view(4, 1):expand(4, 3)[2] } do
      fails('add_: ' .. want, function() shared:add_(1) end)
      fails('fill_: ' .. want, function() shared:fill_(1) end)
      fails(want, function() shared[1] = 1 end)
    end
    assert.same({ 0, 0, 0, 0 }, t:to_table())
  end)

  it('is one of expand and unfold only', function()
    local t = metann.zeros(3, 4, 5)
    local views = { t:permute(3, 1, 2), t:diagonal(0, 1, 3), t:diagonal(1, 2, 3), t:unfold(2, 2, 2), t:unfold(3, 1, 1),
      t:unfold(3, 2, 3):diagonal(0, 1, 2), t[{ {}, { 1, 4, 3 }, { 2, 4, 2 } }], t:expand(3, 4, 5), t[2], t:view(12, 5):t(),
      t[{ {}, { 1, 0 }, {} }]:expand(3, 0, 5) }
    for i, view in ipairs(views) do
      t:zero_()
      view:add_(1)
      assert.equal(view:numel(), t:sum():item(), 'view ' .. i) -- each place once
    end
  end)
end)

describe('a view', function()
  it('has a number of elements that can be counted', function()
    fails('expand: size (1099511627776 x 1099511627776) is too large', function()
      metann.zeros(1):expand(2 ^ 40, 2 ^ 40)
    end)
    local long = metann.zeros(1):expand(2 ^ 46)
    assert.equal(2 ^ 46, long:numel())
    fails('unfold: size (35184372088833 x 35184372088832) is too large', function() long:unfold(1, 2 ^ 45, 1) end)
  end)
end)

describe('a mean', function()
  it('is rounded once', function()
    for n = 1, 200 do -- the sums are exact, and so are means of 1 .. n
      assert.equal(1, metann.ones(n, { dtype = 'float64' }):mean():item())
      local x = metann.arange(1, n + 1, { dtype = 'float64' })
      assert.equal((n + 1) / 2, x:mean():item())
      assert.same({ (n + 1) / 2, n }, metann.stack({ x, x * 0 + n }, 2):mean(1):to_table())
    end
  end)
end)

describe('a sum of a million float32', function()
  it('is off by less than ten roundings', function()
    local x = metann.full({ 2 ^ 20 }, 0.1)
    local want = x[1]:item() * 2 ^ 20
    local function close(n, t) assert.is_true(math.abs(t:item() / (want / n) - 1) < 10 * 2 ^ -24, tostring(t)) end
    close(1, x:sum())
    close(2 ^ 20, x:mean())
    close(4, x:view(4, 2 ^ 18):sum(2)[1]) -- rows
    close(4, x:view(2 ^ 18, 4):sum(1)[1]) -- columns
    close(1, x:view(2 ^ 18, 4):t():sum())
  end)
end)

describe('what relu lets through', function()
  it('is nothing of an infinite gradient where it is 0, and all where its input is NaN', function()
    local x = metann.tensor({ -1, 2, 0 / 0 }, { requires_grad = true })
    x:relu():log():sum():backward() -- log' is infinite at 0
    assert.equal(0, x.grad[1]:item())
    assert.equal(0.5, x.grad[2]:item())
    assert.truthy(tostring(x.grad[3]:item()):find 'nan')
    local y = metann.tensor({ 0 / 0 }, { requires_grad = true })
    y:relu():sum():backward()
    assert.equal(1, y.grad:item())
  end)
end)

describe('a factor alpha', function()
  it('multiplies integers exactly', function()
    local big = 2 ^ 53 + 0LL + 1
    local function int64(...)
      local list = { ... }
      for i, v in ipairs(list) do list[i] = v + 0LL end
      return metann.tensor(list, { dtype = 'int64' })
    end
    local got = int64(0, 0):index_add(1, int64(1, 2, 1), int64(big, -big, 1), { alpha = 3 })
    assert.is_true(got:equal(int64(3 * big + 3, -3 * big)))
    assert.is_true(int64(5):sub(int64(1), { alpha = -2 ^ 63 }):equal(int64(-9223372036854775803LL)))
    local bytes = metann.tensor({ 250 }, { dtype = 'uint8' })
    assert.same({ 2 }, bytes:index_add(1, int64(1), metann.tensor({ 4 }, { dtype = 'uint8' }), { alpha = 2 }):to_table())
  end)
end)

describe('rows over long lines', function()
  it('need less memory than twice the input beside it', function()
    local x = metann.rand(256, 40000)
    local before = metann.memory().live_bytes
    x:softmax(2)
    assert.is_true(metann.memory().peak_bytes - before < 2 * x:numel() * 4)
  end)
end)
