--- Pooling: the functions for lines, planes and volumes (volumes.lua).
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local volumes = require 'metann.tensor.compose.volumes'
local windows = require 'metann.tensor.compose.windows'
local define, kinds, raw = arguments.define, arguments.kinds, common.raw
local plane, input, sides = windows.plane, windows.input, windows.sides

local pool = {}

local ceil_mode, return_indices = { 'ceil_mode', kinds.boolean, false }, { 'return_indices', kinds.boolean, false }
local count_pad = { 'count_include_pad', kinds.boolean, true }
-- What to divide by in place of the number of elements; a negative one turns the sign.
local divisor = { 'divisor_override', kinds.integer, optional = true }

--- A pool's stride: the kernel's size unless it has entries.
local function stride_of(stride, kernel) return stride and #stride > 0 and stride or kernel end

--- t, checked for n sides, and whether it has no batch where one must be there: volumes only come in batches.
local function batched(t, op, n)
  local alone = plane(t, op, n + 2) == n + 1 and n == 3
  return alone and raw.unsqueeze(t, 1) or t, alone
end

--- What came of it, without the batch.
local function single(alone, y, index)
  if not alone then return y, index end
  return raw.squeeze(y, 1), index and raw.squeeze(index, 1)
end

for n = 1, 3 do
  local suffix = n .. 'd'

  --- The largest of each window; with return_indices, also where in its line, plane or volume it stands.
  local max, max_pool = 'max_pool' .. suffix, volumes.max[n]
  pool[max] = define(max, {
    input, sides('kernel_size', n, 1), windows.stride(n), sides('padding', n, 0, 0), sides('dilation', n, 1, 1),
    ceil_mode, return_indices,
  }, function(t, kernel, stride, padding, dilation, ceil, with_index)
    local alone
    t, alone = batched(t, max, n)
    local y, index = single(alone, max_pool(t, kernel, stride_of(stride, kernel), padding, dilation, ceil))
    if with_index then return y, index end
    return y
  end)

  --- The mean of each window.
  local avg = 'avg_pool' .. suffix
  pool[avg] = define(avg, {
    input, sides('kernel_size', n, 1), windows.stride(n), sides('padding', n, 0, 0), ceil_mode, count_pad,
    n > 1 and divisor or nil,
  }, function(t, kernel, stride, padding, ceil, count_all, by)
    local alone
    t, alone = batched(t, avg, n)
    return (single(alone, volumes.avg(avg, t, kernel, stride_of(stride, kernel), padding, ceil, count_all, by)))
  end)

  --- Means over windows that divide the sides into output_size.
  local adaptive_avg = 'adaptive_avg_pool' .. suffix
  pool[adaptive_avg] = define(adaptive_avg, { input, sides('output_size', n, 1) }, function(t, size)
    local alone
    t, alone = batched(t, adaptive_avg, n)
    return (single(alone, volumes.adaptive_avg(t, size)))
  end)

  --- The largest of each of the windows that divide the sides into output_size; with return_indices, also where in its
  -- line, plane or volume it stands, of a plane (h - 1) W + w counted from 1.
  local adaptive_max = 'adaptive_max_pool' .. suffix
  pool[adaptive_max] = define(adaptive_max, { input, sides('output_size', n, 1), return_indices },
    function(t, size, with_index)
      local alone
      t, alone = batched(t, adaptive_max, n)
      local y, index = single(alone, volumes.adaptive_max(adaptive_max, t, size))
      if with_index then return y, index end
      return y
    end)
end

return pool
