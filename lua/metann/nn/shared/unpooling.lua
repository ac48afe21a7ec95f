--- What the layers that undo max pooling share: each element goes back to where its window's largest stood, and zeros
-- stand elsewhere.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local pooling = require 'metann.nn.shared.pooling'
local support = require 'metann.support'
local kinds, ops, raise, size = options.kinds, support.ops, support.raise, support.size

local unpooling = {}

--- The parameters of so many sides, and those of a call, which has sizes of its own.
function unpooling.parameters(sides)
  return { 'kernel_size', kinds.sides(sides, 1) }, { 'stride', pooling.stride(sides), optional = true },
    { 'padding', kinds.sides(sides, 0), 0 }
end

unpooling.INPUTS = { { 'input', kinds.tensor }, { 'indices', kinds.tensor } }
unpooling.OUTPUT_SIZE = { 'output_size', kinds.sizes, optional = true }

--- The sizes that pooling by kernel and stride came from: wanted ones, the last of them counting, if they can be those.
local function sides_of(name, x, o, wanted)
  local sides, n, list = #o.kernel_size, support.ndim(x), {}
  if wanted and #wanted ~= sides and #wanted ~= n then
    raise("%s: 'output_size' must have %d sizes, got %d", name, sides, #wanted)
  end
  for i = 1, sides do
    local usual = (size(x, n - sides + i) - 1) * o.stride[i] - 2 * o.padding[i] + o.kernel_size[i]
    local side = wanted and wanted[#wanted - sides + i] or usual
    if math.abs(side - usual) >= o.stride[i] and side ~= usual or side < 1 then
      raise("%s: 'output_size' must be from %d to %d in dim %d, got %d", name, usual - o.stride[i] + 1,
        usual + o.stride[i] - 1, n - sides + i, side)
    end
    list[i] = side
  end
  return list
end

--- x (N, C, sides...) or (C, sides...) spread over the sizes that it was pooled from.
-- @param o options by name: kernel_size, stride, padding
-- @param indices where each element goes in its line, plane or volume, counted from 1, of the size of x
-- @param wanted list of the sizes of the result, or nil
function unpooling.unpool(name, x, indices, o, wanted)
  local sides, n = #o.kernel_size, support.ndim(x)
  if n ~= sides + 1 and n ~= sides + 2 then
    raise("%s: 'input' must have %d or %d dims, got size %s", name, sides + 1, sides + 2, support.shape_text(x))
  end
  if not support.same_shape(x, indices) or support.dtype(indices) ~= 'int64' then
    raise("%s: 'indices' must be an int64 tensor of the size of 'input', %s, got %s", name, support.shape_text(x),
      support.describe(indices))
  end
  local list = sides_of(name, x, o, wanted)
  local flat, final, places, from = {}, {}, 1, 1
  for d = 1, n - sides do flat[d], final[d] = size(x, d), size(x, d) end
  for i = 1, sides do
    final[n - sides + i], places, from = list[i], places * list[i], from * size(x, n - sides + i)
  end
  local zeros = { unpack(flat) }
  flat[#flat + 1], zeros[#zeros + 1] = from, places
  local spread = ops.scatter(support.full(x, zeros, 0), support.reshape(indices, flat),
    support.reshape(x, flat), -1)
  return support.reshape(spread, final)
end

--- Makes a class for lines (1), planes (2) or volumes (3).
function unpooling.class(name, sides)
  local of = class.new(name, Module)
  local read = options.reader(name, { unpooling.parameters(sides) })
  local read_call = options.reader(name, { unpooling.INPUTS[1], unpooling.INPUTS[2], unpooling.OUTPUT_SIZE })

  function of:init(...)
    local o = read(...)
    pooling.prepare(name)(o)
    self.kernel_size, self.stride, self.padding = o.kernel_size, o.stride, o.padding
  end

  --- @param ... input, indices, output_size (optional)
  function of:forward(...)
    local o = read_call(...)
    return unpooling.unpool(name, o.input, o.indices, self, o.output_size)
  end

  function of:extra_repr()
    return ('kernel_size=%s, stride=%s, padding=%s'):format(support.tuple(self.kernel_size), support.tuple(self.stride),
      support.tuple(self.padding))
  end
  return of
end

return unpooling
