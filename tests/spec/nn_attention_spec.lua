-- Attention under masks, against loops over the keys that are left; a query to which a mask leaves none gives 0 and has
-- derivatives of 0, of any order.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local nn = metann.nn
local message, close = checks.message, checks.close
local F = nn.functional
local f64 = { dtype = 'float64' }

local function is_finite(t)
  for _, v in ipairs(t:detach():reshape(-1):to_table()) do assert.is_true(v - v == 0) end
end

local seed = os.time() % 100000
setup(function()
  print('seed ' .. seed)
  metann.manual_seed(seed)
end)

--- For tables q (L, E), k (S, E), v (S, V) and allowed[i][j]: what each query gets, and the weights; loops only.
local function by_loops(q, k, v, allowed, bias)
  local out, weights = {}, {}
  for i = 1, #q do
    local e, total = {}, 0
    for j = 1, #k do
      local s = bias and bias[i][j] or 0
      for c = 1, #q[i] do s = s + q[i][c] * k[j][c] / math.sqrt(#q[i]) end
      e[j] = allowed[i][j] and math.exp(s) or 0
      total = total + e[j]
    end
    out[i], weights[i] = {}, {}
    for j = 1, #k do weights[i][j] = total > 0 and e[j] / total or 0 end
    for c = 1, #v[1] do
      out[i][c] = 0
      for j = 1, #k do out[i][c] = out[i][c] + weights[i][j] * v[j][c] end
    end
  end
  return metann.tensor(out, f64), metann.tensor(weights, f64)
end

--- The mask of floats that hides what isn't allowed, over a bias.
local function float_mask(allowed, bias)
  local list = {}
  for i, row in ipairs(allowed) do
    list[i] = {}
    for j, yes in ipairs(row) do list[i][j] = yes and (bias and bias[i][j] or 0) or -math.huge end
  end
  return metann.tensor(list, f64)
end

local ALLOWED = { { true, false, true }, { false, false, false }, { true, true, true }, { false, false, false } }
local BIAS = { { 0.5, 0, -1 }, { 1, 2, 3 }, { -0.3, 0.2, 0.1 }, { 0, 0, 0 } }

describe('scaled_dot_product_attention', function()
  local q, k, v
  before_each(function()
    q, k, v = metann.randn(4, 2, f64), metann.randn(3, 2, f64), metann.randn(3, 5, f64)
  end)

  it('gives 0 to a query that may attend to nothing, by masks of bools and of floats', function()
    local y = F.scaled_dot_product_attention(q, k, v, { attn_mask = metann.tensor(ALLOWED) })
    close(y, (by_loops(q:to_table(), k:to_table(), v:to_table(), ALLOWED)))
    assert.same({ 0, 0, 0, 0, 0 }, y[2]:to_table())
    y = F.scaled_dot_product_attention(q, k, v, { attn_mask = float_mask(ALLOWED, BIAS) })
    close(y, (by_loops(q:to_table(), k:to_table(), v:to_table(), ALLOWED, BIAS)))
    assert.same({ 0, 0, 0, 0, 0 }, y[4]:to_table())
  end)

  it('has derivatives there that differences confirm, of the first three orders', function()
    local inputs = { q:requires_grad_(true), k:requires_grad_(true), v:requires_grad_(true) }
    for _, mask in ipairs{ metann.tensor(ALLOWED), float_mask(ALLOWED, BIAS) } do
      assert.is_true(metann.gradcheck(function(a, b, c)
        return F.scaled_dot_product_attention(a, b, c, { attn_mask = mask })
      end, inputs, { order = 3 }))
      local g = metann.grad(F.scaled_dot_product_attention(q, k, v, { attn_mask = mask }):sum(), inputs)
      assert.same({ 0, 0 }, g[1][2]:to_table())
      assert.same({ 0, 0 }, g[1][4]:to_table())
    end
  end)

  it('lets nothing of such a query reach the derivatives, be it infinite', function()
    local broken = q:clone()
    broken[2] = math.huge
    broken:requires_grad_(true)
    local g = metann.grad(F.scaled_dot_product_attention(broken, k, v, { attn_mask = metann.tensor(ALLOWED) }):sum(), broken)
    is_finite(g)
  end)

  it('makes no NaN or infinity on the way, not even one that is put right', function()
    q:requires_grad_(true)
    for _, mask in ipairs{ metann.tensor(ALLOWED), float_mask(ALLOWED, BIAS) } do
      metann.detect_anomaly(function()
        local g = metann.grad(F.scaled_dot_product_attention(q, k, v, { attn_mask = mask }):square():sum(), q,
          { create_graph = true })
        is_finite(metann.grad(g:square():sum(), q))
      end)
    end
  end)

  it('passes a mask that is learned its gradient', function()
    local bias = metann.tensor(BIAS, f64):requires_grad_(true)
    local hidden = float_mask(ALLOWED)
    assert.is_true(metann.gradcheck(function(b)
      return F.scaled_dot_product_attention(q, k, v, { attn_mask = b + hidden })
    end, { bias }, { order = 2 }))
  end)

  it('takes masks that broadcast, and no keys at all', function()
    local row = metann.tensor{ { true, false, true } }
    local rows = { { true, false, true }, { true, false, true }, { true, false, true }, { true, false, true } }
    close(F.scaled_dot_product_attention(q, k, v, { attn_mask = row }),
      (by_loops(q:to_table(), k:to_table(), v:to_table(), rows)))
    close(F.scaled_dot_product_attention(q, k, v, { attn_mask = metann.tensor{ { true }, { false }, { true }, { false } } }),
      (by_loops(q:to_table(), k:to_table(), v:to_table(),
        { { true, true, true }, { false, false, false }, { true, true, true }, { false, false, false } })))
    close(F.scaled_dot_product_attention(q, metann.zeros(0, 2, f64), metann.zeros(0, 5, f64),
      { attn_mask = metann.ones(4, 0):eq(1) }), metann.zeros(4, 5, f64))
    local y = F.scaled_dot_product_attention(q:float(), k:float(), v:float(), { attn_mask = float_mask(ALLOWED) })
    assert.equal('float32', y.dtype)
    assert.same({ 0, 0, 0, 0, 0 }, y[2]:to_table())
    assert.matches("scaled_dot_product_attention: 'attn_mask' must be a mask of bool or of floats, got int64 tensor",
      message(F.scaled_dot_product_attention, q, k, v, { attn_mask = metann.ones(4, 3, { dtype = 'int64' }) }))
  end)

  it('is causal where there are more queries than keys, and fewer', function()
    local lower = {}
    for i = 1, 4 do lower[i] = { true, i >= 2, i >= 3 } end
    close(F.scaled_dot_product_attention(q, k, v, { is_causal = true }),
      (by_loops(q:to_table(), k:to_table(), v:to_table(), lower)))
    close(F.scaled_dot_product_attention(q[{ { 1, 2 } }], k, v, { is_causal = true }),
      (by_loops(q[{ { 1, 2 } }]:to_table(), k:to_table(), v:to_table(), { lower[1], lower[2] })))
  end)

  it('takes a scale', function()
    local all = {}
    for i = 1, 4 do all[i] = { true, true, true } end
    close(F.scaled_dot_product_attention(q, k, v, { scale = 0.3 }),
      (by_loops((q * (0.3 * math.sqrt(2))):to_table(), k:to_table(), v:to_table(), all)))
  end)

  it('lets several heads of the query share one of key and value', function()
    local many, keys, values = metann.randn(2, 6, 4, 3, f64), metann.randn(2, 2, 5, 3, f64), metann.randn(2, 3, 5, 2, f64)
    local y = F.scaled_dot_product_attention(many, keys, values, { enable_gqa = true })
    assert.same({ 2, 6, 4, 2 }, y.shape)
    for n = 1, 2 do
      for head = 1, 6 do
        close(y[n][head], F.scaled_dot_product_attention(many[n][head], keys[n][math.ceil(head / 3)],
          values[n][math.ceil(head / 2)]))
      end
    end
    assert.matches("the heads of 'query' %(6%) must be a multiple of those of 'key' %(4%) and 'value' %(4%)", message(
      F.scaled_dot_product_attention, many, metann.randn(2, 4, 5, 3, f64), metann.randn(2, 4, 5, 3, f64),
      { enable_gqa = true }))
    assert.matches("'enable_gqa' wants tensors of size", message(F.scaled_dot_product_attention, q, k, v,
      { enable_gqa = true }))
  end)
end)

describe('MultiheadAttention', function()
  local attention, x
  before_each(function()
    attention = nn.MultiheadAttention(4, 2, { batch_first = true, dtype = 'float64' })
    metann.nn.init.normal_(attention.out_proj.bias)
    x = metann.randn(2, 3, 4, f64):requires_grad_(true)
  end)

  --- Every form in which the sample 2 has nothing to attend to, and in one the first head of sample 1 too.
  local function options()
    local padding = metann.tensor{ { false, false, true }, { true, true, true } }
    local head = metann.zeros(4, 3, 3):eq(1)
    head[1][2] = true
    head[3], head[4] = true, true
    local half = metann.tensor{ { false, true, true }, { true, true, true }, { false, false, true } }
    local floats = metann.zeros(2, 3, f64):masked_fill(padding, -math.huge)
    return {
      { key_padding_mask = padding }, { key_padding_mask = floats }, { key_padding_mask = padding:to 'uint8' },
      { attn_mask = head }, { attn_mask = half, key_padding_mask = padding }, { attn_mask = half, key_padding_mask = floats },
      { attn_mask = metann.zeros(3, 3, f64):masked_fill(half, -math.huge), key_padding_mask = padding },
    }
  end

  it('gives what the output layer makes of 0, weights of 0, finite derivatives of the right size', function()
    for _, o in ipairs(options()) do
      for _, need in ipairs{ true, false } do
        for _, average in ipairs{ true, false } do
          o.need_weights, o.average_attn_weights = need, average
          local y, weights = attention(x, x, x, o)
          for l = 1, 3 do close(y[2][l], attention.out_proj.bias) end
          if need then assert.equal(0, weights[2]:abs():sum():item()) else assert.is_nil(weights) end
          local list = { x }
          for p in attention:parameters() do list[#list + 1] = p end
          for _, g in ipairs(metann.grad(y:square():sum(), list)) do is_finite(g) end
        end
      end
    end
  end)

  it('has right derivatives, by differences', function()
    for _, o in ipairs(options()) do
      assert.is_true(metann.gradcheck(function(t) return (attention(t, t, t, o)) end, { x }, { order = 2 }))
    end
  end)

  it('is one head at a time what loops over the keys make of it', function()
    local y, weights = attention(x, x, x, { attn_mask = options()[4].attn_mask, average_attn_weights = false })
    local w, b = attention.in_proj_weight, attention.in_proj_bias
    local rows = {}
    for part = 1, 3 do
      local at = { { (part - 1) * 4 + 1, part * 4 } }
      rows[part] = F.linear(x[1], w[at], b[at]):detach()
    end
    local allowed = { { { true, true, true }, { false, false, false }, { true, true, true } },
      { { true, true, true }, { true, true, true }, { true, true, true } } }
    local heads = {}
    for head = 1, 2 do
      local at = { {}, { head * 2 - 1, head * 2 } }
      local out, seen = by_loops(rows[1][at]:to_table(), rows[2][at]:to_table(), rows[3][at]:to_table(), allowed[head])
      close(weights[1][head], seen)
      heads[head] = out
    end
    close(y[1], attention.out_proj(metann.cat(heads, 2)))
  end)

  it('takes inputs by name, too', function()
    local y = attention(x, x, x * 2, { need_weights = false })
    close(attention{ query = x, key = x, value = x * 2, need_weights = false }, y)
    close(attention(x, { key = x, value = x * 2, need_weights = false }), y)
    assert.matches("MultiheadAttention: 'value' must be given", message(attention, x, x))
    local layer = nn.TransformerEncoderLayer(4, 2, { dropout = 0, batch_first = true, dtype = 'float64' })
    local mask = metann.eye(3):eq(0)
    close(layer{ src = x, src_mask = mask }, layer(x, mask))
  end)

  it('never leaves a query without a key where one was added', function()
    local hidden = { key_padding_mask = metann.ones(2, 3):eq(1) }
    for _, added in ipairs{ 'add_bias_kv', 'add_zero_attn' } do
      local with = nn.MultiheadAttention(4, 2, { batch_first = true, dtype = 'float64', [added] = true })
      local _, weights = with(x, x, x, hidden)
      close(weights:sum(3), metann.ones(2, 3, f64))
      assert.same({ 0, 0, 0, 1 }, weights[1][1]:to_table())
    end
  end)

  it('refuses masks of other dtypes', function()
    assert.matches("MultiheadAttention: 'key_padding_mask' must be a mask of bool or of floats, got int64 tensor of size "
      .. '%(2, 3%)', message(attention, x, x, x, { key_padding_mask = metann.zeros(2, 3, { dtype = 'int64' }) }))
  end)
end)

describe('TransformerEncoderLayer', function()
  it('keeps a sample that is all padding from the gradients of the others', function()
    for _, first in ipairs{ true, false } do
      local layer = nn.TransformerEncoderLayer(4, 2, { dim_feedforward = 8, dropout = 0, norm_first = first, batch_first = true,
        dtype = 'float64' })
      local x = metann.randn(2, 3, 4, f64)
      local padding = metann.tensor{ { true, true, true }, { false, false, true } }
      local list = {}
      for p in layer:parameters() do list[#list + 1] = p end
      local y = layer(x, { src_key_padding_mask = padding })
      is_finite(y)
      local both = metann.grad(y[2]:square():sum(), list)
      local alone = layer(x[{ { 2, 2 } }], { src_key_padding_mask = padding[{ { 2, 2 } }] })
      local right = metann.grad(alone:square():sum(), list)
      for i = 1, #list do close(both[i], right[i], 1e-9) end
    end
  end)
end)

describe('transformers', function()
  local function net()
    return nn.Transformer{ d_model = 4, nhead = 2, num_encoder_layers = 1, num_decoder_layers = 2, dim_feedforward = 3, dropout = 0,
      dtype = 'float64' }
  end
  local src, tgt = metann.randn(3, 2, 4, f64), metann.randn(5, 2, 4, f64)

  it('hide what comes later by a mask or without one', function()
    local transformer = net()
    local mask = nn.Transformer.generate_square_subsequent_mask(5)
    assert.same({ 5, 5 }, mask.shape)
    assert.equal(-math.huge, mask[2][3]:item())
    assert.equal(0, mask[3][3]:item())
    local want = transformer(src, tgt, { tgt_mask = mask })
    local got = transformer(src, tgt, { tgt_is_causal = true })
    assert.is_true((want - got):abs():max():item() < 1e-14)
    -- earlier results don't depend on later targets
    local other = metann.cat({ tgt:narrow(1, 1, 3), metann.randn(2, 2, 4, f64) }, 1)
    local changed = transformer(src, other, { tgt_is_causal = true })
    assert.is_true((changed - got):narrow(1, 1, 3):abs():max():item() < 1e-14)
    assert.is_true((changed - got):narrow(1, 4, 2):abs():max():item() > 1e-6)
  end)

  it('take batches first, or no batch, and padding', function()
    local transformer = net()
    local first = nn.Transformer{ d_model = 4, nhead = 2, num_encoder_layers = 1, num_decoder_layers = 2, dim_feedforward = 3,
      dropout = 0, batch_first = true, dtype = 'float64' }
    first:load_state_dict(transformer:state_dict())
    local want = transformer(src, tgt)
    assert.is_true((first(src:transpose(1, 2), tgt:transpose(1, 2)):transpose(1, 2) - want):abs():max():item() < 1e-14)
    assert.is_true((transformer(src:select(2, 1), tgt:select(2, 1)) - want:select(2, 1)):abs():max():item() < 1e-14)
    local hidden = metann.tensor{ { false, false, true }, { false, false, true } }
    local short = transformer(src:narrow(1, 1, 2), tgt)
    local padded = transformer(src, tgt, { src_key_padding_mask = hidden, memory_key_padding_mask = hidden })
    assert.is_true((short - padded):abs():max():item() < 1e-14)
  end)

  it("have PyTorch's names", function()
    local names = {}
    for name in net():named_parameters() do names[name] = true end
    local state = net():state_dict{ to = 'pytorch' }
    for _, name in ipairs{ 'encoder.layers.0.self_attn.in_proj_weight', 'encoder.norm.bias',
      'decoder.layers.1.multihead_attn.out_proj.bias', 'decoder.layers.0.norm3.weight', 'decoder.norm.weight' } do
      assert.is_truthy(state[name], name)
    end
    assert.is_true(names['decoder.layers.2.linear2.bias'])
  end)

  it("take encoders and decoders of your own, and refuse sizes that don't fit", function()
    local custom = nn.Transformer{ d_model = 4, nhead = 2, custom_encoder = nn.Identity(), custom_decoder = net().decoder,
      dtype = 'float64' }
    assert.same({ 5, 2, 4 }, nn.TransformerDecoder(net().decoder.layers[1], 2)(tgt, src).shape)
    assert.is_true(nn.is(custom.encoder, nn.Identity))
    assert.matches("Transformer: 'src' must be a tensor of size %(L, N, 4%) or %(L, 4%)", message(net(), metann.ones(2, 3), tgt))
    assert.matches("Transformer: 'src' and 'tgt' must have the same batch", message(net(), src, tgt:narrow(2, 1, 1)))
    assert.matches("TransformerDecoderLayer: 'd_model' %(3%) must be divisible by 'nhead' %(2%)", message(nn.TransformerDecoderLayer, 3, 2))
    assert.matches("TransformerEncoder: 'encoder_layer' must be a module, got number 3", message(nn.TransformerEncoder, 3, 2))
    assert.matches("TransformerDecoderLayer: 'memory_is_causal' says what 'memory_mask' is", message(net().decoder.layers[1], tgt, src,
      { memory_is_causal = true }))
  end)
end)
