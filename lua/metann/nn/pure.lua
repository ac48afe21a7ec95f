--- Layers and losses that are functions of their inputs and some options: activations, pooling, losses.
-- Each is written once, as compute(options, inputs..., tensors...), and gives both the class and the function in
-- nn.functional. Tensors among the options (class weights) are buffers of the class.
local class = require 'metann.nn.class'
local Module = require 'metann.nn.module'
local options = require 'metann.nn.options'
local support = require 'metann.nn.support'
local kinds, raise, is_tensor, describe = options.kinds, support.raise, support.is_tensor, support.describe

local pure = {}

local function not_tensor(name, input, value)
  raise("%s: '%s' must be a tensor, got %s", name, input, describe(value))
end

--- The option `inplace` of PyTorch's activations. It saves memory there; here the result is a new tensor in any case,
-- since most derivatives need the input as it was. So it is taken, shown, and changes nothing.
pure.INPLACE = { 'inplace', kinds.boolean, false, show = 'true' }

-- One function per number of inputs: these are on the hot path.
local checked = {
  function(name, inputs, compute)
    local first = inputs[1]
    return function(o, x, ...)
      if not is_tensor(x) then not_tensor(name, first, x) end
      return compute(o, x, ...)
    end
  end,
  function(name, inputs, compute)
    local first, second = inputs[1], inputs[2]
    return function(o, x, y, ...)
      if not is_tensor(x) then not_tensor(name, first, x) end
      if not is_tensor(y) then not_tensor(name, second, y) end
      return compute(o, x, y, ...)
    end
  end,
  function(name, inputs, compute)
    local first, second, third = inputs[1], inputs[2], inputs[3]
    return function(o, x, y, z, ...)
      if not is_tensor(x) then not_tensor(name, first, x) end
      if not is_tensor(y) then not_tensor(name, second, y) end
      if not is_tensor(z) then not_tensor(name, third, z) end
      return compute(o, x, y, z, ...)
    end
  end,
}

local function define_forward(of, compute, n, tensors)
  local first, second = tensors[1], tensors[2]
  if second then
    function of:forward(x, y) return compute(self.options, x, y, self[first], self[second]) end
  elseif first then
    function of:forward(x, y) return compute(self.options, x, y, self[first]) end
  elseif n == 1 then
    function of:forward(x) return compute(self.options, x) end
  elseif n == 2 then
    function of:forward(x, y) return compute(self.options, x, y) end
  else
    function of:forward(x, y, z) return compute(self.options, x, y, z) end
  end
end

local function text(value, show)
  if show == 'quoted' then return "'" .. value .. "'" end
  if type(value) ~= 'table' then return tostring(value) end
  local equal = show == 'sides'
  for i = 2, #value do equal = equal and value[i] == value[1] end
  return equal and tostring(value[1]) or support.tuple(value)
end

--- Text of the options to print: those with `show`; 'sides' prints equal sides as one number, 'true' a flag that is
-- set, 'quoted' a string in quotes.
local function describe_options(parameters, o)
  local parts = {}
  for _, p in ipairs(parameters) do
    local value = o[p[1]]
    if value ~= nil and p.show and (p.show ~= 'true' or value == true) then parts[#parts + 1] = p[1] .. '=' .. text(value, p.show) end
  end
  return table.concat(parts, ', ')
end

--- Makes a class.
-- @param name the class's name
-- @param inputs names of the inputs (1 to 3)
-- @param parameters as for options.reader; `tensor=true` makes one a buffer, `show` has it printed
-- @param compute function(options, inputs..., tensors...)
-- @param prepare function(options), run once on checked options: derives what compute needs from them
function pure.class(name, inputs, parameters, compute, prepare)
  local of = class.new(name, Module)
  local read = options.reader(name, parameters)
  local tensors = {}
  for _, p in ipairs(parameters) do
    if p.tensor then tensors[#tensors + 1] = p[1] end
  end
  compute = checked[#inputs](name, inputs, compute)

  function of:init(...)
    local o = read(...)
    for _, tensor in ipairs(tensors) do
      self:register_buffer(tensor, o[tensor])
      o[tensor] = nil
    end
    if prepare then prepare(o) end
    self.options = o
  end

  define_forward(of, compute, #inputs, tensors)
  function of:extra_repr() return describe_options(parameters, self.options) end

  --- The same as a function: the inputs, then the options by position or name.
  local function call(count)
    if count == 1 then return function(o, t1, t2, x) return compute(o, x, t1, t2) end end
    if count == 2 then return function(o, t1, t2, x, y) return compute(o, x, y, t1, t2) end end
    return function(o, t1, t2, x, y, z) return compute(o, x, y, z, t1, t2) end
  end
  local run, n = call(#inputs), #inputs
  local function options_of(...)
    local o = read(...)
    if prepare then prepare(o) end
    return o
  end
  -- the options of a call without any are read once
  local defaults
  of._function = function(...)
    if select('#', ...) <= n then
      defaults = defaults or options_of()
      return run(defaults, nil, nil, ...)
    end
    local o = options_of(select(n + 1, ...))
    return run(o, tensors[1] and o[tensors[1]], tensors[2] and o[tensors[2]], ...)
  end
  return of
end

return pure
