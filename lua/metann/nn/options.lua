--- What layers add to the reading of arguments: `device` and `dtype`.
local arguments = require 'metann.arguments'
local kinds = arguments.kinds

local options = { kinds = kinds, reader = arguments.reader }

--- The reader of a layer with parameters of its own: takes `device` and `dtype` too, as PyTorch's do.
function options.layer_reader(what, parameters)
  local list = {}
  for i, p in ipairs(parameters) do list[i] = p end
  list[#list + 1] = { 'device', kinds.name, optional = true, named = true }
  list[#list + 1] = { 'dtype', kinds.name, optional = true, named = true }
  return arguments.reader(what, list)
end

--- Brings a new layer to the dtype and device that were asked for, if any.
function options.place(module, o)
  if o.dtype or o.device then module:to{ dtype = o.dtype, device = o.device } end
end

return options
