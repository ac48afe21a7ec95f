-- Reading and writing by index, against the same done on nested tables.
local metann = require 'metann'
local checks = require 'tests.support.checks'

local fails = checks.fails

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

  it('takes negative numbers in index tensors from the end', function()
    assert.same({ { 31, 32, 33, 34 }, { 11, 12, 13, 14 } }, t[metann.tensor{ -1LL, -3LL }]:to_table())
    assert.same({ 34, 12 }, t[{ metann.tensor{ -1, 1 }, metann.tensor{ -1, 2 } }]:to_table())
    assert.same({ { 14, 11 }, { 24, 21 }, { 34, 31 } }, t[{ {}, metann.tensor{ -1, -4 } }]:to_table())
    local w = grid()
    w[metann.tensor{ -1 }] = 0
    assert.same({ 0, 0, 0, 0 }, w[3]:to_table())
    fails('index %-4 is out of range 1..3', function() return t[metann.tensor{ -4LL }] end)
    fails('indices count from 1', function() return t[metann.tensor{ 0LL }] end)
    assert.same({ { 0, 12, 13, 0 }, { 0, 22, 23, 0 }, { 0, 32, 33, 0 } },
      t:index_fill(2, metann.tensor{ -1LL, 1LL }, 0):to_table())
    for _, dtype in ipairs{ 'uint8', 'int32', 'int64', 'float32', 'float64' } do
      local last = metann.tensor({ 4 }, { dtype = dtype })
      assert.same({ 11, 12, 13, 0 }, t[1]:index_fill(1, last, 0):to_table())
      assert.same({ 14 }, t[1]:take_along_dim(last, 1):to_table())
    end
    fails('index_fill: index %-5 is out of range', metann.index_fill, t, 2, metann.tensor{ -5LL }, 0)
    for _, name in ipairs{ 'index_select', 'gather' } do
      fails(name .. ': index %-1 is out of range', metann[name], t[1], 1, metann.tensor{ -1LL })
    end
    assert.same({ { 14 }, { 21 }, { 33 } }, t:take_along_dim(metann.tensor{ { -1 }, { 1 }, { -2 } }, 2):to_table())
  end)

  it('says what is wrong', function()
    fails('indices count from 1', function() return t[0] end)
    fails('index 4 is out of range for dim 1 of size 3', function() return t[4] end)
    fails('index %-4 is out of range', function() return t[-4] end)
    fails('range 2%.%.9 is out of range for dim 2 of size 4', function() return t[{ 1, { 2, 9 } }] end)
    fails('too many indices: 3 for a tensor of 2 dims', function() return t[{ 1, 1, 1 }] end)
    fails('is not an integer', function() return t[1.5] end)
    fails("0%-dim tensor can't be indexed", function() return metann.tensor(1)[1] end)
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

  it('drops dims of 1 that a value begins with', function()
    local t = metann.zeros(2, 3)
    t[{ 1, { 1, 2 } }] = metann.tensor{ { { 1, 2 } } }
    t[{ { 2 } }] = metann.tensor{ { { { 3, 4, 5 } } } }
    assert.same({ { 1, 2, 0 }, { 3, 4, 5 } }, t:to_table())
    local line = metann.zeros(3)
    line[{ { 1, 2 } }] = metann.ones(1, 2)
    line[metann.tensor{ 3 }] = metann.tensor{ { 7 } }
    assert.same({ 1, 1, 7 }, line:to_table())
    line[line:gt(1)] = metann.tensor{ { 9 } }
    assert.same({ 1, 1, 9 }, line:to_table())
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
    fails("the value's size %(2, 4%) has more dims than what is written, of which those in front must be 1",
      function() t[1] = metann.ones(2, 4) end)
    fails('index: a tensor whose elements share memory', function() metann.ones(1):expand(3)[2] = 5 end)
    fails('index: index 9 is out of range', function() t[metann.tensor{ 9LL }] = 5 end)
    assert.has_error(function() t[1] = metann.zeros(3) end)
    local n = metann.tensor{ 1LL, 2LL }
    fails('float%(%)', function() n[1] = 0.5 end)
    local leaf = metann.zeros(2, { requires_grad = true })
    assert.has_error(function() leaf[1] = 1 end)
  end)
end)

describe('values written to one place', function()
  local function f64(x) return metann.tensor(x, { dtype = 'float64' }) end
  local function int(x) return metann.tensor(x, { dtype = 'int64' }) end
  local function leaf(size) return metann.randn(size, { dtype = 'float64' }):requires_grad_() end

  --- The gradient of the sum of squares with respect to the values 5, 6, 7, the first of which the second replaces.
  local function gradient(write)
    local v = f64{ 5, 6, 7 }:requires_grad_()
    return metann.grad((write(f64{ 1, 2, 3 }, v) ^ 2):sum(), v):to_table()
  end

  it('have no derivative where a later one replaced them', function()
    local twice = int{ 1, 1, 2 }
    assert.same({ 0, 12, 14 }, gradient(function(t, v) return t:scatter(1, twice, v) end))
    assert.same({ 0, 12, 14 }, gradient(function(t, v) return t:index_put({ twice }, v) end))
    assert.same({ 0, 12, 14 }, gradient(function(t, v)
      local c = t * 1
      c:scatter_(1, twice, v)
      return c
    end))
    assert.same({ 0, 12, 14 }, gradient(function(t, v)
      local c = t:clone()
      c[twice] = v
      return c
    end))
    -- what is added stays: (1 + 5 + 6)^2 + (2 + 7)^2
    assert.same({ 24, 24, 18 }, gradient(function(t, v) return t:scatter_add(1, twice, v) end))
    assert.same({ 24, 24, 18 }, gradient(function(t, v) return t:index_put({ twice }, v, true) end))
  end)

  it('agree with differences, at order 2, in several dims and broadcast', function()
    metann.manual_seed(3)
    local function check(fn, ...) assert.is_true(metann.gradcheck(fn, { ... }, { order = 2 })) end
    check(function(t, v) return (t:scatter(2, int{ { 1, 2, 1 }, { 3, 3, 3 } }, v) ^ 3):sum() end, leaf{ 3, 4 },
      leaf{ 2, 5 })
    check(function(t, v)
      local c = t * 1
      c[{ {}, int{ { 1, 1 }, { 3, -3 } }, int{ 2, 2 } }] = v
      return (c ^ 3):sum()
    end, leaf{ 2, 3, 4 }, leaf{ 2, 2, 1 })
    check(function(t, v)
      local c = t * 1
      c[{ int{ 1, 1, 2 }, {}, int{ 2, 2, 2 } }] = v -- the indices stand apart: their dim comes first
      return (c ^ 3):sum()
    end, leaf{ 2, 3, 4 }, leaf{ 3, 3 })
    check(function(v) return (metann.zeros(2, 2, { dtype = 'float64' }):index_put({ int{ 1, 1, 2 } }, v) ^ 2):sum() end,
      leaf{ 2 })
  end)

  it('are multiplied one after another by scatter of reduce', function()
    local t = f64{ 2, 3 }
    assert.same({ 2 * 5 * 6, 3 * 7 }, t:scatter(1, int{ 1, 1, 2 }, f64{ 5, 6, 7 }, { reduce = 'multiply' }):to_table())
    assert.same({ 2 + 5 + 6, 3 + 7 }, t:scatter(1, int{ 1, 1, 2 }, f64{ 5, 6, 7 }, { reduce = 'add' }):to_table())
    assert.same({ 2 * 9, 3 }, t:clone():scatter_(1, int{ 1, 1 }, 3, { reduce = 'multiply' }):to_table())
    assert.is_true(metann.gradcheck(function(a, v)
      return (a:scatter(1, int{ 1, 1, 2 }, v, { reduce = 'multiply' }) ^ 2):sum()
    end, { f64{ 2, 3 }:requires_grad_(), f64{ 5, -6, 7 }:requires_grad_() }, { order = 2 }))
    fails("scatter: 'reduce' must be one of 'add', 'multiply'", metann.scatter, t, 1, int{ 1 }, 1, { reduce = 'mean' })
  end)
end)

describe('indices of a 0-dim tensor', function()
  local one, five = metann.tensor{ 1LL }, metann.tensor(5, { dtype = 'float64' })

  it('go along its imagined dim', function()
    local x = five:clone():requires_grad_()
    for _, fn in ipairs{
      function(t) return t:gather(1, one[1]) end, function(t) return t:index_select(1, one) end,
      function(t) return t:scatter_add(1, one[1], metann.tensor(2, { dtype = 'float64' })) end,
      function(t) return t:index_add(1, one, t) - t end, function(t) return t:unfold(1, 1, 1):sum() end,
    } do
      assert.equal(1, metann.grad(fn(x):sum(), x):item())
    end
    assert.same({}, five:gather(1, one[1]).shape)
    assert.same({ 2 }, five:gather(1, metann.tensor{ 1LL, 1LL }).shape)
    assert.equal(7, five:scatter(1, one, 7):item())
    assert.equal(7, five:index_fill(1, one, 7):item())
    assert.same({ 1 }, five:unfold(1, 1, 1).shape)
    fails('expected an index of 1 element for a 0%-dim tensor, got 2', metann.index_select, five, 1,
      metann.tensor{ 1LL, 1LL })
  end)

  it('may be none, in any number of dims', function()
    local none = metann.zeros(0, { dtype = 'int64' })
    assert.same({ 0 }, metann.ones(2, 3):gather(1, none).shape)
    local x, v = metann.ones(2, 3, { requires_grad = true }), metann.ones(2, 3, { requires_grad = true })
    local y = x:scatter(1, none, v)
    assert.same({ { 1, 1, 1 }, { 1, 1, 1 } }, y:to_table())
    assert.same({ { 0, 0, 0 }, { 0, 0, 0 } }, metann.grad(y:sum(), v):to_table())
  end)
end)
