--- Convolution made of the rows for planes, and patches as columns.
local common = require 'metann.compose.common'
local windows = require 'metann.compose.windows'
local shape = require 'metann.compose.shape'
local raw, raise, array, tensor = common.raw, common.raise, common.array, common.tensor
local one, plane, arguments, sides = windows.one, windows.plane, windows.arguments, windows.sides
local shape_of = common.shape

local conv = {}

local CONV = { 'bias', 'stride', 'padding', 'dilation', 'groups' }

--- t with zeros around its last n dims, as many as keep their sizes under a kernel; an odd one goes to the end.
local function pad_same(op, t, weight, dilation, n)
  local d, ndim = sides(op, 'dilation', dilation, n, 1, 1), array(t).ndim
  local size, before, after = shape_of(tensor(weight, op, 'weight')), {}, {}
  if #size ~= n + 2 then raise('%s: weight must have %d dims, got %d', op, n + 2, #size) end
  for i = 1, ndim do before[i], after[i] = 0, 0 end
  for i = 1, n do
    local room = d[i] * (size[2 + i] - 1)
    before[ndim - n + i], after[ndim - n + i] = math.floor(room / 2), math.ceil(room / 2)
  end
  return raw.pad(t, before, after)
end

--- Convolution of (N, C, H, W), or (C, H, W), with weight (out, C / groups, h, w).
-- stride, padding, dilation: numbers or {vertical, horizontal}; padding may be 'same' or 'valid'.
function conv.conv2d(t, weight, ...)
  local v = arguments('conv2d', CONV, ...)
  local n = plane(t, 'conv2d', 4)
  local padding = v[3]
  if padding == 'valid' then padding = nil end
  if padding == 'same' then
    t, padding = pad_same('conv2d', t, weight, v[4], 2), nil
  end
  if n == 4 then return raw.conv2d(t, weight, v[1], v[2], padding, v[4], v[5]) end
  return raw.squeeze(raw.conv2d(raw.unsqueeze(t, 1), weight, v[1], v[2], padding, v[4], v[5]), 1)
end

--- Convolution of (N, C, L), or (C, L), with weight (out, C / groups, l).
function conv.conv1d(t, weight, ...)
  local v = arguments('conv1d', CONV, ...)
  plane(t, 'conv1d', 3)
  tensor(weight, 'conv1d', 'weight')
  local padding = v[3]
  if type(padding) ~= 'string' then padding = { 0, one('conv1d', 'padding', padding, 0, 0) } end
  local out = conv.conv2d(raw.unsqueeze(t, -2), raw.unsqueeze(weight, -2), v[1] or nil,
    { 1, one('conv1d', 'stride', v[2], 1, 1) }, padding, { 1, one('conv1d', 'dilation', v[4], 1, 1) }, v[5])
  return raw.squeeze(out, -2)
end

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
  return shape.reshape(patches, { size[1] * out, size[2] * depth, size[4], size[5] }), out
end

local function conv3d_options(v)
  return sides('conv3d', 'stride', v[2], 3, 1, 1), sides('conv3d', 'padding', v[3], 3, 0, 0),
    sides('conv3d', 'dilation', v[4], 3, 1, 1), common.integer(v[5] == nil and 1 or v[5], 'conv3d', 'groups', 1)
end

--- Convolution of (N, C, D, H, W), or (C, D, H, W), with weight (out, C / groups, d, h, w).
-- The depth of a kernel becomes channels of a convolution of planes, so that values and derivatives of any order are
-- conv2d's. stride, padding, dilation: numbers or {depth, vertical, horizontal}; padding may be 'same' or 'valid'.
function conv.conv3d(t, weight, ...)
  local v = arguments('conv3d', CONV, ...)
  local n = plane(t, 'conv3d', 5)
  tensor(weight, 'conv3d', 'weight')
  if v[3] == 'same' then t = pad_same('conv3d', t, weight, v[4], 3) end
  if v[3] == 'same' or v[3] == 'valid' then v[3] = nil end
  local stride, padding, dilation, groups = conv3d_options(v)
  if n == 4 then t = raw.unsqueeze(t, 1) end
  local size, w = shape_of(t), shape_of(weight)
  if #w ~= 5 then raise('conv3d: weight must be (out, in / groups, depth, height, width), got %d dims', #w) end
  if size[2] ~= w[2] * groups then
    raise('conv3d: input has %d channels, weight with groups %d expects %d', size[2], groups, w[2] * groups)
  end
  if padding[1] > 0 then t = raw.pad(t, { 0, 0, padding[1], 0, 0 }, { 0, 0, padding[1], 0, 0 }) end
  local planes, depth = depth_as_channels(t, w[3], stride[1], dilation[1])
  local out = raw.conv2d(planes, shape.reshape(weight, { w[1], w[2] * w[3], w[4], w[5] }), v[1],
    { stride[2], stride[3] }, { padding[2], padding[3] }, { dilation[2], dilation[3] }, groups)
  local o = shape_of(out)
  out = shape.contiguous(raw.transpose(raw.view(out, { size[1], depth, o[2], o[3], o[4] }), 2, 3))
  return n == 4 and raw.squeeze(out, 1) or out
end

local TRANSPOSED = { 'bias', 'stride', 'padding', 'output_padding', 'groups', 'dilation' }

--- Transposed convolution of (N, C, H, W), or (C, H, W), with weight (C, out / groups, h, w).
function conv.conv_transpose2d(t, weight, ...)
  local op = 'conv_transpose2d'
  local v = arguments(op, TRANSPOSED, ...)
  local n = plane(t, op, 4)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local stride, padding = sides(op, 'stride', v[2], 2, 1, 1), sides(op, 'padding', v[3], 2, 0, 0)
  local extra, dilation = sides(op, 'output_padding', v[4], 2, 0, 0), sides(op, 'dilation', v[6], 2, 1, 1)
  local a, w = shape_of(t), shape_of(tensor(weight, op, 'weight'))
  if #w ~= 4 then raise('%s: weight must be (in, out / groups, height, width), got %d dims', op, #w) end
  local size = {}
  for i = 1, 2 do
    size[i] = (a[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (w[2 + i] - 1) + extra[i] + 1
  end
  local out = raw.conv2d_input_grad(t, weight, size, stride, padding, dilation, v[5])
  if v[1] then out = raw.add(out, raw.view(tensor(v[1], op, 'bias'), -1, 1, 1)) end
  if n == 3 then return raw.squeeze(out, 1) end
  return out
end

local PATCHES = { 'dilation', 'padding', 'stride' }

local function patch_options(op, kernel_size, ...)
  local v = arguments(op, PATCHES, ...)
  return sides(op, 'kernel_size', kernel_size, 2, 1), sides(op, 'dilation', v[1], 2, 1, 1),
    sides(op, 'padding', v[2], 2, 0, 0), sides(op, 'stride', v[3], 2, 1, 1)
end

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
function conv.im2col(t, kernel_size, ...)
  local n = plane(t, 'im2col', 4)
  local k, d, p, s = patch_options('im2col', kernel_size, ...)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local size = shape_of(t)
  local _, span, count = patch_grid('im2col', { size[3], size[4] }, k, d, p, s)
  t = raw.pad(t, { 0, 0, p[1], p[2] }, { 0, 0, p[1], p[2] })
  for i = 1, 2 do t = raw.slice(raw.unfold(t, 2 + i, span[i], s[i]), 4 + i, 1, k[i], d[i]) end
  t = raw.permute(t, 1, 2, 5, 6, 3, 4)
  t = shape.reshape(t, { size[1], size[2] * k[1] * k[2], count[1] * count[2] })
  return n == 3 and raw.squeeze(t, 1) or t
end

--- Columns (N, C * h * w, places) added back into planes of output_size: (N, C, H, W); the transpose of im2col. Named
-- fold in nn.functional.
-- col2im(t, output_size, kernel_size, {dilation = 1, padding = 0, stride = 1})
function conv.col2im(t, output_size, kernel_size, ...)
  local n = plane(t, 'col2im', 3)
  local k, d, p, s = patch_options('col2im', kernel_size, ...)
  local plane_size = sides('col2im', 'output_size', output_size, 2, 1)
  if n == 2 then t = raw.unsqueeze(t, 1) end
  local size = shape_of(t)
  local padded, span, count = patch_grid('col2im', plane_size, k, d, p, s)
  local channels = size[2] / (k[1] * k[2])
  if channels % 1 ~= 0 or size[3] ~= count[1] * count[2] then
    raise('col2im: columns (%d x %d) are not those of a plane with %d places of kernels of %d', size[2], size[3],
      count[1] * count[2], k[1] * k[2])
  end
  t = raw.permute(shape.reshape(t, { size[1], channels, k[1], k[2], count[1], count[2] }), 1, 2, 5, 6, 3, 4)
  for i = 2, 1, -1 do t = raw.fold(raw.unslice(t, 4 + i, 1, span[i], d[i]), 2 + i, padded[i], s[i]) end
  t = raw.pad(t, { 0, 0, -p[1], -p[2] }, { 0, 0, -p[1], -p[2] })
  return n == 2 and raw.squeeze(t, 1) or t
end

return conv
