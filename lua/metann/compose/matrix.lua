--- Factorizations, solutions and determinants made of rows: of matrices in the last two dims, the others being batch
-- dims. What has one name here and in torch has torch's arguments; metann.linalg has torch.linalg's names.
local common = require 'metann.compose.common'
local raw, raise, describe = common.raw, common.raise, common.describe
local tensor, ndim, shape, size = common.tensor, common.ndim, common.shape, common.size

local matrix = {}

local function turned(t) return raw.transpose(t, -2, -1) end

--- Names out of an options table, or the positional values.
local function named(op, names, first, ...)
  if type(first) ~= 'table' then return first, ... end
  common.check_options(op, first, names)
  local values = {}
  for i, name in ipairs(names) do values[i] = first[name] end
  return unpack(values, 1, #names)
end

local function flag(x, default, op, name)
  if x == nil then return default end
  if type(x) ~= 'boolean' then raise("%s: '%s' must be true or false, got %s", op, name, describe(x)) end
  return x
end

local function at_least(t, dims, op, name)
  tensor(t, op, name)
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

--- X of A X = B. B holds columns (..., n, k), or is a vector (n), or one for each matrix (..., n); batch dims are
-- broadcast. A singular matrix is an error.
-- @param a square matrices (..., n, n)
-- @param b right-hand sides
-- @param options {left=true}; false: X of X A = B
function matrix.solve(a, b, options)
  local left = flag(named('solve', { 'left' }, options), true, 'solve', 'left')
  at_least(a, 2, 'solve', 'input')
  at_least(b, 1, 'solve', 'other')
  if is_vector(a, b) then
    if not left then a = turned(a) end
    return raw.squeeze(raw.solve(a, raw.unsqueeze(b, -1)), -1)
  end
  if left then return raw.solve(a, b) end
  return turned(raw.solve(turned(a), turned(b)))
end

local TRIANGULAR = { 'upper', 'left', 'unitriangular' }

--- X of A X = B, A being a triangle: torch.linalg.solve_triangular. A 0 on the diagonal is an error.
-- @param a square matrices (..., n, n), of which the other triangle is not read
-- @param b right-hand sides (..., n, k); batch dims are broadcast
-- @param options {upper=, left=true, unitriangular=false}: upper must be given; left=false: X of X A = B;
-- unitriangular: the diagonal is taken to be 1
function matrix.solve_triangular(a, b, options)
  if type(options) ~= 'table' then
    raise("solve_triangular: '{upper = true}' or '{upper = false}' must be given, got %s", describe(options))
  end
  local upper, left, unit = named('solve_triangular', TRIANGULAR, options)
  if upper == nil then raise("solve_triangular: 'upper' must be given") end
  upper = flag(upper, nil, 'solve_triangular', 'upper')
  unit = flag(unit, false, 'solve_triangular', 'unitriangular')
  if flag(left, true, 'solve_triangular', 'left') then return raw.solve_triangular(a, b, upper, unit) end
  at_least(a, 2, 'solve_triangular', 'input')
  at_least(b, 2, 'solve_triangular', 'other')
  return turned(raw.solve_triangular(turned(a), turned(b), not upper, unit))
end

--- X of A X = B, A being a triangle, the right-hand side coming first: torch.triangular_solve. Returns X and A.
-- @param b right-hand sides (..., n, k)
-- @param a square matrices (..., n, n)
-- @param upper true: the upper triangle (the default)
-- @param transpose true: X of A^T X = B
-- @param unitriangular true: the diagonal is taken to be 1
function matrix.triangular_solve(b, a, upper, transpose, unitriangular)
  local op = 'triangular_solve'
  upper, transpose, unitriangular = named(op, { 'upper', 'transpose', 'unitriangular' }, upper, transpose,
    unitriangular)
  upper = flag(upper, true, op, 'upper')
  transpose, unitriangular = flag(transpose, false, op, 'transpose'), flag(unitriangular, false, op, 'unitriangular')
  at_least(b, 2, op, 'b')
  at_least(a, 2, op, 'A')
  local n, m = size(a, -2), size(a, -1)
  if n ~= m then
    raise('%s: the matrix must be square, got (%d x %d); the right-hand side comes first (solve_triangular takes it last)',
      op, n, m)
  end
  local x
  if transpose then
    x = raw.solve_triangular(turned(a), b, not upper, unitriangular)
  else
    x = raw.solve_triangular(a, b, upper, unitriangular)
  end
  return x, a
end

--- X of A X = B, given A's Cholesky factor: torch.cholesky_solve.
-- @param b right-hand sides (..., n, k)
-- @param factor L of L L^T, or U of U^T U with upper
-- @param upper false unless given
function matrix.cholesky_solve(b, factor, upper)
  upper = flag(named('cholesky_solve', { 'upper' }, upper), false, 'cholesky_solve', 'upper')
  at_least(b, 2, 'cholesky_solve', 'b')
  at_least(factor, 2, 'cholesky_solve', 'factor')
  local first, second = factor, turned(factor)
  if upper then first, second = second, first end
  return raw.solve_triangular(second, raw.solve_triangular(first, b, false), true)
end

--- A's inverse, given its Cholesky factor: torch.cholesky_inverse.
function matrix.cholesky_inverse(factor, upper)
  at_least(factor, 2, 'cholesky_inverse', 'factor')
  local n = size(factor, -1)
  return matrix.cholesky_solve(raw.eye(n, n, common.dtype(factor)), factor, upper)
end

--- Logarithm of the determinant: NaN where that is negative, -inf where it is 0.
function matrix.logdet(t)
  local sign, size_log = raw.slogdet(t)
  return raw.add(size_log, raw.log(raw.detach(sign)))
end

--- U, S and V of t = U diag(S) V^T, the singular values S in descending order: torch.svd. (metann.linalg.svd returns
-- V^T.)
-- @param t matrices (..., m, n)
-- @param some true (the default): as many columns of U and V as there are singular values; false: all
function matrix.svd(t, some)
  some = flag(named('svd', { 'some' }, some), true, 'svd', 'some')
  local u, s, vh = raw.svd(t, not some)
  return u, s, turned(vh)
end

--- The singular values in descending order.
function matrix.svdvals(t)
  local _, s = raw.svd(t, false)
  return s
end

--- The eigenvalues of symmetric matrices in ascending order.
-- @param t square matrices
-- @param uplo 'L' or 'U', the triangle that is read; 'L' unless given
function matrix.eigvalsh(t, uplo)
  local w = raw.eigh(t, uplo)
  return w
end

--- Q and R of t = Q R.
-- @param t matrices (..., m, n)
-- @param mode 'reduced' (the default) or 'complete'; or, as torch.qr's `some`, true or false
function matrix.qr(t, mode)
  if type(mode) == 'table' then
    common.check_options('qr', mode, { 'mode', 'some' })
    if mode.mode ~= nil and mode.some ~= nil then raise("qr: 'mode' and 'some' are two names for one thing") end
    if mode.mode ~= nil then mode = mode.mode else mode = mode.some end
  end
  if type(mode) == 'boolean' then mode = mode and 'reduced' or 'complete' end
  return raw.qr(t, mode)
end

--- t to the power of an integer, as a matrix; a negative one is of the inverse.
function matrix.matrix_power(t, n)
  at_least(t, 2, 'matrix_power', 'input')
  n = common.integer(n, 'matrix_power', 'n')
  local rows, cols = size(t, -2), size(t, -1)
  if rows ~= cols then raise('matrix_power: expected square matrices, got (%d x %d)', rows, cols) end
  if n == 0 then return raw.expand(raw.eye(rows, rows, common.dtype(t)), shape(t)) end
  if n < 0 then t, n = raw.inverse(t), -n end
  local result
  while n > 0 do
    if n % 2 == 1 then result = result and raw.matmul(result, t) or t end
    n = math.floor(n / 2)
    if n > 0 then t = raw.matmul(t, t) end
  end
  return result
end

--- The pseudoinverse of Moore and Penrose, differentiable where the rank stays the same. (metann.linalg.pinv has
-- torch.linalg.pinv's cut-offs.)
-- @param t matrices (..., m, n)
-- @param rcond singular values up to this times the largest one count as 0; 1e-15 unless given
function matrix.pinverse(t, rcond)
  rcond = named('pinverse', { 'rcond' }, rcond)
  if rcond == nil then rcond = 1e-15 end
  if type(rcond) ~= 'number' or rcond < 0 then
    raise("pinverse: 'rcond' must be a number not below 0, got %s", describe(rcond))
  end
  return raw.pinverse(t, rcond)
end

-- Coefficients of the Pade approximant [13/13] of exp, and the 1-norm up to which it is exact in float64: N. Higham,
-- "The scaling and squaring method for the matrix exponential revisited" (2005).
local PADE = {
  [0] = 64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
}
local PADE_NORM = 5.371920351148152

--- sum of coefficients times matrices
local function combined(list)
  local out
  for _, term in ipairs(list) do
    local scaled = raw.mul(term[2], term[1])
    out = out and raw.add(out, scaled) or scaled
  end
  return out
end

--- How often t must be halved for its 1-norm to be small.
local function halvings(t)
  local norm = raw.amax(raw.sum(raw.abs(raw.detach(t)), -2)):item()
  if norm <= PADE_NORM or norm ~= norm or norm == math.huge then return 0 end
  return math.ceil(math.log(norm / PADE_NORM) / math.log(2))
end

--- The exponential of matrices, by scaling and squaring.
function matrix.matrix_exp(t)
  at_least(t, 2, 'matrix_exp', 'input')
  local n = size(t, -1)
  if size(t, -2) ~= n then raise('matrix_exp: expected square matrices, got (%d x %d)', size(t, -2), n) end
  local dtype = common.dtype(t)
  if dtype ~= 'float32' and dtype ~= 'float64' then
    raise('matrix_exp: expected float32 or float64, got %s', dtype)
  end
  if common.numel(t) == 0 then return raw.clone(t) end
  local halved, b = halvings(t), PADE
  local a = halved > 0 and raw.mul(t, 2 ^ -halved) or t
  local one = raw.eye(n, n, dtype)
  local a2 = raw.matmul(a, a)
  local a4 = raw.matmul(a2, a2)
  local a6 = raw.matmul(a2, a4)
  local odd = raw.matmul(a, raw.add(raw.matmul(a6, combined{ { b[13], a6 }, { b[11], a4 }, { b[9], a2 } }),
    combined{ { b[7], a6 }, { b[5], a4 }, { b[3], a2 }, { b[1], one } }))
  local even = raw.add(raw.matmul(a6, combined{ { b[12], a6 }, { b[10], a4 }, { b[8], a2 } }),
    combined{ { b[6], a6 }, { b[4], a4 }, { b[2], a2 }, { b[0], one } })
  local out = raw.solve(raw.sub(even, odd), raw.add(even, odd))
  for _ = 1, halved do out = raw.matmul(out, out) end
  return out
end

return matrix
