-- Products of vectors and matrices against sums written out in Lua: all combinations of ranks, integers, empty dims,
-- wrong sizes.
local metann = require 'metann'

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(message)
end

local function fails(pattern, fn, ...)
  local message = message_of(fn, ...)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('products_spec%.lua:%d+:'), message)
end

local function count(size)
  local n = 1
  for _, s in ipairs(size) do n = n * s end
  return n
end

--- Numbers that are integral, so that sums are exact whatever their order.
local function numbers(size, dtype)
  local n, list = count(size), {}
  for i = 1, n do list[i] = (i * 7 + #size * 3) % 11 - 5 end
  local flat = n > 0 and metann.tensor(list, { dtype = dtype or 'float64' }) or metann.zeros(0, { dtype = dtype or 'float64' })
  return flat:reshape(size)
end

local function same(size, data, got, what)
  assert.same(size, got.shape, what)
  assert.same(data, got:to_flat_table(), what)
end

--- Element of a tensor's flat table at an index list; entries beyond its dims are left out from the front, and dims of 1
-- are stretched.
local function at(flat, size, index)
  local n, shift = 0, #index - #size
  for d = 1, #size do n = n * size[d] + (size[d] == 1 and 0 or index[d + shift] - 1) end
  return flat[n + 1]
end

local function each(size, fn)
  for flat = 0, count(size) - 1 do
    local index, rest = {}, flat
    for d = #size, 1, -1 do
      index[d] = rest % size[d] + 1
      rest = math.floor(rest / size[d])
    end
    fn(index)
  end
end

--- The sum of products over letters: subscripts 'bij', ..., result; sizes by letter. The definition itself.
local function summed(subscripts, result, sizes, tensors)
  local letters, inner, flats = {}, {}, {}
  for letter in result:gmatch '%a' do letters[#letters + 1] = letter end
  for letter in table.concat(subscripts):gmatch '%a' do
    if not result:find(letter, 1, true) and not inner[letter] then
      inner[letter] = true
      inner[#inner + 1] = letter
    end
  end
  for i, t in ipairs(tensors) do flats[i] = t:to_flat_table() end
  local size, inner_size, data = {}, {}, {}
  for i, letter in ipairs(letters) do size[i] = sizes[letter] end
  for i, letter in ipairs(inner) do inner_size[i] = sizes[letter] end
  each(size, function(index)
    local sum = 0
    each(inner_size, function(more)
      local where, term = {}, 1
      for i, letter in ipairs(letters) do where[letter] = index[i] end
      for i, letter in ipairs(inner) do where[letter] = more[i] end
      for i, text in ipairs(subscripts) do
        local own = {}
        for letter in text:gmatch '%a' do own[#own + 1] = where[letter] end
        term = term * at(flats[i], tensors[i].shape, own)
      end
      sum = sum + term
    end)
    data[#data + 1] = sum
  end)
  return size, data
end

describe('matmul', function()
  it('takes all pairs of ranks, batch dims broadcast', function()
    local sizes = { i = 2, k = 3, j = 4, a = 2, b = 3 }
    local left = { 'k', 'ik', 'bik', 'abik' }
    local right = { 'k', 'kj', 'bkj', 'abkj' }
    for _, x in ipairs(left) do
      for _, y in ipairs(right) do
        local first, second = x:gsub('i?k$', ''), y:gsub('kj?$', '')
        local batch = #first > #second and first or second
        local result = batch .. (#x > 1 and 'i' or '') .. (#y > 1 and 'j' or '')
        local function make(text)
          local size = {}
          for letter in text:gmatch '%a' do size[#size + 1] = sizes[letter] end
          return numbers(size)
        end
        local p, q = make(x), make(y)
        local size, data = summed({ x, y }, result, sizes, { p, q })
        same(size, data, metann.matmul(p, q), x .. ' and ' .. y)
      end
    end
  end)

  it('stretches batch dims of 1', function()
    local p, q = numbers{ 2, 1, 2, 3 }, numbers{ 3, 3, 2 }
    local size, data = summed({ 'abik', 'bkj' }, 'abij', { a = 2, b = 3, i = 2, k = 3, j = 2 }, { p, q })
    same(size, data, metann.matmul(p, q))
  end)

  it('keeps integers', function()
    for _, dtype in ipairs{ 'int64', 'int32', 'uint8' } do
      local p, q = metann.tensor({ { 1, 2 }, { 3, 4 } }, { dtype = dtype }), metann.tensor({ 5, 6 }, { dtype = dtype })
      local out = p:matmul(q)
      assert.equal(dtype, out.dtype)
      assert.same({ 17, 39 }, out:to_table())
      assert.same({ { 7, 10 }, { 15, 22 } }, p:mm(p):to_table())
    end
    assert.equal('float32', metann.matmul(metann.ones({ 2, 2 }, { dtype = 'int64' }), metann.ones(2)).dtype)
  end)

  it('sums nothing over empty dims', function()
    for _, dtype in ipairs{ 'float32', 'float64', 'int64' } do
      same({ 2, 3 }, { 0, 0, 0, 0, 0, 0 }, metann.matmul(numbers({ 2, 0 }, dtype), numbers({ 0, 3 }, dtype)))
      same({}, { 0 }, metann.matmul(numbers({ 0 }, dtype), numbers({ 0 }, dtype)))
      same({ 2 }, { 0, 0 }, metann.matmul(numbers({ 2, 0 }, dtype), numbers({ 0 }, dtype)))
      same({ 2, 0 }, {}, metann.matmul(numbers({ 2, 3 }, dtype), numbers({ 3, 0 }, dtype)))
      same({ 0, 2, 2 }, {}, metann.matmul(numbers({ 0, 2, 3 }, dtype), numbers({ 3, 2 }, dtype)))
    end
    assert.equal(0, metann.dot(numbers{ 0 }, numbers{ 0 }):item())
  end)

  it("says what doesn't fit", function()
    local z = metann.zeros
    fails('matmul: size mismatch, %(3%) and %(2%)', metann.matmul, z(3), z(2))
    fails('matmul: size mismatch, %(2 x 3%) and %(2%)', metann.matmul, z(2, 3), z(2))
    fails('matmul: size mismatch, %(2 x 3%) and %(4 x 5%)', metann.matmul, z(2, 3), z(4, 5))
    fails('matmul: both tensors need at least one dim, got 0 and 1', metann.matmul, z(), z(2))
    fails("matmul: the batch dims %(all but the last two%) don't broadcast, %(2 x 2 x 3%) and %(3 x 3 x 2%)", metann.matmul,
      z(2, 2, 3), z(3, 3, 2))
    fails("matmul: 'other' must be a tensor, got string 'x'", metann.matmul, z(2), 'x')
    fails('matmul: not defined for dtype bool', metann.matmul, z(2, 2):bool(), z(2, 2):bool())
  end)
end)

describe('mm, mv, bmm, dot, outer and trace', function()
  local z = metann.zeros

  it('take their own ranks', function()
    local p, q, v = numbers{ 2, 3 }, numbers{ 3, 4 }, numbers{ 3 }
    local sizes = { b = 2, i = 2, k = 3, j = 4 }
    same({ 2, 4 }, select(2, summed({ 'ik', 'kj' }, 'ij', sizes, { p, q })), metann.mm(p, q))
    same({ 2 }, select(2, summed({ 'ik', 'k' }, 'i', sizes, { p, v })), metann.mv(p, v))
    local batch, other = numbers{ 2, 2, 3 }, numbers{ 2, 3, 4 }
    same({ 2, 2, 4 }, select(2, summed({ 'bik', 'bkj' }, 'bij', sizes, { batch, other })), metann.bmm(batch, other))
    same({}, select(2, summed({ 'k', 'k' }, '', sizes, { v, v })), metann.dot(v, v))
    same({ 3, 2 }, { 3, 4, 6, 8, 9, 12 }, metann.outer(metann.tensor{ 1, 2, 3 }, metann.tensor{ 3, 4 }))
    assert.equal(5, metann.trace(metann.tensor{ { 1, 2, 9 }, { 3, 4, 9 } }):item())
    assert.equal('int64', metann.trace(metann.eye(2, 2, { dtype = 'int64' })).dtype)
  end)

  it("say what doesn't fit", function()
    fails('mm: expected tensors of 2 and 2 dims, got %(2 x 3%) and %(3%)', metann.mm, z(2, 3), z(3))
    fails('mm: size mismatch, %(2 x 3%) and %(2 x 3%)', metann.mm, z(2, 3), z(2, 3))
    fails('mv: size mismatch, %(2 x 3%) and %(2%)', metann.mv, z(2, 3), z(2))
    fails('bmm: the batches differ, %(2 x 2 x 3%) and %(1 x 3 x 4%)', metann.bmm, z(2, 2, 3), z(1, 3, 4))
    fails('bmm: size mismatch', metann.bmm, z(2, 2, 3), z(2, 2, 4))
    fails('dot: size mismatch, %(2%) and %(3%)', metann.dot, z(2), z(3))
    fails('dot: expected tensors of 1 and 1 dims', metann.dot, z(2, 2), z(2))
    fails('outer: expected two 1%-dim tensors, got %(2 x 1%) and %(2%)', metann.outer, z(2, 1), z(2))
    fails('trace: expected a matrix, got %(3%)', metann.trace, z(3))
    fails("mm: 'input' must be a tensor, got number 2", metann.mm, 2, z(2))
  end)
end)

describe('addmm, addmv, baddbmm, addbmm and addr', function()
  local z = metann.zeros

  it('add a product', function()
    local t, p, q = metann.tensor{ 1, 2 }, metann.tensor{ { 1, 2 }, { 3, 4 } }, metann.tensor{ { 1, 0 }, { 1, 1 } }
    assert.same({ { 4, 4 }, { 8, 6 } }, metann.addmm(t, p, q):to_table())
    assert.same({ { 6.5, 5 }, { 14.5, 9 } }, metann.addmm(t, p, q, { beta = 0.5, alpha = 2 }):to_table())
    assert.same({ { 6.5, 5 }, { 14.5, 9 } }, t:addmm(p, q, 0.5, 2):to_table())
    assert.same({ { 3, 2 }, { 7, 4 } }, metann.addmm(t * (0 / 0), p, q, { beta = 0 }):to_table()) -- t is not read
    assert.same({ 6, 13 }, metann.addmv(t, p, t):to_table())
    local batch = metann.stack{ p, p }
    assert.same({ { { 4, 4 }, { 8, 6 } }, { { 4, 4 }, { 8, 6 } } }, metann.baddbmm(t, batch, metann.stack{ q, q }):to_table())
    assert.same({ { 7, 6 }, { 15, 10 } }, metann.addbmm(t, batch, metann.stack{ q, q }):to_table())
    assert.same({ { 2, 4 }, { 3, 6 } }, metann.addr(t, t, t):to_table())
    assert.equal('int64', metann.addmm(t:long(), p:long(), q:long(), { alpha = 2 }).dtype)
  end)

  it('take bools in or leave them out by factors, and give bools', function()
    local t, p, q = metann.tensor{ { true, false }, { false, false } }, metann.tensor{ false, true }, metann.tensor{ true, true }
    local with_both, product = { { 1, 0 }, { 1, 1 } }, { { 0, 0 }, { 1, 1 } }
    for _, case in ipairs{
      { with_both, 1, 1 }, { with_both, 3, 2 }, { with_both, -1, 0.5 }, { with_both, true, true }, { product, 0, 2 },
      { { { 1, 0 }, { 0, 0 } }, 2, 0 }, { { { 0, 0 }, { 0, 0 } }, false, false },
    } do
      local out = metann.addr(t, p, q, { beta = case[2], alpha = case[3] })
      assert.equal('bool', out.dtype)
      assert.same(case[1], out:to_table())
    end
    assert.same({ { 3, 0 }, { 2, 2 } }, metann.addr(t:long() * 3, p, q, { alpha = 2 }):to_table())
  end)

  it("say what doesn't fit", function()
    fails("addmm: 'input' %(3%) doesn't broadcast to the product's %(2 x 4%)", metann.addmm, z(3), z(2, 3), z(3, 4))
    fails("addmm: 'input' %(3 x 2 x 4%) doesn't broadcast", metann.addmm, z(3, 2, 4), z(2, 3), z(3, 4))
    fails("addmm: unknown option 'gamma'", metann.addmm, z(4), z(2, 3), z(3, 4), { gamma = 1 })
    fails("addmm: 'beta' must be a number, got string 'a'", metann.addmm, z(4), z(2, 3), z(3, 4), 'a')
    fails('addmm: expected tensors of 2 and 2 dims', metann.addmm, z(4), z(2, 3), z(3))
    fails("addmm: 'input' must be a tensor, got number 1", metann.addmm, 1, z(2, 3), z(3, 4))
    fails('baddbmm: expected tensors of 3 and 3 dims', metann.baddbmm, z(4), z(5, 2, 3), z(3, 4))
    fails('addmv: size mismatch', metann.addmv, z(2), z(2, 3), z(2))
    fails('addr: expected two 1%-dim tensors', metann.addr, z(2), z(2, 2), z(2))
    fails("doesn't fit", metann.addmm, z(4):long(), z(2, 3):long(), z(3, 4):long(), { alpha = 2.5 })
  end)
end)

describe('tensordot, inner, kron, cross, cdist and multi_dot', function()
  local z = metann.zeros

  it('tensordot contracts pairs of dims', function()
    local p, q = numbers{ 2, 3, 4 }, numbers{ 3, 4, 2 }
    local sizes = { a = 2, b = 3, c = 4, d = 2 }
    same({ 2, 2 }, select(2, summed({ 'abc', 'bcd' }, 'ad', sizes, { p, q })), metann.tensordot(p, q))
    same({ 2, 2 }, select(2, summed({ 'abc', 'bcd' }, 'ad', sizes, { p, q })), p:tensordot(q, { { -1, 2 }, { 2, 1 } }))
    local size, data = summed({ 'abc', 'ecd' }, 'abed', { a = 2, b = 3, c = 4, d = 2, e = 3 }, { p, q })
    same(size, data, metann.tensordot(p, q, { { 3 }, { 2 } }))
    assert.same({ 2, 3, 2, 3 }, metann.tensordot(z(2, 3), z(2, 3), 0).shape)
    fails("tensordot: 'dims' is 3, but the tensors are %(2 x 3%)", metann.tensordot, z(2, 3), z(3, 2), 3)
    fails('size mismatch, dim 2 of %(2 x 3%) and dim 1 of %(2 x 3%)', metann.tensordot, z(2, 3), z(2, 3), 1)
    fails('two lists of dims of one length', metann.tensordot, z(2, 3), z(2, 3), { { 1, 2 }, { 1 } })
    fails('dim 1 is given twice', metann.tensordot, z(2, 2), z(2, 2), { { 1, 1 }, { 1, 2 } })
    fails("'dims' is 0, but dims count from 1", metann.tensordot, z(2, 2), z(2, 2), { { 0 }, { 1 } })
  end)

  it('inner sums over the last dims', function()
    local p, q = numbers{ 2, 3 }, numbers{ 4, 3 }
    same({ 2, 4 }, select(2, summed({ 'ik', 'jk' }, 'ij', { i = 2, j = 4, k = 3 }, { p, q })), metann.inner(p, q))
    assert.same({ 2, 4 }, metann.inner(metann.tensor{ 1, 2 }, metann.tensor(2)):to_table())
    fails('inner: size mismatch, the last dims of %(2 x 3%) and %(2%)', metann.inner, z(2, 3), z(2))
  end)

  it('kron puts blocks beside each other', function()
    local p, q = metann.tensor{ { 1, 2 }, { 3, 4 } }, metann.tensor{ 1, 10 }
    assert.same({ { 1, 10, 2, 20 }, { 3, 30, 4, 40 } }, metann.kron(p, q):to_table())
    assert.same({ { 1, 2 }, { 3, 4 }, { 10, 20 }, { 30, 40 } }, metann.kron(q:unsqueeze(2), p):to_table())
    assert.same({ 3 }, metann.kron(metann.tensor(3), metann.tensor{ 1 }):to_table())
    fails('kron: expected at most 4 dims, got 5', metann.kron, z(1, 1, 1, 1, 1), z(1))
  end)

  it('cross is perpendicular to both', function()
    assert.same({ -3, 6, -3 }, metann.cross(metann.tensor{ 1, 2, 3 }, metann.tensor{ 4, 5, 6 }):to_table())
    local p, q = metann.tensor{ { 1, 0 }, { 0, 1 }, { 0, 0 } }, metann.tensor{ { 0, 0 }, { 1, 0 }, { 0, 1 } }
    assert.same({ { 0, 1 }, { 0, 0 }, { 1, 0 } }, p:cross(q):to_table())
    assert.same({ { 0, 1 }, { 0, 0 }, { 1, 0 } }, metann.linalg.cross(p.T, q.T).T:to_table())
    fails('cross: no dim of %(2 x 2%) has 3 elements', metann.cross, z(2, 2), z(2, 2))
    fails('cross: dim 1 must have 3 elements', metann.cross, z(2, 3), z(2, 3), { dim = 1 })
    fails('as many dims of both', metann.cross, z(3), z(1, 3))
  end)

  it('cdist gives all distances', function()
    local p, q = metann.tensor{ { 0, 0 }, { 3, 4 } }, metann.tensor{ { 0, 0 }, { 3, 0 }, { 0, 4 } }
    assert.same({ { 0, 3, 4 }, { 5, 4, 3 } }, metann.cdist(p, q):to_table())
    assert.same({ { 0, 3, 4 }, { 7, 4, 3 } }, metann.cdist(p, q, 1):to_table())
    assert.same({ { 0, 3, 4 }, { 4, 4, 3 } }, metann.cdist(p, q, { p = math.huge }):to_table())
    assert.same({ 5, 2, 3 }, metann.cdist(z(5, 2, 2), z(3, 2)).shape)
    assert.same({ 3, 4, 5 }, metann.pdist(metann.tensor{ { 0, 0 }, { 3, 0 }, { 0, 4 } }):to_table())
    assert.same({ 0 }, metann.pdist(metann.ones(1, 2)).shape)
    fails('pdist: expected a matrix, got %(2%)', metann.pdist, z(2))
    fails('cdist: expected rows of one length, got %(2 x 2%) and %(2 x 3%)', metann.cdist, p, z(2, 3))
  end)

  it('multi_dot multiplies a chain', function()
    local a, b, c, v = numbers{ 2, 3 }, numbers{ 3, 5 }, numbers{ 5, 2 }, numbers{ 2 }
    local sizes = { i = 2, j = 3, k = 5, l = 2 }
    same({ 2, 2 }, select(2, summed({ 'ij', 'jk', 'kl' }, 'il', sizes, { a, b, c })), metann.multi_dot{ a, b, c })
    same({ 2 }, select(2, summed({ 'ij', 'jk', 'kl', 'l' }, 'i', sizes, { a, b, c, v })), metann.multi_dot(a, b, c, v))
    same({}, select(2, summed({ 'i', 'ij', 'jk', 'kl', 'l' }, '', sizes, { v, a, b, c, v })),
      metann.linalg.multi_dot{ v, a, b, c, v })
    fails('multi_dot: size mismatch, tensors 1 %(2 x 3%) and 2 %(5 x 2%)', metann.multi_dot, { a, c })
    fails('multi_dot: expected a list of at least 2 tensors', metann.multi_dot, { a })
    fails('multi_dot: tensor 2 must be a matrix, got %(2%)', metann.multi_dot, { a, v, b })
  end)
end)

describe('einsum', function()
  it("spreads '...' over the dims that letters leave, and stretches dims of 1", function()
    local p, q = numbers{ 2, 3, 4, 5 }, numbers{ 3, 5, 2 }
    local sizes = { a = 2, b = 3, i = 4, k = 5, j = 2 }
    local size, data = summed({ 'abik', 'bkj' }, 'abij', sizes, { p, q })
    same(size, data, metann.einsum('...ik,...kj->...ij', p, q))
    same(size, data, metann.einsum('...ik,...kj', p, q))
    same({ 2, 3, 4 }, select(2, summed({ 'abik' }, 'abi', sizes, { p })), metann.einsum('...k->...', p))
    same({ 5, 4 }, select(2, summed({ 'abik' }, 'ki', sizes, { p })), metann.einsum('...ik->ki', p))
    local one = numbers{ 1, 4 }
    local rows = numbers{ 3, 4 }
    same({ 3 }, select(2, summed({ 'bi', 'bi' }, 'b', sizes, { one, rows })), metann.einsum('bi,bi->b', one, rows))
    same({ 3, 4 }, select(2, summed({ 'bi', 'bi' }, 'bi', sizes, { rows, one })), metann.einsum('bi,bi->bi', rows, one))
  end)

  it('has derivatives through what it stretches', function()
    local p = numbers{ 1, 4 }:requires_grad_()
    local q = numbers{ 3, 4 }:requires_grad_()
    assert.is_true(metann.gradcheck(function(x, y) return metann.einsum('...i,...i->...', x, y):square():sum() end,
      { p, q }, { order = 2 }))
  end)

  it("says what it can't read", function()
    local z = metann.zeros
    fails("can't read 'i1,jk%->ik'", metann.einsum, 'i1,jk->ik', z(2, 2), z(2, 2))
    fails("the result's 'x' is in no operand", metann.einsum, 'ij->x', z(2, 2))
    fails("the result has 'i' twice", metann.einsum, 'ij->ii', z(2, 2))
    fails('operand 1 has 3 dims, but 2 letters', metann.einsum, 'ij->i', z(2, 2, 2))
    fails('operand 1 has 1 dims, but 2 letters', metann.einsum, '...ij->i', z(2))
    fails("'i' is 1 and 3 in operand 1", metann.einsum, 'ii', z(1, 3))
    fails("einsum: 'operands' must be a list of tensors", metann.einsum, 'i,i', z(2), 3)
  end)
end)
