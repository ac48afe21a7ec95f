--- torch.nn.functional.
local metann = require 'metann'
local registry = require 'tests.support.golden.torch.registry'
local F = metann.nn.functional

--- A table without the options that are nil anyway, or nothing where none is left.
local function options(o)
  if next(o) == nil then return nil end
  return o
end

local function activations(define)
  for name in ('relu silu sigmoid tanh logsigmoid'):gmatch '%S+' do
    define(name .. '(input, inplace=False)', function(a) return F[name](a.input) end)
  end
  define('leaky_relu(input, negative_slope=0.01, inplace=False)', function(a)
    return F.leaky_relu(a.input, a.negative_slope)
  end)
  define('elu(input, alpha=1.0, inplace=False)', function(a) return F.elu(a.input, a.alpha) end)
  define("gelu(input, *, approximate='none')", function(a) return F.gelu(a.input, { approximate = a.approximate }) end)
  define('softplus(input, beta=1, threshold=20)', function(a) return F.softplus(a.input, a.beta, a.threshold) end)
  define('hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False)', function(a)
    return F.hardtanh(a.input, a.min_val, a.max_val)
  end)
  define('relu6(input, inplace=False)', function(a) return F.hardtanh(a.input, 0, 6) end)
  define('prelu(input, weight)', function(a) return F.prelu(a.input, a.weight) end)
  define('softmin(input, dim)', function(a) return F.softmax(-a.input, a.dim) end)
  define('dropout(input, p=0.5, training=True, inplace=False)', function(a)
    if a.training and a.p > 0 then error('dropout is random', 0) end
    return F.dropout(a.input, { p = a.p, training = a.training })
  end)
  define('glu(input, dim=-1)', function(a)
    local halves = a.input:chunk(2, a.dim)
    return halves[1] * metann.sigmoid(halves[2])
  end)
end

local function convolutions(define)
  define('linear(input, weight, bias=None)', function(a) return F.linear(a.input, a.weight, a.bias) end)
  define('bilinear(input1, input2, weight, bias=None)', function(a)
    return F.bilinear(a.input1, a.input2, a.weight, a.bias)
  end)
  for n = 1, 3 do
    local conv, transposed = ('conv%dd'):format(n), ('conv_transpose%dd'):format(n)
    define(conv .. '(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1)', function(a)
      return F[conv](a.input, a.weight, {
        bias = a.bias, stride = a.stride, padding = a.padding, dilation = a.dilation, groups = a.groups,
      })
    end)
    define(transposed .. '(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1)',
      function(a)
        return F[transposed](a.input, a.weight, {
          bias = a.bias, stride = a.stride, padding = a.padding, output_padding = a.output_padding, groups = a.groups,
          dilation = a.dilation,
        })
      end)
  end
  define('unfold(input, kernel_size, dilation=1, padding=0, stride=1)', function(a)
    return F.unfold(a.input, a.kernel_size, { dilation = a.dilation, padding = a.padding, stride = a.stride })
  end)
  define('fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1)', function(a)
    return F.fold(a.input, a.output_size, a.kernel_size,
      { dilation = a.dilation, padding = a.padding, stride = a.stride })
  end)
  define("pad(input, pad, mode='constant', value=None)", function(a)
    return F.pad(a.input, a.pad, { mode = a.mode, value = a.value })
  end)
  define([[interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None,
    recompute_scale_factor=None, antialias=False)]], function(a)
    if a.antialias then error('interpolate: antialias is not understood', 0) end
    return F.interpolate(a.input, {
      size = a.size, scale_factor = a.scale_factor, mode = a.mode, align_corners = a.align_corners,
    })
  end)
end

local function pools(define)
  for n = 1, 2 do
    local max, avg = ('max_pool%dd'):format(n), ('avg_pool%dd'):format(n)
    local signature = '(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False)'
    local function pool(a, return_indices)
      local out, index = F[max](a.input, a.kernel_size, {
        stride = a.stride, padding = a.padding, dilation = a.dilation, ceil_mode = a.ceil_mode,
        return_indices = return_indices,
      })
      if return_indices then return out, registry.from_one(index) end
      return out
    end
    define(max .. signature, function(a) return pool(a, a.return_indices) end)
    define(max .. '_with_indices' .. signature, function(a) return pool(a, true) end)
    define(avg .. [[(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
      divisor_override=None)]], function(a)
      return F[avg](a.input, a.kernel_size, {
        stride = a.stride, padding = a.padding, ceil_mode = a.ceil_mode, count_include_pad = a.count_include_pad,
        divisor_override = a.divisor_override,
      })
    end)
    local adaptive = ('adaptive_avg_pool%dd'):format(n)
    define(adaptive .. '(input, output_size)', function(a) return F[adaptive](a.input, a.output_size) end)
    local largest = ('adaptive_max_pool%dd'):format(n)
    define(largest .. '(input, output_size, return_indices=False)', function(a)
      local out, index = F[largest](a.input, a.output_size, { return_indices = a.return_indices })
      if a.return_indices then return out, registry.from_one(index) end
      return out
    end)
  end
end

local function norms(define)
  define([[batch_norm(input, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1,
    eps=1e-05)]], function(a)
    return F.batch_norm(a.input, {
      running_mean = a.running_mean, running_var = a.running_var, weight = a.weight, bias = a.bias,
      training = a.training, momentum = a.momentum, eps = a.eps,
    })
  end)
  define('layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05)', function(a)
    return F.layer_norm(a.input, a.normalized_shape, { weight = a.weight, bias = a.bias, eps = a.eps })
  end)
  define('group_norm(input, num_groups, weight=None, bias=None, eps=1e-05)', function(a)
    return F.group_norm(a.input, a.num_groups, { weight = a.weight, bias = a.bias, eps = a.eps })
  end)
  define([[instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-05)]], function(a)
    return F.instance_norm(a.input, {
      running_mean = a.running_mean, running_var = a.running_var, weight = a.weight, bias = a.bias,
      use_input_stats = a.use_input_stats, momentum = a.momentum, eps = a.eps,
    })
  end)
  define('normalize(input, p=2.0, dim=1, eps=1e-12)', function(a)
    return F.normalize(a.input, { p = a.p, dim = a.dim, eps = a.eps })
  end)
  define('cosine_similarity(x1, x2, dim=1, eps=1e-08)', function(a)
    return F.cosine_similarity(a.x1, a.x2, { dim = a.dim, eps = a.eps })
  end)
  define('pairwise_distance(x1, x2, p=2.0, eps=1e-06, keepdim=False)', function(a)
    return F.pairwise_distance(a.x1, a.x2, { p = a.p, eps = a.eps, keepdim = a.keepdim })
  end)
  define([[embedding(input: index, weight, padding_idx: index=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
    sparse=False)]], function(a)
    return F.embedding(a.input, a.weight, options{
      padding_idx = a.padding_idx, max_norm = a.max_norm, norm_type = a.norm_type,
      scale_grad_by_freq = a.scale_grad_by_freq,
    })
  end)
end

-- ---- losses: inputs, then options that metann has by the same names ----

local LOSSES = {
  mse_loss = '(input, target%s)', l1_loss = '(input, target%s)', smooth_l1_loss = '(input, target%s, beta=1.0)',
  huber_loss = "(input, target, reduction='mean', delta=1.0)",
  binary_cross_entropy = '(input, target, weight=None%s)',
  binary_cross_entropy_with_logits = '(input, target, weight=None%s, pos_weight=None)',
  kl_div = '(input, target%s, log_target=False)', soft_margin_loss = '(input, target%s)',
  nll_loss = '(input, target: labels, weight=None, size_average=None, ignore_index: index=-100%s)',
  cross_entropy = '(input, target: labels, weight=None, size_average=None, ignore_index: index=-100%s, label_smoothing=0.0)',
  cosine_embedding_loss = '(input1, input2, target, margin=0%s)',
  margin_ranking_loss = '(input1, input2, target, margin=0%s)',
  triplet_margin_loss = '(anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False%s)',
}

--- The deprecated pair that stands between the options of a loss.
local function reduction(signature)
  local first = signature:find('size_average', 1, true) and ', reduce=None' or ', size_average=None, reduce=None'
  return (signature:format(first .. ", reduction='mean'"))
end

local INPUTS = { input = 1, target = 2, input1 = 1, input2 = 2, anchor = 1, positive = 2, negative = 3 }

local function losses(define)
  for name, signature in pairs(LOSSES) do
    local three = signature:find 'input1' or signature:find 'anchor'
    define(name .. reduction(signature), function(a)
      if a.size_average ~= nil or a.reduce ~= nil then error(name .. ': size_average is not understood', 0) end
      local inputs, o = {}, {}
      for key, value in pairs(a) do
        local at = INPUTS[key]
        if three and key == 'target' then at = 3 end
        if at then inputs[at] = value else o[key] = value end
      end
      inputs[#inputs + 1] = o
      return F[name](unpack(inputs))
    end)
  end
end

return function(functional)
  for _, part in ipairs{ activations, convolutions, pools, norms, losses } do part(functional.define) end
end
