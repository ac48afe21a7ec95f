--- Convolution and pooling made of the rows for planes.
local common = require 'metann.compose.common'
local raw, raise, array, tensor = common.raw, common.raise, common.array, common.tensor

local conv = {}

local function one(x, default)
  if type(x) == 'table' then x = x[1] end
  return x or default
end

local function plane(t, op, least)
  local n = array(tensor(t, op, 'input')).ndim
  if n ~= least and n ~= least - 1 then raise('%s: expected %d or %d dims, got %d', op, least - 1, least, n) end
  return n
end

local CONV = { 'bias', 'stride', 'padding', 'dilation', 'groups' }

--- Takes the options table out of (bias, stride, padding, dilation, groups), wherever it stands.
local function conv_arguments(op, names, ...)
  local values, n = {}, select('#', ...)
  for i = 1, n do
    local x = select(i, ...)
    if not common.is_tensor(x) and common.is_options(x) then
      common.check_options(op, x, names)
      for k = 1, #names do
        if x[names[k]] ~= nil then values[k] = x[names[k]] end
      end
    else
      values[i] = x
    end
  end
  return values
end

--- Convolution of (N, C, H, W), or (C, H, W), with weight (out, C / groups, h, w).
-- stride, padding, dilation: numbers or {vertical, horizontal}; padding may be 'same' or 'valid'.
function conv.conv2d(t, weight, ...)
  local v = conv_arguments('conv2d', CONV, ...)
  local n = plane(t, 'conv2d', 4)
  local padding = v[3]
  if padding == 'valid' then padding = nil end
  if padding == 'same' then
    local d = type(v[4]) == 'table' and v[4] or { v[4] or 1, v[4] or 1 }
    local size = array(tensor(weight, 'conv2d', 'weight')).size
    local h, w = d[1] * (tonumber(size[2]) - 1), d[2] * (tonumber(size[3]) - 1)
    local before, after = {}, {}
    for i = 1, n do before[i], after[i] = 0, 0 end
    before[n - 1], after[n - 1] = math.floor(h / 2), h - math.floor(h / 2)
    before[n], after[n] = math.floor(w / 2), w - math.floor(w / 2)
    t, padding = raw.pad(t, before, after), nil
  end
  if n == 4 then return raw.conv2d(t, weight, v[1], v[2], padding, v[4], v[5]) end
  return raw.squeeze(raw.conv2d(raw.unsqueeze(t, 1), weight, v[1], v[2], padding, v[4], v[5]), 1)
end

--- Convolution of (N, C, L), or (C, L), with weight (out, C / groups, l).
function conv.conv1d(t, weight, ...)
  local v = conv_arguments('conv1d', CONV, ...)
  plane(t, 'conv1d', 3)
  tensor(weight, 'conv1d', 'weight')
  local padding = v[3]
  if type(padding) ~= 'string' then padding = { 0, one(padding, 0) } end
  local out = conv.conv2d(raw.unsqueeze(t, -2), raw.unsqueeze(weight, -2), v[1] or nil, { 1, one(v[2], 1) }, padding,
    { 1, one(v[4], 1) }, v[5])
  return raw.squeeze(out, -2)
end

local TRANSPOSED = { 'bias', 'stride', 'padding', 'output_padding', 'groups', 'dilation' }

local function pair(x, default)
  if type(x) == 'table' then return { x[1], x[2] or x[1] } end
  return { x or default, x or default }
end

--- Transposed convolution of (N, C, H, W), or (C, H, W), with weight (C, out / groups, h, w).
function conv.conv_transpose2d(t, weight, ...)
  local v = conv_arguments('conv_transpose2d', TRANSPOSED, ...)
  local n = plane(t, 'conv_transpose2d', 4)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local stride, padding, extra, dilation = pair(v[2], 1), pair(v[3], 0), pair(v[4], 0), pair(v[6], 1)
  local a, w = array(t), array(tensor(weight, 'conv_transpose2d', 'weight'))
  local size = {}
  for i = 1, 2 do
    size[i] = (tonumber(a.size[i + 1]) - 1) * stride[i] - 2 * padding[i] + dilation[i] * (tonumber(w.size[i + 1]) - 1)
      + extra[i] + 1
  end
  local out = raw.conv2d_input_grad(t, weight, size, stride, padding, dilation, v[5])
  if v[1] then out = raw.add(out, raw.view(v[1], -1, 1, 1)) end
  if n == 3 then return raw.squeeze(out, 1) end
  return out
end

local POOL = { 'stride', 'padding', 'dilation', 'ceil_mode', 'return_indices' }

--- Largest of each window of (N, C, H, W), or (C, H, W); with return_indices, also where in its plane it stands.
function conv.max_pool2d(t, kernel_size, ...)
  local v = conv_arguments('max_pool2d', POOL, ...)
  local n = plane(t, 'max_pool2d', 4)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local out, index = raw.max_pool2d(t, kernel_size, v[1], v[2], v[3], v[4])
  if n == 3 then out, index = raw.squeeze(out, 1), raw.squeeze(index, 1) end
  if v[5] then return out, index end
  return out
end

--- Largest of each window of (N, C, L), or (C, L).
function conv.max_pool1d(t, kernel_size, ...)
  local v = conv_arguments('max_pool1d', POOL, ...)
  plane(t, 'max_pool1d', 3)
  local k = one(kernel_size)
  local out, index = conv.max_pool2d(raw.unsqueeze(t, -2), { 1, k }, { 1, one(v[1], k) }, { 0, one(v[2], 0) },
    { 1, one(v[3], 1) }, v[4], true)
  if v[5] then return raw.squeeze(out, -2), raw.squeeze(index, -2) end
  return raw.squeeze(out, -2)
end

local function flat_rows(op, row, n_dims)
  conv[op] = function(t, ...)
    if plane(t, op, n_dims) == n_dims then return row(t, ...) end
    return raw.squeeze(row(raw.unsqueeze(t, 1), ...), 1)
  end
end
--- Mean of each window of (N, C, H, W), or (C, H, W).
flat_rows('avg_pool2d', raw.avg_pool2d, 4)
--- Means over windows that divide each plane into output_size, of (N, C, H, W), or (C, H, W).
flat_rows('adaptive_avg_pool2d', raw.adaptive_avg_pool2d, 4)

local AVG = { 'stride', 'padding', 'ceil_mode', 'count_include_pad' }

--- Mean of each window of (N, C, L), or (C, L).
function conv.avg_pool1d(t, kernel_size, ...)
  local v = conv_arguments('avg_pool1d', AVG, ...)
  plane(t, 'avg_pool1d', 3)
  local k = one(kernel_size)
  local out = conv.avg_pool2d(raw.unsqueeze(t, -2), { 1, k }, { 1, one(v[1], k) }, { 0, one(v[2], 0) }, v[3], v[4])
  return raw.squeeze(out, -2)
end

return conv
