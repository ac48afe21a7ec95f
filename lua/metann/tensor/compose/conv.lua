--- Convolution made of the rows for planes, and patches as columns.
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local windows = require 'metann.tensor.compose.windows'
local raw, raise, array = common.raw, common.raise, common.array
local define, kinds = arguments.define, arguments.kinds
local plane, shape_of = windows.plane, common.shape
local input, weight_, bias_ = windows.input, windows.weight, { 'bias', kinds.tensor, optional = true }
local groups_ = { 'groups', kinds.count, 1 }

local conv = {}

local ZEROS = { { 0 }, { 0, 0 }, { 0, 0, 0 } }

--- Parameters of a convolution over n sides.
local function convolution(n)
  return {
    input, weight_, bias_, windows.sides('stride', n, 1, 1),
    { 'padding', kinds.either(kinds.choice('same', 'valid'), kinds.sides(n, 0)), 0 },
    windows.sides('dilation', n, 1, 1), groups_,
  }
end

--- t with zeros around its last n dims, as many as keep their sizes under a kernel; an odd one goes to the end.
local function pad_same(op, t, weight, stride, dilation, n)
  local ndim, size, before, after = array(t).ndim, shape_of(weight), {}, {}
  if #size ~= n + 2 then raise('%s: weight must have %d dims, got %d', op, n + 2, #size) end
  for i = 1, ndim do before[i], after[i] = 0, 0 end
  for i = 1, n do
    if stride[i] ~= 1 then raise("%s: padding 'same' needs stride 1", op) end
    local room = dilation[i] * (size[2 + i] - 1)
    before[ndim - n + i], after[ndim - n + i] = math.floor(room / 2), math.ceil(room / 2)
  end
  return (raw.pad(t, before, after))
end

--- t and the padding in numbers, after 'same' and 'valid' have been seen to.
local function with_padding(op, t, weight, stride, padding, dilation, n)
  if padding == 'valid' then return t, ZEROS[n] end
  if padding == 'same' then return pad_same(op, t, weight, stride, dilation, n), ZEROS[n] end
  return t, padding
end

--- Convolution of (N, C, H, W), or (C, H, W), with weight (out, C / groups, h, w).
-- stride, padding, dilation: numbers or {vertical, horizontal}; padding may be 'same', with stride 1, or 'valid'.
-- @function conv2d
conv.conv2d = define('conv2d', convolution(2), function(t, weight, bias, stride, padding, dilation, groups)
  plane(t, 'conv2d', 4)
  t, padding = with_padding('conv2d', t, weight, stride, padding, dilation, 2)
  return (raw.conv2d(t, weight, bias, stride, padding, dilation, groups))
end)

--- Convolution of (N, C, L), or (C, L), with weight (out, C / groups, l).
-- @function conv1d
conv.conv1d = define('conv1d', convolution(1), function(t, weight, bias, stride, padding, dilation, groups)
  plane(t, 'conv1d', 3)
  if array(weight).ndim ~= 3 then
    raise('conv1d: weight must be (out, in / groups, length), got %d dims', array(weight).ndim)
  end
  t, padding = with_padding('conv1d', t, weight, stride, padding, dilation, 1)
  local out = raw.conv2d(raw.unsqueeze(t, -2), raw.unsqueeze(weight, -2), bias, { 1, stride[1] }, { 0, padding[1] },
    { 1, dilation[1] }, groups)
  return (raw.squeeze(out, -2))
end)

--- Patches of depth `depth` along dim 3 of (N, C, D, H, W) as further channels: (N * result depth, C * depth, H, W),
-- and the result's depth.
local function depth_as_channels(t, depth, stride, dilation)
  local size = shape_of(t)
  local span = dilation * (depth - 1) + 1
  if span > size[3] then
    raise('conv3d: a kernel of depth %d is larger than the padded input of depth %d', span, size[3])
  end
  local patches = raw.unfold(t, 3, span, stride) -- (N, C, result depth, H, W, span)
  local out = shape_of(patches)[3]
  if dilation > 1 then patches = raw.slice(patches, 6, 1, depth, dilation) end
  patches = raw.permute(patches, 1, 3, 2, 6, 4, 5)
  return layout.reshape(patches, { size[1] * out, size[2] * depth, size[4], size[5] }), out
end

--- Convolution of (N, C, D, H, W), or (C, D, H, W), with weight (out, C / groups, d, h, w).
-- The depth of a kernel becomes channels of a convolution of planes, so that values and derivatives of any order are
-- conv2d's. stride, padding, dilation: numbers or {depth, vertical, horizontal}; padding may be 'same' or 'valid'.
-- @function conv3d
conv.conv3d = define('conv3d', convolution(3), function(t, weight, bias, stride, padding, dilation, groups)
  local n = plane(t, 'conv3d', 5)
  t, padding = with_padding('conv3d', t, weight, stride, padding, dilation, 3)
  if n == 4 then t = raw.unsqueeze(t, 1) end
  local size, w = shape_of(t), shape_of(weight)
  if #w ~= 5 then raise('conv3d: weight must be (out, in / groups, depth, height, width), got %d dims', #w) end
  if size[2] ~= w[2] * groups then
    raise('conv3d: input has %d channels, weight with groups %d expects %d', size[2], groups, w[2] * groups)
  end
  if padding[1] > 0 then t = raw.pad(t, { 0, 0, padding[1], 0, 0 }, { 0, 0, padding[1], 0, 0 }) end
  local planes, depth = depth_as_channels(t, w[3], stride[1], dilation[1])
  local out = raw.conv2d(planes, layout.reshape(weight, { w[1], w[2] * w[3], w[4], w[5] }), bias,
    { stride[2], stride[3] }, { padding[2], padding[3] }, { dilation[2], dilation[3] }, groups)
  local o = shape_of(out)
  out = layout.contiguous(raw.transpose(raw.view(out, { size[1], depth, o[2], o[3], o[4] }), 2, 3))
  return n == 4 and raw.squeeze(out, 1) or out
end)

-- What a transposed convolution's weight has behind the channels, by the number of sides.
local SIDES = { 'length', 'height, width', 'depth, height, width' }

--- Sizes of a transposed convolution's result without output_padding, for the given padding; extra is checked.
local function transposed_size(op, a, w, stride, padding, extra, dilation)
  local size = {}
  for i = 1, #stride do
    if extra[i] >= math.max(stride[i], dilation[i]) then
      raise("%s: 'output_padding' must be smaller than stride or dilation, got %d beside %d and %d", op, extra[i],
        stride[i], dilation[i])
    end
    size[i] = (a[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (w[2 + i] - 1) + 1
    if size[i] + extra[i] < 1 then raise('%s: the padding leaves nothing of dim %d of the result', op, 2 + i) end
  end
  return size
end

--- Raises unless input a and weight w, both sizes, fit each other and the bias.
local function check_transposed(op, a, w, bias, groups)
  if #w ~= #a then raise('%s: weight must be (in, out / groups, %s), got %d dims', op, SIDES[#a - 2], #w) end
  if a[2] ~= w[1] then
    raise('%s: input has %d channels, weight %s expects %d', op, a[2], common.tuple(w), w[1])
  end
  if w[1] % groups ~= 0 then
    raise('%s: the %d channels of the input are not divisible by groups %d', op, w[1], groups)
  end
  for d = 3, #w do
    if w[d] < 1 then raise('%s: weight %s has no elements', op, common.tuple(w)) end
  end
  if bias and (array(bias).ndim ~= 1 or common.numel(bias) ~= w[2] * groups) then
    raise("%s: bias %s doesn't fit weight %s", op, common.tuple(shape_of(bias)), common.tuple(w))
  end
end

--- Of planes (N, C, H, W), whose result without output_padding, `extra`, has sides of `size`.
local function transposed_planes(t, weight, size, stride, padding, extra, groups, dilation)
  if extra[1] < stride[1] and extra[2] < stride[2] then
    return (raw.conv2d_input_grad(t, weight, { size[1] + extra[1], size[2] + extra[2] }, stride, padding, dilation, groups))
  end
  -- no convolution has such a result: the whole one is made and cut
  local whole = { size[1] + 2 * padding[1], size[2] + 2 * padding[2] }
  local out = raw.conv2d_input_grad(t, weight, whole, stride, ZEROS[2], dilation, groups)
  return (raw.pad(out, { 0, 0, -padding[1], -padding[2] }, { 0, 0, extra[1] - padding[1], extra[2] - padding[2] }))
end

local function transposed_lines(t, weight, size, stride, padding, extra, groups, dilation)
  local out = transposed_planes(raw.unsqueeze(t, -2), raw.unsqueeze(weight, -2), { 1, size[1] }, { 1, stride[1] },
    { 0, padding[1] }, { 0, extra[1] }, groups, { 1, dilation[1] })
  return (raw.squeeze(out, -2))
end

--- Of volumes: each plane of the input makes planes of further channels, one for each plane of the kernel, which are then
-- added up along the depth.
local function transposed_volumes(t, weight, size, stride, padding, extra, groups, dilation)
  local a, w = shape_of(t), shape_of(weight)
  local out = transposed_planes(layout.reshape(raw.transpose(t, 2, 3), { a[1] * a[3], a[2], a[4], a[5] }),
    layout.reshape(weight, { w[1], w[2] * w[3], w[4], w[5] }), { size[2], size[3] }, { stride[2], stride[3] },
    { padding[2], padding[3] }, { extra[2], extra[3] }, groups, { dilation[2], dilation[3] })
  local made = shape_of(out)
  out = raw.view(out, { a[1], a[3], w[2] * groups, w[3], made[3], made[4] })
  out = raw.permute(out, 1, 3, 5, 6, 2, 4)
  local span = dilation[1] * (w[3] - 1) + 1
  out = raw.fold(raw.unslice(out, 6, 1, span, dilation[1]), 5, (a[3] - 1) * stride[1] + span, stride[1])
  out = raw.permute(out, 1, 2, 5, 3, 4)
  if padding[1] == 0 and extra[1] == 0 then return layout.contiguous(out) end
  return (raw.pad(out, { 0, 0, -padding[1], 0, 0 }, { 0, 0, extra[1] - padding[1], 0, 0 }))
end

for n, transposed in ipairs{ transposed_lines, transposed_planes, transposed_volumes } do
  --- Transposed convolution of (N, C, sides...), or (C, sides...), with weight (C, out / groups, sides...).
  local op = ('conv_transpose%dd'):format(n)
  conv[op] = define(op, {
    input, weight_, bias_, windows.sides('stride', n, 1, 1), windows.sides('padding', n, 0, 0),
    windows.sides('output_padding', n, 0, 0), groups_, windows.sides('dilation', n, 1, 1),
  }, function(t, weight, bias, stride, padding, extra, groups, dilation)
    local alone = plane(t, op, n + 2) == n + 1
    if alone then t = raw.unsqueeze(t, 1) end
    local a, w = shape_of(t), shape_of(weight)
    check_transposed(op, a, w, bias, groups)
    local size = transposed_size(op, a, w, stride, padding, extra, dilation)
    local out = transposed(t, weight, size, stride, padding, extra, groups, dilation)
    if bias then
      local along = { -1 }
      for i = 1, n do along[1 + i] = 1 end
      out = raw.add(out, raw.view(bias, along))
    end
    return alone and raw.squeeze(out, 1) or out
  end)
end

local kernel_size = windows.sides('kernel_size', 2, 1)
local dilation_, padding_ = windows.sides('dilation', 2, 1, 1), windows.sides('padding', 2, 0, 0)
local stride_ = windows.sides('stride', 2, 1, 1)

--- Sizes of the padded plane, the span of a kernel and the count of its places, for both sides.
local function patch_grid(op, size, k, d, p, s)
  local padded, span, count = {}, {}, {}
  for i = 1, 2 do
    padded[i], span[i] = size[i] + 2 * p[i], d[i] * (k[i] - 1) + 1
    if span[i] > padded[i] then
      raise("%s: 'kernel_size' spans %d, more than the padded plane's %d", op, span[i], padded[i])
    end
    count[i] = math.floor((padded[i] - span[i]) / s[i]) + 1
  end
  return padded, span, count
end

--- Patches of (N, C, H, W) as columns: (N, C * h * w, places). Named unfold in nn.functional.
-- im2col(t, kernel_size, {dilation = 1, padding = 0, stride = 1}): sizes are numbers or {vertical, horizontal}.
-- @function im2col
conv.im2col = define('im2col', { input, kernel_size, dilation_, padding_, stride_ }, function(t, k, d, p, s)
  local n = plane(t, 'im2col', 4)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local size = shape_of(t)
  local _, span, count = patch_grid('im2col', { size[3], size[4] }, k, d, p, s)
  t = raw.pad(t, { 0, 0, p[1], p[2] }, { 0, 0, p[1], p[2] })
  for i = 1, 2 do t = raw.slice(raw.unfold(t, 2 + i, span[i], s[i]), 4 + i, 1, k[i], d[i]) end
  t = raw.permute(t, 1, 2, 5, 6, 3, 4)
  t = layout.reshape(t, { size[1], size[2] * k[1] * k[2], count[1] * count[2] })
  return n == 3 and raw.squeeze(t, 1) or t
end)

--- Columns (N, C * h * w, places) added back into planes of output_size: (N, C, H, W); the transpose of im2col. Named
-- fold in nn.functional.
-- col2im(t, output_size, kernel_size, {dilation = 1, padding = 0, stride = 1})
-- @function col2im
conv.col2im = define('col2im', {
  input, windows.sides('output_size', 2, 1), kernel_size, dilation_, padding_, stride_,
}, function(t, plane_size, k, d, p, s)
  local n = plane(t, 'col2im', 3)
  if n == 2 then t = raw.unsqueeze(t, 1) end
  local size = shape_of(t)
  local padded, span, count = patch_grid('col2im', plane_size, k, d, p, s)
  local channels = size[2] / (k[1] * k[2])
  if channels % 1 ~= 0 or size[3] ~= count[1] * count[2] then
    raise('col2im: columns (%d x %d) are not those of a plane with %d places of kernels of %d', size[2], size[3],
      count[1] * count[2], k[1] * k[2])
  end
  t = raw.permute(layout.reshape(t, { size[1], channels, k[1], k[2], count[1], count[2] }), 1, 2, 5, 6, 3, 4)
  for i = 2, 1, -1 do t = raw.fold(raw.unslice(t, 4 + i, 1, span[i], d[i]), 2 + i, padded[i], s[i]) end
  t = raw.pad(t, { 0, 0, -p[1], -p[2] }, { 0, 0, -p[1], -p[2] })
  return n == 2 and raw.squeeze(t, 1) or t
end)

return conv
