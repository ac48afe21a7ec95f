-- Tensors from Lua: constructors, dtypes, operators, numbers out, compositions. Against closed forms and naive loops.
local metann = require 'metann'
local checks = require 'tests.support.checks'

local function near(expected, got, tolerance)
  assert.equal(#expected, #got)
  for i = 1, #expected do
    assert(math.abs(expected[i] - got[i]) <= (tolerance or 1e-6),
      ('element %d: expected %.9g, got %.9g'):format(i, expected[i], got[i]))
  end
end

local function flat(t) return t:to_flat_table() end

local fails = checks.fails

describe('constructors', function()
  it('follow the numbers, booleans and 64-bit integers of Lua', function()
    assert.equal('float32', metann.tensor(2).dtype)
    assert.equal('float32', metann.tensor{ 1, 2 }.dtype)
    assert.equal('bool', metann.tensor{ true, false }.dtype)
    assert.equal('int64', metann.tensor{ 1LL, 2LL }.dtype)
    assert.equal('int64', metann.tensor({ 1, 2 }, { dtype = 'int64' }).dtype)
    assert.equal('float32', metann.arange(5).dtype)
    assert.equal('float32', metann.full({ 2 }, 3).dtype)
    assert.equal('bool', metann.full({ 2 }, true).dtype)
    assert.equal('int64', metann.randint(5, { 2 }).dtype)
    assert.equal('int64', metann.randperm(4).dtype)
  end)

  it('read nested tables', function()
    local t = metann.tensor{ { { 1, 2 }, { 3, 4 }, { 5, 6 } } }
    assert.same({ 1, 3, 2 }, t.shape)
    assert.same({ { { 1, 2 }, { 3, 4 }, { 5, 6 } } }, t:to_table())
    assert.same({ 0 }, metann.tensor{}.shape)
    assert.same({ 2, 0 }, metann.tensor{ {}, {} }.shape)
    assert.same({}, metann.tensor(7).shape)
    assert.equal(7, metann.tensor(7):item())
  end)

  it('say what is wrong with a table', function()
    fails('expected 2 entries at depth 2, got 1', metann.tensor, { { 1, 2 }, { 3 } })
    fails('mixes numbers with true', metann.tensor, { 1, true })
    fails("the table has names %(such as 'a'%)", metann.tensor, { a = 1 })
    fails("1%.5 doesn't fit int64", metann.tensor, { 1.5 }, { dtype = 'int64' })
    fails("300 doesn't fit uint8", metann.tensor, { 300 }, { dtype = 'uint8' })
    fails("unknown option 'dtyp', did you mean 'dtype'", metann.tensor, { 1 }, { dtyp = 'int64' })
    fails("'dtype' must be a dtype such as 'float32', got string 'float31'", metann.tensor, { 1 }, { dtype = 'float31' })
    fails("must be 'cpu', the only device here", metann.zeros, 2, { device = 'cuda' })
  end)

  it('take sizes as numbers or a table, then options', function()
    assert.same({ 2, 3 }, metann.zeros(2, 3).shape)
    assert.same({ 2, 3 }, metann.zeros{ 2, 3 }.shape)
    assert.same({}, metann.ones().shape)
    local t = metann.ones(2, 3, { dtype = 'float64', requires_grad = true })
    assert.equal('float64', t.dtype)
    assert.is_true(t.requires_grad)
    assert.same({ 2, 3 }, metann.rand({ 2, 3 }, { dtype = 'float64' }).shape)
    assert.same({ 3, 2 }, metann.empty(3, 2).shape)
    assert.same({ 1, 1 }, metann.ones_like(metann.zeros(2)):to_table())
    fails("'size' must be a size or a list of sizes, got number 2.5", metann.zeros, 2.5)
  end)

  it('count as PyTorch does', function()
    assert.same({ 0, 1, 2 }, metann.arange(3):to_table())
    assert.same({ 1, 3, 5 }, metann.arange(1, 6, 2):to_table())
    near({ 1, 0.75, 0.5 }, flat(metann.arange(1, 0.4, -0.25)))
    assert.same({}, metann.arange(0):to_table())
    near({ 0, 0.25, 0.5, 0.75, 1 }, flat(metann.linspace(0, 1, 5)))
    assert.same({ { 1, 0, 0 }, { 0, 1, 0 } }, metann.eye(2, 3):to_table())
  end)

  it('draw within their limits and repeat with the seed', function()
    metann.manual_seed(3)
    local a, b, c = metann.rand(100), metann.randint(2, 5, { 200 }), metann.randperm(50)
    for _, x in ipairs(flat(a)) do assert(x >= 0 and x < 1) end
    local seen = {}
    for _, x in ipairs(flat(b)) do
      assert(x >= 2 and x < 5)
      seen[x] = true
    end
    assert(seen[2] and seen[3] and seen[4])
    local order = flat(c)
    table.sort(order)
    for i = 1, 50 do assert.equal(i, order[i]) end
    metann.manual_seed(3)
    assert.is_true(a:equal(metann.rand(100)))
  end)

  it('copy memory behind a pointer', function()
    local ffi = require 'ffi'
    local data = ffi.new('double[4]', { 1, 2, 3, 4 })
    local t = metann.from_buffer(data, { 2, 2 }, { dtype = 'float64' })
    data[0] = 9
    assert.same({ { 1, 2 }, { 3, 4 } }, t:to_table())
    assert.equal(4, t:data_ptr()[3])
  end)

  it('follow the default dtype', function()
    metann.set_default_dtype('float64')
    local ok, message = pcall(function()
      assert.equal('float64', metann.tensor(1).dtype)
      assert.equal('float64', metann.zeros(2).dtype)
      assert.equal('float64', (metann.tensor{ 1LL } / 2).dtype)
    end)
    metann.set_default_dtype('float32')
    assert(ok, message)
    fails("expected 'float32' or 'float64'", metann.set_default_dtype, 'floaty')
  end)
end)

describe('operators', function()
  local a, b = metann.tensor{ 1, 2, 3 }, metann.tensor{ 4, 5, 8 }

  it('work on tensors and numbers from both sides', function()
    assert.same({ 5, 7, 11 }, (a + b):to_table())
    assert.same({ -3, -3, -5 }, (a - b):to_table())
    assert.same({ 9, 8, 7 }, (10 - a):to_table())
    assert.same({ 4, 10, 24 }, (a * b):to_table())
    near({ 6, 3, 2 }, flat(6 / a))
    assert.same({ 1, 4, 9 }, (a ^ 2):to_table())
    assert.same({ 2, 4, 8 }, (2 ^ a):to_table())
    assert.same({ 1, 0, 1 }, (a % 2):to_table())
    assert.same({ -1, -2, -3 }, (-a):to_table())
    assert.equal(3, #a)
    assert.same({ { 5 }, { 6 } }, (metann.tensor{ { 1 }, { 2 } } + 4):to_table())
    assert.same({ { 2, 3, 4 }, { 3, 4, 5 } }, (metann.tensor{ { 1 }, { 2 } } + a):to_table())
  end)

  it('keep integer dtypes with integral numbers and refuse others', function()
    local n = metann.tensor{ 1LL, 5LL }
    assert.equal('int64', (n + 1).dtype)
    assert.equal('int64', (n * 2).dtype)
    assert.equal('float32', (n / 2).dtype)
    near({ 0.5, 2.5 }, flat(n / 2))
    fails('float%(%)', function() return n + 0.5 end)
    assert.equal('float64', (a:double() + a).dtype)
    assert.equal('float32', (a + n[1]).dtype)
  end)

  it('compare by methods', function()
    assert.same({ 0, 1, 0 }, a:eq(2):to_table())
    assert.equal('bool', a:lt(b).dtype)
    assert.same({ 1, 1, 1 }, a:lt(b):to_table())
    fails('use a:lt%(b%)', function() return a < b end)
    fails('use a:le%(b%)', function() return a <= b end)
  end)

  it('tell the same tensor by ==', function()
    local x = metann.zeros(2, { requires_grad = true })
    x:sum():backward()
    assert.is_true(x.grad == x.grad)
    assert.is_false(x == metann.zeros(2))
    assert.is_false(x == nil)
    assert.is_false(x == 3)
    assert.is_true(metann.zeros(1).grad == nil)
  end)

  it('write in place by names with an underscore', function()
    local t = metann.tensor{ 1, 2 }
    local same = t:add_(1):mul_(t)
    assert.is_true(same == t)
    assert.same({ 4, 9 }, t:to_table())
    t:zero_()
    assert.same({ 0, 0 }, t:to_table())
    t:fill_(3):copy_(metann.tensor{ 7, 8 })
    assert.same({ 7, 8 }, t:to_table())
    assert.same({ 7, 0 }, t:masked_fill_(t:eq(8), 0):to_table())
  end)
end)

describe('properties', function()
  it('tell sizes, dtype and place', function()
    local t = metann.zeros(2, 3, 4)
    assert.same({ 2, 3, 4 }, t.shape)
    assert.same({ 2, 3, 4 }, t:size())
    assert.equal(4, t:size(-1))
    assert.equal(3, t:dim())
    assert.equal(24, t:numel())
    assert.same({ 12, 4, 1 }, t:stride())
    assert.equal(metann.get_default_device(), t.device)
    assert.is_true(t:is_contiguous())
    assert.is_false(t:transpose(1, 2):is_contiguous())
    assert.is_true(t:transpose(1, 2):contiguous():is_contiguous())
    fails('dims count from 1', t.size, t, 0)
    fails("'dim' is 4, but there are 3 dims", t.size, t, 4)
  end)

  it('refuse unknown names and suggest the nearest', function()
    local t = metann.zeros(2)
    fails("no field or method 'reshap', did you mean 'reshape'", function() return t.reshap end)
    fails("no field 'shap' to assign", function() t.shap = 1 end)
  end)

  it('turn into numbers', function()
    assert.equal(2 ^ 53, metann.tensor(2 ^ 53, { dtype = 'int64' }):item())
    fails('beyond 2%^53', function() return metann.tensor{ 9007199254740993LL }:item() end)
    fails('beyond 2%^53', function() return metann.tensor{ 9007199254740993LL }:to_table() end)
    -- the other way, where the core takes Lua numbers
    local n = metann.zeros(1, { dtype = 'int64' })
    fails("add: 'other' is 9007199254740993LL, which doesn't fit a Lua number", function()
      return n + 9007199254740993LL
    end)
    fails("full: 'fill_value' is 9007199254740993LL", metann.full, { 1 }, 9007199254740993LL)
    fails("index assignment: 'value' is %-9007199254740993LL", function() n[1] = -9007199254740993LL end)
    n[1] = 0x4000000000000000LL -- a power of two does fit
    assert.is_true(n:equal(metann.tensor{ 0x4000000000000000LL }))
    -- and what no element of the dtype is
    fails("tensor: 300LL doesn't fit uint8", metann.tensor, 300LL, { dtype = 'uint8' })
    fails("tensor: %-1LL doesn't fit uint8", metann.tensor, { -1LL }, { dtype = 'uint8' })
    fails("tensor: 2147483648LL doesn't fit int32", metann.tensor, { 1LL, 2147483648LL }, { dtype = 'int32' })
    fails("tensor: 9223372036854775808ULL doesn't fit int64", metann.tensor, 9223372036854775808ULL)
    assert.equal('9223372036854775807', tostring(metann.tensor(9223372036854775807ULL)))
    assert.equal(1, metann.tensor(true):item())
    assert.has_error(function() return metann.zeros(2):item() end)
  end)

  it('change dtype', function()
    local t = metann.tensor{ 1.5, -2.5 }
    assert.equal('int64', t:long().dtype)
    assert.same({ 1, -2 }, t:long():to_table())
    assert.is_true(t:float() == t)
    assert.equal('float64', t:to('float64').dtype)
    assert.equal('bool', t:to{ dtype = 'bool' }.dtype)
    assert.equal('float64', t:to(metann.zeros(1, { dtype = 'float64' })).dtype)
    near({ 1.5, -2.5 }, flat(t:half()))
    fails("no device 'tpu'", t.to, t, 'tpu')
  end)
end)

describe('compositions', function()
  it('multiply vectors and matrices of any dims', function()
    local m, v = metann.tensor{ { 1, 2 }, { 3, 4 }, { 5, 6 } }, metann.tensor{ 1, 10 }
    assert.same({ 21, 43, 65 }, m:matmul(v):to_table())
    assert.same({ 21, 43, 65 }, m:mv(v):to_table())
    assert.same({ 22, 28 }, metann.tensor{ 1, 2, 3 }:matmul(m):to_table())
    assert.equal(101, v:dot(v):item())
    assert.equal(101, v:matmul(v):item())
    assert.same({ { 1, 10 }, { 10, 100 } }, v:outer(v):to_table())
    assert.same({ { 22, 28 }, { 49, 64 } },
      metann.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }:mm(m):to_table())
    assert.same({ 3, 2, 4 }, metann.zeros(3, 2, 5):bmm(metann.zeros(3, 5, 4)).shape)
    assert.same({ { 3, 1 }, { 1, 3 } }, metann.ones(2, 2):addmm(metann.eye(2), metann.eye(2), 1, 2):to_table())
    fails('mm: expected tensors of 2 and 2 dims', m.mm, m, v)
    fails('size mismatch', m.mm, m, m)
  end)

  it('sum by Einstein\'s convention, as a naive loop does', function()
    local sizes = { i = 2, j = 3, k = 4, b = 2 }
    local cases = { 'ij,jk->ik', 'bij,bjk->bik', 'ij->ji', 'ii->i', 'ii->', 'i,j->ij', 'ij,ij->', 'bij,k->kb',
      'ij,jk,ki->i', 'ij,jk', 'iij->j' }
    for _, equation in ipairs(cases) do
      local left, right = equation:match('^(.-)%->(.*)$')
      if not left then left, right = equation, 'ik' end
      local tensors, values, parts, letters = {}, {}, {}, {}
      for part in left:gmatch('[^,]+') do
        local size = {}
        for letter in part:gmatch('.') do
          size[#size + 1] = sizes[letter]
          if not letters[letter] then letters[#letters + 1], letters[letter] = letter, true end
        end
        local t = metann.randn(size, { dtype = 'float64' })
        tensors[#tensors + 1], values[#values + 1], parts[#parts + 1] = t, t:to_table(), part
      end
      local expected, at = {}, {}
      local function run(depth)
        if depth <= #letters then
          for v = 1, sizes[letters[depth]] do
            at[letters[depth]] = v
            run(depth + 1)
          end
          return
        end
        local factor, place = 1, 0
        for n = 1, #parts do
          local v = values[n]
          for letter in parts[n]:gmatch('.') do v = v[at[letter]] end
          factor = factor * v
        end
        for letter in right:gmatch('.') do place = place * sizes[letter] + at[letter] - 1 end
        expected[place + 1] = (expected[place + 1] or 0) + factor
      end
      run(1)
      near(expected, flat(metann.einsum(equation, unpack(tensors))), 1e-12)
    end
    fails("'j' is 4 in operand 2, but 3 in operand 1", metann.einsum, 'ij,jk->ik', metann.zeros(2, 3), metann.zeros(4, 2))
    fails('has 2 operands, 1 tensors are given', metann.einsum, 'ij,jk', metann.zeros(2, 3))
  end)

  it('measure', function()
    local t = metann.tensor({ { 3, 4 }, { 0, 0 } }, { dtype = 'float64' })
    assert.equal(5, t:norm():item())
    assert.same({ 7, 0 }, t:norm(1, 2):to_table())
    assert.equal(4, t:norm(math.huge):item())
    assert.equal(2, t:norm(0):item())
    near({ (27 + 64) ^ (1 / 3) }, { t:norm(3):item() }, 1e-12)
    near({ math.sqrt(0.5), 0 }, flat(t:std(2)), 1e-12)
    assert.same({ 1, 4, 5 }, metann.tensor{ { 1, 7 }, { 4, 4 }, { 5, 9 } }:median(2):to_table())
    local values, places = metann.tensor{ 3, 1, 2 }:kthvalue(2)
    assert.equal(2, values:item())
    assert.equal(3, places:item())
    values, places = metann.tensor{ { 1, 2, 2 }, { 5, 4, 4 } }:max(2)
    assert.same({ 2, 5 }, values:to_table())
    assert.equal(1, places:to_table()[2])
    assert.equal(5, metann.tensor{ { 1, 2 }, { 5, 4 } }:max():item())
    values, places = metann.tensor{ { 1, 2, 2, 3 }, { 5, 5, 4, 4 } }:mode(2)
    assert.same({ 2, 4 }, values:to_table())
    assert.same({ 3, 4 }, places:to_table())
    assert.same({ 3, 1, 2 }, metann.tensor{ 5, 9, 1 }:argsort():to_table())
  end)

  it('are steady where the norm is not smooth', function()
    for _, p in ipairs{ 1, 2, 3, 1.5 } do
      local x = metann.zeros(3, { dtype = 'float64', requires_grad = true })
      assert.same({ 0, 0, 0 }, metann.grad(x:norm(p), x):to_table())
    end
  end)

  it('reshape as views where they can', function()
    local t = metann.arange(6):reshape(2, 3)
    assert.is_true(t:reshape(3, 2):shares_storage(t))
    local u = t:t()
    assert.same({ 0, 3, 1, 4, 2, 5 }, u:reshape(-1):to_table())
    assert.is_false(u:reshape(6):shares_storage(t))
    local wide = metann.zeros(4, 6, 2):transpose(1, 2)
    assert.is_true(wide:reshape(2, 3, 4, 2):shares_storage(wide))
    assert.same({ 2, 12 }, metann.zeros(2, 3, 4):flatten(2).shape)
    assert.same({ 2, 3, 2, 2 }, metann.zeros(2, 3, 4):unflatten(3, { -1, 2 }).shape)
    assert.same({ 3, 4, 2 }, metann.zeros(2, 3, 4):movedim(1, -1).shape)
    fails("don't fit", t.unflatten, t, 2, { 2, 2 })
  end)

  it('repeat, split and join', function()
    local t = metann.tensor{ { 1, 2 } }
    assert.same({ { 1, 2, 1, 2 }, { 1, 2, 1, 2 } }, t:repeat_(2, 2):to_table())
    assert.same({ { { 1, 2 } }, { { 1, 2 } } }, t:repeat_(2, 1, 1):to_table())
    assert.same({ { 1, 2, 1, 2 } }, t:tile(2):to_table())
    local parts = metann.arange(5):split(2)
    assert.same({ { 0, 1 }, { 2, 3 }, { 4 } }, { parts[1]:to_table(), parts[2]:to_table(), parts[3]:to_table() })
    assert.equal(2, #metann.arange(5):chunk(2))
    assert.equal(2, metann.arange(6):reshape(2, 3):unbind(1)[1]:numel() - 1)
    assert.same({ { 1, 3 }, { 2, 4 } },
      metann.stack({ metann.tensor{ 1, 2 }, metann.tensor{ 3, 4 } }, 2):to_table())
    assert.same({ 1, 2, 3 }, metann.cat{ metann.tensor{ 1, 2 }, metann.tensor{ 3 } }:to_table())
    assert.same({ { 1, 0 }, { 0, 2 } }, metann.tensor{ 1, 2 }:diag():to_table())
    assert.same({ 3, 1, 2 }, metann.tensor{ 1, 2, 3 }:roll(1):to_table())
    local grids = metann.meshgrid(metann.arange(2), metann.arange(3))
    assert.same({ { 0, 0, 0 }, { 1, 1, 1 } }, grids[1]:to_table())
    assert.same({ { 0, 1, 2 }, { 0, 1, 2 } }, grids[2]:to_table())
  end)

  it('pad as PyTorch does', function()
    local t = metann.tensor{ { 1, 2, 3 } }
    assert.same({ { 0, 1, 2, 3, 0, 0 } }, t:pad{ 1, 2 }:to_table())
    assert.same({ { 3, 2, 1, 2, 3, 2 } }, t:pad({ 2, 1 }, 'reflect'):to_table())
    assert.same({ { 1, 1, 2, 3, 3 } }, t:pad({ 1, 1 }, 'replicate'):to_table())
    assert.same({ { 3, 1, 2, 3, 1 } }, t:pad({ 1, 1 }, 'circular'):to_table())
    assert.same({ { 2 } }, t:pad{ -1, -1 }:to_table())
    fails("'mode' must be", t.pad, t, { 1, 1 }, 'mirror')
  end)

  it('pick and write by index', function()
    local t = metann.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }
    local at = metann.tensor({ { 3, 1, 1 }, { 2, 2, 2 } }, { dtype = 'int64' })
    assert.same({ { 3, 1, 1 }, { 5, 5, 5 } }, t:gather(2, at):to_table())
    assert.same({ { 2, 1 }, { 5, 4 } }, t:index_select(2, metann.tensor{ 2, 1 }):to_table())
    assert.same({ { 0, 7, 0 }, { 0, 7, 0 } },
      metann.zeros(2, 3):scatter(2, metann.tensor({ { 2 }, { 2 } }, { dtype = 'int64' }), 7):to_table())
    assert.same({ 3, 0, 5 }, metann.zeros(3):scatter_add(1, metann.tensor{ 1LL, 3LL, 1LL },
      metann.tensor{ 1, 5, 2 }):to_table())
    assert.same({ 3, 4, 5, 6 }, t:masked_select(t:gt(2)):to_table())
    assert.same({ { 0, 1 }, { 1, 0 } }, metann.tensor{ 2LL, 1LL }:one_hot(2):to_table())
    assert.same({ { 1, 9, 3 }, { 4, 9, 6 } }, t:index_fill(2, metann.tensor{ 2LL }, 9):to_table())
    assert.same({ 2, 6 }, metann.where(metann.tensor{ true, false }, metann.tensor{ 2, 5 }, 6):to_table())
    assert.same({ { 3 }, { 4 } }, t:take_along_dim(metann.tensor{ { 3LL }, { 1LL } }, 2):to_table())
  end)

  it('convolve lines and transposed planes as a naive loop does', function()
    local x, w = metann.randn(2, 3, 9, { dtype = 'float64' }), metann.randn(4, 3, 3, { dtype = 'float64' })
    local y = metann.conv1d(x, w, nil, 2, 1)
    local X, W, Y = x:to_table(), w:to_table(), y:to_table()
    assert.same({ 2, 4, 5 }, y.shape)
    for n = 1, 2 do
      for o = 1, 4 do
        for l = 1, 5 do
          local sum = 0
          for c = 1, 3 do
            for k = 1, 3 do sum = sum + (X[n][c][2 * (l - 1) + k - 1] or 0) * W[o][c][k] end
          end
          assert(math.abs(sum - Y[n][o][l]) < 1e-12)
        end
      end
    end
    local t = metann.conv_transpose2d(metann.tensor{ { { { 1, 2 } } } }, metann.tensor{ { { { 1, 10, 100 } } } },
      metann.tensor{ 0.5 }, { stride = 2 })
    assert.same({ { { { 1.5, 10.5, 102.5, 20.5, 200.5 } } } }, t:to_table())
    assert.same({ 2, 4, 9 }, metann.conv1d(x, w, { padding = 'same' }).shape)
  end)

  it('pool', function()
    local t = metann.tensor{ { { 1, 5, 2, 4 } } }
    assert.same({ { { 5, 4 } } }, t:max_pool1d(2):to_table())
    assert.same({ { { 3, 3 } } }, t:avg_pool1d(2):to_table())
    local values, index = metann.tensor{ { { 1, 5 }, { 2, 4 } } }:max_pool2d(2, { return_indices = true })
    assert.same({ { { 5 } } }, values:to_table())
    assert.same({ { { 2 } } }, index:to_table())
  end)

  it('draw by weights', function()
    metann.manual_seed(5)
    local weights = metann.tensor{ 0, 3, 1 }
    local count = { 0, 0, 0 }
    for _, k in ipairs(flat(weights:multinomial(2000, true))) do count[k] = count[k] + 1 end
    assert.equal(0, count[1])
    assert(math.abs(count[2] / 2000 - 0.75) < 0.05)
    local both = flat(weights:multinomial(2))
    table.sort(both)
    assert.same({ 2, 3 }, both)
    fails('4 draws without replacement out of 3', weights.multinomial, weights, 4)
  end)

  it('compare whole tensors', function()
    local t = metann.tensor{ 1, 2 }
    assert.is_true(t:equal(metann.tensor{ 1, 2 }))
    assert.is_false(t:equal(metann.tensor{ 1, 3 }))
    assert.is_false(t:equal(metann.tensor{ { 1, 2 } }))
    assert.is_true(t:allclose(t + 1e-7))
    assert.is_false(t:allclose(t + 1e-2))
    local nan = metann.tensor{ 0 / 0 }
    assert.is_false(nan:allclose(nan))
    assert.is_true(nan:allclose(nan, { equal_nan = true }))
  end)
end)
