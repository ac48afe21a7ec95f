--- torch's products of matrices and torch.linalg.
local metann = require 'metann'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'

local function products(define, alias)
  for name in ('matmul mm bmm mv dot outer inner kron'):gmatch '%S+' do
    define(name .. '(input, other)', function(a) return metann[name](a.input, a.other) end)
  end
  for new, old in pairs{ ger = 'outer', vdot = 'dot' } do alias(new, old) end
  for name in ('addmm addmv baddbmm addbmm addr'):gmatch '%S+' do
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
  define('chain_matmul(*matrices)', function(a) return metann.multi_dot(a.matrices) end)
  define('cross(input, other, dim=None)', function(a) return metann.cross(a.input, a.other, a.dim) end)
  define('cdist(x1, x2, p=2.0, compute_mode=None)', function(a) return metann.cdist(a.x1, a.x2, a.p) end)
  define('matrix_exp(input)', function(a) return metann.matrix_exp(a.input) end)
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
  define('multi_dot(tensors)', function(a) return linalg.multi_dot(a.tensors) end)
  define('pinv(input, *, atol=None, rtol=None, hermitian=False)', function(a)
    return linalg.pinv(a.input, { atol = a.atol, rtol = a.rtol })
  end)
  define('lstsq(input, B, rcond=None, *, driver=None)', function(a)
    return values.named({ linalg.lstsq(a.input, a.B, { rtol = a.rcond }) }, { 'solution' })
  end)
  define('matrix_rank(input, *, atol=None, rtol=None, hermitian=False)', function(a)
    return linalg.matrix_rank(a.input, { atol = a.atol, rtol = a.rtol })
  end)
  define('cross(input, other, *, dim=-1)', function(a) return linalg.cross(a.input, a.other, a.dim) end)
  define('vecdot(input, other, *, dim=-1)', function(a) return linalg.vecdot(a.input, a.other, a.dim) end)
  define('diagonal(input, *, offset=0, dim1=-2, dim2=-1)', function(a)
    return linalg.diagonal(a.input, a.offset, a.dim1, a.dim2)
  end)
end

local function norms(define)
  local linalg = metann.linalg
  define('vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None)', function(a)
    return linalg.vector_norm(a.input, a.ord, a.dim, a.keepdim)
  end)
  define("matrix_norm(input, ord='fro', dim=None, keepdim=False)", function(a)
    return linalg.matrix_norm(a.input, a.ord, a.dim, a.keepdim)
  end)
  define('norm(input, ord=None, dim=None, keepdim=False)', function(a)
    return linalg.norm(a.input, a.ord, a.dim, a.keepdim)
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
  torch.define('pinverse(input, rcond=1e-15)', function(a) return metann.pinverse(a.input, a.rcond) end)
  torch.define('cholesky_inverse(L, upper=False)', function(a) return metann.cholesky_inverse(a.L, a.upper) end)
end

return function(torch, linalg)
  products(torch.define, torch.alias)
  decompositions(linalg.define)
  norms(linalg.define)
  older(torch, linalg)
  for name in ('matmul matrix_power matrix_exp'):gmatch '%S+' do linalg.calls[name] = torch.get(name) end
end
