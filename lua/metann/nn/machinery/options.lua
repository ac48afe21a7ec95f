--- What layers add to the reading of arguments: `device` and `dtype`.
local arguments = require 'metann.arguments'
local dtypes = require 'metann.binding.dtypes'
local kinds = arguments.kinds

local options = { kinds = kinds, reader = arguments.reader }

--- The dtype of a layer's parameters.
local function float_dtype(v)
  return dtypes.floats[dtypes.codes[v]] and v or nil, "a floating-point dtype such as 'float32'"
end

--- The reader of a layer with parameters of its own: takes `device` and `dtype` too, as PyTorch's do.
function options.layer_reader(what, parameters)
  local list = {}
  for i, p in ipairs(parameters) do list[i] = p end
  list[#list + 1] = { 'device', kinds.device, optional = true, named = true }
  list[#list + 1] = { 'dtype', float_dtype, optional = true, named = true }
  return arguments.reader(what, list)
end

--- Brings a new layer to the dtype and device that were asked for, if any.
function options.place(module, o)
  if o.dtype or o.device then module:to{ dtype = o.dtype, device = o.device } end
end

return options
