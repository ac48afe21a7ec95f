--- What the pooling layers share: checking and batching of inputs.
local next = require('metann.binding.traversal').next
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops = support.ops

local pooling = {}

local LAYOUT = { '(N, C, L) or (C, L)', '(N, C, H, W) or (C, H, W)' }

--- x with a batch dim, and whether it had none. The batch may be empty, planes and channels may not.
function pooling.batched(name, x, sides)
  local n = support.ndim(x)
  local fits = n == sides + 2 or n == sides + 1
  for d = n - sides, fits and n or 0 do fits = fits and support.size(x, d) > 0 end
  if not fits then
    support.raise("%s: 'input' must be a tensor of size %s, not empty but for N, got %s", name, LAYOUT[sides],
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
function pooling.divisor(v)
  if v ~= 0 and kinds.integer(v) then return v end
  return nil, 'a whole number other than 0'
end

--- The kind of output_size: a number, a list of one, or a list of n of which false stands for the input's own size.
function pooling.adaptive_sides(n)
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
function pooling.adaptive_size(sizes, x)
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
function pooling.prepare(name)
  return function(o)
    if not o.stride or #o.stride == 0 then o.stride = o.kernel_size end
    for i = 1, #o.kernel_size do
      if o.padding[i] > o.kernel_size[i] / 2 then
        support.raise("%s: 'padding' must be at most half of 'kernel_size', got %d and %d", name, o.padding[i],
          o.kernel_size[i])
      end
    end
  end
end

return pooling
