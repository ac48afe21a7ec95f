--- Factorizations, solutions and determinants made of rows: of matrices in the last two dims, the others being batch
-- dims. What has one name here and in torch has torch's arguments; metann.linalg has torch.linalg's names.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local lu = require 'metann.tensor.compose.lu'
local raw, raise, describe = common.raw, common.raise, common.describe
local ndim, shape, size = common.ndim, common.shape, common.size
local define, kinds = arguments.define, arguments.kinds

local matrix = {}

local input, other = { 'input', kinds.tensor }, { 'other', kinds.tensor }
local function flag(name, default) return { name, kinds.boolean, default } end

local function transposed(t) return raw.transpose(t, -2, -1) end

local function at_least(t, dims, op, name)
  if ndim(t) < dims then
    raise("%s: '%s' must have at least %d dims, got %d", op, name, dims, ndim(t))
  end
  return t
end

--- Whether b is a batch of vectors for the batch of matrices a: torch.linalg.solve's rule.
local function is_vector(a, b)
  local na, nb = ndim(a), ndim(b)
  if nb == 1 then return true end
  if nb ~= na - 1 then return false end
  local have, want = shape(b), shape(a)
  for d = 1, nb do
    if have[d] ~= want[d] then return false end
  end
  return true
end

--- What a row of A X = B makes of these: its first result is X, however B is given.
local function solved(op, row, a, b, left)
  at_least(a, 2, op, 'input')
  at_least(b, 1, op, 'other')
  if is_vector(a, b) then
    if not left then a = transposed(a) end
    local x, info = row(a, raw.unsqueeze(b, -1))
    return raw.squeeze(x, -1), info
  end
  if left then return row(a, b) end
  local x, info = row(transposed(a), transposed(b))
  return transposed(x), info
end

--- X of A X = B. B holds columns (..., n, k), or is a vector (n), or one for each matrix (..., n); batch dims are
-- broadcast. A singular matrix is an error.
-- @function solve
-- @param a square matrices (..., n, n)
-- @param b right-hand sides
-- @param options {left=true}; false: X of X A = B
matrix.solve = define('solve', { input, other, flag('left', true) }, function(a, b, left)
  return (solved('solve', raw.solve, a, b, left))
end)

--- solve for which a singular matrix is no error: its solutions are NaN. Returns X and int32 info, for each matrix 0 or
-- the first row that failed.
-- @function solve_ex
-- @param a square matrices (..., n, n)
-- @param b right-hand sides
-- @param options {left=true, check_errors=false}; check_errors: an error again
matrix.solve_ex = define('solve_ex', { input, other, flag('left', true), flag('check_errors', false) },
  function(a, b, left, check)
    return solved('solve_ex', function(x, y) return raw.solve_ex(x, y, check) end, a, b, left)
  end)

--- X of A X = B, A being a triangle: torch.linalg.solve_triangular. A 0 on the diagonal is an error.
-- @function solve_triangular
-- @param a square matrices (..., n, n), of which the other triangle is not read
-- @param b right-hand sides (..., n, k); batch dims are broadcast
-- @param options {upper=, left=true, unitriangular=false}: upper must be given; left=false: X of X A = B;
-- unitriangular: the diagonal is taken to be 1
matrix.solve_triangular = define('solve_triangular', {
  input, other, flag('upper'), flag('left', true), flag('unitriangular', false),
}, function(a, b, upper, left, unit)
  at_least(a, 2, 'solve_triangular', 'input')
  at_least(b, 2, 'solve_triangular', 'other')
  if left then return (raw.solve_triangular(a, b, upper, unit)) end
  return transposed(raw.solve_triangular(transposed(a), transposed(b), not upper, unit))
end)

--- X of A X = B, A being a triangle, the right-hand side coming first: torch.triangular_solve. Returns X and A.
-- @function triangular_solve
-- @param b right-hand sides (..., n, k)
-- @param A square matrices (..., n, n)
-- @param upper true: the upper triangle (the default)
-- @param transpose true: X of A^T X = B
-- @param unitriangular true: the diagonal is taken to be 1
matrix.triangular_solve = define('triangular_solve', {
  { 'b', kinds.tensor }, { 'A', kinds.tensor }, flag('upper', true), flag('transpose', false),
  flag('unitriangular', false),
}, function(b, a, upper, transpose, unitriangular)
  local op = 'triangular_solve'
  at_least(b, 2, op, 'b')
  at_least(a, 2, op, 'A')
  local n, m = size(a, -2), size(a, -1)
  if n ~= m then
    raise('%s: the matrix must be square, got (%d x %d); the right-hand side comes first (solve_triangular takes it '
      .. 'last)', op, n, m)
  end
  local x
  if transpose then
    x = raw.solve_triangular(transposed(a), b, not upper, unitriangular)
  else
    x = raw.solve_triangular(a, b, upper, unitriangular)
  end
  return x, raw.clone(a)
end)

local function cholesky_solve(b, factor, upper)
  local first, second = factor, transposed(factor)
  if upper then first, second = second, first end
  return (raw.solve_triangular(second, raw.solve_triangular(first, b, false), true))
end

--- X of A X = B, given A's Cholesky factor: torch.cholesky_solve.
-- @function cholesky_solve
-- @param b right-hand sides (..., n, k)
-- @param factor L of L L^T, or U of U^T U with upper
-- @param upper false unless given
matrix.cholesky_solve = define('cholesky_solve', {
  { 'b', kinds.tensor }, { 'factor', kinds.tensor }, flag('upper', false),
}, function(b, factor, upper)
  at_least(b, 2, 'cholesky_solve', 'b')
  at_least(factor, 2, 'cholesky_solve', 'factor')
  return (cholesky_solve(b, factor, upper))
end)

--- A's inverse, given its Cholesky factor: torch.cholesky_inverse.
-- @function cholesky_inverse
matrix.cholesky_inverse = define('cholesky_inverse', { { 'factor', kinds.tensor }, flag('upper', false) },
  function(factor, upper)
    at_least(factor, 2, 'cholesky_inverse', 'factor')
    local n = size(factor, -1)
    return (cholesky_solve(common.beside(factor, raw.eye, n, n, common.dtype(factor)), factor, upper))
  end)

for _, name in ipairs{ 'lu_solve', 'lu_unpack' } do matrix[name] = lu.functions[name] end

--- Logarithm of the determinant: NaN where that is negative, -inf where it is 0.
-- @function logdet
matrix.logdet = define('logdet', { input }, function(t)
  local sign, size_log = raw.slogdet(t)
  return (raw.add(size_log, raw.log(raw.detach(sign))))
end)

--- U, S and V of t = U diag(S) V^T, the singular values S in descending order: torch.svd. (metann.linalg.svd returns
-- V^T.)
-- @function svd
-- @param t matrices (..., m, n)
-- @param some true (the default): as many columns of U and V as there are singular values; false: all
matrix.svd = define('svd', { input, flag('some', true) }, function(t, some)
  local u, s, vh = raw.svd(t, not some)
  return u, s, transposed(vh)
end)

--- The singular values in descending order.
-- @function svdvals
matrix.svdvals = define('svdvals', { input }, function(t)
  local _, s = raw.svd(t, false)
  return s
end)

--- The eigenvalues of symmetric matrices in ascending order.
-- @function eigvalsh
-- @param t square matrices
-- @param uplo 'L' or 'U', the triangle that is read; 'L' unless given
matrix.eigvalsh = define('eigvalsh', { input, { 'UPLO', kinds.choice('L', 'U'), 'L' } }, function(t, uplo)
  local w = raw.eigh(t, uplo)
  return w
end)

--- Q and R of t = Q R.
-- @function qr
-- @param t matrices (..., m, n)
-- @param mode 'reduced' (the default) or 'complete'; or, as torch.qr's `some`, true or false
-- @param some the same as true or false
matrix.qr = define('qr', { input, { 'mode' }, { 'some', named = true } }, function(t, mode, some)
  if mode ~= nil and some ~= nil then raise("qr: 'mode' and 'some' are two names for one thing") end
  if some ~= nil and type(some) ~= 'boolean' then raise("qr: 'some' must be true or false, got %s", describe(some)) end
  if mode == nil then mode = some end
  if type(mode) == 'boolean' then mode = mode and 'reduced' or 'complete' end
  return raw.qr(t, mode)
end)

--- t to the power of an integer, as a matrix; a negative one is of the inverse.
-- @function matrix_power
matrix.matrix_power = define('matrix_power', { input, { 'n', kinds.integer } }, function(t, n)
  at_least(t, 2, 'matrix_power', 'input')
  local rows, cols = size(t, -2), size(t, -1)
  if rows ~= cols then raise('matrix_power: expected square matrices, got (%d x %d)', rows, cols) end
  if n == 0 then return (raw.clone(raw.expand(common.beside(t, raw.eye, rows, rows, common.dtype(t)), shape(t)))) end
  if n == 1 then return (raw.clone(t)) end
  if n < 0 then t, n = raw.inverse(t), -n end
  local result
  while n > 0 do
    if n % 2 == 1 then result = result and raw.matmul(result, t) or t end
    n = math.floor(n / 2)
    if n > 0 then t = raw.matmul(t, t) end
  end
  return result
end)

--- The pseudoinverse of Moore and Penrose, differentiable where the rank stays the same. (metann.linalg.pinv has
-- torch.linalg.pinv's cut-offs.)
-- @function pinverse
-- @param t matrices (..., m, n)
-- @param rcond singular values up to this times the largest one count as 0; 1e-15 unless given
matrix.pinverse = define('pinverse', { input, { 'rcond', kinds.nonnegative, 1e-15 } }, function(t, rcond)
  return (raw.pinverse(t, rcond))
end)

-- Coefficients of the Pade approximant [7/7] of exp, and the 1-norm up to which it is exact in float64: N. Higham, "The
-- scaling and squaring method for the matrix exponential revisited" (2005). A higher degree would allow larger norms,
-- but of a matrix with negative eigenvalues the numerator is then a small difference of large numbers.
local PADE = { [0] = 17297280, 8648640, 1995840, 277200, 25200, 1512, 56, 1 }
local PADE_NORM = 0.9504178996162932

--- sum of coefficients times matrices
local function combined(list)
  local out
  for _, term in ipairs(list) do
    local scaled = raw.mul(term[2], term[1])
    out = out and raw.add(out, scaled) or scaled
  end
  return out
end

--- How often each matrix must be halved for its 1-norm to be small, as float64 (..., 1, 1), and the largest of these
-- numbers. Each has its own: a small matrix that is halved as often as a large one beside it would be lost in rounding.
local function halvings(t)
  if common.is_recording() then
    raise("matrix_exp: can't be recorded, as how often a matrix is squared depends on its numbers")
  end
  local norm = raw.amax(raw.sum(raw.abs(raw.detach(t)), -2, true), -1, true)
  norm = raw.where(raw.isfinite(norm), norm, common.scalar(0, norm)) -- what is not finite gives NaN in any case
  local counts = raw.clamp(raw.ceil(raw.log2(raw.mul(norm, 1 / PADE_NORM))), 0, 1025)
  return counts, raw.amax(counts):item()
end

--- out with those matrices squared that have been halved at least `step` times.
local function squared(out, counts, step)
  return raw.where(raw.ge(counts, step), raw.matmul(out, out), out)
end

--- The exponential of matrices, by scaling and squaring, computed in float64.
-- @function matrix_exp
matrix.matrix_exp = define('matrix_exp', { input }, function(t)
  at_least(t, 2, 'matrix_exp', 'input')
  local n = size(t, -1)
  if size(t, -2) ~= n then raise('matrix_exp: expected square matrices, got (%d x %d)', size(t, -2), n) end
  local dtype = common.dtype(t)
  if dtype ~= 'float32' and dtype ~= 'float64' then
    raise('matrix_exp: expected float32 or float64, got %s', dtype)
  end
  if common.numel(t) == 0 then return (raw.clone(t)) end
  local a, b = raw.cast(t, 'float64'), PADE
  local counts, most = halvings(a)
  if most > 0 then a = raw.mul(a, raw.pow(2, raw.neg(counts))) end
  local one = common.beside(t, raw.eye, n, n, 'float64')
  local a2 = raw.matmul(a, a)
  local a4 = raw.matmul(a2, a2)
  local a6 = raw.matmul(a2, a4)
  local odd = raw.matmul(a, combined{ { b[7], a6 }, { b[5], a4 }, { b[3], a2 }, { b[1], one } })
  local even = combined{ { b[6], a6 }, { b[4], a4 }, { b[2], a2 }, { b[0], one } }
  local out = raw.solve(raw.sub(even, odd), raw.add(even, odd))
  for step = 1, most do out = squared(out, counts, step) end
  return (raw.cast(out, dtype))
end)

return matrix
