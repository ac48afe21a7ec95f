--- EmbeddingBag: sums, means or largest elements of rows of a table, looked up bag by bag by numbers from 1.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local bags = require 'metann.nn.shared.bags'
local lookup = require 'metann.nn.shared.lookup'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds = options.kinds

local EmbeddingBag = class.new('EmbeddingBag', Module)

local OPTIONS = bags.OPTIONS
local WEIGHT = { '_weight', kinds.tensor, optional = true }
local read = options.layer_reader('EmbeddingBag', {
  { 'num_embeddings', kinds.count }, { 'embedding_dim', kinds.count }, OPTIONS.max_norm, OPTIONS.norm_type,
  OPTIONS.scale_grad_by_freq, OPTIONS.mode, OPTIONS.sparse, WEIGHT, OPTIONS.include_last_offset, OPTIONS.padding_idx,
})

--- Files the options and checks padding_idx.
local function set_up(self, o)
  self.num_embeddings, self.embedding_dim, self.mode = o.num_embeddings, o.embedding_dim, o.mode
  self.padding_idx = lookup.padding_row('EmbeddingBag', o.padding_idx, o.num_embeddings)
  self.max_norm, self.norm_type, self.scale_grad_by_freq = o.max_norm, o.norm_type, o.scale_grad_by_freq
  self.include_last_offset = o.include_last_offset
end

--- Weight (num_embeddings, embedding_dim), standard normal; the row of padding_idx is zeros.
-- @param max_norm, norm_type, scale_grad_by_freq as in Embedding
-- @param mode 'mean', 'sum' or 'max'
-- @param include_last_offset true: the last offset is where the last bag ends
-- @param padding_idx a row that counts for nothing
function EmbeddingBag:init(...)
  local o = read(...)
  set_up(self, o)
  local values = o._weight
  if values and support.shape_text(values) ~= support.tuple{ o.num_embeddings, o.embedding_dim } then
    support.raise("EmbeddingBag: '_weight' must have size %s, got %s", support.tuple{ o.num_embeddings, o.embedding_dim },
      support.shape_text(values))
  end
  values = values or lookup.table(o.num_embeddings, o.embedding_dim, self.padding_idx)
  self:register_parameter('weight', support.parameter(values))
  options.place(self, o)
end

local read_pretrained = options.reader('EmbeddingBag.from_pretrained', {
  { 'embeddings', kinds.tensor }, { 'freeze', kinds.boolean, true }, OPTIONS.max_norm, OPTIONS.norm_type,
  OPTIONS.scale_grad_by_freq, OPTIONS.mode, OPTIONS.sparse, OPTIONS.include_last_offset, OPTIONS.padding_idx,
})

--- An EmbeddingBag over given rows (number, width), which stand for themselves; frozen unless freeze is false.
-- @param embeddings tensor of 2 dims
-- @param freeze true: the weight requires no gradient
-- @param ... the other options of EmbeddingBag
function EmbeddingBag.from_pretrained(...)
  return lookup.pretrained('EmbeddingBag.from_pretrained', EmbeddingBag, read_pretrained(...), set_up)
end

local read_call = options.reader('EmbeddingBag', {
  { 'input', kinds.tensor }, { 'offsets', kinds.tensor, optional = true },
  { 'per_sample_weights', kinds.tensor, optional = true },
})

--- @param ... input: row numbers (bags, entries), or in one dim with offsets, where each bag begins, counted from 1;
-- per_sample_weights of the size of input, in mode 'sum'
-- @return (bags, embedding_dim)
function EmbeddingBag:forward(...)
  local o = read_call(...)
  return bags.of('EmbeddingBag', self, o.input, self.weight, o.offsets or nil, o.per_sample_weights or nil,
    rawequal(self:_owner(), self))
end

function EmbeddingBag:extra_repr()
  local text = ('%d, %d, mode=%s'):format(self.num_embeddings, self.embedding_dim, self.mode)
  for _, name in ipairs{ 'padding_idx', 'max_norm' } do
    if self[name] then text = ('%s, %s=%s'):format(text, name, tostring(self[name])) end
  end
  return text
end

return EmbeddingBag
