--- LU factorizations and what they solve: torch.linalg's names and arguments, in linalg.lua. Internal.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local raw, raise = common.raw, common.raise
local define, kinds = arguments.define, arguments.kinds

local lu = { functions = {} } -- functions: what metann itself has

local input, lu_, pivots_ = { 'input', kinds.tensor }, { 'LU', kinds.tensor }, { 'pivots', kinds.tensor }
local function flag(name, default) return { name, kinds.boolean, default, named = true } end
-- PyTorch's, which is true on the CPU there, too.
local PIVOT = { 'pivot', function(v) return v == true or nil, 'true: rows are always exchanged' end, true, named = true }

local function transposed(t) return raw.transpose(t, -2, -1) end

--- The identity of n rows, of t's dtype and on its device.
local function identity(t, n) return common.beside(t, raw.eye, n, n, common.dtype(t)) end

--- P, L and U, of the factors in one matrix. L has 1 on its diagonal.
local function unpacked(op, factors, pivots)
  if common.ndim(factors) < 2 then raise("%s: 'LU' must have at least 2 dims, got %d", op, common.ndim(factors)) end
  local m, n = common.size(factors, -2), common.size(factors, -1)
  local k = math.min(m, n)
  local lower = raw.tril(raw.slice(factors, -1, 1, k), -1)
  lower = raw.add(lower, common.beside(factors, raw.eye, m, k, common.dtype(factors)))
  return raw.swap_rows(identity(factors, m), pivots, true), lower, raw.triu(raw.slice(factors, -2, 1, k))
end

--- P, L and U of t = P L U: a permutation, a lower triangle with 1 on its diagonal and an upper one.
-- @function lu
-- @param t matrices (..., m, n)
lu.lu = define('lu', { input, PIVOT }, function(t)
  local factors, pivots = raw.lu_factor_ex(t)
  return unpacked('lu', factors, pivots)
end)

--- L and U in one matrix, and the pivots (int32, from 1), for lu_solve. A singular matrix is an error.
-- @function lu_factor
-- @param t matrices (..., m, n)
lu.lu_factor = define('lu_factor', { input, PIVOT }, function(t)
  local factors, pivots = raw.lu_factor_ex(t, true)
  return factors, pivots
end)

--- The same with an int32 info, 0 or the first row without a pivot, in the place of an error.
-- @function lu_factor_ex
-- @param t matrices (..., m, n)
-- @param options {check_errors=false}: true: an error again
lu.lu_factor_ex = define('lu_factor_ex', { input, PIVOT, flag('check_errors', false) }, function(t, _, check)
  return raw.lu_factor_ex(t, check)
end)

--- P, L and U, of what lu_factor gives: torch.lu_unpack.
-- @function lu_unpack
-- @param LU factors (..., m, n)
-- @param pivots int32 (..., min(m, n))
lu.functions.lu_unpack = define('lu_unpack', { lu_, pivots_ }, function(factors, pivots)
  return unpacked('lu_unpack', factors, pivots)
end)

local function solved(factors, pivots, b, left, adjoint)
  if common.ndim(b) < 2 then raise("lu_solve: 'B' must have at least 2 dims, got %d", common.ndim(b)) end
  if not left then b, adjoint = transposed(b), not adjoint end
  local x
  if adjoint then -- A^T = U^T L^T P^T
    x = raw.solve_triangular(transposed(factors), b, false)
    x = raw.swap_rows(raw.solve_triangular(transposed(factors), x, true, true), pivots, true)
  else
    x = raw.solve_triangular(factors, raw.swap_rows(b, pivots), false, true)
    x = raw.solve_triangular(factors, x, true)
  end
  return left and x or transposed(x)
end

--- X of A X = B, given what lu_factor gives of A. (metann.lu_solve has torch.lu_solve's order: B, LU, pivots.)
-- @function lu_solve
-- @param LU factors (..., n, n)
-- @param pivots int32 (..., n)
-- @param B right-hand sides (..., n, k); batch dims are broadcast
-- @param options {left=true, adjoint=false}; left=false: X of X A = B; adjoint: A^T in the place of A
lu.lu_solve = define('lu_solve', { lu_, pivots_, { 'B', kinds.tensor }, flag('left', true), flag('adjoint', false) },
  function(factors, pivots, b, left, adjoint) return (solved(factors, pivots, b, left, adjoint)) end)

--- The same with the right-hand side first: torch.lu_solve.
-- @function lu_solve
lu.functions.lu_solve = define('lu_solve', { { 'B', kinds.tensor }, lu_, pivots_ }, function(b, factors, pivots)
  return (solved(factors, pivots, b, true, false))
end)

return lu
