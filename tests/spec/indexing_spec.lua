-- Reading and writing by index, against the same done on nested tables.
local metann = require 'metann'

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(message):find(pattern), message)
end

--- 3 x 4 with element 10 * row + column.
local function grid()
  local rows = {}
  for i = 1, 3 do
    rows[i] = {}
    for j = 1, 4 do rows[i][j] = 10 * i + j end
  end
  return metann.tensor(rows)
end

describe('reading', function()
  local t = grid()

  it('takes numbers from 1, negative ones from the end', function()
    assert.same({ 11, 12, 13, 14 }, t[1]:to_table())
    assert.same({ 31, 32, 33, 34 }, t[-1]:to_table())
    assert.equal(23, t[{ 2, 3 }]:item())
    assert.equal(34, t[{ -1, -1 }]:item())
    assert.equal(23, t[2][3]:item())
    assert.is_true(t[2]:shares_storage(t))
  end)

  it('takes closed ranges with steps', function()
    assert.same({ { 11, 12 }, { 21, 22 } }, t[{ { 1, 2 }, { 1, 2 } }]:to_table())
    assert.same({ 12, 22, 32 }, t[{ {}, 2 }]:to_table())
    assert.same({ { 12 }, { 22 }, { 32 } }, t[{ {}, { 2 } }]:to_table())
    assert.same({ 21, 23 }, t[{ 2, { 1, 4, 2 } }]:to_table())
    assert.same({ 23, 24 }, t[{ 2, { -2, -1 } }]:to_table())
    assert.same({ 0, 4 }, t[{ { 2, 1 } }].shape)
    assert.is_true(t[{ {}, { 2, 3 } }]:shares_storage(t))
  end)

  it('takes masks', function()
    assert.same({ 23, 24, 31, 32, 33, 34 }, t[t:gt(22)]:to_table())
    assert.same({ { 11, 12, 13, 14 }, { 31, 32, 33, 34 } }, t[metann.tensor{ true, false, true }]:to_table())
    assert.same({ { 12, 13 }, { 22, 23 }, { 32, 33 } },
      t[{ {}, metann.tensor{ false, true, true, false } }]:to_table())
    fails('the mask has size 2 in its dim 1, the tensor 3', function() return t[metann.tensor{ true, false }] end)
  end)

  it('takes index tensors, floats too when integral', function()
    assert.same({ { 31, 32, 33, 34 }, { 11, 12, 13, 14 } }, t[metann.tensor{ 3, 1 }]:to_table())
    assert.same({ 31, 12 }, t[{ metann.tensor{ 3LL, 1LL }, metann.tensor{ 1LL, 2LL } }]:to_table())
    assert.same({ { 14, 11 }, { 24, 21 }, { 34, 31 } }, t[{ {}, metann.tensor{ 4, 1 } }]:to_table())
    assert.same({ 22, 24 }, t[{ 2, metann.tensor{ 2, 4 } }]:to_table())
    assert.same({ { { 11, 12, 13, 14 } }, { { 21, 22, 23, 24 } } }, t[metann.tensor{ { 1 }, { 2 } }]:to_table())
  end)

  it('says what is wrong', function()
    fails('indices count from 1', function() return t[0] end)
    fails('index 4 is out of range for dim 1 of size 3', function() return t[4] end)
    fails('index %-4 is out of range', function() return t[-4] end)
    fails('range 2%.%.9 is out of range for dim 2 of size 4', function() return t[{ 1, { 2, 9 } }] end)
    fails('too many indices: 3 for a tensor of 2 dims', function() return t[{ 1, 1, 1 }] end)
    fails('is not an integer', function() return t[1.5] end)
    fails('0%-dim tensor cannot be indexed', function() return metann.tensor(1)[1] end)
    fails('step of a range must be at least 1', function() return t[{ { 3, 1, -1 } }] end)
    fails('expected a number, a range', function() return t[{ 'x' }] end)
    assert.has_error(function() return t[metann.tensor{ 4 }] end)
  end)
end)

describe('writing', function()
  it('takes numbers, tables and tensors', function()
    local t = grid()
    t[1] = 0
    t[{ 2, 3 }] = 5
    t[{ 3, { 2, 3 } }] = { 7, 8 }
    t[{ { 2, 3 }, 1 }] = metann.tensor{ -1, -2 }
    assert.same({ { 0, 0, 0, 0 }, { -1, 22, 5, 24 }, { -2, 7, 8, 34 } }, t:to_table())
    t[{ {}, { 1, 4, 2 } }] = metann.tensor{ 1, 2 }
    assert.same({ { 1, 0, 2, 0 }, { 1, 22, 2, 24 }, { 1, 7, 2, 34 } }, t:to_table())
  end)

  it('takes masks and index tensors', function()
    local t = grid()
    t[t:gt(22)] = 0
    assert.same({ { 11, 12, 13, 14 }, { 21, 22, 0, 0 }, { 0, 0, 0, 0 } }, t:to_table())
    t[t:eq(11)] = metann.tensor{ 5 }
    t[metann.tensor{ 3, 2 }] = metann.tensor{ 1, 2, 3, 4 }
    assert.same({ { 5, 12, 13, 14 }, { 1, 2, 3, 4 }, { 1, 2, 3, 4 } }, t:to_table())
    t[{ {}, metann.tensor{ 4LL } }] = 9
    t[{ 1, metann.tensor{ 1LL, 2LL } }] = metann.tensor{ 6, 7 }
    t[metann.tensor{ false, true, false }] = -1
    assert.same({ { 6, 7, 13, 9 }, { -1, -1, -1, -1 }, { 1, 2, 3, 9 } }, t:to_table())
  end)

  it('writes through views of the same memory', function()
    local t = grid()
    local row = t[2]
    row[1] = 0
    assert.equal(0, t[{ 2, 1 }]:item())
  end)

  it('is differentiable', function()
    local x = metann.tensor({ 1, 2, 3 }, { requires_grad = true })
    local out = metann.zeros(3)
    out[1] = x[1] * x[2]
    out[{ { 2, 3 } }] = x[{ { 1, 2 } }] ^ 2
    assert.same({ 2, 1, 4 }, out:to_table())
    -- x1 x2 + x1^2 + x2^2
    assert.same({ 2 + 2, 1 + 4, 0 }, metann.grad(out:sum(), x):to_table())
  end)

  it('says what is wrong', function()
    local t = grid()
    fails('index 4 is out of range', function() t[4] = 1 end)
    assert.has_error(function() t[1] = metann.zeros(3) end)
    local n = metann.tensor{ 1LL, 2LL }
    fails('float%(%)', function() n[1] = 0.5 end)
    local leaf = metann.zeros(2, { requires_grad = true })
    assert.has_error(function() leaf[1] = 1 end)
  end)
end)
