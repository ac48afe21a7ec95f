--- torch's products of matrices and torch.linalg.
local metann = require 'metann'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'

local function products(define, alias)
  for name in ('matmul mm bmm mv dot outer'):gmatch '%S+' do
    define(name .. '(input, other)', function(a) return metann[name](a.input, a.other) end)
  end
  for new, old in pairs{ ger = 'outer', vdot = 'dot' } do alias(new, old) end
  define('inner(input, other)', function(a)
    if a.input:dim() == 0 or a.other:dim() == 0 then return a.input * a.other end
    if a.input:dim() == 1 and a.other:dim() == 1 then return metann.dot(a.input, a.other) end
    return metann.matmul(a.input, a.other:transpose(-2, -1))
  end)
  for name in ('addmm addmv baddbmm'):gmatch '%S+' do
    define(name .. '(input, tensor1, tensor2, *, beta=1, alpha=1)', function(a)
      return metann[name](a.input, a.tensor1, a.tensor2, { beta = a.beta, alpha = a.alpha })
    end)
  end
  define('einsum(equation, *operands)', function(a) return metann.einsum(a.equation, unpack(a.operands)) end)
  define('trace(input)', function(a) return metann.trace(a.input) end)
  define('tensordot(input, other, dims: plain=2)', function(a)
    if type(a.dims) == 'table' then return metann.tensordot(a.input, a.other, registry.from_zero(a.dims)) end
    return metann.tensordot(a.input, a.other, a.dims)
  end)
  define('chain_matmul(*matrices)', function(a)
    local out = a.matrices[1]
    for i = 2, #a.matrices do out = metann.matmul(out, a.matrices[i]) end
    return out
  end)
  define('matrix_power(input, n)', function(a) return metann.matrix_power(a.input, a.n) end)
end

local function decompositions(define)
  local linalg = metann.linalg
  define('cholesky(input, *, upper=False)', function(a) return linalg.cholesky(a.input, a.upper) end)
  define('inv(input)', function(a) return linalg.inv(a.input) end)
  define('det(input)', function(a) return linalg.det(a.input) end)
  define('slogdet(input)', function(a) return values.named({ linalg.slogdet(a.input) }, { 'sign', 'logabsdet' }) end)
  define('solve(input, other, *, left=True)', function(a)
    return linalg.solve(a.input, a.other, { left = a.left })
  end)
  define('solve_triangular(input, other, *, upper, left=True, unitriangular=False)', function(a)
    return linalg.solve_triangular(a.input, a.other, {
      upper = a.upper, left = a.left, unitriangular = a.unitriangular,
    })
  end)
  define('svd(input, full_matrices=True)', function(a)
    return values.named({ linalg.svd(a.input, a.full_matrices) }, { 'U', 'S', 'Vh' })
  end)
  define('svdvals(input)', function(a) return linalg.svdvals(a.input) end)
  define("eigh(input, UPLO='L')", function(a)
    return values.named({ linalg.eigh(a.input, a.UPLO) }, { 'eigenvalues', 'eigenvectors' })
  end)
  define("eigvalsh(input, UPLO='L')", function(a) return linalg.eigvalsh(a.input, a.UPLO) end)
  define("qr(input, mode='reduced')", function(a)
    return values.named({ linalg.qr(a.input, a.mode) }, { 'Q', 'R' })
  end)
  define('multi_dot(tensors)', function(a)
    local out = a.tensors[1]
    for i = 2, #a.tensors do out = metann.matmul(out, a.tensors[i]) end
    return out
  end)
end

--- Sum of |x| over one dim, then its largest (or smallest) over the other.
local function column_norm(x, along, over, smallest)
  local sums = x:abs():sum(along, true)
  return smallest and sums:amin(over, true) or sums:amax(over, true)
end

local function matrix_norm(x, ord, dim, keepdim)
  local r, c = dim[1], dim[2]
  local out
  if ord == 'fro' then return metann.norm(x, 2, dim, keepdim) end
  if ord == 1 or ord == -1 then
    out = column_norm(x, r, c, ord < 0)
  elseif ord == math.huge or ord == -math.huge then
    out = column_norm(x, c, r, ord < 0)
  else
    local s = metann.svdvals(x:movedim({ r, c }, { -2, -1 }))
    if ord == 'nuc' then s = s:sum(-1) elseif ord == 2 then s = s:amax(-1) else s = s:amin(-1) end
    return keepdim and s:unsqueeze(-1):unsqueeze(-1) or s
  end
  if keepdim then return out end
  return out:squeeze{ r, c }
end

local function norms(define)
  define('vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None)', function(a)
    return metann.norm(a.input, a.ord, a.dim, a.keepdim)
  end)
  define("matrix_norm(input, ord='fro', dim=(), keepdim=False)", function(a)
    return matrix_norm(a.input, a.ord, #a.dim == 2 and a.dim or { -2, -1 }, a.keepdim)
  end)
  define('norm(input, ord=None, dim=None, keepdim=False)', function(a)
    local n = type(a.dim) == 'table' and #a.dim or a.dim and 1 or a.input:dim()
    if a.ord == nil or n == 1 then return metann.norm(a.input, a.ord or 2, a.dim, a.keepdim) end
    return matrix_norm(a.input, a.ord, a.dim or { 1, 2 }, a.keepdim)
  end)
end

--- Names in torch itself that stand for functions of torch.linalg.
local function older(torch, linalg)
  for _, name in ipairs{ 'cholesky', 'det', 'slogdet' } do torch.calls[name] = linalg.get(name) end
  for _, name in ipairs{ 'inverse', 'inv' } do torch.calls[name] = linalg.get('inv') end
  torch.define('logdet(input)', function(a) return metann.logdet(a.input) end)
  torch.define('svd(input, some=True, compute_uv=True)', function(a)
    return values.named({ metann.svd(a.input, a.some) }, { 'U', 'S', 'V' })
  end)
  torch.define('qr(input, some=True)', function(a)
    return values.named({ metann.qr(a.input, a.some) }, { 'Q', 'R' })
  end)
  torch.define('triangular_solve(input, A, upper=True, transpose=False, unitriangular=False)', function(a)
    return values.named({ metann.triangular_solve(a.input, a.A, a.upper, a.transpose, a.unitriangular) },
      { 'solution', 'cloned_coefficient' })
  end)
  torch.define('cholesky_solve(input, L, upper=False)', function(a)
    return metann.cholesky_solve(a.input, a.L, a.upper)
  end)
  torch.define('cholesky_inverse(L, upper=False)', function(a) return metann.cholesky_inverse(a.L, a.upper) end)
end

return function(torch, linalg)
  products(torch.define, torch.alias)
  decompositions(linalg.define)
  norms(linalg.define)
  older(torch, linalg)
  for name in ('matmul matrix_power'):gmatch '%S+' do linalg.calls[name] = torch.get(name) end
  linalg.define('diagonal(input, *, offset=0, dim1=-2, dim2=-1)', function(a)
    return metann.diagonal(a.input, a.offset, a.dim1, a.dim2)
  end)
end
