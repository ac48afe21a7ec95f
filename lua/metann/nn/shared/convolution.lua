--- What the convolution layers share: arguments, parameters, printing. Weights and biases are uniform within
-- 1 / sqrt(fan in), as PyTorch's.
local pairs = require('metann.binding.traversal').pairs
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local fresh = require 'metann.nn.shared.fresh'
local support = require 'metann.support'
local kinds, raise, is_tensor, ndim = options.kinds, support.raise, support.is_tensor, support.ndim

local convolution = {}

local LAYOUT = {
  '(N, %d, L) or (%d, L)', '(N, %d, H, W) or (%d, H, W)', '(N, %d, D, H, W) or (%d, D, H, W)',
}

--- Raises unless x has the layer's channels and dims; returns its number of dims.
function convolution.check(name, x, channels, sides)
  local n = is_tensor(x) and ndim(x) or 0
  if (n ~= sides + 2 and n ~= sides + 1) or support.size(x, -sides - 1) ~= channels then
    raise("%s: 'input' must be a tensor of size " .. LAYOUT[sides] .. ', got %s', name, channels, channels,
      support.describe(x))
  end
  return n
end

local function parameters_of(sides, transposed)
  local list = {
    { 'in_channels', kinds.count }, { 'out_channels', kinds.count }, { 'kernel_size', kinds.sides(sides, 1) },
    { 'stride', kinds.sides(sides, 1), 1 },
  }
  if transposed then
    list[5] = { 'padding', kinds.sides(sides, 0), 0 }
    list[6] = { 'output_padding', kinds.sides(sides, 0), 0 }
    list[7] = { 'groups', kinds.count, 1 }
    list[8] = { 'bias', kinds.boolean, true }
    list[9] = { 'dilation', kinds.sides(sides, 1), 1 }
    list[10] = { 'padding_mode', kinds.choice('zeros'), 'zeros' }
  else
    list[5] = { 'padding', kinds.either(kinds.sides(sides, 0), kinds.choice('same', 'valid')), 0 }
    list[6] = { 'dilation', kinds.sides(sides, 1), 1 }
    list[7] = { 'groups', kinds.count, 1 }
    list[8] = { 'bias', kinds.boolean, true }
    list[9] = { 'padding_mode', kinds.choice('zeros', 'reflect', 'replicate', 'circular'), 'zeros' }
  end
  return list
end

local function product(list)
  local p = 1
  for _, v in ipairs(list) do p = p * v end
  return p
end

local function check_groups(name, o)
  for _, field in ipairs{ 'in_channels', 'out_channels' } do
    if o[field] % o.groups ~= 0 then
      raise("%s: '%s' (%d) must be divisible by 'groups' (%d)", name, field, o[field], o.groups)
    end
  end
  if o.padding == 'same' and product(o.stride) ~= 1 then raise("%s: padding 'same' needs stride 1", name) end
end

--- Padding in the order of functions.pad: the last dim first, before and after.
local function pads_of(o, sides)
  local pads = {}
  for i = sides, 1, -1 do
    local total = o.padding == 'same' and o.dilation[i] * (o.kernel_size[i] - 1) or nil
    local before = total and math.floor(total / 2) or (o.padding == 'valid' and 0 or o.padding[i])
    pads[#pads + 1], pads[#pads + 2] = before, total and total - before or before
  end
  return pads
end

--- What to do about padding: what the row does itself (`_padding`) and what is put around the input first (`_pads`).
local function plan_padding(self, o, sides)
  local zeros = {}
  for i = 1, sides do zeros[i] = 0 end
  if o.padding == 'valid' then
    self._padding = zeros
  elseif o.padding == 'same' or o.padding_mode ~= 'zeros' then
    self._padding, self._pads = zeros, pads_of(o, sides)
  else
    self._padding = o.padding
  end
end

local function print_list(value) return type(value) == 'table' and support.tuple(value) or tostring(value) end

local function any(list, value)
  if type(list) ~= 'table' then return true end
  for _, v in ipairs(list) do
    if v ~= value then return true end
  end
  return false
end

local function extra_repr(self)
  local parts = {
    tostring(self.in_channels), tostring(self.out_channels), 'kernel_size=' .. print_list(self.kernel_size),
    'stride=' .. print_list(self.stride),
  }
  if any(self.padding, 0) then parts[#parts + 1] = 'padding=' .. print_list(self.padding) end
  if any(self.dilation, 1) then parts[#parts + 1] = 'dilation=' .. print_list(self.dilation) end
  if self.output_padding and any(self.output_padding, 0) then
    parts[#parts + 1] = 'output_padding=' .. print_list(self.output_padding)
  end
  if self.groups ~= 1 then parts[#parts + 1] = 'groups=' .. self.groups end
  if self.bias == nil then parts[#parts + 1] = 'bias=false' end
  if self.padding_mode ~= 'zeros' then parts[#parts + 1] = 'padding_mode=' .. self.padding_mode end
  return table.concat(parts, ', ')
end

--- Makes a class.
-- @param name of the class
-- @param sides how many dims a kernel has
-- @param transposed true for weights (in, out / groups, ...), false for (out, in / groups, ...)
function convolution.class(name, sides, transposed)
  local of = class.new(name, Module)
  local read = options.layer_reader(name, parameters_of(sides, transposed))

  function of:init(...)
    local o = read(...)
    check_groups(name, o)
    for field, value in pairs(o) do
      if field ~= 'bias' and field ~= 'dtype' and field ~= 'device' then self[field] = value end
    end
    if not transposed then plan_padding(self, o, sides) end
    local shape = { o.out_channels, o.in_channels / o.groups }
    if transposed then shape = { o.in_channels, o.out_channels / o.groups } end
    for i = 1, sides do shape[2 + i] = o.kernel_size[i] end
    local bound = 1 / math.sqrt(shape[2] * product(o.kernel_size))
    self:register_parameter('weight', fresh.uniform(shape, bound))
    self:register_parameter('bias', o.bias and fresh.uniform({ o.out_channels }, bound) or nil)
    options.place(self, o)
  end

  of.extra_repr = extra_repr
  return of
end

-- ---- transposed ----

--- The output_padding that gives the wanted size.
local function padding_for(name, self, x, wanted)
  local extra, sides = {}, #wanted
  for i = 1, sides do
    local least = (support.size(x, i - sides - 1) - 1) * self.stride[i] - 2 * self.padding[i]
      + self.dilation[i] * (self.kernel_size[i] - 1) + 1
    extra[i] = wanted[i] - least
    if extra[i] < 0 or extra[i] >= math.max(self.stride[i], self.dilation[i]) then
      raise("%s: 'output_size' must be from %d to %d in dim %d, got %d", name, least,
        least + math.max(self.stride[i], self.dilation[i]) - 1, i, wanted[i])
    end
  end
  return extra
end

--- Makes a class of transposed convolutions, which is called with x and output_size, the wanted sides, by position or
-- name.
function convolution.transposed_class(name, sides)
  local of = convolution.class(name, sides, true)
  local conv_transpose = support.functions[('conv_transpose%dd'):format(sides)]
  local read_call = options.reader(name, { { 'output_size', kinds.sides(sides, 1), optional = true } })

  function of:forward(x, ...)
    convolution.check(name, x, self.in_channels, sides)
    local extra = self.output_padding
    if select('#', ...) > 0 then
      local wanted = read_call(...).output_size
      if wanted then extra = padding_for(name, self, x, wanted) end
    end
    return conv_transpose(x, self.weight, self.bias or false, self.stride, self.padding, extra, self.groups, self.dilation)
  end
  return of
end

return convolution
