--- Norms of matrices, which linalg makes public, and norms.lua the nuclear one. Internal.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local movedim = require('metann.tensor.compose.shape').movedim
local norm = require 'metann.tensor.compose.norms'
local raw, raise, shape_of, kinds = common.raw, common.raise, common.shape, arguments.kinds

local matrix_norms = {}

--- Raises unless t has matrices, square ones where they must be symmetric.
function matrix_norms.check(op, t, hermitian)
  if common.ndim(t) < 2 then raise('%s: expected a matrix, got a tensor with %d dims', op, common.ndim(t)) end
  local rows, cols = common.size(t, -2), common.size(t, -1)
  if hermitian and rows ~= cols then raise("%s: 'hermitian' wants square matrices, got (%d x %d)", op, rows, cols) end
end

--- Norms of matrices from sums of |x| down columns or along rows; `to` takes the largest or smallest. The largest of
-- none is 0.
local function sums_norm(t, dim, ord)
  local along, over = dim[1], dim[2]
  if math.abs(ord) == math.huge then along, over = over, along end
  local sums = raw.sum(raw.abs(t), along, true)
  if common.size(sums, over) == 0 and ord > 0 then return raw.sum(sums, over, true) end
  return ord > 0 and raw.amax(sums, over, true) or raw.amin(sums, over, true)
end

local function singular_norm(t, dim, ord)
  local s = select(2, raw.svd(movedim(t, dim, { -2, -1 }), false))
  local out
  if ord == 'nuc' or (ord == 2 and common.size(s, -1) == 0) then
    out = raw.sum(s, -1)
  else
    out = ord == 2 and raw.amax(s, -1) or raw.amin(s, -1)
  end
  local size = shape_of(t)
  for _, d in ipairs(dim) do size[d] = 1 end
  return (layout.reshape(out, size))
end

local MATRIX_ORDS = {
  fro = true, nuc = true, [1] = true, [-1] = true, [2] = true, [-2] = true, [math.huge] = true, [-math.huge] = true,
}

--- The kind of option that says which norm of matrices is meant.
function matrix_norms.ord(v)
  v = kinds.number(v) or v
  return MATRIX_ORDS[v] and v or nil, "'fro', 'nuc', 1, 2, math.huge or one of those numbers negated"
end

--- The norm of matrices over two dims; one that is a smallest number needs elements.
function matrix_norms.of(op, t, ord, dim, keepdim)
  matrix_norms.check(op, t)
  if #dim ~= 2 then raise("%s: 'dim' must be a list of two dims, got %d", op, #dim) end
  local n = common.ndim(t)
  dim = { common.dim(dim[1], n, op), common.dim(dim[2], n, op) }
  if dim[1] == dim[2] then raise("%s: 'dim' must be two different dims, got %d twice", op, dim[1]) end
  if ord == 'fro' then return norm(t, 2, dim, keepdim) end
  local rows, cols = common.size(t, dim[1]), common.size(t, dim[2])
  local numbers = ord == -math.huge and rows or ord == -1 and cols or math.min(rows, cols)
  if type(ord) == 'number' and ord < 0 and numbers == 0 then
    raise("%s: 'ord' %s takes the smallest of no numbers, the matrix is (%d x %d)", op, tostring(ord), rows, cols)
  end
  local by_values = ord == 'nuc' or ord == 2 or ord == -2
  local out = by_values and singular_norm(t, dim, ord) or sums_norm(t, dim, ord)
  return keepdim and out or raw.squeeze(out, dim)
end

return matrix_norms
