-- Linear algebra as users call it: metann's and torch.linalg's names, vectors, sides, options, errors. The rows beneath
-- are in the op spec.
local metann = require 'metann'

local function f64(x) return metann.tensor(x, { dtype = 'float64' }) end

local function message_of(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(message)
end

local function fails(pattern, fn, ...)
  local message = message_of(fn, ...)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('linalg_spec%.lua:%d+:'), message)
end

--- Both as nested tables of numbers, alike to 1e-10.
local function near(want, got)
  if metann.is_tensor(got) then got = got:to_table() end
  if type(want) == 'number' then
    assert.near(want, got, 1e-10)
    return
  end
  assert.equal(#want, #got)
  for i = 1, #want do near(want[i], got[i]) end
end

local a = f64{ { 2, 1 }, { 1, 3 } } -- its determinant is 5, its inverse {3, -1; -1, 2} / 5
local lower, upper = f64{ { 2, 0 }, { 1, 3 } }, f64{ { 2, 1 }, { 0, 3 } }

describe('solve', function()
  it('takes columns, a vector, and a vector for each matrix', function()
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, metann.solve(a, metann.eye(2, 2, { dtype = 'float64' })))
    near({ 1, 2 }, metann.solve(a, f64{ 4, 7 }))
    near({ 1, 2 }, a:solve(f64{ 4, 7 }))
    local both = metann.stack{ a, lower }
    near({ { 1, 2 }, { 2, 5 / 3 } }, metann.solve(both, f64{ { 4, 7 }, { 4, 7 } }))
    near({ { 1, 2 }, { 2, 5 / 3 } }, metann.solve(both, f64{ 4, 7 })) -- the vector stands for both
    assert.same({ 2, 2, 1 }, metann.solve(both, f64{ { 4 }, { 7 } }).shape)
  end)

  it('from the right', function()
    -- x a = (4, 7) where a is not symmetric: x = (4, 7) upper^-1 = (2, 5/3)
    near({ { 2, 5 / 3 } }, metann.solve(upper, f64{ { 4, 7 } }, { left = false }))
    near({ 2, 5 / 3 }, metann.solve(upper, f64{ 4, 7 }, { left = false }))
  end)

  it('says what is wrong', function()
    fails('solve: the matrix is singular', metann.solve, f64{ { 1, 2 }, { 2, 4 } }, f64{ 1, 2 })
    fails('solve: matrix 2 of the batch is singular', metann.solve, metann.stack{ a, a * 0 }, f64{ 1, 2 })
    fails("solve: 'input' must be a tensor, got number 1", metann.solve, 1, a)
    fails("solve: 'input' must have at least 2 dims, got 1", metann.solve, f64{ 1 }, a)
    fails("unknown option 'lefts', did you mean 'left'", metann.solve, a, a, { lefts = true })
    fails("'left' must be true or false", metann.solve, a, a, { left = 1 })
    fails('solve: size mismatch, the matrix %(2 x 2%) and the right%-hand side %(3 x 1%)', metann.solve, a, f64{ 1, 2, 3 })
  end)
end)

describe('triangles', function()
  it('solve_triangular takes the matrix first, triangular_solve last', function()
    near({ { 2 }, { 5 / 3 } }, metann.solve_triangular(lower, f64{ { 4 }, { 7 } }, { upper = false }))
    near({ { 5 / 6 }, { 7 / 3 } }, metann.solve_triangular(upper, f64{ { 4 }, { 7 } }, { upper = true }))
    near({ { 2, 5 / 3 } }, metann.solve_triangular(upper, f64{ { 4, 7 } }, { upper = true, left = false }))
    near({ { 4 }, { 3 } }, metann.solve_triangular(lower, f64{ { 4 }, { 7 } }, { upper = false, unitriangular = true }))
    local x, same = metann.triangular_solve(f64{ { 4 }, { 7 } }, upper)
    near({ { 5 / 6 }, { 7 / 3 } }, x)
    near(upper:to_table(), same)
    near({ { 2 }, { 5 / 3 } }, (metann.triangular_solve(f64{ { 4 }, { 7 } }, lower, { upper = false })))
    near({ { 2 }, { 5 / 3 } }, (f64{ { 4 }, { 7 } }:triangular_solve(upper, true, true)))
  end)

  it('cholesky_solve and cholesky_inverse take a factor', function()
    local l = metann.cholesky(a)
    near({ { math.sqrt(2), 0 }, { 1 / math.sqrt(2), math.sqrt(2.5) } }, l)
    near({ { 1 }, { 2 } }, metann.cholesky_solve(f64{ { 4 }, { 7 } }, l))
    near({ { 1 }, { 2 } }, metann.cholesky_solve(f64{ { 4 }, { 7 } }, l.mT, true))
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, metann.cholesky_inverse(l))
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, metann.cholesky_inverse(l.mT, { upper = true }))
  end)

  it('say what is wrong', function()
    fails("'upper' must be given", metann.solve_triangular, lower, lower, { left = true })
    fails("solve_triangular: 'upper' must be given", metann.solve_triangular, lower, lower)
    fails('the matrix must be square, got %(2 x 1%); the right%-hand side comes first', metann.triangular_solve, lower,
      f64{ { 4 }, { 7 } })
    fails('solve_triangular: the matrix is singular, its diagonal has a 0 %(at row 1%)', metann.solve_triangular,
      f64{ { 0, 0 }, { 1, 1 } }, lower, { upper = false })
    fails("triangular_solve: 'upper' must be true or false", metann.triangular_solve, lower, lower, 'U')
    fails("cholesky_solve: 'b' must be given", metann.cholesky_solve, nil, lower)
    fails("cholesky_inverse: 'factor' must have at least 2 dims", metann.cholesky_inverse, f64{ 1 })
    fails('cholesky: the matrix is not positive definite', metann.cholesky, f64{ { 1, 2 }, { 2, 1 } })
  end)
end)

describe('determinants', function()
  it('have their sign and logarithm', function()
    near(5, metann.det(a):item())
    near(math.log(5), metann.logdet(a):item())
    local sign, size = metann.slogdet(f64{ { 0, 2 }, { 3, 0 } })
    near(-1, sign:item())
    near(math.log(6), size:item())
    near({ math.log(5), math.log(6) }, metann.logdet(metann.stack{ a, lower }))
    near(1, metann.det(metann.zeros(0, 0)):item())
  end)

  it('logdet is NaN for a negative one and -inf for 0', function()
    local x = metann.logdet(f64{ { 0, 2 }, { 3, 0 } }):item()
    assert.is_true(x ~= x)
    assert.equal(-math.huge, metann.logdet(f64{ { 1, 2 }, { 2, 4 } }):item())
  end)

  it('logdet has derivatives of orders 1 to 3', function()
    local x = f64{ { 2, 0.5 }, { 0.3, 3 } }:requires_grad_()
    assert.is_true(metann.gradcheck(metann.logdet, { x }, { order = 3 }))
  end)

  it('det has a first derivative at singular matrices; a second one is an error', function()
    local x = f64{ { 1, 2 }, { 2, 4 } }:requires_grad_()
    local g = metann.grad(metann.det(x), x, { create_graph = true })
    near({ { 4, -2 }, { -2, 1 } }, g)
    fails('inverse: the matrix is singular', metann.grad, g:sum(), x)
    fails('expected square matrices, got %(1 x 2%)', metann.logdet, f64{ { 1, 2 } })
  end)
end)

describe('decompositions', function()
  local x = f64{ { 3, 0 }, { 0, -2 }, { 0, 0 } }

  it('svd gives V, linalg.svd its transpose', function()
    local b = f64{ { 1, 2 }, { 3, 4 }, { 5, 6 } }
    local u, s, v = metann.svd(b)
    assert.same({ { 3, 2 }, { 2 }, { 2, 2 } }, { u.shape, s.shape, v.shape })
    near(b:to_table(), (u * s):matmul(v.mT))
    assert.same({ 3, 3 }, metann.svd(b, false).shape)
    assert.same({ 3, 3 }, metann.svd(b, { some = false }).shape)
    local u2, s2, vh = metann.linalg.svd(b)
    assert.same({ { 3, 3 }, { 2 }, { 2, 2 } }, { u2.shape, s2.shape, vh.shape })
    near(b:to_table(), (u2[{ {}, { 1, 2 } }] * s2):matmul(vh))
    assert.same({ 3, 2 }, metann.linalg.svd(b, { full_matrices = false }).shape)
    near({ 3, 2 }, metann.svdvals(x))
    fails("svd: 'some' must be true or false", metann.svd, b, 3)
  end)

  it('eigvalsh reads one triangle', function()
    near({ 1, 3 }, metann.eigvalsh(f64{ { 2, 9 }, { 1, 2 } }))
    near({ 1, 3 }, metann.eigvalsh(f64{ { 2, 1 }, { 9, 2 } }, 'U'))
    near({ 1, 3 }, metann.linalg.eigvalsh(f64{ { 2, 1 }, { 9, 2 } }, { UPLO = 'U' }))
    fails("eigvalsh: 'UPLO' must be one of 'L', 'U'", metann.eigvalsh, x, 'M')
  end)

  it('equal eigenvalues have vectors without a derivative: it counts as 0, not NaN', function()
    local i = metann.eye(2, 2, { dtype = 'float64' }):requires_grad_()
    local w, v = metann.eigh(i)
    near({ { 1, 0 }, { 0, 1 } }, metann.grad(w:sum(), i))
    local _, again = metann.eigh(i)
    near({ { 0, 0 }, { 0, 0 } }, metann.grad((again * f64{ { 1, 2 }, { 3, 4 } }):sum(), i))
    near({ { 1, 0 }, { 0, 1 } }, v.mT:matmul(v):detach())
  end)

  it('qr takes a mode or a boolean', function()
    assert.same({ 3, 2 }, metann.qr(x).shape)
    assert.same({ 3, 3 }, metann.qr(x, 'complete').shape)
    assert.same({ 3, 3 }, metann.qr(x, false).shape)
    assert.same({ 3, 3 }, metann.qr(x, { some = false }).shape)
    assert.same({ 3, 3 }, metann.linalg.qr(x, { mode = 'complete' }).shape)
    fails("'mode' must be one of reduced, complete", metann.qr, x, 'full')
    fails("'mode' and 'some' are two names", metann.qr, x, { mode = 'complete', some = false })
  end)

  it('matrix_power multiplies, and inverts for negative numbers', function()
    local m = f64{ { 1, 1 }, { 0, 1 } }
    near({ { 1, 5 }, { 0, 1 } }, metann.matrix_power(m, 5))
    near({ { 1, -3 }, { 0, 1 } }, metann.matrix_power(m, -3))
    near({ { 1, 0 }, { 0, 1 } }, metann.matrix_power(m, 0))
    near({ { 1, 1 }, { 0, 1 } }, m:matrix_power(1))
    fails('matrix_power: expected square matrices', metann.matrix_power, x, 2)
    fails("matrix_power: 'n' must be a whole number, got number 0.5", metann.matrix_power, m, 0.5)
  end)

  it('linalg.inv is inverse', function()
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, metann.linalg.inv(a))
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, a:inverse())
    fails('inverse: the matrix is singular', a.inverse, a * 0)
  end)
end)

describe('pinverse and what counts singular values', function()
  local rank_one = f64{ { 1, 2 }, { 2, 4 } } -- its pseudoinverse is itself divided by 25

  it('pinverse, linalg.pinv and lstsq', function()
    near({ { 0.04, 0.08 }, { 0.08, 0.16 } }, metann.linalg.pinv(rank_one))
    near({ { 0.04, 0.08 }, { 0.08, 0.16 } }, metann.linalg.pinv(rank_one, {}))
    near({ { 0.5, 0 }, { 0, 0 } }, metann.pinverse(f64{ { 2, 0 }, { 0, 0.5 } }, 0.3))
    near({ { 0.5, 0 }, { 0, 2 } }, metann.pinverse(f64{ { 2, 0 }, { 0, 0.5 } }))
    near({ { 0.5, 0 }, { 0, 0 } }, metann.linalg.pinv(f64{ { 2, 0 }, { 0, 0.5 } }, { atol = 0.6 }))
    -- the line through (0, 1), (1, 3), (2, 5), (3, 6.2) nearest in squares: slope and height by the textbook's sums
    local x, y = { 0, 1, 2, 3 }, { 1, 3, 5, 6.2 }
    local sx, sy, sxx, sxy = 0, 0, 0, 0
    for i = 1, 4 do sx, sy, sxx, sxy = sx + x[i], sy + y[i], sxx + x[i] ^ 2, sxy + x[i] * y[i] end
    local slope = (4 * sxy - sx * sy) / (4 * sxx - sx ^ 2)
    local a2 = metann.stack({ f64(x), metann.ones(4, { dtype = 'float64' }) }, 2)
    near({ slope, (sy - slope * sx) / 4 }, metann.linalg.lstsq(a2, f64(y)))
    fails("pinv: 'rtol' must be a number of at least 0 or a tensor, got number %-1", metann.linalg.pinv, a, { rtol = -1 })
    fails("pinv: unknown option 'rcond'", metann.linalg.pinv, a, { rcond = 1 })
    fails("pinverse: 'rcond' must be a number", metann.pinverse, a, 'x')
    fails("lstsq: 'other' must be a tensor", metann.linalg.lstsq, a, 1)
  end)

  it('the pseudoinverse has derivatives along matrices of one rank', function()
    local column, line = f64{ { 1 }, { 2 }, { 0.5 } }:requires_grad_(), f64{ { 3, -1 } }:requires_grad_()
    local function through(p, q) return metann.linalg.pinv(metann.matmul(p, q)):square():sum() end
    assert.is_true(metann.gradcheck(through, { column, line }, { order = 2 }))
  end)

  it('matrix_rank and cond', function()
    assert.same({ 1, 2, 0 }, metann.linalg.matrix_rank(metann.stack{ rank_one, a, a * 0 }):to_table())
    assert.equal(1, metann.linalg.matrix_rank(f64{ { 2, 0 }, { 0, 0.5 } }, { rtol = 0.3 }):item())
    assert.equal(0, metann.linalg.matrix_rank(metann.zeros(0, 3)):item())
    near(4, metann.linalg.cond(f64{ { 2, 0 }, { 0, -0.5 } }):item())
    fails("matrix_rank: unknown option 'tol'", metann.linalg.matrix_rank, a, { tol = 1 })
    fails('expected a matrix', metann.linalg.matrix_rank, f64{ 1 })
    fails('cond: the matrix has no elements', metann.linalg.cond, metann.zeros(0, 2))
  end)
end)

describe('norms', function()
  local t = f64{ { 3, -4 }, { 0, 12 } }
  local linalg = metann.linalg

  it('of vectors', function()
    near(13, linalg.vector_norm(t):item())
    near({ 5, 12 }, linalg.vector_norm(t, 2, 2))
    near({ { 7 }, { 12 } }, linalg.vector_norm(t, 1, { dim = 2, keepdim = true }))
    near(13, linalg.norm(t):item())
    near({ 3, 12 }, linalg.norm(t, math.huge, 1))
    near({ 3, 4 }, linalg.norm(t, { ord = -math.huge, dim = 2 }) + f64{ 0, 4 })
  end)

  it('of matrices', function()
    near(13, linalg.matrix_norm(t):item())
    near(16, linalg.matrix_norm(t, 1):item())
    near(3, linalg.matrix_norm(t, -1):item())
    near(12, linalg.matrix_norm(t, math.huge):item())
    near(7, linalg.matrix_norm(t, -math.huge):item())
    local d = f64{ { 0, 2 }, { -5, 0 } }
    near(5, linalg.matrix_norm(d, 2):item())
    near(2, linalg.norm(d, -2):item())
    near(7, linalg.matrix_norm(d, 'nuc'):item())
    local batch = metann.stack({ d, t }, 2) -- matrices over dims 1 and 3
    near({ 5, 16 }, linalg.matrix_norm(batch, 1, { 1, 3 }))
    assert.same({ 1, 2, 1 }, linalg.matrix_norm(batch, 'nuc', { 1, 3 }, true).shape)
    assert.same({ 2 }, linalg.matrix_norm(batch, { ord = 2, dim = { 1, 3 } }).shape)
    fails("matrix_norm: 'ord' must be 'fro'", linalg.matrix_norm, t, 3)
    fails("matrix_norm: 'dim' must be a list of two dims", linalg.matrix_norm, t, 'fro', 1)
    fails('matrix_norm: expected a matrix, got a tensor with 1 dims', linalg.matrix_norm, f64{ 1 })
    fails("norm: with 'ord' 1, expected 1 or 2 dims, got 3", linalg.norm, metann.zeros(1, 1, 1), 1)
    fails("vector_norm: unknown option 'p'", linalg.vector_norm, t, { p = 2 })
  end)

  it('vecdot and diagonal work on the last dims', function()
    near({ 25, 144 }, linalg.vecdot(t, t))
    near({ 9, 160 }, linalg.vecdot(t, t, { dim = 1 }))
    near({ { 3, 12 }, { 3, 12 } }, linalg.diagonal(metann.stack{ t, t }))
    near({ -4 }, linalg.diagonal(t, 1))
    fails("diagonal: unknown option 'dim'", linalg.diagonal, t, { dim = 1 })
  end)
end)

describe('matrix_exp', function()
  it('is the exponential', function()
    near({ { math.exp(1), 0 }, { 0, math.exp(-2) } }, metann.matrix_exp(f64{ { 1, 0 }, { 0, -2 } }))
    near({ { 1, 3 }, { 0, 1 } }, metann.matrix_exp(f64{ { 0, 3 }, { 0, 0 } }))
    -- a rotation by 20 needs halving; beside it, in the batch, a small one
    local c, s = math.cos(20), math.sin(20)
    local out = metann.matrix_exp(f64{ { { 0, -20 }, { 20, 0 } }, { { 0, 0 }, { 0, 0 } } })
    near({ { { c, -s }, { s, c } }, { { 1, 0 }, { 0, 1 } } }, out)
    assert.same({ 0, 3, 3 }, metann.linalg.matrix_exp(metann.zeros(0, 3, 3)).shape)
    fails('matrix_exp: expected square matrices, got %(1 x 2%)', metann.matrix_exp, f64{ { 1, 2 } })
    fails('matrix_exp: expected float32 or float64, got int64', metann.matrix_exp, metann.eye(2, 2, { dtype = 'int64' }))
  end)

  it('has derivatives of orders 1 to 3', function()
    local x = f64{ { 0.3, -1 }, { 0.7, 0.2 } }:requires_grad_()
    assert.is_true(metann.gradcheck(function(t) return metann.matrix_exp(t):sum() end, { x }, { order = 3 }))
    -- in a batch, one of which is halved and squared more often than the other
    local both = f64{ { { 3, -1 }, { 0.7, 2 } }, { { 0.1, 0 }, { 0.2, 0.3 } } }:requires_grad_()
    assert.is_true(metann.gradcheck(function(t) return metann.matrix_exp(t):sum() end, { both }, { order = 2 }))
  end)

  it('is as exact as its numbers allow', function()
    for x = -40, 40 do
      local want = math.exp(x)
      assert.near(1, metann.matrix_exp(metann.tensor{ { x } }):item() / want, 1.2e-7)
      assert.near(1, metann.matrix_exp(f64{ { x } }):item() / want, 1e-13)
    end
    local x = metann.tensor({ { -10 } }, { requires_grad = true })
    assert.near(1, metann.grad(metann.matrix_exp(x):sum(), x):item() / math.exp(-10), 2e-7)
    -- a small matrix beside a large one is not lost in the halvings that the large one needs
    local out = metann.matrix_exp(f64{ { { -700 } }, { { 1e-10 } } })
    assert.near(1e-10, out[2]:item() - 1, 1e-16)
    assert.near(1, out[1]:item() / math.exp(-700), 1e-12)
    -- not normal: 1e6 above the diagonal
    near({ { 1, 1e6 }, { 0, 1 } }, metann.matrix_exp(f64{ { 0, 1e6 }, { 0, 0 } }))
  end)
end)

describe('what is no number', function()
  local nan = 0 / 0

  local function count(t) return t:isnan():sum():item() end

  --- X of M X = B by substitution, in tables, what is above or below the diagonal of M being skipped.
  local function substituted(m, b, is_upper)
    local n, x = #m, {}
    for place = 1, n do
      local r = is_upper and n + 1 - place or place
      x[r] = {}
      for c = 1, #b[1] do
        local sum = b[r][c]
        for k = is_upper and r + 1 or 1, is_upper and n or r - 1 do sum = sum - m[r][k] * x[k][c] end
        x[r][c] = sum / m[r][r]
      end
    end
    return x
  end

  local function each_dtype_and_size(fn)
    metann.manual_seed(7)
    math.randomseed(7)
    for _, dtype in ipairs{ 'float32', 'float64' } do
      for _, n in ipairs{ 1, 2, 3, 4, 5, 8, 9, 17, 33 } do
        local function randn(...) return metann.randn({ ... }, { dtype = dtype }) end
        fn(n, randn, { dtype = dtype })
      end
    end
  end

  it('in a matrix makes its inverse, solutions and determinant none', function()
    each_dtype_and_size(function(n, randn)
      for _ = 1, 3 do
        local m = randn(n, n)
        m[{ math.random(n), math.random(n) }] = nan
        assert.equal(n * n, count(metann.inverse(m)))
        assert.equal(2 * n, count(metann.solve(m, randn(n, 2))))
        assert.equal(1, count(metann.det(m)))
        local sign, size = metann.slogdet(m)
        assert.equal(2, count(sign) + count(size))
        assert.equal(n * n, count(metann.matrix_exp(m)))
        assert.equal(n * n, count(metann.matrix_power(m, -1)))
      end
    end)
  end)

  it('in a singular matrix is not called singular', function()
    assert.equal(4, count(metann.inverse(metann.tensor{ { 0, 0 }, { 0, nan } })))
    assert.equal(4, count(metann.inverse(metann.tensor{ { nan, 2 }, { 2, 1 } })))
    -- of a batch, only the matrix that has it
    local both = metann.inverse(metann.tensor{ { { nan, 0 }, { 0, 1 } }, { { 2, 0 }, { 0, 4 } } })
    assert.equal(4, count(both[1]))
    near({ { 0.5, 0 }, { 0, 0.25 } }, both[2])
  end)

  it('in a right-hand side makes its column none, and no other', function()
    each_dtype_and_size(function(n, randn)
      local b = randn(n, 3)
      b[{ math.random(n), 2 }] = nan
      local x = metann.solve(randn(n, n), b)
      assert.same({ 0, n, 0 }, { count(x:select(2, 1)), count(x:select(2, 2)), count(x:select(2, 3)) })
    end)
  end)

  it('reaches, by a triangle, what depends on it', function()
    each_dtype_and_size(function(n, randn, options)
      for _, is_upper in ipairs{ true, false } do
        local m, b = (randn(n, n) * 0.1 + metann.eye(n, options)):to_table(), randn(n, 2):to_table()
        m[math.random(n)][math.random(n)] = nan
        b[math.random(n)][math.random(2)] = math.random() < 0.5 and nan or math.huge
        local want = substituted(m, b, is_upper)
        local got = metann.solve_triangular(metann.tensor(m, options), metann.tensor(b, options),
          { upper = is_upper }):to_table()
        for r = 1, n do
          for c = 1, 2 do
            assert.equal(want[r][c] ~= want[r][c], got[r][c] ~= got[r][c])
            if math.abs(want[r][c]) == math.huge then assert.equal(want[r][c], got[r][c]) end
          end
        end
      end
    end)
  end)

  it('is refused by the decompositions, if it is in what they read', function()
    local full = metann.tensor{ { 1, nan }, { nan, 1 } }
    for _, name in ipairs{ 'cholesky', 'qr', 'eigh', 'eigvalsh', 'svd', 'svdvals', 'pinverse' } do
      fails(name .. ': the matrix has an element that is not finite', metann[name], full)
    end
    fails('qr: the matrix has an element that is not finite', metann.qr, f64{ { math.huge, 1 }, { 0, 1 } })
    near({ { 1, 0 }, { 2, 1 } }, metann.cholesky(f64{ { 1, nan }, { 2, 5 } }))
    near({ { 1, 2 }, { 0, 1 } }, metann.cholesky(f64{ { 1, 2 }, { nan, 5 } }, { upper = true }))
  end)
end)

describe('options of linalg', function()
  local linalg = metann.linalg
  local m = f64{ { 1, 2 }, { 3, 4 } } -- its inverse is {-2, 1; 1.5, -0.5}, its determinant -2

  it('cond takes a norm', function()
    near(6 * 3.5, linalg.cond(m, 1):item())
    near(4 * 1.5, linalg.cond(m, -1):item())
    near(7 * 3, linalg.cond(m, { p = math.huge }):item())
    near(3 * 2, linalg.cond(m, -math.huge):item())
    near(math.sqrt(30) * math.sqrt(4 + 1 + 2.25 + 0.25), linalg.cond(m, 'fro'):item())
    -- two singular values with s1^2 + s2^2 = 30 and s1 s2 = 2
    local sum = math.sqrt(34)
    near(sum * sum / 2, linalg.cond(m, 'nuc'):item())
    near(1 / linalg.cond(m):item(), linalg.cond(m, -2):item())
    near({ 21, math.huge }, linalg.cond(metann.stack{ m, f64{ { 1, 2 }, { 2, 4 } } }, 1))
    assert.is_true(metann.gradcheck(function(t) return linalg.cond(t, 1):sum() end, { m:clone():requires_grad_() }))
    fails("cond: 'p' 1 expects square matrices, got %(1 x 2%)", linalg.cond, f64{ { 1, 2 } }, 1)
    fails("cond: 'p' must be 'fro', 'nuc', 1, 2", linalg.cond, m, 3)
    fails("cond: unknown option 'junk'", linalg.cond, m, { junk = 1 })
  end)

  it('norms take a table behind ord, and 64-bit integers', function()
    near({ 3, 7 }, linalg.norm(m, 1, { dim = 2 }))
    near({ { 6 } }, linalg.matrix_norm(m, 1, { keepdim = true }))
    near({ 3, 7 }, linalg.vector_norm(m, 1, { dim = 2 }))
    near(1 / (1 + 1 / 2), linalg.norm(f64{ 1, 2 }, -1LL):item())
    near({ 2 }, linalg.diagonal(m, 1, { dim1 = 1, dim2 = 2 }))
    local whole = metann.tensor{ { 3LL, 0LL }, { 0LL, 4LL } }
    for _, name in ipairs{ 'norm', 'vector_norm', 'matrix_norm' } do
      local got = linalg[name](whole, { dtype = 'float64' })
      assert.same({ 5, 'float64' }, { got:item(), got.dtype })
    end
    near({ 3 }, linalg.diagonal(m, { offset = -1 }))
    fails("norm: 'ord' must be a number or one of 'fro', 'nuc', got string 'x'", linalg.norm, m, 'x')
    fails("matrix_norm: 'dim' must be two different dims", linalg.matrix_norm, m, 1, { dim = { 1, -2 } })
  end)

  it('norms of matrices without elements are 0, but for the smallest of nothing', function()
    for _, size in ipairs{ { 0, 0 }, { 0, 3 }, { 3, 0 } } do
      for _, ord in ipairs{ 1, 2, math.huge, 'fro', 'nuc' } do
        assert.equal(0, linalg.matrix_norm(metann.zeros(size), ord):item())
        assert.same({ 1, 1 }, linalg.norm(metann.zeros(size), ord, { keepdim = true }).shape)
      end
    end
    for _, case in ipairs{ { -1, 0, 0 }, { -1, 3, 0 }, { -2, 0, 3 }, { -2, 3, 0 }, { -math.huge, 0, 3 } } do
      fails('smallest of no numbers', linalg.matrix_norm, metann.zeros(case[2], case[3]), case[1])
    end
    -- of sums of nothing, of which there are some
    assert.equal(0, linalg.matrix_norm(metann.zeros(0, 3), -1):item())
    assert.equal(0, linalg.matrix_norm(metann.zeros(3, 0), -math.huge):item())
  end)

  it('pinv and matrix_rank take a tolerance for each matrix', function()
    local d = f64{ { { 4, 0 }, { 0, 1 } }, { { 4, 0 }, { 0, 1 } } }
    near({ { { 0.25, 0 }, { 0, 1 } }, { { 0.25, 0 }, { 0, 0 } } }, linalg.pinv(d, { rtol = f64{ 0.1, 0.3 } }))
    near({ { { 0.25, 0 }, { 0, 0 } }, { { 0.25, 0 }, { 0, 1 } } }, linalg.pinv(d, { atol = f64{ 2, 0 } }))
    near({ { { 0.25, 0 }, { 0, 0 } }, { { 0.25, 0 }, { 0, 1 } } }, linalg.pinv(d[1], { atol = f64{ 2, 0.5 } }))
    assert.same({ 2, 1 }, linalg.matrix_rank(d, { rtol = f64{ 0.1, 0.3 } }):to_table())
    assert.same({ 1, 0 }, linalg.matrix_rank(d, { atol = f64{ 2, 5 } }):to_table())
    assert.same({ 0, 2, 3 }, linalg.pinv(metann.zeros(0, 3, 2), { rtol = metann.zeros(0) }).shape)
    assert.is_true(metann.gradcheck(function(t) return (linalg.pinv(t, { rtol = f64{ 0.01, 0.02 } }) ^ 2):sum() end,
      { metann.stack{ m, m * 2 }:requires_grad_() }, { order = 2 }))
    fails("pinv: 'rtol' must be a number of at least 0 or a tensor", linalg.pinv, d, { rtol = 'x' })
  end)

  it('hermitian reads the lower triangle', function()
    local half = f64{ { 2, 0 / 0 }, { 1, 3 } } -- of a, whose inverse is {3, -1; -1, 2} / 5
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, linalg.pinv(half, { hermitian = true }))
    assert.equal(2, linalg.matrix_rank(half, { hermitian = true }):item())
    assert.equal(1, linalg.matrix_rank(f64{ { 1, 0 }, { 2, 4 } }, { hermitian = true }):item())
    for _, name in ipairs{ 'pinv', 'matrix_rank' } do
      fails(name .. ": 'hermitian' wants square matrices, got %(1 x 3%)", linalg[name], f64{ { 1, 2, 3 } }, { hermitian = true })
    end
    local x = a:clone():requires_grad_()
    local plain = metann.grad((linalg.pinv(x) ^ 2):sum(), x)
    near(plain:to_table(), metann.grad((linalg.pinv(x, { hermitian = true }) ^ 2):sum(), x))
  end)

  it('lstsq leaves out singular values below rcond times the largest', function()
    local flat, b = f64{ { 2, 0 }, { 0, 1e-3 } }, f64{ 4, 7 }
    near({ 2, 7000 }, linalg.lstsq(flat, b))
    near({ 2, 0 }, linalg.lstsq(flat, b, 0.1))
    near({ 2, 0 }, linalg.lstsq(flat, b, { rcond = 0.1 }))
    near({ 2, 7000 }, linalg.lstsq(flat, b, 1e-4, { driver = 'gelsd' }))
    near({ 2, 0 }, linalg.lstsq(flat, b, { atol = 0.1 }))
  end)

  it('lstsq takes a driver, whichever', function()
    near({ 1, 2 }, linalg.lstsq(a, f64{ 4, 7 }, { driver = 'gelsy' }))
    fails("lstsq: 'driver' must be one of 'gels'", linalg.lstsq, a, f64{ 4, 7 }, { driver = 'qr' })
  end)

  it('tolerances may be tensors of whole numbers', function()
    local b, none = f64{ 4, 7 }, metann.tensor(-2, { dtype = 'int64' })
    near({ 1, 2 }, linalg.lstsq(a, b, { atol = none }))
    near({ 1, 2 }, linalg.lstsq(a, b, { rcond = metann.tensor(0, { dtype = 'int64' }) }))
    near({ 0, 0 }, linalg.lstsq(a, b, { atol = metann.tensor(9, { dtype = 'int64' }) }))
    assert.equal(0, linalg.matrix_rank(a, { atol = metann.tensor(9, { dtype = 'uint8' }) }):item())
    fails('lstsq: both tensors need at least one dim', linalg.lstsq, a, f64(1), { atol = none })
  end)
end)

describe('factors with pivots', function()
  local linalg = metann.linalg
  -- by hand: rows 2, 1 of m in that order; L21 = 1/3, U22 = 2 - 4/3
  local m = f64{ { 1, 2 }, { 3, 4 } }

  it('are P, L and U, and both triangles in one matrix', function()
    local p, l, u = linalg.lu(m)
    near({ { 0, 1 }, { 1, 0 } }, p)
    near({ { 1, 0 }, { 1 / 3, 1 } }, l)
    near({ { 3, 4 }, { 0, 2 / 3 } }, u)
    local factors, pivots = linalg.lu_factor(m)
    near({ { 3, 4 }, { 1 / 3, 2 / 3 } }, factors)
    assert.same({ 2, 2 }, pivots:to_table())
    assert.equal('int32', pivots.dtype)
    local q, low, up = metann.lu_unpack(factors, pivots)
    near(p:to_table(), q)
    near(l:to_table(), low)
    near(u:to_table(), up)
  end)

  it('give P L U of any size', function()
    for _, size in ipairs{ { 4, 4 }, { 5, 2 }, { 2, 5 }, { 2, 3, 4 }, { 0, 2 }, { 0, 3, 3 } } do
      local t = metann.randn(size, { dtype = 'float64' })
      local p, l, u = linalg.lu(t)
      assert.is_true(metann.allclose(t, p:matmul(l):matmul(u)))
      assert.is_true(metann.equal(l, l:tril()) and metann.equal(u, u:triu()))
    end
    local p, l, u = linalg.lu(m * 0) -- a singular matrix has factors
    near({ { 0, 0 }, { 0, 0 } }, p:matmul(l):matmul(u))
  end)

  it('solve, from both sides, and with the transpose', function()
    local t, b = metann.randn(2, 3, 3, { dtype = 'float64' }), metann.randn(3, 4, { dtype = 'float64' })
    local factors, pivots = linalg.lu_factor(t)
    near(metann.solve(t, b):to_table(), linalg.lu_solve(factors, pivots, b))
    near(metann.solve(t, b):to_table(), metann.lu_solve(b, factors, pivots))
    near(metann.solve(t.mT, b):to_table(), linalg.lu_solve(factors, pivots, b, { adjoint = true }))
    near(metann.solve(t, b.T, { left = false }):to_table(), linalg.lu_solve(factors, pivots, b.T, { left = false }))
    near(metann.solve(t.mT, b.T, { left = false }):to_table(),
      linalg.lu_solve(factors, pivots, b.T, { left = false, adjoint = true }))
  end)

  it('have derivatives of every order', function()
    local t, b = metann.randn(3, 3, { dtype = 'float64' }):requires_grad_(), metann.randn(3, 2, { dtype = 'float64' })
    assert.is_true(metann.gradcheck(function(x, y)
      local factors, pivots = linalg.lu_factor(x)
      return linalg.lu_solve(factors, pivots, y)
    end, { t, b:requires_grad_() }, { order = 2 }))
    for _, size in ipairs{ { 4, 2 }, { 2, 4 } } do
      local x = metann.randn(size, { dtype = 'float64' }):requires_grad_()
      assert.is_true(metann.gradcheck(function(y)
        local _, l, u = linalg.lu(y)
        return l, u
      end, { x }, { order = 2 }))
    end
  end)

  it('say what is wrong', function()
    fails('lu_factor: the matrix is singular %(at row 2%)', linalg.lu_factor, f64{ { 1, 2 }, { 2, 4 } })
    fails('expected a matrix or a batch of matrices', linalg.lu, f64{ 1 })
    fails("lu_solve: 'B' must have at least 2 dims, got 1", linalg.lu_solve, m, metann.tensor({ 1, 2 }, { dtype = 'int32' }),
      f64{ 1, 2 })
    fails("lu_solve: 'pivots' must be a tensor, got number 1", linalg.lu_solve, m, 1, m)
    fails("lu_unpack: 'LU' must have at least 2 dims, got 1", metann.lu_unpack, f64{ 1 },
      metann.tensor({ 1 }, { dtype = 'int32' }))
    fails('expected pivots of int32, got float64', metann.lu_solve, m, m, f64{ 1, 2 })
  end)
end)

describe('what has an info', function()
  local linalg = metann.linalg
  local both = f64{ { { 2, 1 }, { 1, 3 } }, { { 1, 2 }, { 2, 4 } } } -- the second one is singular

  local function count(t) return t:isnan():sum():item() end

  it('goes on where a matrix fails', function()
    local inverse, info = linalg.inv_ex(both)
    assert.same({ 0, 2 }, info:to_table())
    assert.equal('int32', info.dtype)
    near({ { 0.6, -0.2 }, { -0.2, 0.4 } }, inverse[1])
    assert.equal(4, count(inverse[2]))
    local x, which = linalg.solve_ex(both, f64{ 4, 7 })
    assert.same({ 0, 2 }, which:to_table())
    near({ 1, 2 }, x[1])
    assert.same({ 2, 2 }, { count(x), count(x[2]) })
    near({ 2, 5 / 3 }, (linalg.solve_ex(upper, f64{ 4, 7 }, { left = false })))
    local l, row = linalg.cholesky_ex(f64{ { 4, 2 }, { 2, 5 } })
    near({ { 2, 0 }, { 1, 2 } }, l)
    assert.equal(0, row:item())
    l, row = linalg.cholesky_ex(f64{ { 4, 2 }, { 2, -5 } })
    assert.same({ 4, 2 }, { count(l), row:item() })
    l, row = linalg.cholesky_ex(f64{ { 4, 2 }, { 0 / 0, 5 } }, { upper = false })
    assert.same({ 4, 2 }, { count(l), row:item() })
    local _, _, zero = linalg.lu_factor_ex(both)
    assert.same({ 0, 2 }, zero:to_table())
  end)

  it('fails as others do, if it shall', function()
    fails('inv_ex: matrix 2 of the batch is singular', linalg.inv_ex, both, { check_errors = true })
    fails('solve_ex: matrix 2 of the batch is singular', linalg.solve_ex, both, both, { check_errors = true })
    fails('cholesky_ex: the matrix has an element that is not finite', linalg.cholesky_ex, f64{ { 0 / 0 } }, false, true)
    fails('lu_factor_ex: matrix 2 of the batch is singular', linalg.lu_factor_ex, both, { check_errors = true })
    fails("lu_factor: 'pivot' must be true: rows are always exchanged, got false", linalg.lu_factor, both,
      { pivot = false })
    fails("inv_ex: unknown option 'check'", linalg.inv_ex, both, { check = true })
  end)
end)

describe('eig', function()
  local linalg = metann.linalg
  local function sorted(t) return (metann.sort(t)) end

  it('is of matrices that are not symmetric', function()
    -- trace 5 and determinant -2: (5 -+ sqrt(33)) / 2
    local root = math.sqrt(33)
    near({ (5 - root) / 2, (5 + root) / 2 }, sorted(linalg.eigvals(f64{ { 1, 2 }, { 3, 4 } })))
    -- a companion matrix has the roots of its polynomial, x^3 - 6 x^2 + 11 x - 6
    near({ 1, 2, 3 }, sorted(linalg.eigvals(f64{ { 6, -11, 6 }, { 1, 0, 0 }, { 0, 1, 0 } })))
    near(metann.eigvalsh(a):to_table(), sorted((linalg.eig(a))))
  end)

  it('has derivatives of every order', function()
    local x = f64{ { 1, 0.5, -0.3 }, { 0.2, 3, 0.4 }, { -0.1, 0.6, 5 } }:requires_grad_()
    assert.is_true(metann.gradcheck(linalg.eigvals, { x }, { order = 3 }))
    assert.is_true(metann.gradcheck(function(t)
      local w, v = linalg.eig(t)
      return w, v * v
    end, { x }, { order = 2 }))
    near((2 * x:detach().T):to_table(), metann.grad(linalg.eigvals(x):square():sum(), x)) -- of the trace of x x
  end)

  it('refuses eigenvalues that are not real', function()
    local turn = f64{ { 0, -1 }, { 1, 0 } }
    fails('eig: the matrix has eigenvalues that are not real, and there are no complex numbers', linalg.eig, turn)
    fails('eigvals: matrix 2 of the batch has eigenvalues that are not real', linalg.eigvals, metann.stack{ a, turn })
    fails('eig: the matrix has an element that is not finite', linalg.eig, f64{ { 0 / 0 } })
    fails('eig: expected square matrices, got %(1 x 2%)', linalg.eig, f64{ { 1, 2 } })
  end)
end)

describe('linalg of tensors', function()
  local linalg = metann.linalg

  it('tensorsolve and tensorinv undo tensordot', function()
    local t, b = metann.randn(2, 3, 6, { dtype = 'float64' }), metann.randn(2, 3, { dtype = 'float64' })
    local x = linalg.tensorsolve(t, b)
    assert.same({ 6 }, x.shape)
    near(b:to_table(), metann.tensordot(t, x, 1))
    near(x:to_table(), linalg.tensorsolve(t:permute{ 3, 1, 2 }, b, { dims = { 1 } }))
    near(x:to_table(), metann.tensordot(linalg.tensorinv(t), b, 2))
    near(linalg.inv(a):to_table(), linalg.tensorinv(a, { ind = 1 }))
    assert.is_true(metann.gradcheck(linalg.tensorsolve, { t:requires_grad_(), b:requires_grad_() }))
  end)

  it('vander has powers, and their derivatives where they are 0, too', function()
    near({ { 1, 2, 4 }, { 1, -3, 9 }, { 1, 0, 0 } }, linalg.vander(f64{ 2, -3, 0 }))
    near({ { 1, 2 }, { 1, 3 } }, linalg.vander(f64{ 2, 3 }, { N = 2 }))
    near({ { 1, 3 } }, linalg.vander(f64(3), { N = 2 }))
    local x = metann.tensor({ 2, 0 }, { dtype = 'float64', requires_grad = true })
    near({ 1 + 4 + 12, 1 }, metann.grad(linalg.vander(x, 4):sum(), x)) -- 1 + 2 x + 3 x^2
  end)

  it('householder_product is a product of reflections', function()
    -- (I - 2 v v^T / v^T v) of v = (1, 2): {3, -4; -4, -3} / 5
    near({ { 0.6, -0.8 }, { -0.8, -0.6 } }, linalg.householder_product(f64{ { 9, 9 }, { 2, 9 } }, f64{ 0.4 }))
    near({ { 0.6 }, { -0.8 } }, linalg.householder_product(f64{ { 9 }, { 2 } }, f64{ 0.4 }))
    local t, tau = metann.randn(2, 4, 3, { dtype = 'float64' }), metann.randn(2, 3, { dtype = 'float64' })
    assert.is_true(metann.gradcheck(linalg.householder_product, { t:requires_grad_(), tau:requires_grad_() }))
  end)

  it('says what is wrong', function()
    fails("tensorsolve: 'input' %(2, 3%) must have as many elements as a square of those of 'other' %(2,%)",
      linalg.tensorsolve, metann.ones(2, 3), metann.ones(2))
    fails("tensorinv: 'ind' is 3, but there are 2 dims", linalg.tensorinv, a, 3)
    fails('tensorinv: the first 1 dims of %(2, 3%) hold 2 elements, the others 3', linalg.tensorinv, metann.ones(2, 3), 1)
    fails("vander: 'N' must be a positive whole number, got number 0", linalg.vander, f64{ 1 }, 0)
    fails('householder_product: expected matrices %(..., m, n%) with n <= m', linalg.householder_product,
      metann.ones(2, 3), metann.ones(2))
  end)
end)
