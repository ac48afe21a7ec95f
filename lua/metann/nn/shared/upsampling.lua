--- What the layers that resize share: the kind of scale_factor, and what must be given.
local kinds = require('metann.nn.machinery.options').kinds
local pure = require 'metann.nn.machinery.pure'
local support = require 'metann.support'
local interpolate = support.functions.interpolate

local upsampling = {}

support.errors.inner_name 'interpolate'

--- The kind of scale_factor.
upsampling.factors = kinds.list_kind(function(v)
  if kinds.positive(v) then return v end
  local list = type(v) == 'table' and #v > 0
  for i = 1, list and #v or 0 do list = list and kinds.positive(v[i]) end
  if list then return v end
  return nil, 'a number above 0 or a list of them'
end)

--- Raises unless one of size and scale_factor is given.
function upsampling.check(name, o)
  if (o.size == nil) == (o.scale_factor == nil) then
    support.raise("%s: give either 'size' or 'scale_factor'", name)
  end
end

--- Makes a class that resizes planes (with mode 'nearest' lines and volumes, too) in one way.
-- @param name of the class
-- @param mode, corners interpolate's `mode` and `align_corners`
function upsampling.plane_class(name, mode, corners)
  return pure.class(name, { 'input' }, {
    { 'size', kinds.sizes, optional = true, show = true },
    { 'scale_factor', upsampling.factors, optional = true, show = true },
  }, function(o, x) return interpolate(x, o.size, o.scale_factor, mode, corners) end, function(o) upsampling.check(name, o) end)
end

return upsampling
