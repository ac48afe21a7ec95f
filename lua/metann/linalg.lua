--- Linear algebra by torch.linalg's names and arguments (dims count from 1).
local binding = require 'metann.binding'
local common = require 'metann.compose.common'
local ops = require 'metann.ops'
local raw = binding.stub.ops
local raise, describe = common.raise, common.describe

local linalg = {
  --- U, S and V^T of t = U diag(S) V^T; svd(t, full_matrices=true).
  svd = raw.svd,
  inv = raw.inverse,
}

for _, name in ipairs{
  'cholesky', 'solve', 'solve_triangular', 'det', 'slogdet', 'svdvals', 'eigh', 'eigvalsh', 'qr', 'matrix_power',
  'matrix_exp', 'matmul', 'multi_dot',
} do
  linalg[name] = ops[name]
end

--- Names out of an options table, or the positional values.
local function named(op, names, first, ...)
  if type(first) ~= 'table' or first[1] ~= nil then return first, ... end
  common.check_options(op, first, names)
  local values = {}
  for i, name in ipairs(names) do values[i] = first[name] end
  return unpack(values, 1, #names)
end

local function number(x, op, name)
  if x ~= nil and (type(x) ~= 'number' or x < 0) then
    raise("%s: '%s' must be a number not below 0, got %s", op, name, describe(x))
  end
  return x
end

--- rtol and atol out of options: with an atol and no rtol, rtol is 0; with neither, rtol is nil.
local function cut_offs(op, options)
  local rtol, atol = named(op, { 'rtol', 'atol' }, options)
  rtol, atol = number(rtol, op, 'rtol'), number(atol, op, 'atol')
  if rtol == nil and atol ~= nil and atol > 0 then rtol = 0 end
  return rtol, atol or 0
end

--- The pseudoinverse of Moore and Penrose, differentiable where the rank stays the same.
-- @param t matrices (..., m, n)
-- @param options {rtol=, atol=0}: singular values up to rtol times the largest one, or atol, count as 0; rtol is the
-- larger dim times the dtype's precision unless one of the two is given
function linalg.pinv(t, options)
  local rtol, atol = cut_offs('pinv', options)
  return raw.pinverse(t, rtol or -1, atol)
end

--- X that brings A X nearest to B in the sum of squares, the smallest one where there are several.
-- @param a matrices (..., m, n)
-- @param b columns (..., m, k), or a vector (m)
-- @param options {rtol=, atol=0}, as for pinv
function linalg.lstsq(a, b, options)
  common.tensor(a, 'lstsq', 'input')
  common.tensor(b, 'lstsq', 'other')
  return ops.matmul(linalg.pinv(a, options), b)
end

local PRECISION = { float32 = 2 ^ -23, float64 = 2 ^ -52 }

--- How many singular values count: int64. The cut-offs are pinv's.
function linalg.matrix_rank(t, options)
  local rtol, atol = cut_offs('matrix_rank', options)
  local s = raw.detach(ops.svdvals(t))
  if common.numel(s) == 0 then return raw.sum(raw.cast(s, 'int64'), -1) end
  rtol = rtol or PRECISION[common.dtype(t)] * math.max(common.size(t, -1), common.size(t, -2))
  local least = raw.maximum(raw.mul(raw.amax(s, -1, true), rtol), atol)
  return raw.sum(raw.cast(raw.gt(s, least), 'int64'), -1)
end

--- The largest singular value divided by the smallest one.
function linalg.cond(t)
  local s = ops.svdvals(t)
  if common.size(s, -1) == 0 then raise('cond: the matrix has no elements') end
  return raw.div(raw.select(s, -1, 1), raw.select(s, -1, -1))
end

--- The norm of vectors: the root of the sum of |x|^ord over dims.
-- @param t a tensor
-- @param ord 2 unless given; also 0, 1, math.huge, -math.huge
-- @param dim a dim or a list, all unless given
-- @param keepdim keeps those dims as 1
function linalg.vector_norm(t, ord, dim, keepdim)
  ord, dim, keepdim = named('vector_norm', { 'ord', 'dim', 'keepdim' }, ord, dim, keepdim)
  return ops.norm(t, ord or 2, dim, keepdim)
end

--- Norms of matrices from sums of |x| down columns or along rows; `to` takes the largest or smallest.
local function sums_norm(t, dim, ord)
  local along, over = dim[1], dim[2]
  if math.abs(ord) == math.huge then along, over = over, along end
  local sums = raw.sum(raw.abs(t), along, true)
  return ord > 0 and raw.amax(sums, over, true) or raw.amin(sums, over, true)
end

local function singular_norm(t, dim, ord)
  local s = ops.svdvals(ops.movedim(t, dim, { -2, -1 }))
  local out
  if ord == 'nuc' then out = raw.sum(s, -1) elseif ord == 2 then out = raw.amax(s, -1) else out = raw.amin(s, -1) end
  local size = common.shape(t)
  for _, d in ipairs(dim) do size[common.dim(d, #size, 'matrix_norm')] = 1 end
  return ops.reshape(out, size)
end

--- The norm of matrices.
-- @param t matrices
-- @param ord 'fro' (the default: the root of the sum of squares), 'nuc' (the sum of singular values), 2 and -2 (the
-- largest and smallest of them), 1 and -1 (of the columns' sums of |x|), math.huge and -math.huge (of the rows')
-- @param dim the two dims of the matrices: {-2, -1} unless given
-- @param keepdim keeps those dims as 1
function linalg.matrix_norm(t, ord, dim, keepdim)
  ord, dim, keepdim = named('matrix_norm', { 'ord', 'dim', 'keepdim' }, ord, dim, keepdim)
  ord, dim = ord or 'fro', dim or { -2, -1 }
  common.tensor(t, 'matrix_norm', 'input')
  if type(dim) ~= 'table' or #dim ~= 2 then
    raise("matrix_norm: 'dim' must be a list of two dims, got %s", describe(dim))
  end
  if common.ndim(t) < 2 then raise('matrix_norm: expected a matrix, got a tensor with %d dims', common.ndim(t)) end
  if ord == 'fro' then return ops.norm(t, 2, dim, keepdim) end
  local out
  if ord == 1 or ord == -1 or ord == math.huge or ord == -math.huge then
    out = sums_norm(t, dim, ord)
  elseif ord == 'nuc' or ord == 2 or ord == -2 then
    out = singular_norm(t, dim, ord)
  else
    raise("matrix_norm: 'ord' must be 'fro', 'nuc', 1, 2, math.huge or one of those numbers negated, got %s",
      describe(ord))
  end
  return keepdim and out or raw.squeeze(out, dim)
end

--- vector_norm of all elements where ord is not given, or of one dim or a 1-dim tensor; else matrix_norm.
function linalg.norm(t, ord, dim, keepdim)
  ord, dim, keepdim = named('norm', { 'ord', 'dim', 'keepdim' }, ord, dim, keepdim)
  common.tensor(t, 'norm', 'input')
  local n = type(dim) == 'table' and #dim or dim and 1 or common.ndim(t)
  if ord == nil or n == 1 then return ops.norm(t, ord or 2, dim, keepdim) end
  if n ~= 2 then raise("norm: with 'ord', expected 1 or 2 dims, got %d", n) end
  return linalg.matrix_norm(t, ord, dim, keepdim)
end

--- Cross product of vectors of 3 along a dim, the last one unless given.
function linalg.cross(a, b, dim) return ops.cross(a, b, named('cross', { 'dim' }, dim) or -1) end

--- Sum of products along a dim, the last one unless given.
function linalg.vecdot(a, b, dim) return raw.sum(raw.mul(a, b), named('vecdot', { 'dim' }, dim) or -1) end

--- The diagonals of matrices, the last two dims unless given.
function linalg.diagonal(t, offset, dim1, dim2)
  offset, dim1, dim2 = named('diagonal', { 'offset', 'dim1', 'dim2' }, offset, dim1, dim2)
  return raw.diagonal(t, offset or 0, dim1 or -2, dim2 or -1)
end

return linalg
