--- What the layers that move channels share: between channels and pixels, and among themselves.
local support = require 'metann.support'
local ops, size = support.ops, support.size

local shuffling = {}

--- Raises unless x has planes.
local function check_planes(name, x)
  if support.ndim(x) < 3 then
    support.raise("%s: 'input' must be a tensor of size (..., C, H, W), got %s", name, support.describe(x))
  end
end

--- x with its last three dims as `parts` (a list of sizes), permuted by `order` (places among them), and again as three,
-- `joined`.
local function rearranged(x, parts, order, joined)
  local n = support.ndim(x) - 3
  local shape, dims, final = {}, {}, {}
  for d = 1, n do shape[d], dims[d], final[d] = size(x, d), d, size(x, d) end
  for i = 1, #parts do shape[n + i], dims[n + i] = parts[i], n + order[i] end
  for i = 1, 3 do final[n + i] = joined[i] end
  return support.reshape(ops.permute(support.reshape(x, shape), dims), final)
end

--- (..., C r^2, H, W) as (..., C, H r, W r).
function shuffling.to_pixels(name, x, r)
  check_planes(name, x)
  local c, h, w = size(x, -3) / (r * r), size(x, -2), size(x, -1)
  if c % 1 ~= 0 then
    support.raise("%s: the channels of 'input' must be a multiple of 'upscale_factor' squared, %d, got size %s", name,
      r * r, support.shape_text(x))
  end
  return rearranged(x, { c, r, r, h, w }, { 1, 4, 2, 5, 3 }, { c, h * r, w * r })
end

--- (..., C, H r, W r) as (..., C r^2, H, W).
function shuffling.to_channels(name, x, r)
  check_planes(name, x)
  local c, h, w = size(x, -3), size(x, -2) / r, size(x, -1) / r
  if h % 1 ~= 0 or w % 1 ~= 0 then
    support.raise("%s: the planes of 'input' must have sides that 'downscale_factor', %d, divides, got size %s", name, r,
      support.shape_text(x))
  end
  return rearranged(x, { c, h, r, w, r }, { 1, 3, 5, 2, 4 }, { c * r * r, h, w })
end

--- (N, C, ...) with its channels, in groups, dealt out in turn.
function shuffling.channels(name, x, groups)
  local shape = support.shape(x)
  if #shape < 3 or shape[2] % groups ~= 0 then
    support.raise("%s: 'input' must be a tensor of size (N, C, ...) with channels that 'groups', %d, divides, got %s", name,
      groups, support.describe(x))
  end
  local rest = 1
  for d = 3, #shape do rest = rest * shape[d] end
  local dealt = support.reshape(x, { shape[1], groups, shape[2] / groups, rest })
  return support.reshape(ops.transpose(dealt, 2, 3), shape)
end

return shuffling
