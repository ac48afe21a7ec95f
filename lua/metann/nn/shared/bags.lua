--- Sums, means and largest elements of rows of a table, looked up bag by bag, as nn.EmbeddingBag and
-- functional.embedding_bag do.
local kinds = require('metann.nn.machinery.options').kinds
local lookup = require 'metann.nn.shared.lookup'
local support = require 'metann.support'
local ops, raise, size, ndim, numel = support.ops, support.raise, support.size, support.ndim, support.numel

local bags = {}

-- The options by name, in no order.
bags.OPTIONS = {
  max_norm = { 'max_norm', kinds.positive, optional = true },
  norm_type = { 'norm_type', kinds.positive, 2 },
  scale_grad_by_freq = { 'scale_grad_by_freq', kinds.boolean, false },
  mode = { 'mode', kinds.choice('sum', 'mean', 'max'), 'mean' },
  sparse = { 'sparse', lookup.only_dense, false },
  include_last_offset = { 'include_last_offset', kinds.boolean, false },
  padding_idx = { 'padding_idx', kinds.integer, optional = true },
}

local function constant(value, like) return support.full(like, {}, value) end

local function check(what, o, index, offsets, per_sample_weights)
  local n = ndim(index)
  if n == 1 and not offsets or offsets and (n ~= 1 or ndim(offsets) ~= 1) or n ~= 1 and n ~= 2 then
    raise("%s: 'input' must be a tensor of row numbers of size (bags, entries), or of one dim with 'offsets', where each bag "
      .. 'begins, got size %s%s', what, support.shape_text(index), offsets and ' and offsets' or '')
  end
  if per_sample_weights and (o.mode ~= 'sum' or not support.same_shape(per_sample_weights, index)) then
    raise("%s: 'per_sample_weights' must have the size of 'input', %s, and go with mode 'sum', got size %s", what,
      support.shape_text(index), support.shape_text(per_sample_weights))
  end
  if o.scale_grad_by_freq and o.mode == 'max' then raise("%s: 'scale_grad_by_freq' doesn't go with mode 'max'", what) end
end

--- The number of the bag that each of n entries is in, (n); how many bags there are, one of what belongs to none included.
local function bag_of(n, offsets)
  local begun = ops.index_add(ops.full({ n + 1 }, 0, 'int64'), offsets, ops.full({ numel(offsets) }, 1, 'int64'), 1)
  return ops.slice(ops.cumsum(begun, 1), 1, 1, n), numel(offsets)
end

--- Sums of rows (n, width) by bag; for means over `counted` (n), ones and zeros.
local function summed(rows, counted, offsets, mode)
  local bag, count = bag_of(size(rows, 1), offsets)
  local sums = ops.index_add(ops.full({ count, size(rows, 2) }, 0, support.dtype(rows)), bag, rows, 1)
  if mode == 'sum' then return sums end
  local counts = ops.index_add(ops.full({ count }, 0, support.dtype(rows)), bag, counted, 1)
  return ops.div(sums, ops.unsqueeze(ops.clamp(counts, 1, math.huge), 2))
end

--- Rows of bags (bags, entries, width) reduced; counted (bags, entries) is true for what belongs to a bag.
local function reduced(rows, counted, mode)
  local here = ops.unsqueeze(counted, 3)
  if mode == 'max' then
    if size(rows, 2) == 0 then return ops.sum(rows, 2) end
    local largest = ops.max(ops.where(here, rows, constant(-math.huge, rows)), 2)
    return ops.where(ops.any(here, 2), largest, constant(0, rows))
  end
  local sums = ops.sum(ops.where(here, rows, constant(0, rows)), 2)
  if mode == 'sum' then return sums end
  return ops.div(sums, ops.clamp(ops.sum(ops.cast(here, support.dtype(rows)), 2), 1, math.huge))
end

--- The largest elements of rows (n, width) by bag: bags are filled up to the longest one's length.
local function largest(rows, counted, offsets)
  local n, count = size(rows, 1), numel(offsets)
  if count == 0 then return ops.full({ 0, size(rows, 2) }, 0, support.dtype(rows)) end
  local ends = ops.cat({ ops.slice(offsets, 1, 2, count - 1), ops.full({ 1 }, n + 1, 'int64') }, 1)
  local lengths = ops.unsqueeze(ops.sub(ends, offsets), 2)
  local longest = n > 0 and not support.is_recording() and ops.amax(lengths):item() or n -- which a recording can't read
  local steps = ops.arange(0, 1, longest, 'int64')
  local places = ops.clamp(ops.add(ops.unsqueeze(offsets, 2), steps), 1, math.max(n, 1))
  local flat = support.reshape(places, { count * longest })
  local here = ops.logical_and(ops.lt(steps, lengths), ops.view(ops.index_select(counted, flat, 1), count, longest))
  return reduced(ops.view(ops.index_select(rows, flat, 1), count, longest, size(rows, 2)), here, 'max')
end

local function reduce(what, o, index, weight, offsets, per_sample_weights, is_own)
  check(what, o, index, offsets, per_sample_weights)
  local flat, width = support.reshape(index, { numel(index) }), size(weight, 2)
  -- rows of padding count for nothing, so they need no gradient kept from them
  local rows = lookup.rows({
    max_norm = o.max_norm, norm_type = o.norm_type, scale_grad_by_freq = o.scale_grad_by_freq,
  }, flat, weight, is_own)
  local counted = o.padding_idx and ops.ne(flat, o.padding_idx) or ops.ge(flat, 0)
  if per_sample_weights then
    rows = ops.mul(rows, ops.unsqueeze(support.reshape(per_sample_weights, { numel(index) }), 2))
  end
  if not offsets then
    local shape = support.shape(index)
    return reduced(ops.view(rows, shape[1], shape[2], width), ops.view(counted, shape), o.mode)
  end
  if support.dtype(offsets) ~= 'int64' then offsets = ops.cast(offsets, 'int64') end
  local y
  if o.mode == 'max' then
    y = largest(rows, counted, offsets)
  else
    rows = ops.where(ops.unsqueeze(counted, 2), rows, constant(0, rows))
    y = summed(rows, ops.cast(counted, support.dtype(rows)), offsets, o.mode)
  end
  return o.include_last_offset and ops.slice(y, 1, 1, math.max(numel(offsets) - 1, 0)) or y
end

--- @param what the function's name, for messages
-- @param o options by name
-- @param index (bags, entries), or (n) with offsets, positions counted from 1 where bags begin
-- @param weight (rows, width)
-- @param is_own whether the rows of a leaf may be scaled in place
-- @return (bags, width)
function bags.of(what, o, index, weight, offsets, per_sample_weights, is_own)
  return (support.beside(weight, reduce, what, o, index, weight, offsets, per_sample_weights, is_own))
end

return bags
