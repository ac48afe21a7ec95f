--- MultiheadAttention: products of queries with keys weigh the values, in several heads (Vaswani et al. 2017).
-- MultiheadAttention(embed_dim, num_heads, {dropout=0, bias=true, add_bias_kv=false, add_zero_attn=false,
-- kdim=embed_dim, vdim=embed_dim, batch_first=false}). Input weights are Glorot-uniform, biases zero. The projections of
-- query, key and value stand in one weight, in_proj_weight, unless kdim or vdim differs from embed_dim.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local Linear = require 'metann.nn.layers.linear'
local attention = require 'metann.nn.shared.attention'
local options = require 'metann.nn.machinery.options'
local fresh = require 'metann.nn.shared.fresh'
local initializers = require 'metann.nn.initializers'
local support = require 'metann.support'
local kinds, ops, raise, size = options.kinds, support.ops, support.raise, support.size

local MultiheadAttention = class.new('MultiheadAttention', Module)

local read = options.layer_reader('MultiheadAttention', {
  { 'embed_dim', kinds.count },
  { 'num_heads', kinds.count },
  { 'dropout', kinds.probability, 0 },
  { 'bias', kinds.boolean, true },
  { 'add_bias_kv', kinds.boolean, false },
  { 'add_zero_attn', kinds.boolean, false },
  { 'kdim', kinds.count, optional = true },
  { 'vdim', kinds.count, optional = true },
  { 'batch_first', kinds.boolean, false },
})

local function glorot(shape) return initializers.xavier_uniform_(fresh.constant(shape, 0)) end

local function add_projections(self, o)
  local e = o.embed_dim
  if self.kdim == e and self.vdim == e then
    self:register_parameter('in_proj_weight', glorot{ 3 * e, e })
  else
    self:register_parameter('q_proj_weight', glorot{ e, e })
    self:register_parameter('k_proj_weight', glorot{ e, self.kdim })
    self:register_parameter('v_proj_weight', glorot{ e, self.vdim })
  end
  self:register_parameter('in_proj_bias', o.bias and fresh.constant({ 3 * e }, 0) or nil)
  self.out_proj = Linear(e, e, o.bias)
  if o.bias then initializers.zeros_(self.out_proj.bias) end
  if o.add_bias_kv then
    self:register_parameter('bias_k', initializers.xavier_normal_(fresh.constant({ 1, 1, e }, 0)))
    self:register_parameter('bias_v', initializers.xavier_normal_(fresh.constant({ 1, 1, e }, 0)))
  end
end

--- @param embed_dim width of queries and outputs
-- @param num_heads how many heads share that width
-- @param dropout of the attention weights, in training mode
-- @param bias false: no biases
-- @param add_bias_kv true: a learned key and value stand at the end of every sequence
-- @param add_zero_attn true: a key and value of zeros stand at the end of every sequence
-- @param kdim, vdim widths of keys and values
-- @param batch_first true: inputs are (N, L, E) instead of (L, N, E)
-- @param device, dtype as in PyTorch
function MultiheadAttention:init(...)
  local o = read(...)
  if o.embed_dim % o.num_heads ~= 0 then
    raise("MultiheadAttention: 'embed_dim' (%d) must be divisible by 'num_heads' (%d)", o.embed_dim, o.num_heads)
  end
  self.embed_dim, self.num_heads, self.dropout, self.batch_first = o.embed_dim, o.num_heads, o.dropout, o.batch_first
  self.kdim, self.vdim, self.add_zero_attn = o.kdim or o.embed_dim, o.vdim or o.embed_dim, o.add_zero_attn
  add_projections(self, o)
  options.place(self, o)
end

local CALL = {
  { 'key_padding_mask', kinds.tensor, optional = true },
  { 'need_weights', kinds.boolean, true },
  { 'attn_mask', kinds.tensor, optional = true },
  { 'average_attn_weights', kinds.boolean, true },
}
local read_call = options.reader('MultiheadAttention', CALL)
-- the same with the inputs by name, too
local read_all = options.reader('MultiheadAttention', {
  { 'query', kinds.tensor }, { 'key', kinds.tensor }, { 'value', kinds.tensor }, unpack(CALL),
})

local function check(self, name, x, n, width)
  if not support.is_tensor(x) or support.ndim(x) ~= n or size(x, -1) ~= width then
    raise("MultiheadAttention: '%s' must be a tensor of size %s, got %s", name,
      (n == 2 and '(L, %d)' or self.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(width), support.describe(x))
  end
end

--- That query, key and value belong together.
local function check_lengths(key, value, query)
  if size(key, 1) ~= size(value, 1) or size(key, 2) ~= size(value, 2) or size(key, 1) ~= size(query, 1) then
    raise("MultiheadAttention: 'query', 'key' and 'value' must have the same batch, and 'key' and 'value' the same "
      .. 'length; as (batch, length) they have (%d, %d), (%d, %d) and (%d, %d)', size(query, 1), size(query, 2),
      size(key, 1), size(key, 2), size(value, 1), size(value, 2))
  end
end

-- ---- projections ----

local PARTS = { 'q_proj_weight', 'k_proj_weight', 'v_proj_weight' }

--- Projection k (1 query, 2 key, 3 value) of x (N, L, width): (N, L, E).
local function project(self, x, k)
  local e, bias = self.embed_dim, self.in_proj_bias
  local weight = self.in_proj_weight
  if weight then weight = ops.slice(weight, 1, (k - 1) * e + 1, e) else weight = self[PARTS[k]] end
  return ops.linear(x, weight, bias and ops.slice(bias, 1, (k - 1) * e + 1, e))
end

--- (N, L, E) as (N, heads, L, E / heads).
local function in_heads(self, x)
  local shape = { size(x, 1), size(x, 2), self.num_heads, self.embed_dim / self.num_heads }
  return ops.transpose(support.reshape(x, shape), 2, 3)
end

--- x (N, L, E) with one more place at the end: `last` (1, 1, E), or zeros.
local function with_place(x, last)
  local shape = { size(x, 1), 1, size(x, 3) }
  return ops.cat({ x, last and ops.expand(last, shape) or support.full(x, shape, 0) }, 2)
end

-- ---- masks ----

--- A mask with places at the end that hide nothing.
local function longer(mask, count)
  local pads = { 0, count }
  return support.functions.pad(mask, pads)
end

local function check_mask(name, mask, ...)
  local got = support.shape_text(mask)
  local wanted = {}
  for i, shape in ipairs{ ... } do
    wanted[i] = support.tuple(shape)
    if got == wanted[i] then return end
  end
  raise("MultiheadAttention: '%s' must have size %s, got %s", name, table.concat(wanted, ' or '), got)
end

--- One mask of both, (N or 1, heads or 1, L or 1, S), with `extra` places that were added to the keys; nil for none.
local function mask_of(self, o, n, l, s, extra)
  local mask, padding = o.attn_mask, o.key_padding_mask
  if mask then
    check_mask('attn_mask', mask, { l, s }, { n * self.num_heads, l, s })
    mask = attention.mask('MultiheadAttention', 'attn_mask', mask)
    if support.ndim(mask) == 3 then mask = support.reshape(mask, { n, self.num_heads, l, s }) end
  end
  if padding then
    if support.ndim(padding) == 1 then padding = ops.unsqueeze(padding, 1) end
    check_mask('key_padding_mask', padding, { n, s })
    padding = support.reshape(attention.mask('MultiheadAttention', 'key_padding_mask', padding), { n, 1, 1, s })
  end
  local both = mask and padding and attention.both(mask, padding) or mask or padding
  return both and extra > 0 and longer(both, extra) or both
end

-- ---- attention ----

--- Attention of (N, L, E) inputs: (N, L, E), and the weights (N, heads, L, S).
local function attend(self, query, key, value, o)
  local q, k, v = project(self, query, 1), project(self, key, 2), project(self, value, 3)
  local extra = 0
  if self.bias_k then k, v, extra = with_place(k, self.bias_k), with_place(v, self.bias_v), 1 end
  if self.add_zero_attn then k, v, extra = with_place(k), with_place(v), extra + 1 end
  q, k, v = in_heads(self, q), in_heads(self, k), in_heads(self, v)
  local scores = ops.matmul(ops.mul(q, 1 / math.sqrt(self.embed_dim / self.num_heads)), k, false, true)
  local weights = attention.weights(scores, mask_of(self, o, size(query, 1), size(query, 2), size(key, 2), extra))
  if self.dropout > 0 and self.training then weights = (ops.dropout(weights, self.dropout)) end
  local mixed = ops.transpose(ops.matmul(weights, v), 2, 3)
  local shape = { size(query, 1), size(query, 2), self.embed_dim }
  return self.out_proj(support.reshape(mixed, shape)), weights
end

--- @param query (L, N, E), with batch_first (N, L, E), or (L, E)
-- @param key (S, N, kdim) likewise
-- @param value (S, N, vdim) likewise
-- @param ... options: key_padding_mask (N, S) and attn_mask (L, S) or (N * heads, L, S), true (or -inf) where
-- nothing may be attended to; need_weights=true; average_attn_weights=true
-- @return the attended values, as query; the weights (N, L, S), or (N, heads, L, S) if not averaged, unless not needed
function MultiheadAttention:forward(query, key, value, ...)
  local o
  if support.is_tensor(query) and support.is_tensor(key) and support.is_tensor(value) then
    o = read_call(...)
  else
    o = read_all(query, key, value, ...)
    query, key, value = o.query, o.key, o.value
  end
  local n = support.ndim(query) == 2 and 2 or 3
  check(self, 'query', query, n, self.embed_dim)
  check(self, 'key', key, n, self.kdim)
  check(self, 'value', value, n, self.vdim)
  if n == 2 then
    query, key, value = ops.unsqueeze(query, 1), ops.unsqueeze(key, 1), ops.unsqueeze(value, 1)
  elseif not self.batch_first then
    query, key, value = ops.transpose(query, 1, 2), ops.transpose(key, 1, 2), ops.transpose(value, 1, 2)
  end
  check_lengths(key, value, query)
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
