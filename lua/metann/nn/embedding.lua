--- Embedding: rows of a table, looked up by numbers from 1.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local support = require 'metann.nn.support'
local kinds, ops = options.kinds, support.ops

local Embedding = class.new('Embedding', Module)

local read = options.reader('Embedding', {
  { 'num_embeddings', kinds.count },
  { 'embedding_dim', kinds.count },
  { 'padding_idx', kinds.integer, optional = true },
})

--- Weight (num_embeddings, embedding_dim), standard normal.
-- @param num_embeddings how many rows
-- @param embedding_dim size of a row
-- @param padding_idx a row that starts as zeros and gets no gradient (negative: from the end)
function Embedding:init(...)
  local o = read(...)
  self.num_embeddings, self.embedding_dim = o.num_embeddings, o.embedding_dim
  local at = o.padding_idx
  if at then
    if at == 0 or math.abs(at) > o.num_embeddings then
      support.raise("Embedding: 'padding_idx' must be from 1 to %d, got %d", o.num_embeddings, at)
    end
    self.padding_idx = at < 0 and o.num_embeddings + 1 + at or at
  end
  local values = ops.randn{ o.num_embeddings, o.embedding_dim }
  if self.padding_idx then
    ops.region_put_(values, ops.full({}, 0), { self.padding_idx - 1, 0 }, { 1, o.embedding_dim }, { 1, 1 })
  end
  self:register_parameter('weight', support.parameter(values))
end

--- @param index tensor of row numbers, any size
-- @return the rows: the size of index, then embedding_dim
function Embedding:forward(index)
  if not support.is_tensor(index) then
    support.raise("Embedding: 'input' must be a tensor of row numbers, got %s", support.describe(index))
  end
  local weight, shape = self.weight, support.shape(index)
  local rows = ops.index_select(weight, support.reshape(index, { support.numel(index) }), 1)
  shape[#shape + 1] = self.embedding_dim
  rows = ops.view(rows, shape)
  if self.padding_idx then
    local padding = ops.unsqueeze(ops.eq(index, self.padding_idx), -1)
    rows = ops.where(padding, ops.detach(rows), rows)
  end
  return rows
end

function Embedding:extra_repr()
  local text = self.num_embeddings .. ', ' .. self.embedding_dim
  if self.padding_idx then text = text .. ', padding_idx=' .. self.padding_idx end
  return text
end

return Embedding
