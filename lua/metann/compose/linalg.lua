--- Products of matrices and vectors made of rows.
local common = require 'metann.compose.common'
local raw, raise, array, tensor = common.raw, common.raise, common.array, common.tensor

local linalg = {}

local function vectors(a, b, na, nb)
  if na == 0 or nb == 0 then raise('matmul: both tensors need at least one dim, got %d and %d', na, nb) end
  if na == 1 then a = raw.unsqueeze(a, 1) end
  if nb == 1 then b = raw.unsqueeze(b, 2) end
  local out = raw.matmul(a, b)
  if nb == 1 then out = raw.squeeze(out, -1) end
  if na == 1 then out = raw.squeeze(out, nb == 1 and -1 or -2) end
  return out
end

local matmul_row = raw.matmul

--- Matrix product over the last two dims, batch dims broadcast; 1-dim tensors are row or column as fits.
function linalg.matmul(a, b, transpose_a, transpose_b)
  tensor(a, 'matmul', 'input')
  tensor(b, 'matmul', 'other')
  local na, nb = array(a).ndim, array(b).ndim
  if na < 2 or nb < 2 then return vectors(a, b, na, nb) end
  return matmul_row(a, b, transpose_a, transpose_b)
end

local function product(op, na, nb)
  linalg[op] = function(a, b)
    tensor(a, op, 'input')
    tensor(b, op, 'other')
    local da, db = array(a).ndim, array(b).ndim
    if da ~= na or db ~= nb then
      raise('%s: expected tensors of %d and %d dims, got %d and %d', op, na, nb, da, db)
    end
    return linalg.matmul(a, b)
  end
end
--- (n x m) times (m x p)
product('mm', 2, 2)
--- (n x m) times (m)
product('mv', 2, 1)
--- (b x n x m) times (b x m x p)
product('bmm', 3, 3)

--- Sum of products of two 1-dim tensors.
function linalg.dot(a, b)
  tensor(a, 'dot', 'input')
  tensor(b, 'dot', 'other')
  local na, nb = array(a).ndim, array(b).ndim
  if na ~= 1 or nb ~= 1 then raise('dot: expected two 1-dim tensors, got %d and %d dims', na, nb) end
  if array(a).size[0] ~= array(b).size[0] then
    raise('dot: size mismatch, %d and %d', common.numel(a), common.numel(b))
  end
  return raw.sum(raw.mul(a, b))
end

--- (n) and (m) to (n x m).
function linalg.outer(a, b)
  tensor(a, 'outer', 'input')
  tensor(b, 'outer', 'other')
  if array(a).ndim ~= 1 or array(b).ndim ~= 1 then raise('outer: expected two 1-dim tensors') end
  return raw.mul(raw.unsqueeze(a, 2), b)
end

local function added(op, multiply)
  linalg[op] = function(t, a, b, beta, alpha)
    if type(beta) == 'table' then
      common.check_options(op, beta, { 'beta', 'alpha' })
      beta, alpha = beta.beta, beta.alpha
    end
    local out = linalg[multiply](a, b)
    if alpha ~= nil and alpha ~= 1 then out = raw.mul(out, alpha) end
    if beta == 0 then return out end
    if beta ~= nil and beta ~= 1 then t = raw.mul(t, beta) end
    return raw.add(t, out)
  end
end
--- beta * t + alpha * (a @ b)
added('addmm', 'mm')
added('addmv', 'mv')
added('baddbmm', 'bmm')

--- Sum of the diagonal.
function linalg.trace(t) return raw.sum(raw.diagonal(t)) end

return linalg
