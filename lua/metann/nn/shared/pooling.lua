--- What the pooling layers share: checking and batching of inputs, and the classes for lines, planes and volumes.
local next = require('metann.binding.traversal').next
local kinds = require('metann.nn.machinery.options').kinds
local layouts = require 'metann.nn.shared.layouts'
local pure = require 'metann.nn.machinery.pure'
local support = require 'metann.support'
local ops, volumes = support.ops, support.volumes

local pooling = {}

--- x with a batch dim, and whether it had none. The batch may be empty, planes and channels may not.
function pooling.batched(name, x, sides)
  local n = support.ndim(x)
  local fits = n == sides + 2 or n == sides + 1
  for d = n - sides, fits and n or 0 do fits = fits and support.size(x, d) > 0 end
  if not fits then
    support.raise("%s: 'input' must be a tensor of size %s, not empty but for N, got %s", name, layouts[sides],
      support.describe(x))
  end
  if n == sides + 2 then return x, false end
  return ops.unsqueeze(x, 1), true
end

--- The kind of stride: an empty list is none.
function pooling.stride(n)
  local plain = kinds.sides(n, 1)
  return kinds.list_kind(function(v)
    if type(v) == 'table' and next(v) == nil then return v end
    return plain(v)
  end)
end

--- The kind of divisor_override.
local function divisor(v)
  if v ~= 0 and kinds.integer(v) then return v end
  return nil, 'a whole number other than 0'
end

--- The kind of output_size: a number, a list of one, or a list of n of which false stands for the input's own size.
local function adaptive_sides(n)
  local plain = kinds.sides(n, 1)
  return kinds.list_kind(function(v)
    if type(v) == 'table' and #v == 1 and v[1] then v = v[1] end
    local list = type(v) == 'table' and {} or nil
    for i = 1, list and n or 0 do list[i] = v[i] or 1 end
    local checked, expected = plain(list or v)
    if not checked then return nil, expected end
    if list and #v ~= n then return plain{} end
    for i = 1, list and n or 0 do checked[i] = v[i] end
    return checked
  end)
end

--- The sizes to make of x.
local function adaptive_size(sizes, x)
  local n = #sizes
  for i = 1, n do
    if not sizes[i] then
      local list = {}
      for k = 1, n do list[k] = sizes[k] or support.size(x, 2 + k) end
      return list
    end
  end
  return sizes
end

--- Fills in what follows from other options: a window moves by its own size unless told otherwise.
local function prepare(name)
  return function(o)
    if not o.stride or #o.stride == 0 then o.stride = o.kernel_size end
    for i = 1, #o.kernel_size do
      if o.padding and o.padding[i] > o.kernel_size[i] / 2 then
        support.raise("%s: 'padding' must be at most half of 'kernel_size', got %d and %d", name, o.padding[i],
          o.kernel_size[i])
      end
    end
  end
end
pooling.prepare = prepare

--- Makes the class of that name whose largest of each window, of lines (1), planes (2) or volumes (3), `sides` says.
function pooling.max_class(name, sides)
  local max_pool = volumes.max[sides]
  return pure.class(name, { 'input' }, {
    { 'kernel_size', kinds.sides(sides, 1), show = 'sides' },
    { 'stride', pooling.stride(sides), optional = true, show = 'sides' },
    { 'padding', kinds.sides(sides, 0), 0, show = 'sides' },
    { 'dilation', kinds.sides(sides, 1), 1, show = 'sides' },
    { 'return_indices', kinds.boolean, false, call = 6 },
    { 'ceil_mode', kinds.boolean, false, show = true, call = 5 },
  }, function(o, x)
    local alone
    x, alone = pooling.batched(name, x, sides)
    local y, index = max_pool(x, o.kernel_size, o.stride, o.padding, o.dilation, o.ceil_mode)
    if alone then y = ops.squeeze(y, 1) end
    if not o.return_indices then return y end
    return y, alone and ops.squeeze(index, 1) or index
  end, prepare(name))
end

--- Makes a class of means of each window; those of lines divide by nothing else, as in PyTorch.
function pooling.avg_class(name, sides)
  return pure.class(name, { 'input' }, {
    { 'kernel_size', kinds.sides(sides, 1), show = 'sides' },
    { 'stride', pooling.stride(sides), optional = true, show = 'sides' },
    { 'padding', kinds.sides(sides, 0), 0, show = 'sides' },
    { 'ceil_mode', kinds.boolean, false },
    { 'count_include_pad', kinds.boolean, true },
    sides > 1 and { 'divisor_override', divisor, optional = true } or nil,
  }, function(o, x)
    local alone
    x, alone = pooling.batched(name, x, sides)
    local y = volumes.avg(name, x, o.kernel_size, o.stride, o.padding, o.ceil_mode, o.count_include_pad, o.divisor_override)
    return alone and ops.squeeze(y, 1) or y
  end, prepare(name))
end

--- Makes a class of means over windows that divide the sides into output_size.
function pooling.adaptive_avg_class(name, sides)
  return pure.class(name, { 'input' }, {
    { 'output_size', adaptive_sides(sides), show = 'sides' },
  }, function(o, x)
    local alone
    x, alone = pooling.batched(name, x, sides)
    local y = volumes.adaptive_avg(x, adaptive_size(o.output_size, x))
    return alone and ops.squeeze(y, 1) or y
  end)
end

--- Makes a class of the largest of each of the windows that divide the sides into output_size.
function pooling.adaptive_max_class(name, sides)
  return pure.class(name, { 'input' }, {
    { 'output_size', adaptive_sides(sides), show = 'sides' },
    { 'return_indices', kinds.boolean, false },
  }, function(o, x)
    local alone
    x, alone = pooling.batched(name, x, sides)
    local y, index = volumes.adaptive_max(name, x, adaptive_size(o.output_size, x))
    if alone then y = ops.squeeze(y, 1) end
    if not o.return_indices then return y end
    return y, alone and ops.squeeze(index, 1) or index
  end)
end

--- Makes a class of the p-norm of each window. Where the last one may overhang, its missing places count as if they had
-- the mean of the others, as in PyTorch.
function pooling.norm_class(name, sides)
  local zeros = {}
  for i = 1, sides do zeros[i] = 0 end
  return pure.class(name, { 'input' }, {
    { 'norm_type', kinds.positive, show = true },
    { 'kernel_size', kinds.sides(sides, 1), show = 'sides' },
    { 'stride', pooling.stride(sides), optional = true, show = 'sides' },
    { 'ceil_mode', kinds.boolean, false, show = true },
  }, function(o, x)
    local alone
    x, alone = pooling.batched(name, x, sides)
    local y, kernel, count = ops.pow(x, o.norm_type), o.kernel_size, 1
    for i = 1, sides do count = count * kernel[i] end
    y = ops.mul(volumes.avg(name, y, kernel, o.stride, zeros, o.ceil_mode, true), count)
    y = ops.pow(y, 1 / o.norm_type)
    return alone and ops.squeeze(y, 1) or y
  end, prepare(name))
end

return pooling
