--- Products of matrices and vectors made of rows.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local reshape = require('metann.tensor.compose.layout').reshape
local norm = require 'metann.tensor.compose.norms'
local raw, raise, array = common.raw, common.raise, common.array
local shape_of, ndim, describe = common.shape, common.ndim, common.describe
local define, kinds = arguments.define, arguments.kinds
local input, other = { 'input', kinds.tensor }, { 'other', kinds.tensor }

local products = {}

local function text(t) return '(' .. table.concat(shape_of(t), ' x ') .. ')' end

--- matmul where one is a vector, or both.
local function vectors(a, b, na, nb)
  if na == 0 or nb == 0 then raise('matmul: both tensors need at least one dim, got %d and %d', na, nb) end
  if array(a).size[na - 1] ~= array(b).size[nb == 1 and 0 or nb - 2] then
    raise('matmul: size mismatch, %s and %s', text(a), text(b))
  end
  if na == 1 then a = raw.unsqueeze(a, 1) end
  if nb == 1 then b = raw.unsqueeze(b, 2) end
  local out = raw.matmul(a, b)
  if nb == 1 then out = raw.squeeze(out, -1) end
  if na == 1 then out = raw.squeeze(out, nb == 1 and -1 or -2) end
  return out
end

local matmul_row = raw.matmul

local function matmul(a, b, transpose_a, transpose_b)
  local na, nb = array(a).ndim, array(b).ndim
  if na < 2 or nb < 2 then return vectors(a, b, na, nb) end
  return (matmul_row(a, b, transpose_a, transpose_b))
end

--- Matrix product over the last two dims, batch dims broadcast; 1-dim tensors are row or column as fits. Integers stay
-- integers.
-- @function matmul
products.matmul = define('matmul', {
  input, other, { 'transpose_input', kinds.boolean, optional = true },
  { 'transpose_other', kinds.boolean, optional = true },
}, matmul)

--- Raises unless a and b have na and nb dims and fit each other. `op` is what is named in the message.
local function check_product(op, a, b, na, nb)
  local x, y = array(a), array(b)
  if x.ndim ~= na or y.ndim ~= nb then
    raise('%s: expected tensors of %d and %d dims, got %s and %s', op, na, nb, text(a), text(b))
  end
  if x.size[na - 1] ~= y.size[nb == 1 and 0 or nb - 2] then
    raise('%s: size mismatch, %s and %s', op, text(a), text(b))
  end
  if na == 3 and x.size[0] ~= y.size[0] then
    raise('%s: the batches differ, %s and %s (matmul broadcasts them)', op, text(a), text(b))
  end
end

local function product(op, na, nb)
  products[op] = define(op, { input, other }, function(a, b)
    check_product(op, a, b, na, nb)
    return (matmul(a, b))
  end)
end
--- (n x m) times (m x p)
-- @function mm
product('mm', 2, 2)
--- (n x m) times (m)
-- @function mv
product('mv', 2, 1)
--- (b x n x m) times (b x m x p)
-- @function bmm
product('bmm', 3, 3)

--- Sum of products of two 1-dim tensors.
-- @function dot
products.dot = define('dot', { input, other }, function(a, b)
  check_product('dot', a, b, 1, 1)
  return (raw.sum(raw.mul(a, b)))
end)

local function check_outer(op, a, b)
  if ndim(a) ~= 1 or ndim(b) ~= 1 then raise('%s: expected two 1-dim tensors, got %s and %s', op, text(a), text(b)) end
end

local function outer(a, b) return raw.mul(raw.unsqueeze(a, 2), b) end

--- (n) and (m) to (n x m).
-- @function outer
products.outer = define('outer', { input, other }, function(a, b)
  check_outer('outer', a, b)
  return (outer(a, b))
end)

--- Raises unless t can be broadcast to the size of `out`.
local function check_added(op, t, out)
  local n, shift = ndim(t), ndim(out) - ndim(t)
  local fits = shift >= 0
  for d = 1, n do
    local s = array(t).size[d - 1]
    fits = fits and (s == 1 or s == array(out).size[d + shift - 1])
  end
  if not fits then raise("%s: 'input' %s doesn't broadcast to the product's %s", op, text(t), text(out)) end
end

local function is_bool(t) return common.dtype(t) == 'bool' end

--- The sum of two tensors of bools, each taken or left out: no other multiple of a bool is one.
local function either(t, out, take_t, take_out)
  if not take_out then out = raw.ne(out, out) end
  return take_t and raw.add(t, out) or out
end

--- beta * t + alpha * (a product of a and b). With beta = 0, t is not read.
local function added(op, first, second, check, multiply)
  products[op] = define(op, {
    input, { first, kinds.tensor }, { second, kinds.tensor }, { 'beta', kinds.factor, 1 }, { 'alpha', kinds.factor, 1 },
  }, function(t, a, b, beta, alpha)
    check(op, a, b)
    local out = multiply(a, b)
    check_added(op, t, out)
    if is_bool(t) and is_bool(out) then return either(t, out, beta ~= 0, alpha ~= 0) end
    if alpha ~= 1 then out = raw.mul(out, alpha) end
    if beta == 0 then return out end
    if beta ~= 1 then t = raw.mul(t, beta) end
    return (raw.add(t, out))
  end)
end
local function checked(na, nb)
  return function(op, a, b) check_product(op, a, b, na, nb) end
end
--- beta * t + alpha * (a @ b); for addbmm the products are summed over the batch, for addr it is the outer product.
-- @function addmm
added('addmm', 'mat1', 'mat2', checked(2, 2), matmul)
added('addmv', 'mat', 'vec', checked(2, 1), matmul)
added('baddbmm', 'batch1', 'batch2', checked(3, 3), matmul)
added('addbmm', 'batch1', 'batch2', checked(3, 3), function(a, b) return raw.sum(matmul(a, b), 1) end)
added('addr', 'vec1', 'vec2', check_outer, outer)

--- Sum of the diagonal of a matrix.
-- @function trace
products.trace = define('trace', { input }, function(t)
  if ndim(t) ~= 2 then raise('trace: expected a matrix, got %s', text(t)) end
  return (raw.sum(raw.diagonal(t)))
end)

-- ---- products over other dims ----

--- The lists of dims, from 1 and nonnegative, that tensordot contracts.
local function contracted(a, b, dims)
  local na, nb, first, second = ndim(a), ndim(b), {}, {}
  if type(dims) == 'number' then
    if dims > na or dims > nb then
      raise("tensordot: 'dims' is %d, but the tensors are %s and %s", dims, text(a), text(b))
    end
    for i = 1, dims do first[i], second[i] = na - dims + i, i end
    return first, second
  end
  if #dims[1] ~= #dims[2] then
    raise("tensordot: 'dims' must be a number, or two lists of dims of one length, got %d and %d dims", #dims[1],
      #dims[2])
  end
  for i = 1, #dims[1] do
    first[i] = common.dim(dims[1][i], na, 'tensordot', 'dims')
    second[i] = common.dim(dims[2][i], nb, 'tensordot', 'dims')
  end
  return first, second
end

--- The dims that a list leaves out, in order.
local function others(n, list)
  local taken, rest = {}, {}
  for _, d in ipairs(list) do
    if taken[d] then raise('tensordot: dim %d is given twice', d) end
    taken[d] = true
  end
  for d = 1, n do
    if not taken[d] then rest[#rest + 1] = d end
  end
  return rest
end

local function permuted(t, first, second)
  local dims = {}
  for _, d in ipairs(first) do dims[#dims + 1] = d end
  for _, d in ipairs(second) do dims[#dims + 1] = d end
  if #dims < 2 then return t end
  return raw.permute(t, dims)
end

--- t summed over those dims in which `like` has 1 element: as if that were stretched.
local function summed(t, dims, like, its_dims)
  local long = {}
  for i, d in ipairs(dims) do
    if common.size(like, its_dims[i]) == 1 and common.size(t, d) ~= 1 then long[#long + 1] = d end
  end
  return #long > 0 and raw.sum(t, long, true) or t
end

local function tensordot(a, b, dims)
  local first, second = contracted(a, b, dims)
  local rest_a, rest_b = others(ndim(a), first), others(ndim(b), second)
  a, b = summed(a, first, b, second), summed(b, second, a, first)
  local shape_a, shape_b, size, rows, inner, cols = shape_of(a), shape_of(b), {}, 1, 1, 1
  for i, d in ipairs(first) do
    local here, there = shape_a[d] or 1, shape_b[second[i]] or 1 -- a 0-dim tensor has a dim of 1
    if here ~= there then
      raise('tensordot: size mismatch, dim %d of %s and dim %d of %s', d, text(a), second[i], text(b))
    end
    inner = inner * here
  end
  for _, d in ipairs(rest_a) do size[#size + 1], rows = shape_a[d], rows * shape_a[d] end
  for _, d in ipairs(rest_b) do size[#size + 1], cols = shape_b[d], cols * shape_b[d] end
  local left = reshape(permuted(a, rest_a, first), { rows, inner })
  local right = reshape(permuted(b, second, rest_b), { inner, cols })
  return reshape(raw.matmul(left, right), size)
end

-- A number, or two lists of dims; a dim alone stands for a list of one.
local dims_kind = kinds.list_kind(function(v)
  local expected = 'a number, or two lists of dims of one length'
  if type(v) ~= 'table' then return kinds.whole(v), expected end
  if #v ~= 2 then return nil, expected end
  local a, b = v[1], v[2]
  return { type(a) == 'table' and a or { a }, type(b) == 'table' and b or { b } }
end)

--- Sum of products over pairs of dims; the dims that are left stand behind each other, a's first.
-- @function tensordot
-- @param a a tensor
-- @param b a tensor
-- @param dims a number n: a's last n with b's first n; or {{dims of a}, {dims of b}}. 2 unless given. A dim of 1 is
-- stretched where the other is longer.
products.tensordot = define('tensordot', { input, other, { 'dims', dims_kind, 2 } }, tensordot)

--- Sum of products over the last dim of both; of a number's tensor, the product.
-- @function inner
products.inner = define('inner', { input, other }, function(a, b)
  if ndim(a) == 0 or ndim(b) == 0 then return (raw.mul(a, b)) end
  if common.size(a, -1) ~= common.size(b, -1) then
    raise('inner: size mismatch, the last dims of %s and %s', text(a), text(b))
  end
  return (tensordot(a, b, { { -1 }, { -1 } }))
end)

--- Kronecker product: each element of a times all of b, in blocks.
-- @function kron
products.kron = define('kron', { input, other }, function(a, b)
  local n = math.max(ndim(a), ndim(b))
  if n > 4 then raise('kron: expected at most 4 dims, got %d', n) end
  local shape_a, shape_b, left, right, size = shape_of(a), shape_of(b), {}, {}, {}
  for d = 1, n do
    local p, q = shape_a[d - n + #shape_a] or 1, shape_b[d - n + #shape_b] or 1
    left[2 * d - 1], left[2 * d] = p, 1
    right[2 * d - 1], right[2 * d] = 1, q
    size[d] = p * q
  end
  return (reshape(raw.mul(reshape(a, left), reshape(b, right)), size))
end)

--- Cross product of vectors of 3 along a dim, the others being broadcast.
-- @param a a tensor
-- @param b a tensor
-- @param dim the first one of a that has 3 elements, unless given
-- @function cross
products.cross = define('cross', { input, other, { 'dim', kinds.dim, optional = true } }, function(a, b, dim)
  local n = ndim(a)
  if n ~= ndim(b) then raise('cross: expected as many dims of both, got %s and %s', text(a), text(b)) end
  for d = 1, dim == nil and n or 0 do
    if common.size(a, d) == 3 then
      dim = d
      break
    end
  end
  if dim == nil then raise('cross: no dim of %s has 3 elements', text(a)) end
  dim = common.dim(dim, n, 'cross')
  if n == 0 or common.size(a, dim) ~= 3 or common.size(b, dim) ~= 3 then
    raise('cross: dim %d must have 3 elements, got %s and %s', dim, text(a), text(b))
  end
  local function rolled(t, shift) return raw.roll(t, { shift }, { dim }) end
  return (raw.sub(raw.mul(rolled(a, -1), rolled(b, -2)), raw.mul(rolled(a, -2), rolled(b, -1))))
end)

--- Distances of all pairs of rows: (..., p, m) and (..., r, m) to (..., p, r); the derivative at distance 0 is 0.
-- @param a rows
-- @param b rows
-- @param p which norm: 2 unless given, any that metann.norm takes
-- @function cdist
products.cdist = define('cdist', { input, other, { 'p', kinds.nonnegative, 2 } }, function(a, b, p)
  if ndim(a) < 2 or ndim(b) < 2 or common.size(a, -1) ~= common.size(b, -1) then
    raise('cdist: expected rows of one length, got %s and %s', text(a), text(b))
  end
  return (norm(raw.sub(raw.unsqueeze(a, -2), raw.unsqueeze(b, -3)), p, -1))
end)

--- The p-norms of the differences of all pairs of rows of a matrix, the first row's with those below it first.
-- @function pdist
products.pdist = define('pdist', { input, { 'p', kinds.nonnegative, 2 } }, function(t, p)
  if ndim(t) ~= 2 then raise('pdist: expected a matrix, got %s', text(t)) end
  local n, first, second = common.size(t, 1), {}, {}
  for i = 1, n do
    for k = i + 1, n do first[#first + 1], second[#second + 1] = i, k end
  end
  local function rows(list) return raw.index_select(t, common.beside(t, common.indices, list), 1) end
  return (norm(raw.sub(rows(first), rows(second)), p, -1))
end)

--- Where to part the chain of matrices i..j, sizes[i] being the rows of matrix i: the order with the fewest
-- multiplications (Cormen et al., "Introduction to Algorithms", 15.2).
local function best_order(sizes, n)
  local cost, split = {}, {}
  for i = 1, n do cost[i], split[i] = { [i] = 0 }, {} end
  for length = 2, n do
    for i = 1, n - length + 1 do
      local j = i + length - 1
      cost[i][j] = math.huge
      for k = i, j - 1 do
        local c = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
        if c < cost[i][j] then cost[i][j], split[i][j] = c, k end
      end
    end
  end
  return split
end

--- Product of a chain of matrices, in the order that takes the fewest multiplications. The first and the last may be
-- vectors.
-- @param tensors a list, or one by one
-- @function multi_dot
products.multi_dot = define('multi_dot', { { 'tensors', kinds.tensors, rest = true } }, function(tensors)
  if #tensors < 2 then raise('multi_dot: expected a list of at least 2 tensors, got %s', describe(tensors)) end
  local n, sizes, chain = #tensors, {}, {}
  for i = 1, n do
    local t = tensors[i]
    local vector = ndim(t) == 1 and (i == 1 or i == n)
    if not vector and ndim(t) ~= 2 then raise('multi_dot: tensor %d must be a matrix, got %s', i, text(t)) end
    chain[i] = vector and raw.unsqueeze(t, i == 1 and 1 or 2) or t
    sizes[i] = common.size(chain[i], 1)
    if i > 1 and common.size(chain[i - 1], 2) ~= sizes[i] then
      raise('multi_dot: size mismatch, tensors %d %s and %d %s', i - 1, text(tensors[i - 1]), i, text(t))
    end
  end
  sizes[n + 1] = common.size(chain[n], 2)
  local split = best_order(sizes, n)
  local function all(i, j)
    if i == j then return chain[i] end
    return raw.matmul(all(i, split[i][j]), all(split[i][j] + 1, j))
  end
  local out = all(1, n)
  if ndim(tensors[n]) == 1 then out = raw.squeeze(out, 2) end
  if ndim(tensors[1]) == 1 then out = raw.squeeze(out, 1) end
  return out
end)

return products
