--- Embedding: rows of a table, looked up by numbers from 1.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local lookup = require 'metann.nn.shared.lookup'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds = options.kinds

local Embedding = class.new('Embedding', Module)

local read = options.layer_reader('Embedding', {
  { 'num_embeddings', kinds.count },
  { 'embedding_dim', kinds.count },
  { 'padding_idx', kinds.integer, optional = true },
  { 'max_norm', kinds.positive, optional = true },
  { 'norm_type', kinds.positive, 2 },
  { 'scale_grad_by_freq', kinds.boolean, false },
  { 'sparse', lookup.only_dense, false },
})

--- Files the options and checks padding_idx.
local function set_up(self, o)
  self.num_embeddings, self.embedding_dim = o.num_embeddings, o.embedding_dim
  self.padding_idx = lookup.padding_row('Embedding', o.padding_idx, o.num_embeddings)
  self.max_norm, self.norm_type, self.scale_grad_by_freq = o.max_norm, o.norm_type, o.scale_grad_by_freq
end

--- Weight (num_embeddings, embedding_dim), standard normal.
-- @param num_embeddings how many rows
-- @param embedding_dim size of a row
-- @param padding_idx a row that starts as zeros and gets no gradient (negative: from the end)
-- @param max_norm rows that are looked up and whose norm is greater are scaled down to it, in the table itself
-- @param norm_type which norm, 2
-- @param scale_grad_by_freq true: a row's gradient is divided by how often the input has it
-- @param sparse false
-- @param device, dtype as in PyTorch
function Embedding:init(...)
  local o = read(...)
  set_up(self, o)
  self:register_parameter('weight',
    support.parameter(lookup.table(o.num_embeddings, o.embedding_dim, self.padding_idx)))
  options.place(self, o)
end

local read_pretrained = options.reader('Embedding.from_pretrained', {
  { 'embeddings', kinds.tensor },
  { 'freeze', kinds.boolean, true },
  { 'padding_idx', kinds.integer, optional = true },
  { 'max_norm', kinds.positive, optional = true },
  { 'norm_type', kinds.positive, 2 },
  { 'scale_grad_by_freq', kinds.boolean, false },
  { 'sparse', lookup.only_dense, false },
})

--- An Embedding over given rows (number, width), which stand for themselves; frozen unless freeze is false.
-- @param embeddings tensor of 2 dims
-- @param freeze true: the weight requires no gradient
-- @param ... the other options of Embedding
function Embedding.from_pretrained(...)
  return lookup.pretrained('Embedding.from_pretrained', Embedding, read_pretrained(...), set_up)
end

--- @param index tensor of row numbers, any size
-- @return the rows: the size of index, then embedding_dim
function Embedding:forward(index, more)
  if more ~= nil then support.too_many('Embedding', 1) end
  if not support.is_tensor(index) then
    support.raise("Embedding: 'input' must be a tensor of row numbers, got %s", support.describe(index))
  end
  return lookup.rows(self, index, self.weight, rawequal(self:_owner(), self))
end

function Embedding:extra_repr()
  local text = self.num_embeddings .. ', ' .. self.embedding_dim
  for _, name in ipairs{ 'padding_idx', 'max_norm' } do
    if self[name] then text = ('%s, %s=%s'):format(text, name, tostring(self[name])) end
  end
  if self.norm_type ~= 2 then text = text .. ', norm_type=' .. self.norm_type end
  if self.scale_grad_by_freq then text = text .. ', scale_grad_by_freq=true' end
  return text
end

return Embedding
