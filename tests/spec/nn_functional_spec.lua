-- nn.functional: options and forms of input that the layers don't have, and values that are refused.
local metann = require 'metann'
local namespace = require 'tests.support.namespace'
local rows_of = require 'tests.support.rows'
require 'tests.support.guarded'
local checks = require 'tests.support.checks'
local nn = metann.nn
local message = checks.message
local F = nn.functional
local f64 = { dtype = 'float64' }

it('linear takes a vector as weight, and integers', function()
  local x, w = metann.tensor({ { 1, 2, 3 }, { 4, 5, 6 } }, f64), metann.tensor({ 1, 0, -2 }, f64)
  assert.same({ -5, -8 }, F.linear(x, w):to_table())
  assert.same({ -4.5, -7.5 }, F.linear(x, w, metann.tensor(0.5, f64)):to_table())
  assert.equal(-5, F.linear(x[1], w):item())
  local I = { dtype = 'int64' }
  local y = F.linear(metann.tensor({ { 1, 2 } }, I), metann.tensor({ { 3, 4 }, { 5, 6 } }, I), metann.tensor({ 1, 1 }, I))
  assert.equal('int64', y.dtype)
  assert.same({ { 12, 18 } }, y:to_table())
  assert.is_true(metann.gradcheck(function(a, b) return F.linear(a, b) end,
    { x:requires_grad_(true), w:requires_grad_(true) }, { order = 2 }))
end)

it('softmax and log_softmax compute in the dtype that is asked for', function()
  local x = metann.tensor({ 1, 3 }, { dtype = 'int64' })
  for _, name in ipairs{ 'softmax', 'log_softmax' } do
    local y = F[name](x, 1, { dtype = 'float64' })
    assert.equal('float64', y.dtype)
    local right = 1 / (1 + math.exp(2))
    assert.near(name == 'softmax' and right or math.log(right), y[1]:item(), 1e-14)
    assert.matches("'dtype' must be one of 'float32', 'float64', got string 'int64'", message(F[name], x, 1, { dtype = 'int64' }))
  end
end)

it('windows take lists of one, an empty list for the stride and any divisor but 0', function()
  local x = metann.arange(16, f64):reshape(1, 1, 4, 4)
  local right = F.avg_pool2d(x, 2, { padding = 1 }):to_table()
  assert.same(right, F.avg_pool2d(x, { 2 }, {}, { 1 }):to_table())
  assert.same(right, F.avg_pool2d(x, { 2, 2 }, { 2 }, { 1, 1 }):to_table())
  assert.same((F.avg_pool2d(x, 2) * -2):to_table(), F.avg_pool2d(x, 2, { divisor_override = -2 }):to_table())
  assert.same(F.max_pool2d(x, 2):to_table(), F.max_pool2d(x, { 2 }, {}):to_table())
  assert.matches("'kernel_size' must be a whole number of at least 1 or a list of 2", message(F.max_pool2d, x, { 2, 2, 2 }))
  assert.matches("'kernel_size' must be", message(F.max_pool2d, x, { 0 }))
  assert.matches("'divisor_override' must be a whole number other than 0", message(F.avg_pool2d, x, 2,
    { divisor_override = 0 }))
end)

it('cuts the fraction off means of integers over windows', function()
  local x = metann.tensor({ { { { 7, -7, 3 }, { 2, -4, 9 }, { 1, 1, 1 } } } }, { dtype = 'int64' })
  local small = F.avg_pool2d(x, 2, 1) -- -2 / 4, 1 / 4, 0 / 4, 7 / 4
  assert.equal('int64', small.dtype)
  assert.same({ { { { 0, 0 }, { 0, 1 } } } }, small:to_table())
  assert.same({ { { { 0, 0 }, { 0, 2 } } } }, F.avg_pool2d(x, 2, 1, { divisor_override = 3 }):to_table())
  assert.same({ { { { 1 } } } }, F.avg_pool2d(x, 3):to_table()) -- 13 / 9
  assert.same({ { { { { 1 } } } } }, F.avg_pool3d(x:unsqueeze(1), { 1, 3, 3 }):to_table())
  assert.same({ { { 0, -2 }, { -1, 2 }, { 1, 1 } } }, F.avg_pool1d(x[1], 2, 1):to_table())
  local n, k = 3 ^ 9, 49 -- a mean that is whole stays it
  local whole = metann.full({ 1, 1, 7, 7 }, n, { dtype = 'int64' })
  assert.equal(n, F.avg_pool2d(whole, 7):item())
  assert.equal(n * k / 7, F.avg_pool2d(whole, 7, { divisor_override = 7 }):item())
  assert.matches('avg_pool2d: .*got bool', message(F.avg_pool2d, x:gt(0), 2))
end)

it('refuses limits, slopes and gradients that make no sense', function()
  assert.matches("'min_val' %(0.5%) must not be above 'max_val' %(%-0.5%)", message(F.hardtanh, metann.zeros(1), 0.5, -0.5))
  assert.matches("Hardtanh: 'min_val' %(2%)", message(nn.Hardtanh, { min_val = 2 }))
  assert.equal(1, F.hardtanh(metann.tensor(3), 1, 1):item())
  assert.matches("prelu: 'weight' must have one dim, got size %(1, 3%)", message(F.prelu, metann.ones(2, 3), metann.ones(1, 3)))
  assert.equal(-0.5, F.prelu(metann.tensor(-1), metann.tensor(0.5)):item())
  local index, rows = metann.tensor({ 1 }, { dtype = 'int64' }), metann.ones(2, 2)
  assert.matches("'sparse' must be false: gradients are dense here", message(F.embedding, index, rows, { sparse = true }))
  assert.same({ { 1, 1 } }, F.embedding(index, rows, { sparse = false }):to_table())
end)

-- Every function of its own: {name, {argument's name, value}...} in the order of positions.
local x = metann.randn(4, 3, f64)
local image, line = metann.randn(1, 2, 4, 4, f64), metann.randn(1, 2, 6, f64)
local volume = metann.randn(1, 2, 4, 4, 3, f64)
--- Indices for an input of one sample: element i of a channel goes to place i.
local function places_of(t)
  return metann.arange(t:numel(), { dtype = 'int64' }):reshape(t.shape):remainder(t:numel() / t:size(2)) + 1
end
local labels = metann.tensor({ 1, 3, 2, 1 }, { dtype = 'int64' })
local part = metann.rand(4, 3, f64) * 0.8 + 0.1
local channels = metann.rand(3, f64) + 0.5
local X, T = { 'input', x }, { 'target', part }
local CALLS = {
  { 'relu', X }, { 'leaky_relu', X, { 'negative_slope', 0.3 } }, { 'elu', X, { 'alpha', 2 } },
  { 'gelu', X, { 'approximate', 'tanh' } }, { 'silu', X }, { 'sigmoid', X }, { 'tanh', X }, { 'softsign', X },
  { 'softplus', X, { 'beta', 2 }, { 'threshold', 1 } }, { 'softmax', X, { 'dim', 1 } }, { 'log_softmax', X, { 'dim', -1 } },
  { 'hardtanh', X, { 'min_val', -0.5 }, { 'max_val', 0.5 } }, { 'flatten', { 'input', image }, { 'start_dim', 1 }, { 'end_dim', 3 } },
  { 'unflatten', X, { 'dim', 1 }, { 'unflattened_size', { 2, 2 } } },
  { 'upsample', { 'input', image }, { 'size', { 8, 8 } } },
  { 'max_pool1d', { 'input', line }, { 'kernel_size', 2 }, { 'stride', 1 }, { 'padding', 1 }, { 'dilation', 2 }, { 'ceil_mode', true } },
  { 'max_pool2d', { 'input', image }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'padding', 1 }, { 'dilation', 1 }, { 'ceil_mode', true } },
  { 'avg_pool2d', { 'input', image }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'padding', 1 }, { 'ceil_mode', true },
    { 'count_include_pad', false } },
  { 'adaptive_avg_pool2d', { 'input', image }, { 'output_size', { 3, false } } },
  { 'adaptive_avg_pool2d', { 'input', image }, { 'output_size', { 3 } } },
  { 'adaptive_max_pool2d', { 'input', image }, { 'output_size', 2 } },
  { 'relu6', X }, { 'mish', X }, { 'hardswish', X }, { 'hardsigmoid', X }, { 'selu', X }, { 'celu', X, { 'alpha', 2 } },
  { 'logsigmoid', X }, { 'tanhshrink', X }, { 'softshrink', X, { 'lambd', 0.2 } }, { 'hardshrink', X, { 'lambd', 0.2 } },
  { 'glu', X, { 'dim', 1 } }, { 'softmin', X, { 'dim', 1 } }, { 'threshold', X, { 'threshold', 0.1 }, { 'value', 20 } },
  { 'max_pool3d', { 'input', volume }, { 'kernel_size', 2 }, { 'stride', 1 }, { 'padding', 1 }, { 'dilation', 2 },
    { 'ceil_mode', true } },
  { 'avg_pool1d', { 'input', line }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'padding', 1 }, { 'ceil_mode', true },
    { 'count_include_pad', false } },
  { 'avg_pool3d', { 'input', volume }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'padding', 1 }, { 'ceil_mode', true },
    { 'count_include_pad', false }, { 'divisor_override', 5 } },
  { 'adaptive_avg_pool1d', { 'input', line }, { 'output_size', 4 } },
  { 'adaptive_avg_pool3d', { 'input', volume }, { 'output_size', { 2, false, 1 } } },
  { 'adaptive_max_pool1d', { 'input', line }, { 'output_size', 4 } },
  { 'adaptive_max_pool3d', { 'input', volume }, { 'output_size', { 2, false, 1 } } },
  { 'lp_pool1d', { 'input', line }, { 'norm_type', 2 }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'ceil_mode', true } },
  { 'lp_pool2d', { 'input', image }, { 'norm_type', 2 }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'ceil_mode', true } },
  { 'lp_pool3d', { 'input', volume }, { 'norm_type', 2 }, { 'kernel_size', 2 }, { 'stride', 1 }, { 'ceil_mode', true } },
  { 'max_unpool1d', { 'input', line }, { 'indices', places_of(line) }, { 'kernel_size', 3 }, { 'stride', 2 }, { 'padding', 1 },
    { 'output_size', { 12 } } },
  { 'max_unpool2d', { 'input', image }, { 'indices', places_of(image) }, { 'kernel_size', 2 } },
  { 'max_unpool3d', { 'input', volume }, { 'indices', places_of(volume) }, { 'kernel_size', 2 }, { 'stride', 2 } },
  -- as many windows as there is room for, so that nothing is drawn
  { 'fractional_max_pool2d', { 'input', image }, { 'kernel_size', 2 }, { 'output_size', 3 } },
  { 'fractional_max_pool3d', { 'input', volume }, { 'kernel_size', 2 }, { 'output_size', { 3, 3, 2 } } },
  { 'local_response_norm', { 'input', image }, { 'size', 2 }, { 'alpha', 0.5 }, { 'beta', 0.5 }, { 'k', 2 } },
  { 'pixel_shuffle', { 'input', metann.randn(1, 4, 2, 2, f64) }, { 'upscale_factor', 2 } },
  { 'pixel_unshuffle', { 'input', image }, { 'downscale_factor', 2 } },
  { 'channel_shuffle', { 'input', image }, { 'groups', 2 } },
  { 'upsample_nearest', { 'input', image }, { 'size', { 8, 8 } } }, { 'upsample_bilinear', { 'input', image }, { 'size', 3 } },
  { 'cross_entropy', X, { 'target', labels }, { 'weight', channels }, { 'ignore_index', 3 }, { 'label_smoothing', 0.1 },
    { 'reduction', 'sum' } },
  { 'nll_loss', X, { 'target', labels }, { 'weight', channels }, { 'ignore_index', 3 }, { 'reduction', 'sum' } },
  { 'mse_loss', X, T, { 'reduction', 'sum' } }, { 'l1_loss', X, T, { 'reduction', 'sum' } },
  { 'smooth_l1_loss', X, T, { 'reduction', 'sum' }, { 'beta', 0.5 } }, { 'huber_loss', X, T, { 'reduction', 'sum' }, { 'delta', 0.5 } },
  { 'binary_cross_entropy', { 'input', part }, T, { 'weight', channels }, { 'reduction', 'sum' } },
  { 'binary_cross_entropy_with_logits', X, T, { 'weight', channels }, { 'reduction', 'sum' }, { 'pos_weight', channels * 2 } },
  { 'kl_div', X, T, { 'reduction', 'batchmean' }, { 'log_target', true } },
  { 'cosine_embedding_loss', { 'input1', x }, { 'input2', part }, { 'target', labels:eq(1) }, { 'margin', 0.1 }, { 'reduction', 'sum' } },
  { 'margin_ranking_loss', { 'input1', x }, { 'input2', part }, { 'target', x:sign() }, { 'margin', 0.1 }, { 'reduction', 'sum' } },
  { 'triplet_margin_loss', { 'anchor', x }, { 'positive', part }, { 'negative', x + 1 }, { 'margin', 5 }, { 'p', 3 }, { 'eps', 0 },
    { 'swap', true }, { 'reduction', 'sum' } },
  { 'gaussian_nll_loss', X, T, { 'var', part }, { 'full', true }, { 'eps', 0.3 }, { 'reduction', 'sum' } },
  { 'poisson_nll_loss', X, T, { 'log_input', true }, { 'full', true }, { 'eps', 0.1 }, { 'reduction', 'sum' } },
  { 'hinge_embedding_loss', X, { 'target', x:sign() }, { 'margin', 0.3 }, { 'reduction', 'sum' } },
  { 'multi_margin_loss', X, { 'target', labels }, { 'p', 2 }, { 'margin', 0.3 }, { 'weight', channels }, { 'reduction', 'sum' } },
  { 'multilabel_margin_loss', X, { 'target', labels:unsqueeze(2):expand(4, 3) }, { 'reduction', 'sum' } },
  { 'multilabel_soft_margin_loss', X, T, { 'weight', channels }, { 'reduction', 'sum' } },
  { 'triplet_margin_with_distance_loss', { 'anchor', x }, { 'positive', part }, { 'negative', x + 1 },
    { 'distance_function', function(a, b) return (a - b):abs():sum(-1) end }, { 'margin', 5 }, { 'swap', true },
    { 'reduction', 'sum' } },
  { 'ctc_loss', { 'log_probs', x:log_softmax(2) }, { 'targets', metann.tensor({ 2 }, { dtype = 'int64' }) },
    { 'input_lengths', { 4 } }, { 'target_lengths', { 1 } }, { 'blank', 1 }, { 'reduction', 'sum' }, { 'zero_infinity', true } },
  { 'soft_margin_loss', X, { 'target', x:sign() }, { 'reduction', 'sum' } },
  { 'dropout', X, { 'p', 1 }, { 'training', true } }, { 'dropout2d', { 'input', image }, { 'p', 1 }, { 'training', true } },
  { 'dropout1d', { 'input', line }, { 'p', 1 }, { 'training', true } },
  { 'dropout3d', { 'input', volume }, { 'p', 1 }, { 'training', true } },
  { 'alpha_dropout', X, { 'p', 1 }, { 'training', true } }, { 'feature_alpha_dropout', X, { 'p', 1 }, { 'training', true } },
  { 'rrelu', X, { 'lower', 0.2 }, { 'upper', 0.2 }, { 'training', true } },
  { 'rms_norm', X, { 'normalized_shape', 3 }, { 'weight', channels }, { 'eps', 0.1 } },
  { 'embedding', { 'input', labels }, { 'weight', x }, { 'padding_idx', 2 }, { 'max_norm', 0.5 }, { 'norm_type', 1 } },
  { 'embedding_bag', { 'input', labels }, { 'weight', x }, { 'offsets', metann.tensor({ 1, 3 }, { dtype = 'int64' }) },
    { 'max_norm', 0.5 }, { 'norm_type', 1 }, { 'scale_grad_by_freq', true }, { 'mode', 'sum' }, { 'sparse', false },
    { 'per_sample_weights', metann.randn(4, f64) }, { 'include_last_offset', true }, { 'padding_idx', 3 } },
  { 'affine_grid', { 'theta', metann.randn(1, 2, 3, f64) }, { 'size', { 1, 2, 3, 4 } }, { 'align_corners', true } },
  { 'grid_sample', { 'input', image }, { 'grid', metann.rand(1, 3, 2, 2, f64) }, { 'mode', 'bicubic' },
    { 'padding_mode', 'border' }, { 'align_corners', true } },
  { 'prelu', X, { 'weight', channels } }, { 'linear', X, { 'weight', x }, { 'bias', metann.ones(4, f64) } },
  { 'bilinear', { 'input1', x }, { 'input2', x }, { 'weight', metann.randn(2, 3, 3, f64) }, { 'bias', metann.ones(2, f64) } },
  { 'pairwise_distance', { 'x1', x }, { 'x2', part }, { 'p', 1 }, { 'eps', 0 }, { 'keepdim', true } },
  { 'scaled_dot_product_attention', { 'query', x }, { 'key', x + 1 }, { 'value', part }, { 'attn_mask', x:matmul(x:t()) } },
  { 'batch_norm', X, { 'running_mean', channels }, { 'running_var', channels }, { 'weight', channels }, { 'bias', channels },
    { 'training', false } },
  { 'instance_norm', { 'input', line }, { 'running_mean', channels[{ { 1, 2 } }] }, { 'running_var', channels[{ { 1, 2 } }] },
    { 'weight', channels[{ { 2, 3 } }] }, { 'bias', channels[{ { 1, 2 } }] }, { 'use_input_stats', false } },
  { 'layer_norm', X, { 'normalized_shape', { 3 } }, { 'weight', channels }, { 'bias', channels }, { 'eps', 0.1 } },
  { 'group_norm', { 'input', image }, { 'num_groups', 2 }, { 'weight', channels[{ { 1, 2 } }] } },
  { 'unfold', { 'input', image }, { 'kernel_size', 2 }, { 'dilation', 1 }, { 'padding', { 1, 0 } }, { 'stride', 2 } },
  { 'fold', { 'input', metann.randn(1, 8, 4, f64) }, { 'output_size', { 4, 4 } }, { 'kernel_size', 2 }, { 'dilation', 1 },
    { 'padding', 0 }, { 'stride', 2 } },
  { 'conv1d', { 'input', line }, { 'weight', metann.randn(3, 2, 2, f64) }, { 'bias', channels }, { 'stride', 2 },
    { 'padding', 1 }, { 'dilation', 2 }, { 'groups', 1 } },
  { 'conv2d', { 'input', image }, { 'weight', metann.randn(3, 2, 2, 2, f64) }, { 'bias', channels }, { 'stride', 2 },
    { 'padding', 1 }, { 'dilation', 2 }, { 'groups', 1 } },
  { 'conv3d', { 'input', metann.randn(1, 2, 3, 3, 3, f64) }, { 'weight', metann.randn(3, 2, 2, 2, 2, f64) },
    { 'bias', channels }, { 'stride', 2 }, { 'padding', 1 } },
  { 'conv_transpose1d', { 'input', line }, { 'weight', metann.randn(2, 3, 2, f64) }, { 'bias', channels }, { 'stride', 2 },
    { 'padding', 1 } },
  { 'conv_transpose3d', { 'input', volume }, { 'weight', metann.randn(2, 3, 2, 2, 2, f64) }, { 'bias', channels },
    { 'stride', 2 }, { 'padding', 1 } },
  { 'conv_transpose2d', { 'input', image }, { 'weight', metann.randn(2, 3, 2, 2, f64) }, { 'bias', channels }, { 'stride', 2 },
    { 'padding', 1 } },
  { 'pad', X, { 'pad', { 1, 2 } }, { 'mode', 'constant' }, { 'value', 3 } },
  { 'one_hot', { 'input', labels }, { 'num_classes', 5 } },
  { 'interpolate', { 'input', image }, { 'size', { 8, 8 } } },
  { 'normalize', X, { 'p', 1 }, { 'dim', 1 }, { 'eps', 0.1 } },
  { 'cosine_similarity', X, { 'other', part }, { 'dim', 1 }, { 'eps', 0.1 } },
  { 'pdist', X, { 'p', 1 } },
  -- of one class, as its numbers are drawn
  { 'gumbel_softmax', { 'logits', metann.randn(3, 1, f64) }, { 'tau', 2 }, { 'hard', true }, { 'eps', 0.1 }, { 'dim', 2 } },
}

it('every function of nn.functional is called below', function()
  local called = {}
  for _, call in ipairs(CALLS) do called[call[1]] = true end
  for _, name in ipairs(namespace.functions()) do
    assert.is_true(called[name], name .. ' has no call: add one to CALLS')
  end
end)

describe('arguments of', function()
  for _, call in ipairs(CALLS) do
    local name, count = call[1], #call - 1
    it(name .. ' stand by position, by name, or both', function()
      local positions, names = {}, {}
      for i = 1, count do
        positions[i], names[call[i + 1][1]] = call[i + 1][2], call[i + 1][2]
      end
      local right = F[name](unpack(positions))
      local function is_right(y)
        assert.same(right.shape, y.shape)
        assert.same(right:reshape(-1):to_table(), y:reshape(-1):to_table())
      end
      is_right(F[name](names))
      for k = 1, count - 1 do
        local rest = {}
        for i = k + 1, count do rest[call[i + 1][1]] = positions[i] end
        local given = { unpack(positions, 1, k) }
        given[k + 1] = rest
        is_right(F[name](unpack(given)))
      end
    end)

    it(name .. ' may lie on another device than the default one', function()
      local near, far = {}, {}
      for i = 1, count do
        near[i] = call[i + 1][2]
        far[i] = metann.is_tensor(near[i]) and near[i]:to 'guarded:1' or near[i]
      end
      local want, got = F[name](unpack(near)), F[name](unpack(far))
      assert.equal('guarded:1', got.device)
      assert.equal(rows_of.bytes(want), rows_of.bytes(got))
    end)

    it(name .. ' may not be unknown, missing or no tensor, and errors name it', function()
      local first = call[2][1]
      assert.matches('nn_functional_spec.lua:%d+: ' .. name .. ": '" .. first .. "' must be given", message(function()
        local y = F[name]()
        return y
      end))
      assert.matches(name .. ": '" .. first .. "' must be a tensor, got string 'x'", message(F[name], 'x'))
      assert.matches(name .. ": unknown option 'no_such_option'", message(F[name], call[2][2], { no_such_option = 1 }))
      assert.matches(name .. ": '" .. first .. "' is given twice", message(F[name], call[2][2], { [first] = call[2][2] }))
    end)
  end
end)

it('errors of what a function is made of name the function', function()
  local a, b = metann.ones(2, 3), metann.ones(2, 4)
  for text, call in pairs{
    ["mse_loss: 'input' and 'target' must have the same size"] = function() return (F.mse_loss(a, b)) end,
    ["binary_cross_entropy: 'input' must be numbers from 0 to 1"] = function() return (F.binary_cross_entropy(a * 2, a)) end,
    ["cross_entropy: 'target' of size (2, 4) doesn't fit"] = function() return (F.cross_entropy(a, b)) end,
    ["max_pool2d: 'input' must be a tensor of size"] = function() return (F.max_pool2d(metann.ones(3), 2)) end,
    ["max_pool2d: 'padding' must be at most half"] = function() return (F.max_pool2d(image, 2, { padding = 2 })) end,
    ["hardtanh: 'min_val' (2) must not be above"] = function() return (F.hardtanh(a, 2)) end,
    ["upsample: give either 'size' or 'scale_factor'"] = function() return (F.upsample(image)) end,
    ["upsample: 'align_corners' is for the modes linear"] = function()
      return (F.upsample(image, { size = 8, align_corners = true }))
    end,
    ["upsample: 'recompute_scale_factor' goes with 'scale_factor'"] = function()
      return (F.upsample(image, { size = 8, recompute_scale_factor = true }))
    end,
    ["scaled_dot_product_attention: 'query' must be floats"] = function()
      return (F.scaled_dot_product_attention(a:long(), a, a))
    end,
    ["flatten: 'start_dim' is 4"] = function() return (F.flatten(a, 4)) end,
    ["unflatten: dim 1 of size 2 can't be split"] = function() return (F.unflatten(a, 1, { 3, 5 })) end,
    ["pairwise_distance: sizes don't broadcast"] = function() return (F.pairwise_distance(a, b)) end,
    ['unfold: '] = function() return (F.unfold(image, 9)) end,
    ['linear: '] = function() return (F.linear(a, b)) end,
    ["bilinear: 'weight' must have size (out, in1, in2)"] = function() return (F.bilinear(a, a, metann.ones(1, 3, 4))) end,
    ["embedding: 'weight' must be a tensor of size (rows, width)"] = function() return (F.embedding(labels, labels)) end,
    ["scaled_dot_product_attention: 'key' must be floats of size (..., length, width)"] = function()
      return (F.scaled_dot_product_attention(a, a[1], a))
    end,
    ['scaled_dot_product_attention: '] = function() return (F.scaled_dot_product_attention(a, b, b)) end,
    ["layer_norm: the last dims of 'input' must be (4,)"] = function() return (F.layer_norm(a, 4)) end,
  } do
    local said = message(call)
    assert.truthy(said:find('nn_functional_spec.lua:%d+: ') and said:find(': ' .. text, 1, true), said)
  end
end)

it('defaults are PyTorch\'s', function()
  local function d(v) return metann.tensor(v, f64) end
  assert.near(-0.02, F.leaky_relu(d(-2)):item(), 1e-15)
  assert.near(math.exp(-1) - 1, F.elu(d(-1)):item(), 1e-15)
  assert.equal(20.5, F.softplus(d(20.5)):item())
  assert.near(19.5 + math.exp(-19.5), F.softplus(d(19.5)):item(), 1e-14)
  assert.same({ -1, 1 }, F.hardtanh(d{ -3, 3 }):to_table())
  assert.equal(2.5, F.huber_loss(d(3), d(0)):item())
  assert.equal(0.125, F.huber_loss(d(0.5), d(0)):item())
  assert.equal(2.5, F.smooth_l1_loss(d(3), d(0)):item())
  assert.near(math.sqrt(3) * 1e-6, F.pairwise_distance(d{ 1, 2, 3 }, d{ 1, 2, 3 }):item(), 1e-15)
  assert.equal(1, F.triplet_margin_loss(d{ 1, 2 }, d{ 1, 2 }, d{ 1, 2 }):item())
  assert.equal(0, F.margin_ranking_loss(d(1), d(1), d(1)):item())
  -- the normal distribution function at 1
  assert.near(0.84134474606854293, F.gelu(d(1)):item(), 1e-14)
end)

it('losses and layers without parameters take inputs by name, and nothing that they would not read', function()
  local a, b = metann.randn(2, 3), metann.randn(2, 3)
  local loss = nn.MSELoss()
  assert.equal(loss(a, b):item(), loss{ input = a, target = b }:item())
  assert.equal(loss(a, b):item(), loss(a, { target = b }):item())
  assert.equal(F.relu(a):sum():item(), nn.ReLU(){ input = a }:sum():item())
  local triplet = nn.TripletMarginLoss()
  assert.equal(triplet(a, b, a * 2):item(), triplet(a, { negative = a * 2, positive = b }):item())
  local weighted = nn.BCEWithLogitsLoss{ weight = metann.tensor{ 1, 2, 3 }, pos_weight = metann.tensor{ 3, 2, 1 } }
  assert.equal(weighted(a, b):item(), weighted{ target = b, input = a }:item())
  assert.matches("MSELoss: unknown option 'reduction'", message(loss, a, b, { reduction = 'sum' }))
  assert.matches('MSELoss: takes 2 arguments, got 3', message(loss, a, b, 'sum'))
  assert.matches('ReLU: takes 1 argument, got 2', message(nn.ReLU(), a, b))
  assert.matches("MaxPool2d: unknown option 'return_indices'", message(nn.MaxPool2d(2), image, { return_indices = true }))
  assert.matches("MSELoss: 'target' must be given, as in MSELoss%(input, target%)", message(loss, a))
end)

it('initial values take their arguments by the same rule', function()
  local t = metann.zeros(2, 2)
  assert.is_true(nn.init.constant_(t, 3) == t)
  assert.same({ { 3, 3 }, { 3, 3 } }, t:to_table())
  nn.init.constant_{ tensor = t, val = 2 }
  assert.same({ { 2, 2 }, { 2, 2 } }, t:to_table())
  nn.init.uniform_(t, { a = 5, b = 6 })
  assert.is_true(t:min():item() >= 5 and t:max():item() <= 6)
  assert.near(math.sqrt(2 / 1.25), nn.init.calculate_gain('leaky_relu', { param = 0.5 }), 1e-12)
  assert.near(5 / 3, nn.init.calculate_gain{ nonlinearity = 'tanh' }, 1e-12)
  for name in pairs(nn.init) do
    if name ~= 'calculate_gain' then
      assert.matches('init.' .. name .. ": 'tensor' must be a tensor, got number 3", message(nn.init[name], 3))
      assert.matches('init.' .. name .. ": unknown option 'no_such_option'", message(nn.init[name], t, { no_such_option = 1 }))
    end
  end
  assert.is_false(nn.Parameter(t, { requires_grad = false }).requires_grad)
  assert.is_true(nn.Parameter{ data = t }.requires_grad)
  assert.matches("nn.Parameter: unknown option 'grad'", message(nn.Parameter, t, { grad = true }))
end)

describe('drops', function()
  local many = metann.randn(200, 100, f64)

  it('keep mean and variance in nets of SELU, and what is dropped is one value', function()
    metann.manual_seed(2)
    for _, name in ipairs{ 'alpha_dropout', 'feature_alpha_dropout' } do
      local y = F[name](many, 0.3, true)
      assert.near(0, y:mean():item(), 0.05)
      assert.near(1, y:var():item(), 0.05)
      local scale = 1 / math.sqrt((1.7580993408473766 ^ 2 * 0.3 + 1) * 0.7)
      local least = -1.7580993408473766 * scale * 0.7
      assert.near(0.3, (y - least):abs():lt(1e-12):double():mean():item(), 0.02)
      assert.is_true(F[name](many, 0.3) == many)
    end
    local whole = F.feature_alpha_dropout(metann.zeros(20, 10, 4), 0.5, true)
    assert.equal(0, whole:var(3):sum():item())
  end)

  it('take channels of lines, planes and volumes with and without a batch', function()
    for sides, size in ipairs{ { 7 }, { 3, 4 }, { 2, 3, 4 } } do
      for _, first in ipairs{ { 2000 }, { 4, 500 } } do
        local shape = { unpack(first) }
        for i = 1, sides do shape[#shape + 1] = size[i] end
        local y = F[('dropout%dd'):format(sides)](metann.ones(shape), 0.25):reshape(2000, -1)
        assert.equal(0, y:var(2):sum():item())
        assert.near(0.75, y:select(2, 1):gt(0):float():mean():item(), 0.05)
        assert.near(1 / 0.75, y:max():item(), 1e-6)
      end
      assert.matches(('dropout%dd: %%\'input%%\' must be a tensor of size'):format(sides),
        message(F[('dropout%dd'):format(sides)], metann.ones(2)))
    end
  end)

  it('rrelu draws a slope for each element below 0', function()
    local below = metann.full({ 20000 }, -1, f64)
    local y = -F.rrelu(below, 0.1, 0.5, true)
    assert.near(0.3, y:mean():item(), 0.01)
    assert.is_true(y:min():item() >= 0.1 and y:max():item() <= 0.5)
    assert.near(-(1 / 8 + 1 / 3) / 2, F.rrelu(below):mean():item(), 1e-12)
    assert.matches("rrelu: 'lower' %(0.5%) must not be above 'upper' %(0.1%)", message(F.rrelu, below, 0.5, 0.1))
  end)

  it('gumbel_softmax samples in proportion, and its hard samples have the soft derivative', function()
    metann.manual_seed(3)
    local p = metann.tensor({ 0.2, 0.5, 0.3 }, f64)
    local logits = p:log():expand(20000, 3)
    local hard = F.gumbel_softmax(logits, { hard = true })
    assert.is_true(hard:sum(2):sub(1):abs():max():item() < 1e-12)
    for i, q in ipairs(hard:mean(1):to_table()) do assert.near(p[i]:item(), q, 0.02) end
    local few = metann.randn(3, 4, f64)
    local function gradient(o)
      metann.manual_seed(8)
      local leaf = few:detach():clone():requires_grad_(true)
      return metann.grad((F.gumbel_softmax(leaf, o) * few):sum(), leaf)
    end
    local soft, of_hard = gradient{ tau = 0.7, dim = 1 }, gradient{ tau = 0.7, dim = 1, hard = true }
    assert.is_true((soft - of_hard):abs():max():item() < 1e-12)
    assert.is_true(metann.gradcheck(function(leaf)
      metann.manual_seed(8)
      return F.gumbel_softmax(leaf, 0.7)
    end, { few:clone():requires_grad_(true) }, { order = 3 }))
  end)
end)

describe('grid_sample', function()
  it('reads what affine maps say: the input itself, mirrored, or a part of it', function()
    local identity = metann.tensor({ { { 1, 0, 0 }, { 0, 1, 0 } } }, f64)
    for _, corners in ipairs{ true, false } do
      local function read(theta) return F.grid_sample(image, F.affine_grid(theta, { 1, 2, 4, 4 }, corners), { align_corners = corners }) end
      assert.is_true((read(identity) - image):abs():max():item() < 1e-12)
      local mirrored = metann.tensor({ { { -1, 0, 0 }, { 0, 1, 0 } } }, f64)
      assert.is_true((read(mirrored) - image:flip(4)):abs():max():item() < 1e-12)
    end
    local outside = F.grid_sample(image, metann.full({ 1, 1, 1, 2 }, 7, f64))
    assert.equal(0, outside:abs():sum():item())
    local edge = F.grid_sample(image, metann.full({ 1, 1, 1, 2 }, 7, f64), { padding_mode = 'border' })
    assert.same(image[1]:select(2, 4):select(2, 4):to_table(), edge:reshape(2):to_table())
  end)

  it('has the derivatives that differences give, by values, coordinates and maps', function()
    -- coordinates between elements, at which a derivative jumps
    local grid = ((metann.tensor({ { { { 1.3, 0.7 }, { 2.4, 1.6 } }, { { -0.6, 2.3 }, { 0.4, 3.4 } } } }, f64) * 2 + 1) / 4 - 1)
    for _, mode in ipairs{ 'bilinear', 'bicubic' } do
      for _, padding in ipairs{ 'zeros', 'border', 'reflection' } do
        assert.is_true(metann.gradcheck(function(a, b) return F.grid_sample(a, b, mode, padding) end,
          { image:clone():requires_grad_(true), grid:clone():requires_grad_(true) }, { order = 2 }))
      end
    end
    assert.is_true(metann.gradcheck(function(theta) return F.affine_grid(theta, { 1, 1, 2, 2, 3 }):sin() end,
      { metann.randn(1, 3, 4, f64):requires_grad_(true) }, { order = 3 }))
    local cube, points = metann.randn(1, 1, 2, 2, 2, f64), metann.full({ 1, 1, 1, 2, 3 }, 0.2, f64)
    assert.is_true(metann.gradcheck(function(a, b) return F.grid_sample(a, b) end,
      { cube:requires_grad_(true), points:requires_grad_(true) }, { order = 3 }))
  end)

  it('reads volumes by cubes, too', function()
    -- PyTorch's number
    local counted, at = metann.arange(24, f64):view(1, 1, 2, 3, 4), metann.tensor({ 0.1, -0.3, 0.4 }, f64):view(1, 1, 1, 1, 3)
    assert.near(16.5828, F.grid_sample(counted, at, 'bicubic'):item(), 1e-4)
  end)

  it("refuses grids that don't fit", function()
    assert.matches("grid_sample: 'input' %(N, C, H, W%) and 'grid'", message(F.grid_sample, image, metann.ones(1, 2, 2, 3, f64)))
    assert.matches("affine_grid: 'theta' must be floats of size %(1, 2, 3%)", message(F.affine_grid, metann.ones(1, 2, 2), { 1, 1, 2, 2 }))
    assert.matches("affine_grid: 'size' must have 4 or 5 sizes", message(F.affine_grid, metann.ones(1, 2, 3), { 2, 2 }))
  end)
end)

describe('embedding_bag', function()
  local rows, index = metann.randn(5, 3, f64), metann.tensor({ 1, 4, 4, 2, 5 }, { dtype = 'int64' })
  local offsets = metann.tensor({ 1, 3, 3 }, { dtype = 'int64' })

  it('reduces bags that begin at offsets, of which one may be empty', function()
    local w = metann.tensor({ 1, 2, 3, 4, 5 }, f64)
    local sum = F.embedding_bag(index, rows, offsets, { mode = 'sum', per_sample_weights = w })
    assert.same({ 3, 3 }, sum.shape)
    assert.is_true((sum[1] - (rows[1] + rows[4] * 2)):abs():max():item() < 1e-14)
    assert.equal(0, sum[2]:abs():sum():item())
    assert.is_true((sum[3] - (rows[4] * 3 + rows[2] * 4 + rows[5] * 5)):abs():max():item() < 1e-14)
    assert.is_true(metann.gradcheck(function(weight, by) return F.embedding_bag(index, weight, offsets, { mode = 'sum',
      per_sample_weights = by }):sin() end, { rows:clone():requires_grad_(true), w:requires_grad_(true) }, { order = 3 }))
  end)

  it("refuses what doesn't fit", function()
    assert.matches("embedding_bag: 'input' must be a tensor of row numbers", message(F.embedding_bag, index, rows))
    assert.matches("'per_sample_weights' must have the size of 'input', %(5,%), and go with mode 'sum'", message(F.embedding_bag, index,
      rows, offsets, { per_sample_weights = metann.ones(5) }))
    assert.matches("'scale_grad_by_freq' doesn't go with mode 'max'", message(F.embedding_bag, index, rows, offsets,
      { mode = 'max', scale_grad_by_freq = true }))
    assert.matches("'padding_idx' must be from 1 to 5, got 6", message(F.embedding_bag, index, rows, offsets, { padding_idx = 6 }))
    assert.matches("EmbeddingBag: '_weight' must have size %(2, 3%)", message(nn.EmbeddingBag, 2, 3, { _weight = rows }))
    local bag = nn.EmbeddingBag.from_pretrained(rows, { mode = 'max' })
    assert.is_false(bag.weight.requires_grad)
    assert.same(metann.maximum(rows[1], rows[4]):to_table(), bag(index, offsets)[1]:to_table())
  end)
end)
