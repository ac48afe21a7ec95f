--- Linear algebra by torch.linalg's names and arguments (dims count from 1).
local arguments = require 'metann.arguments'
local binding = require 'metann.binding'
local common = require 'metann.tensor.compose.common'
local lu = require 'metann.tensor.compose.lu'
local layout = require 'metann.tensor.compose.layout'
local matrix_norms = require 'metann.tensor.compose.matrix_norms'
local ops = require 'metann.tensor.ops'
local raw = binding.stub.ops
local raise, is_tensor, shape_of = common.raise, common.is_tensor, common.shape
local check_matrices, matrix_norm, matrix_ord = matrix_norms.check, matrix_norms.of, matrix_norms.ord
local define, kinds = arguments.define, arguments.kinds
local input, other = { 'input', kinds.tensor }, { 'other', kinds.tensor }

local linalg = {
  --- U, S and V^T of t = U diag(S) V^T; svd(t, full_matrices=true).
  svd = raw.svd,
}

--- The inverse of square matrices.
-- @function inv
linalg.inv = define('inv', { input }, function(t) return (raw.inverse(t)) end)

for _, name in ipairs{
  'cholesky', 'solve', 'solve_triangular', 'det', 'slogdet', 'svdvals', 'eigh', 'eigvalsh', 'qr', 'matrix_power',
  'matrix_exp', 'matmul', 'multi_dot', 'eig', 'cholesky_ex', 'inv_ex', 'solve_ex',
} do
  linalg[name] = ops[name]
end

for _, name in ipairs{ 'lu', 'lu_factor', 'lu_factor_ex', 'lu_solve' } do linalg[name] = lu[name] end

--- The eigenvalues of matrices, in no order; that some are not real is an error.
-- @function eigvals
linalg.eigvals = define('eigvals', { input }, function(t)
  local w = raw.eig(t)
  return w
end)

-- ---- what singular values count ----

local tolerance = kinds.either(kinds.nonnegative, kinds.tensor)
local rtol_, atol_ = { 'rtol', tolerance, named = true, optional = true },
  { 'atol', tolerance, named = true, optional = true }
local hermitian_ = { 'hermitian', kinds.boolean, false, named = true }

local PRECISION = { float32 = 2 ^ -23, float64 = 2 ^ -52 }

--- rtol and atol, filled in: without an rtol, it is the larger dim times the dtype's precision, but 0 where an atol
-- above 0 is given. Numbers, or tensors for the batch.
local function cut_offs(t, rtol, atol)
  if rtol == nil then
    rtol = (PRECISION[common.dtype(t)] or 0) * math.max(common.size(t, -1), common.size(t, -2))
    if is_tensor(atol) then
      rtol = raw.where(raw.gt(atol, 0), common.scalar(0, t), common.scalar(rtol, t))
    elseif atol and atol > 0 then
      rtol = 0
    end
  end
  return rtol, atol or 0
end

--- Matrices of which the lower triangle alone is read; derivatives are passed on as if all of them were.
local function symmetric(t)
  local lower = raw.detach(raw.tril(t))
  local whole = raw.add(lower, raw.transpose(raw.tril(lower, -1), -2, -1))
  local finite = raw.where(raw.isfinite(t), t, common.scalar(0, t))
  return raw.add(finite, raw.sub(whole, raw.detach(finite)))
end

--- The numbers of a tolerance for each matrix of a batch of that size.
local function each(x, batch)
  x = is_tensor(x) and raw.cast(raw.detach(x), 'float64') or raw.full({}, x, 'float64', 'cpu')
  return raw.expand(x, batch):to_flat_table()
end

--- The pseudoinverses of matrices each of which has its own tolerances; these are broadcast with the batch dims.
local function pinv_by_matrix(t, rtol, atol)
  local size = shape_of(t)
  local m, n = size[#size - 1], size[#size]
  size[#size], size[#size - 1] = nil, nil
  local all = common.beside(t, raw.full, size, 0, 'float64')
  for _, x in ipairs{ rtol, atol } do all = raw.add(all, is_tensor(x) and raw.cast(x, 'float64') or x) end
  local batch = shape_of(all)
  local result = { unpack(batch) }
  result[#batch + 1], result[#batch + 2] = m, n
  t = raw.expand(t, result)
  if common.numel(t) == 0 then return raw.pinverse(t) end
  local relative, absolute = each(rtol, batch), each(atol, batch)
  local flat, parts = layout.reshape(t, { #relative, m, n }), {}
  for i = 1, #relative do
    parts[i] = raw.pinverse(raw.slice(flat, 1, i, 1), math.max(0, relative[i]), math.max(0, absolute[i]))
  end
  result[#batch + 1], result[#batch + 2] = n, m
  return layout.reshape(raw.cat(parts, 1), result)
end

local function pinv(t, rtol, atol, hermitian)
  if hermitian then t = symmetric(t) end
  rtol, atol = cut_offs(t, rtol, atol)
  if is_tensor(rtol) or is_tensor(atol) then return pinv_by_matrix(t, rtol, atol) end
  return raw.pinverse(t, rtol, atol)
end

--- The pseudoinverse of Moore and Penrose, differentiable where the rank stays the same: what is cut off is taken for 0
-- by the derivative too.
-- @function pinv
-- @param t matrices (..., m, n)
-- @param options {rtol=, atol=0, hermitian=false}: singular values up to rtol times the largest one, or atol, count as
-- 0; rtol is the larger dim times the dtype's precision unless one of the two is given. Both may be tensors, one number
-- for each matrix. hermitian: the matrices are symmetric, and their lower triangle is read
linalg.pinv = define('pinv', { input, rtol_, atol_, hermitian_ }, function(t, rtol, atol, hermitian)
  check_matrices('pinv', t, hermitian)
  return (pinv(t, rtol, atol, hermitian))
end)

--- X that brings A X nearest to B in the sum of squares, the smallest one where there are several.
-- @function lstsq
-- @param a matrices (..., m, n)
-- @param b columns (..., m, k), or a vector (m)
-- @param rcond the cut-off that pinv calls rtol
-- @param options {atol=0, driver=}: the other one; whatever LAPACK's driver is called, the singular values are used
linalg.lstsq = define('lstsq', {
  input, other, { 'rcond', tolerance, optional = true }, atol_,
  { 'driver', kinds.choice('gels', 'gelsy', 'gelsd', 'gelss'), named = true, optional = true },
}, function(a, b, rtol, atol)
  check_matrices('lstsq', a)
  return (ops.matmul(pinv(a, rtol, atol), b))
end)

--- How many singular values count: int64. The options are pinv's.
-- @function matrix_rank
linalg.matrix_rank = define('matrix_rank', { input, rtol_, atol_, hermitian_ }, function(t, rtol, atol, hermitian)
  check_matrices('matrix_rank', t, hermitian)
  t = raw.detach(t)
  local s = hermitian and raw.abs(ops.eigvalsh(t)) or ops.svdvals(t)
  rtol, atol = cut_offs(t, rtol, atol)
  local largest = common.size(s, -1) > 0 and raw.amax(s, -1) or raw.sum(s, -1)
  local least = raw.maximum(raw.mul(largest, rtol), atol)
  return (raw.sum(raw.cast(raw.gt(s, raw.unsqueeze(least, -1)), 'int64'), -1))
end)

-- ---- solutions of tensors ----

--- How many elements the dims first .. last of a size hold.
local function count(size, first, last)
  local n = 1
  for d = first, last do n = n * size[d] end
  return n
end

local function part(size, first, last)
  local list = {}
  for d = first, last do list[#list + 1] = size[d] end
  return list
end

local function joined(a, b)
  local list = { unpack(a) }
  for _, s in ipairs(b) do list[#list + 1] = s end
  return list
end

--- The tensor X of which tensordot(t, X, X's dims) is b.
-- @function tensorsolve
-- @param t a tensor of the size of b followed by that of X, both of as many elements
-- @param b a tensor
-- @param dims dims of t that are moved to its end before
linalg.tensorsolve = define('tensorsolve', { input, other, { 'dims', kinds.dims, optional = true } }, function(t, b, dims)
  if dims then
    local n, to = common.ndim(t), {}
    for i = 1, #dims do to[i] = n - #dims + i end
    t = ops.movedim(t, dims, to)
  end
  local size, n = shape_of(t), common.numel(b)
  local unknown = part(size, common.ndim(b) + 1, #size)
  if common.ndim(b) > #size or count(size, 1, common.ndim(b)) ~= n or count(unknown, 1, #unknown) ~= n then
    raise("tensorsolve: 'input' %s must have as many elements as a square of those of 'other' %s", common.tuple(size),
      common.tuple(shape_of(b)))
  end
  return (layout.reshape(ops.solve(layout.reshape(t, { n, n }), layout.reshape(b, { n })), unknown))
end)

--- The inverse of t for tensordot over ind dims: its first ind dims, which hold as many elements as the others, come last.
-- @function tensorinv
linalg.tensorinv = define('tensorinv', { input, { 'ind', kinds.count, 2 } }, function(t, ind)
  local size = shape_of(t)
  if ind > #size then raise("tensorinv: 'ind' is %d, but there are %d dims", ind, #size) end
  local rows, cols = count(size, 1, ind), count(size, ind + 1, #size)
  if rows ~= cols then
    raise("tensorinv: the first %d dims of %s hold %d elements, the others %d", ind, common.tuple(size), rows, cols)
  end
  return (layout.reshape(raw.inverse(layout.reshape(t, { rows, cols })), joined(part(size, ind + 1, #size),
    part(size, 1, ind))))
end)

--- The powers 0 .. N - 1 of numbers, in a new last dim.
-- @function vander
-- @param t a tensor (..., n)
-- @param N how many, n unless given
linalg.vander = define('vander', { input, { 'N', kinds.count, optional = true } }, function(t, n)
  local size = common.ndim(t) == 0 and { 1 } or shape_of(t)
  n = n or size[#size]
  size[#size + 1] = n
  return (layout.reshape(ops.vander(layout.reshape(t, { -1 }), n, true), size))
end)

--- The product of the reflections I - tau v v^T, v being a column of t below its diagonal with 1 on it: Q's first
-- columns, as LAPACK's geqrf leaves them.
-- @function householder_product
-- @param t matrices (..., m, n) with n <= m
-- @param tau factors (..., k) with k <= n
linalg.householder_product = define('householder_product', { input, { 'tau', kinds.tensor } }, function(t, tau)
  check_matrices('householder_product', t)
  local m, n = common.size(t, -2), common.size(t, -1)
  local k = common.ndim(tau) > 0 and common.size(tau, -1) or -1
  if n > m or k < 0 or k > n or common.ndim(tau) ~= common.ndim(t) - 1 then
    raise("householder_product: expected matrices (..., m, n) with n <= m and factors (..., k) with k <= n, got %s and %s",
      common.tuple(shape_of(t)), common.tuple(shape_of(tau)))
  end
  local one = common.beside(t, raw.eye, m, n, common.dtype(t))
  local vectors, out = raw.add(raw.tril(t, -1), one), raw.expand(one, shape_of(t))
  for i = k, 1, -1 do
    local v = raw.slice(vectors, -1, i, 1)
    local factor = raw.unsqueeze(raw.slice(tau, -1, i, 1), -1)
    out = raw.sub(out, raw.mul(factor, raw.matmul(v, raw.matmul(v, out, true))))
  end
  return out
end)

-- ---- norms ----

local dim_, keepdim_ = { 'dim', kinds.dims, optional = true }, { 'keepdim', kinds.boolean, false }
local dtype_ = { 'dtype', kinds.dtype, named = true, optional = true }

local function cast(t, dtype) return dtype and raw.cast(t, dtype) or t end

--- The norm of vectors: the root of the sum of |x|^ord over dims.
-- @function vector_norm
-- @param t a tensor
-- @param ord 2 unless given; also 0, 1, math.huge, -math.huge
-- @param dim a dim or a list, all unless given
-- @param keepdim keeps those dims as 1
-- @param options {dtype=}: what t is cast to before
linalg.vector_norm = define('vector_norm', { input, { 'ord', kinds.number, 2 }, dim_, keepdim_, dtype_ },
  function(t, ord, dim, keepdim, dtype) return (ops.norm(cast(t, dtype), ord, dim, keepdim)) end)

--- The norm of matrices.
-- @function matrix_norm
-- @param t matrices
-- @param ord 'fro' (the default: the root of the sum of squares), 'nuc' (the sum of singular values), 2 and -2 (the
-- largest and smallest of them), 1 and -1 (of the columns' sums of |x|), math.huge and -math.huge (of the rows')
-- @param dim the two dims of the matrices: {-2, -1} unless given
-- @param keepdim keeps those dims as 1
-- @param options {dtype=}: what t is cast to before
linalg.matrix_norm = define('matrix_norm', {
  input, { 'ord', matrix_ord, 'fro' }, { 'dim', kinds.dims, { -2, -1 } }, keepdim_, dtype_,
}, function(t, ord, dim, keepdim, dtype)
  return (matrix_norm('matrix_norm', cast(t, dtype), ord, dim, keepdim))
end)

local any_ord = kinds.either(kinds.number, kinds.choice('fro', 'nuc'))

--- vector_norm of all elements where ord is not given, or of one dim or a 1-dim tensor; else matrix_norm.
-- @function norm
linalg.norm = define('norm', { input, { 'ord', any_ord, optional = true }, dim_, keepdim_, dtype_ },
  function(t, ord, dim, keepdim, dtype)
    t = cast(t, dtype)
    local n = dim and #dim or common.ndim(t)
    local named = type(ord) == 'string'
    if ord == nil or (n == 1 and not named) then return (ops.norm(t, ord or 2, dim, keepdim)) end
    if n ~= 2 then
      raise(named and "norm: 'ord' %s expects 2 dims, got %d" or "norm: with 'ord' %s, expected 1 or 2 dims, got %d",
        tostring(ord), n)
    end
    local known, expected = matrix_ord(ord)
    if known == nil then raise("norm: 'ord' of matrices must be %s, got %s", expected, tostring(ord)) end
    return (matrix_norm('norm', t, ord, dim or { -2, -1 }, keepdim))
  end)

--- t with the identity in the place of singular matrices, and which those are (..., 1, 1).
local function without_singular(t)
  local sign = raw.slogdet(raw.detach(t))
  local singular = raw.unsqueeze(raw.unsqueeze(raw.eq(sign, 0), -1), -1)
  local n = common.size(t, -1)
  return raw.where(singular, common.beside(t, raw.eye, n, n, common.dtype(t)), t), singular
end

--- The condition number: the norm of matrices times that of their inverses, which is math.huge for singular ones.
-- @function cond
-- @param t matrices; square ones for a p other than 2 and -2
-- @param p which norm, as matrix_norm's ord; 2 unless given: the largest singular value divided by the smallest one
linalg.cond = define('cond', { input, { 'p', matrix_ord, 2 } }, function(t, p)
  check_matrices('cond', t)
  local rows, cols = common.size(t, -2), common.size(t, -1)
  if rows * cols == 0 then raise('cond: the matrix has no elements') end
  if p == 2 or p == -2 then
    local s = ops.svdvals(t)
    local largest, smallest = raw.select(s, -1, 1), raw.select(s, -1, -1)
    return (p == 2 and raw.div(largest, smallest) or raw.div(smallest, largest))
  end
  if rows ~= cols then raise("cond: 'p' %s expects square matrices, got (%d x %d)", tostring(p), rows, cols) end
  local regular, singular = without_singular(t)
  local dim = { -2, -1 }
  local product = raw.mul(matrix_norm('cond', regular, p, dim, true),
    matrix_norm('cond', raw.inverse(regular), p, dim, true))
  return (raw.squeeze(raw.where(singular, common.scalar(math.huge, t), product), dim))
end)

-- ---- products and diagonals ----

local last = { 'dim', kinds.dim, -1 }

--- Cross product of vectors of 3 along a dim, the last one unless given.
-- @function cross
linalg.cross = define('cross', { input, other, last }, function(a, b, dim) return (ops.cross(a, b, dim)) end)

--- Sum of products along a dim, the last one unless given.
-- @function vecdot
linalg.vecdot = define('vecdot', { input, other, last }, function(a, b, dim)
  return (raw.sum(raw.mul(a, b), dim))
end)

--- The diagonals of matrices, the last two dims unless given.
-- @function diagonal
linalg.diagonal = define('diagonal', {
  input, { 'offset', kinds.integer, 0 }, { 'dim1', kinds.dim, -2 }, { 'dim2', kinds.dim, -1 },
}, function(t, offset, dim1, dim2) return (raw.diagonal(t, offset, dim1, dim2)) end)

return require 'metann.binding.lazy'('metann.linalg', {}, linalg)
