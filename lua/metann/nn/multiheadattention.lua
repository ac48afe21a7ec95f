--- MultiheadAttention: products of queries with keys weigh the values, in several heads (Vaswani et al. 2017).
-- MultiheadAttention(embed_dim, num_heads, {dropout=0, bias=true, batch_first=false}). Input weights are
-- Glorot-uniform, biases zero.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local Linear = require 'metann.nn.linear'
local options = require 'metann.nn.options'
local fresh = require 'metann.nn.fresh'
local initializers = require 'metann.nn.initializers'
local support = require 'metann.nn.support'
local kinds, ops, raise = options.kinds, support.ops, support.raise

local MultiheadAttention = class.new('MultiheadAttention', Module)

local read = options.reader('MultiheadAttention', {
  { 'embed_dim', kinds.count },
  { 'num_heads', kinds.count },
  { 'dropout', kinds.probability, 0 },
  { 'bias', kinds.boolean, true },
  { 'batch_first', kinds.boolean, false },
})

function MultiheadAttention:init(...)
  local o = read(...)
  if o.embed_dim % o.num_heads ~= 0 then
    raise("MultiheadAttention: 'embed_dim' (%d) must be divisible by 'num_heads' (%d)", o.embed_dim, o.num_heads)
  end
  self.embed_dim, self.num_heads, self.dropout, self.batch_first = o.embed_dim, o.num_heads, o.dropout, o.batch_first
  local shape = { 3 * o.embed_dim, o.embed_dim }
  self:register_parameter('in_proj_weight', initializers.xavier_uniform_(fresh.constant(shape, 0)))
  self:register_parameter('in_proj_bias', o.bias and fresh.constant({ 3 * o.embed_dim }, 0) or nil)
  self.out_proj = Linear(o.embed_dim, o.embed_dim, o.bias)
  if o.bias then initializers.zeros_(self.out_proj.bias) end
end

local read_call = options.reader('MultiheadAttention', {
  { 'key_padding_mask', kinds.tensor, optional = true },
  { 'need_weights', kinds.boolean, true },
  { 'attn_mask', kinds.tensor, optional = true },
  { 'average_attn_weights', kinds.boolean, true },
})

local function check(self, name, x, n)
  if not support.is_tensor(x) or support.ndim(x) ~= n or support.size(x, -1) ~= self.embed_dim then
    raise("MultiheadAttention: '%s' must be a tensor of size %s, got %s", name,
      (n == 2 and '(L, %d)' or self.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(self.embed_dim),
      support.describe(x))
  end
end

--- Part k (query, key, value) of the input projection, as (N, heads, L, width); x is (N, L, E).
local function project(self, x, k)
  local e, heads = self.embed_dim, self.num_heads
  local weight, bias = ops.slice(self.in_proj_weight, 1, (k - 1) * e + 1, e), self.in_proj_bias
  local y = ops.linear(x, weight, bias and ops.slice(bias, 1, (k - 1) * e + 1, e))
  return ops.transpose(support.reshape(y, { support.size(x, 1), support.size(x, 2), heads, e / heads }), 2, 3)
end

--- scores with a mask applied: bool masks are true where nothing may be attended to, float masks are added.
local function masked(scores, mask)
  if support.dtype(mask) == 'bool' then
    return ops.where(mask, ops.full({}, -math.huge, support.dtype(scores)), scores)
  end
  return ops.add(scores, mask)
end

local function apply_masks(self, scores, o)
  local mask = o.attn_mask
  if mask then
    if support.ndim(mask) == 3 then
      mask = support.reshape(mask, { support.size(scores, 1), self.num_heads, support.size(mask, 2),
        support.size(mask, 3) })
    end
    scores = masked(scores, mask)
  end
  local padding = o.key_padding_mask
  if padding then
    if support.ndim(padding) == 1 then padding = ops.unsqueeze(padding, 1) end
    scores = masked(scores, ops.view(padding, support.size(padding, 1), 1, 1, support.size(padding, 2)))
  end
  return scores
end

--- Attention of (N, L, E) inputs: (N, L, E), and the weights (N, heads, L, S).
local function attend(self, query, key, value, o)
  local q, k, v = project(self, query, 1), project(self, key, 2), project(self, value, 3)
  local width = self.embed_dim / self.num_heads
  local scores = ops.matmul(ops.mul(q, 1 / math.sqrt(width)), k, false, true)
  local weights = ops.softmax(apply_masks(self, scores, o), -1)
  if self.dropout > 0 and self.training then weights = (ops.dropout(weights, self.dropout)) end
  local mixed = ops.transpose(ops.matmul(weights, v), 2, 3)
  local shape = { support.size(query, 1), support.size(query, 2), self.embed_dim }
  return self.out_proj(support.reshape(mixed, shape)), weights
end

--- @param query (L, N, E), with batch_first (N, L, E), or (L, E)
-- @param key, value (S, N, E) likewise
-- @param ... options: key_padding_mask (N, S) and attn_mask (L, S) or (N * heads, L, S), true (or -inf) where
-- nothing may be attended to; need_weights=true; average_attn_weights=true
-- @return the attended values, as query; the weights (N, L, S), or (N, heads, L, S) if not averaged, unless not needed
function MultiheadAttention:forward(query, key, value, ...)
  local o = read_call(...)
  local n = support.is_tensor(query) and support.ndim(query) == 2 and 2 or 3
  check(self, 'query', query, n)
  check(self, 'key', key, n)
  check(self, 'value', value, n)
  if n == 2 then
    query, key, value = ops.unsqueeze(query, 1), ops.unsqueeze(key, 1), ops.unsqueeze(value, 1)
  elseif not self.batch_first then
    query, key, value = ops.transpose(query, 1, 2), ops.transpose(key, 1, 2), ops.transpose(value, 1, 2)
  end
  local y, weights = attend(self, query, key, value, o)
  if o.need_weights and o.average_attn_weights then weights = ops.mean(weights, 2) end
  if n == 2 then
    y, weights = ops.squeeze(y, 1), ops.squeeze(weights, 1)
  elseif not self.batch_first then
    y = ops.transpose(y, 1, 2)
  end
  if o.need_weights then return y, weights end
  return y
end

return MultiheadAttention
