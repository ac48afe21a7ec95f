--- The distinct elements of tensors.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local shape = require 'metann.tensor.compose.shape'
local define, kinds = arguments.define, arguments.kinds
local raw, ndim, shape_of, reshape = common.raw, common.ndim, common.shape, layout.reshape

local distinct = {}

--- Positions 1 .. n, beside t.
local function positions(t, n) return (common.beside(t, raw.arange, 1, 1, n, 'int64')) end

--- The order of the rows of a matrix, by their first column, then the second, and so on.
local function order_of_rows(rows)
  local order = positions(rows, common.size(rows, 1))
  for c = common.size(rows, 2), 1, -1 do
    local column = raw.index_select(raw.select(rows, 2, c), order, 1)
    local _, by = raw.sort(column, 1)
    order = raw.index_select(order, by, 1)
  end
  return order
end

--- Which rows differ from the one before, the first among them: bool.
local function beginnings(rows, n)
  local differs = raw.ne(raw.slice(rows, 1, 2, n - 1), raw.slice(rows, 1, 1, n - 1))
  if ndim(differs) > 1 then differs = raw.any(differs, 2) end
  return raw.cat({ common.beside(rows, raw.full, { 1 }, 1, 'bool'), differs }, 1)
end

--- Of n elements (or rows) in order: the first of each run, which run each belongs to, and how long runs are.
local function runs(sorted, n)
  local begins = beginnings(sorted, n)
  local first = raw.select(raw.nonzero(begins), 2, 1)
  local run = raw.cumsum(raw.cast(begins, 'int64'), 1)
  local ends = raw.cat({ raw.slice(first, 1, 2, common.numel(first) - 1), common.beside(first, raw.full, { 1 }, n + 1, 'int64') }, 1)
  return first, run, raw.sub(ends, first)
end

local function empty(t) return common.beside(t, raw.full, { 0 }, 0, 'int64') end

--- The first of each run of t's elements (a list by dim 1), where each element is found among them, how many it stands
-- for; those after the first only where they are asked for.
local function of_list(list, sorts, wants_inverse, wants_counts)
  local n, order = common.size(list, 1), nil
  if n == 0 then return list, wants_inverse and empty(list), wants_counts and empty(list) end
  local key = ndim(list) == 1 and list or reshape(list, { n, -1 })
  if sorts then
    if ndim(key) == 1 then
      key, order = raw.sort(key, 1)
    else
      order = order_of_rows(key)
      key = raw.index_select(key, order, 1)
    end
  end
  local first, run, count = runs(key, n)
  local out = raw.index_select(list, order and raw.index_select(order, first, 1) or first, 1)
  local inverse = wants_inverse and run
  if inverse and order then inverse = raw.scatter(run, order, run, 1) end
  return out, inverse, wants_counts and count
end

local function results(out, inverse, counts)
  if inverse and counts then return out, inverse, counts end
  if inverse then return out, inverse end
  if counts then return out, counts end
  return out
end

local INVERSE, COUNTS = { 'return_inverse', kinds.boolean, false }, { 'return_counts', kinds.boolean, false }
local DIM = { 'dim', kinds.dim, optional = true }

local function of_tensor(op, t, sorts, wants_inverse, wants_counts, dim)
  if dim == nil then
    local out, inverse, counts = of_list(reshape(t, { -1 }), sorts, wants_inverse, wants_counts)
    return results(out, inverse and raw.view(inverse, shape_of(t)), counts)
  end
  dim = common.dim(dim, ndim(t), op)
  local list = shape.movedim(t, { dim }, { 1 })
  local out, inverse, counts = of_list(list, sorts, wants_inverse, wants_counts)
  return results(shape.movedim(out, { 1 }, { dim }), inverse, counts)
end

--- The distinct elements in order, or slices along dim: with return_inverse also where each element is found among them,
-- with return_counts how often. Each NaN counts by itself.
-- @function unique
distinct.unique = define('unique', {
  { 'input', kinds.tensor }, { 'sorted', kinds.boolean, true }, INVERSE, COUNTS, DIM,
}, function(t, _, wants_inverse, wants_counts, dim)
  return of_tensor('unique', t, true, wants_inverse, wants_counts, dim)
end)

--- The same of neighbours alone: the first of each run of equal ones.
-- @function unique_consecutive
distinct.unique_consecutive = define('unique_consecutive', { { 'input', kinds.tensor }, INVERSE, COUNTS, DIM },
  function(t, wants_inverse, wants_counts, dim)
    return of_tensor('unique_consecutive', t, false, wants_inverse, wants_counts, dim)
  end)

return distinct
