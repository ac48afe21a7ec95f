--- Looking up rows of a table, as nn.Embedding and functional.embedding do.
local support = require 'metann.support'
local ops, size, numel = support.ops, support.size, support.numel

local lookup = {}

--- The kind of the option `sparse`.
function lookup.only_dense(v)
  if v == false then return v end
  return nil, 'false: gradients are dense here'
end

--- The row from 1 that padding_idx means, or nil; checked.
function lookup.padding_row(what, at, rows)
  if not at then return nil end
  if at == 0 or math.abs(at) > rows then
    support.raise("%s: 'padding_idx' must be from 1 to %d, got %d", what, rows, at)
  end
  return at < 0 and rows + 1 + at or at
end

--- A table's first values (rows, width), standard normal; zeros in the row of `padding`, if there is one.
function lookup.table(rows, width, padding)
  local values = ops.randn{ rows, width }
  if padding then ops.region_put_(values, ops.full({}, 0), { padding - 1, 0 }, { 1, width }, { 1, 1 }) end
  return values
end

--- A layer over given rows (number, width), which stand for themselves; frozen unless o.freeze is false.
-- @param what the function's name, for messages
-- @param class the layer's
-- @param o its options by name, embeddings and freeze
-- @param set_up (layer, o) files the options
function lookup.pretrained(what, class, o, set_up)
  local rows = o.embeddings
  if support.ndim(rows) ~= 2 then
    support.raise("%s: 'embeddings' must have 2 dims, got size %s", what, support.shape_text(rows))
  end
  local made = class(size(rows, 1), size(rows, 2))
  o.num_embeddings, o.embedding_dim = made.num_embeddings, made.embedding_dim
  set_up(made, o)
  made.weight = support.parameter(rows, not o.freeze)
  return made
end

--- For each looked-up row what it is to be multiplied by, so that its norm is at most max_norm: (n, 1), no history.
local function scales(rows, o)
  rows = ops.detach(rows)
  local norm = support.functions.norm(rows, o.norm_type, 2, true)
  -- the small addend is PyTorch's
  local scale = ops.div(o.max_norm, ops.add(norm, 1e-7))
  return ops.where(ops.gt(norm, o.max_norm), scale, support.full(scale, {}, 1))
end

local function write_scaled(weight, flat, rows, o)
  -- the same row may be looked up several times: each writes the same values
  ops.assign_(weight, support.functions.index_put(weight, { flat }, ops.mul(rows, scales(rows, o))))
end

--- For each looked-up row one over how often it occurs, (n, 1).
local function frequencies(flat, rows, dtype)
  local one = support.full(flat, { numel(flat) }, 1, dtype)
  local counts = ops.index_add(support.full(flat, { rows }, 0, dtype), flat, one, 1)
  return ops.unsqueeze(ops.reciprocal(ops.index_select(counts, flat, 1)), 2)
end

--- Rows of weight (rows, width) at `index`, numbers from 1.
-- @param o options by name: padding_idx (a row from 1 that gets no gradient), max_norm, norm_type, scale_grad_by_freq
-- @param index tensor of row numbers
-- @param weight (rows, width)
-- @param is_own whether the rows of a leaf may be scaled in place
-- @return tensor: the size of index, then width
function lookup.rows(o, index, weight, is_own)
  local shape, width = support.shape(index), size(weight, 2)
  local flat = support.reshape(index, { numel(index) })
  local rows = ops.index_select(weight, flat, 1)
  if o.max_norm then
    if is_own and support.is_leaf(weight) then
      -- as in PyTorch, the table itself is changed
      support.no_grad(write_scaled, weight, flat, rows, o)
      rows = ops.index_select(weight, flat, 1)
    else
      -- weights that were computed, and what a view reads, are not written to: the rows are scaled by constants
      rows = ops.mul(rows, scales(rows, o))
    end
  end
  if o.scale_grad_by_freq then
    local constant = ops.detach(rows)
    rows = ops.add(constant, ops.mul(ops.sub(rows, constant), frequencies(flat, size(weight, 1), support.dtype(rows))))
  end
  if o.padding_idx then
    rows = ops.where(ops.unsqueeze(ops.eq(flat, o.padding_idx), 2), ops.detach(rows), rows)
  end
  shape[#shape + 1] = width
  return ops.view(rows, shape)
end

return lookup
