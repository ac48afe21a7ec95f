--- What the layers of transformers share: their options and parts, blocks with a shortcut, stacks of layers.
local class = require 'metann.nn.machinery.class'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

local transformer = {}

--- Options of a layer.
transformer.LAYER = {
  { 'd_model', kinds.count },
  { 'nhead', kinds.count },
  { 'dim_feedforward', kinds.count, 2048 },
  { 'dropout', kinds.probability, 0.1 },
  { 'activation', kinds.either(kinds.choice('relu', 'gelu'), kinds.callable), 'relu' },
  { 'layer_norm_eps', kinds.nonnegative, 1e-5 },
  { 'batch_first', kinds.boolean, false },
  { 'norm_first', kinds.boolean, false },
  { 'bias', kinds.boolean, true },
}

--- An optional mask of a call; whether one hides what comes later.
function transformer.mask(name) return { name, kinds.tensor, optional = true } end
function transformer.causal(name) return { name, kinds.boolean, optional = true } end

--- A parameter that takes a module.
function transformer.module(name, optional)
  return { name, function(v) return class.class_of(v) and v or nil, 'a module' end, optional = optional }
end

local NORMS, DROPOUTS = { 'norm1', 'norm2', 'norm3' }, { 'dropout1', 'dropout2', 'dropout3' }

--- Gives a new layer its parts: attentions of those names, the two-layer net, a norm and a dropout for each.
-- @param classes Linear, Dropout, LayerNorm and MultiheadAttention by name
function transformer.build(name, self, o, classes, attentions)
  if o.d_model % o.nhead ~= 0 then
    support.raise("%s: 'd_model' (%d) must be divisible by 'nhead' (%d)", name, o.d_model, o.nhead)
  end
  self.d_model, self.norm_first, self.activation = o.d_model, o.norm_first, o.activation
  for _, attention in ipairs(attentions) do
    self[attention] = classes.MultiheadAttention(o.d_model, o.nhead, {
      dropout = o.dropout, batch_first = o.batch_first, bias = o.bias,
    })
  end
  self.linear1 = classes.Linear(o.d_model, o.dim_feedforward, o.bias)
  self.dropout = classes.Dropout(o.dropout)
  self.linear2 = classes.Linear(o.dim_feedforward, o.d_model, o.bias)
  for i = 1, #attentions + 1 do
    self[NORMS[i]] = classes.LayerNorm(o.d_model, { eps = o.layer_norm_eps, bias = o.bias })
  end
  for i = 1, #attentions + 1 do self[DROPOUTS[i]] = classes.Dropout(o.dropout) end
end

--- Raises unless x is a sequence of the layer's width.
function transformer.check(name, self, what, x)
  local n = support.ndim(x)
  if (n ~= 2 and n ~= 3) or support.size(x, -1) ~= self.d_model then
    support.raise("%s: '%s' must be a tensor of size %s or (L, %d), got %s", name, what,
      (self.self_attn.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(self.d_model), self.d_model,
      support.describe(x))
  end
end

--- The square mask that hides what comes later, true where nothing may be attended to.
local function later(length) return ops.cast(ops.triu(ops.full({ length, length }, 1), 1), 'bool') end

--- The mask of x that was given, or with `causal` and none the one that hides what comes later.
local function mask_of(self, x, mask, causal)
  if mask or not causal then return mask end
  return support.beside(x, later, support.size(x, support.ndim(x) == 3 and self.self_attn.batch_first and 2 or 1))
end

--- x with what block k (self, x, ...) adds, dropout included; normalised before that or after it.
local function with_shortcut(self, k, x, block, ...)
  local norm, dropout = self[NORMS[k]], self[DROPOUTS[k]]
  if self.norm_first then return ops.add(x, dropout((block(self, norm(x), ...)))) end
  return norm(ops.add(x, dropout((block(self, x, ...)))))
end

local function to_itself(self, x, o) return self.self_attn(x, x, x, o) end
local function to_memory(self, x, memory, o) return self.multihead_attn(x, memory, memory, o) end

local function feed_forward(self, x)
  local activation, y = self.activation, self.linear1(x)
  if activation == 'relu' then
    y = ops.relu(y)
  elseif activation == 'gelu' then
    y = ops.gelu(y)
  else
    y = activation(y)
  end
  return self.linear2(self.dropout(y))
end

--- x with its attention to itself added: block 1.
function transformer.self_attention(self, x, mask, padding, causal)
  return with_shortcut(self, 1, x, to_itself, {
    attn_mask = mask_of(self, x, mask, causal), key_padding_mask = padding, need_weights = false,
  })
end

--- x with its attention to memory added: block 2 of a decoder.
function transformer.memory_attention(self, x, memory, mask, padding)
  return with_shortcut(self, 2, x, to_memory, memory, { attn_mask = mask, key_padding_mask = padding, need_weights = false })
end

--- x with what the two-layer net makes of it added: block k.
function transformer.feed_forward(self, k, x) return with_shortcut(self, k, x, feed_forward) end

--- A list of n copies of a layer.
function transformer.copies(layer, n)
  local list = {}
  for i = 1, n do list[i] = layer:deepcopy() end
  return list
end

--- Passes x through a stack's layers and its norm, if it has one; what is given besides goes to each layer.
function transformer.pass(self, x, ...)
  for i = 1, self.layers:len() do x = self.layers[i](x, ...) end
  return self.norm and self.norm(x) or x
end

--- The mask of floats, -inf above the diagonal, that hides what comes later.
function transformer.square_subsequent_mask(length)
  return ops.triu(ops.full({ length, length }, -math.huge), 1)
end

return transformer
