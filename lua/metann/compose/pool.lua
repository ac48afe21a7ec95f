--- Pooling made of the rows for planes.
local common = require 'metann.compose.common'
local windows = require 'metann.compose.windows'
local raw, raise = common.raw, common.raise
local one, plane, arguments, sides = windows.one, windows.plane, windows.arguments, windows.sides
local shape_of = common.shape

local pool = {}

local POOL = { 'stride', 'padding', 'dilation', 'ceil_mode', 'return_indices' }

--- Largest of each window of (N, C, H, W), or (C, H, W); with return_indices, also where in its plane it stands.
function pool.max_pool2d(t, kernel_size, ...)
  local v = arguments('max_pool2d', POOL, ...)
  local n = plane(t, 'max_pool2d', 4)
  if n == 3 then t = raw.unsqueeze(t, 1) end
  local out, index = raw.max_pool2d(t, kernel_size, v[1], v[2], v[3], v[4])
  if n == 3 then out, index = raw.squeeze(out, 1), raw.squeeze(index, 1) end
  if v[5] then return out, index end
  return out
end

--- Largest of each window of (N, C, L), or (C, L).
function pool.max_pool1d(t, kernel_size, ...)
  local op = 'max_pool1d'
  local v = arguments(op, POOL, ...)
  plane(t, op, 3)
  local k = one(op, 'kernel_size', kernel_size, 1)
  local out, index = pool.max_pool2d(raw.unsqueeze(t, -2), { 1, k }, { 1, one(op, 'stride', v[1], 1, k) },
    { 0, one(op, 'padding', v[2], 0, 0) }, { 1, one(op, 'dilation', v[3], 1, 1) }, v[4], true)
  if v[5] then return raw.squeeze(out, -2), raw.squeeze(index, -2) end
  return raw.squeeze(out, -2)
end

local function flat_rows(op, row, n_dims)
  pool[op] = function(t, ...)
    if plane(t, op, n_dims) == n_dims then return row(t, ...) end
    return raw.squeeze(row(raw.unsqueeze(t, 1), ...), 1)
  end
end
--- Mean of each window of (N, C, H, W), or (C, H, W).
-- @function avg_pool2d
flat_rows('avg_pool2d', raw.avg_pool2d, 4)
--- Means over windows that divide each plane into output_size, of (N, C, H, W), or (C, H, W).
-- @function adaptive_avg_pool2d
flat_rows('adaptive_avg_pool2d', raw.adaptive_avg_pool2d, 4)

--- Positions (from 1) along a dim of `size` elements of the windows that divide it into `count`, one after another and
-- all of one length: the last position of a shorter window comes again. Also that length.
local function adaptive_positions(size, count)
  local steps = raw.mul(raw.arange(0, 1, count + 1, 'float64'), size)
  local edges = raw.div(steps, count)
  local first = raw.floor(raw.slice(edges, 1, 1, count))
  local last = raw.sub(raw.ceil(raw.slice(edges, 1, 2, count)), 1)
  local length = raw.amax(raw.sub(last, first)):item() + 1
  local all = raw.minimum(raw.add(raw.unsqueeze(first, 2), raw.arange(0, 1, length, 'float64')), raw.unsqueeze(last, 2))
  return raw.cast(raw.add(raw.view(all, -1), 1), 'int64'), length
end

--- Largest of each of the windows that divide each plane into output_size, of (N, C, H, W), or (C, H, W); with
-- return_indices, also where in its plane it stands, (h - 1) W + w counted from 1.
function pool.adaptive_max_pool2d(t, output_size, ...)
  local op = 'adaptive_max_pool2d'
  local v = arguments(op, { 'return_indices' }, ...)
  local n = plane(t, op, 4)
  local count, size = sides(op, 'output_size', output_size, 2, 1), shape_of(t)
  local height, width = size[n - 1], size[n]
  if height < 1 or width < 1 then raise('%s: the input has no pixels', op) end
  -- planes in which windows don't overlap and are equally long
  local rows, kernel_h = adaptive_positions(height, count[1])
  local columns, kernel_w = adaptive_positions(width, count[2])
  if common.numel(rows) ~= height then t = raw.index_select(t, rows, n - 1) end
  if common.numel(columns) ~= width then t = raw.index_select(t, columns, n) end
  local out, index = pool.max_pool2d(t, { kernel_h, kernel_w }, { return_indices = true })
  if not v[1] then return out end
  local places = raw.add(raw.unsqueeze(raw.mul(raw.sub(rows, 1), width), 2), columns)
  local flat = raw.index_select(raw.view(places, -1), raw.view(index, -1), 1)
  return out, raw.view(flat, shape_of(index))
end

local AVG = { 'stride', 'padding', 'ceil_mode', 'count_include_pad' }

--- Mean of each window of (N, C, L), or (C, L).
function pool.avg_pool1d(t, kernel_size, ...)
  local op = 'avg_pool1d'
  local v = arguments(op, AVG, ...)
  plane(t, op, 3)
  local k = one(op, 'kernel_size', kernel_size, 1)
  local out = pool.avg_pool2d(raw.unsqueeze(t, -2), { 1, k }, { 1, one(op, 'stride', v[1], 1, k) },
    { 0, one(op, 'padding', v[2], 0, 0) }, v[3], v[4])
  return raw.squeeze(out, -2)
end

return pool
