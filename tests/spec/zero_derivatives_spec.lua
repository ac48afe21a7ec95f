-- Derivatives that are 0 throughout (rounding, signs, what is overwritten): zeros, not "not used", at every order and in
-- place; and in-place calls between dtypes. Values against closed forms and against the same call out of place.
local metann = require 'metann'
local rows = require 'tests.support.rows'
local table_rows = require('metann.binding').stub.rows
local checks = require 'tests.support.checks'

local fails = checks.fails

local function leaf(x) return metann.tensor(x, { requires_grad = true, dtype = 'float64' }) end

-- in place, what is left of 2 x at x = {0.75, 1.1, -1.2}
local OVERWRITTEN = {
  zero_ = { { 0, 0, 0 } }, fill_ = { { 7, 7, 7 }, 7 }, sign_ = { { 1, 1, -1 } }, floor_ = { { 1, 2, -3 } },
  ceil_ = { { 2, 3, -2 } }, round_ = { { 2, 2, -2 } }, trunc_ = { { 1, 2, -2 } }, eq_ = { { 0, 0, 0 }, 5 },
  copy_ = { { 4, 5, 6 }, metann.tensor({ 4, 5, 6 }, { dtype = 'float64' }) },
  masked_fill_ = { { 9, 9, 9 }, metann.tensor{ true, true, true }, 9 },
  index_fill_ = { { 8, 8, 8 }, 1, metann.tensor{ 1, 2, 3 }:long(), 8 },
}

describe('the norm 0, which counts', function()
  it('has a derivative of 0 by every way to call it, not none', function()
    local linalg, F = metann.linalg, metann.nn.functional
    for _, count in ipairs{
      function(x) return x:norm(0) end, function(x) return x:norm(0, 1, true) end,
      function(x) return linalg.vector_norm(x, 0) end, function(x) return linalg.norm(x, 0) end,
      function(x) return F.pairwise_distance(x, x:detach() * 0, { p = 0, eps = 0 }) end,
      function(x) return metann.cdist(x:reshape(1, 3), metann.zeros(1, 3, { dtype = 'float64' }), 0) end,
    } do
      local x = leaf{ 1.5, 0, -2 }
      local out = count(x)
      assert.equal(2, out:item())
      local g = metann.grad(out:sum(), x, { create_graph = true })
      assert.same({ 0, 0, 0 }, g:to_table())
      assert.same({ 0, 0, 0 }, metann.grad((g * x):sum(), x):to_table())
    end
    assert.equal(3, metann.tensor{ 0 / 0, 1 / 0, 1, 0 }:norm(0):item())
  end)
end)

describe('what is overwritten in place', function()
  for name, case in pairs(OVERWRITTEN) do
    it('by ' .. name .. ' loses its history, at every order', function()
      local x = leaf{ 0.75, 1.1, -1.2 }
      local z = x * 2
      z[name](z, unpack(case, 2))
      assert.same(case[1], z:to_table())
      assert.is_true(z.requires_grad)
      assert.same({ 0, 0, 0 }, metann.grad(z:sum(), x, { retain_graph = true }):to_table())
      -- z is a constant c: c x^3 has the derivatives 3 c x^2, 6 c x, 6 c
      local f = (z * x * x * x):sum()
      for order, want in ipairs{ function(v) return 3 * v * v end, function(v) return 6 * v end, function() return 6 end } do
        local g = metann.grad(f, x, { create_graph = true })
        for i, v in ipairs(x:to_table()) do assert.near(case[1][i] * want(v), g[i]:item(), 1e-12, 'order ' .. order) end
        f = g:sum()
      end
    end)
  end

  it('keeps it in no_grad', function()
    local x = leaf{ 1, 2 }
    local z = x * 2
    metann.no_grad(function() z:zero_() end)
    assert.same({ 2, 2 }, metann.grad(z:sum(), x):to_table())
  end)

  it('has the gradient of what it holds now, when that is retained', function()
    local x = leaf{ 1.5, -2 }
    local z = x * 2
    z:retain_grad()
    z:floor_()
    local total = (z * 7):sum()
    total:backward()
    assert.same({ 7, 7 }, z.grad:to_table())
    assert.same({ 0, 0 }, x.grad:to_table())
  end)

  it('is refused for leaves, in integers as anywhere else', function()
    fails('fill_: a leaf that requires grad', function() leaf{ 1 }:fill_(3) end)
    local counts = metann.tensor{ 1, 2 }:long()
    assert.same({ 0, 0 }, counts:zero_():to_table())
    assert.is_false(counts.requires_grad)
  end)

  it('by a row that may write in place always has a derivative', function()
    for name, row in pairs(table_rows) do
      assert.is_false(rows.has(row, 'INPLACE') and rows.has(row, 'NODIFF'), name)
    end
  end)
end)

describe('a derivative that is 0 throughout', function()
  local functions = {
    floor = function(x) return x:floor() end, ceil = function(x) return x:ceil() end,
    round = function(x) return x:round() end, trunc = function(x) return x:trunc() end,
    sign = function(x) return x:sign() end, ['power 0'] = function(x) return x ^ 0 end,
    fill = function(x) return x:clone():fill_(2) end,
    ['floor of the quotient'] = function(x) return metann.div(x, 2, { rounding_mode = 'floor' }) end,
    bernoulli = function(x) return (x * 0 + 0.5):bernoulli() end,
    chained = function(x) return (x:exp():floor() * 3):sin() end,
    ['relu, twice'] = function(x) return metann.grad(x:relu():sum(), x, { create_graph = true }) end,
    ['abs, twice'] = function(x) return metann.grad(x:abs():sum(), x, { create_graph = true }) end,
  }
  for name, fn in pairs(functions) do
    it('gives zeros: ' .. name, function()
      local x = leaf{ 0.3, -1.6, 2.4 }
      assert.same({ 0, 0, 0 }, metann.grad(fn(x):sum(), x):to_table())
      assert.same({ 0, 0, 0 }, metann.grad(fn(x):sum(), x, { allow_unused = true }):to_table())
      fn(x):sum():backward()
      assert.same({ 0, 0, 0 }, x.grad:to_table())
      fn(x):sum():backward()
      assert.same({ 0, 0, 0 }, x.grad:to_table())
    end)
  end

  it('adds nothing to what another way gives, and is again differentiable', function()
    local x = leaf{ 1.5, 2.5 }
    local g = metann.grad((x * x + x:floor() * 10 + x ^ 0):sum(), x, { create_graph = true })
    assert.same({ 3, 5 }, g:to_table())
    assert.same({ 2, 2 }, metann.grad(g:sum(), x):to_table())
    -- of a remainder the quotient is constant: 7.5 % y has the derivative -3 at y = 2, and 0 after that
    local y = leaf{ 2 }
    g = metann.grad((metann.tensor({ 7.5 }, { dtype = 'float64' }) % y):sum(), y, { create_graph = true })
    assert.same({ -3 }, g:to_table())
    assert.same({ 0 }, metann.grad(g:sum(), y):to_table())
  end)

  it('is seen by hooks, functions of one\'s own, and retained gradients', function()
    local x = leaf{ 1.5, 2.5 }
    local seen = {}
    local h = x * 2
    h:register_hook(function(g) seen[#seen + 1] = g:to_table() end)
    x:register_hook(function(g)
      seen[#seen + 1] = g:to_table()
      return g + 1
    end)
    h:retain_grad()
    local y = h:sign():sum()
    y:backward()
    assert.same({ { 0, 0 }, { 0, 0 } }, seen)
    assert.same({ 0, 0 }, h.grad:to_table())
    assert.same({ 1, 1 }, x.grad:to_table())
    local Double = metann.autograd.Function{
      forward = function(_, t) return t * 2 end,
      backward = function(_, g)
        seen[#seen + 1] = g:to_table()
        return g * 2
      end,
    }
    local z = leaf{ 4 }
    assert.same({ 0 }, metann.grad(Double(z):ceil():sum(), z):to_table())
    assert.same({ 0 }, seen[3])
    assert.same({ 0 }, metann.grad(metann.checkpoint(function(t) return t:round() end, z):sum(), z):to_table())
  end)

  it('frees the graph as any other does', function()
    local x = leaf{ 1.5 }
    local h = x:sin()
    local y = h:floor():sum()
    metann.grad(y, x)
    fails('the graph through sin has been freed', metann.grad, y, x)
    y = x:sin():floor():sum()
    metann.grad(y, x, { retain_graph = true })
    assert.same({ 0 }, metann.grad(y, x):to_table())
  end)

  it('is not the same as no derivative, and as no way', function()
    local x = leaf{ 1, 2 }
    assert.is_false(x:gt(1).requires_grad)
    assert.is_false(x:argmax().requires_grad)
    assert.is_false(metann.zeros_like(x).requires_grad)
    fails('input 1 was not used', metann.grad, (leaf{ 1, 2 }:floor()):sum(), x)
    local None = metann.autograd.Function{ forward = function(_, t) return t * 2 end, backward = function() return nil end }
    assert.is_false(metann.grad(None(x):sum(), x, { allow_unused = true }))
    fails('input 1 was not used', metann.grad, None(x):sum(), x)
    local _, s = metann.linalg.eigh(metann.tensor({ { 2, 0 }, { 0, 1 } }, { requires_grad = true }) * 1)
    fails('input 1 was not used', metann.grad, (x * 2):sum(), s) -- nothing leads from one output to another
  end)
end)

describe('in place between dtypes', function()
  local DTYPES = { 'bool', 'uint8', 'int32', 'int64', 'float32', 'float64' }
  local NUMBERS = {
    bool = { true, false, true }, uint8 = { 200, 3, 7 }, int32 = { -5, 100000, 9 },
    int64 = { 1099511627776LL, -1LL, 256LL }, float32 = { 0.1, -2.5, 3 }, float64 = { 0.30000000000000004, 1e-3, -7.7 },
  }
  --- NaN equals NaN.
  local function equal(x, y) return x:eq(y):logical_or(x:ne(x):logical_and(y:ne(y))):all():item() == 1 end
  local function operand(dtype) return metann.tensor(NUMBERS[dtype], { dtype = dtype }) end
  for name, row in pairs(table_rows) do
    if rows.has(row, 'INPLACE') and rows.has(row, 'PROMOTE') then
      it(name .. '_ computes as ' .. name .. ' does, then casts', function()
        for _, a in ipairs(DTYPES) do
          for _, b in ipairs(DTYPES) do
            local target, other = operand(a), operand(b)
            local possible, want = pcall(metann[name], target, other)
            local before = target:clone()
            local ok, message = pcall(target[name .. '_'], target, other)
            if ok then
              assert.is_true(possible, a .. ' with ' .. b)
              assert.is_true(equal(want:to(a), target), a .. ' with ' .. b)
            else
              assert.same(before:to_table(), target:to_table(), a .. ' with ' .. b)
              local wider = possible and not pcall(before.copy_, before, want)
              assert.is_true(not possible or wider or message:find("doesn't fit a", 1, true) ~= nil, message)
            end
          end
        end
      end)
    end
  end

  it('has the values that a wider dtype has room for', function()
    local function int(dtype, ...) return metann.tensor({ ... }, { dtype = dtype }) end
    assert.equal(5, int('int32', 5):minimum_(int('int64', 1099511627776LL)):item())
    assert.equal(3, int('uint8', 3):maximum_(int('int64', -1)):item())
    assert.equal(200, int('uint8', 200):remainder_(int('int64', 256)):item())
    assert.equal(0, int('uint8', 2):pow_(int('int64', 256)):item())
    assert.equal(44, int('uint8', 200):add_(int('int64', 356)):sub_(int('int32', 256)):item()) -- wraps, as sums do
    -- float32 with float64: computed in float64, rounded once. 2^24 + 1 has no float32
    local t = metann.tensor{ 16777216 }
    t:sub_(metann.tensor({ 16777217 }, { dtype = 'float64' }))
    assert.equal(-1, t:item())
    assert.equal('float32', t.dtype)
  end)

  it('has the derivatives of the call out of place', function()
    local y = metann.tensor({ 1.7, -0.3 }, { dtype = 'float64', requires_grad = true })
    for _, name in ipairs{ 'mul', 'div', 'atan2', 'fmod', 'pow', 'sub', 'maximum' } do
      local x = metann.tensor({ 2, 3 }, { requires_grad = true })
      local z = x * 1
      local out = metann[name](x * 1, y):float()
      z[name .. '_'](z, y)
      assert.same(out:to_table(), z:to_table())
      local want, got = metann.grad((out * out):sum(), { x, y }), metann.grad((z * z):sum(), { x, y })
      for i = 1, 2 do assert.same(want[i]:to_table(), got[i]:to_table(), name) end
    end
  end)
end)
