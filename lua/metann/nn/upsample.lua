--- Upsample: planes, lines or volumes (N, C, ...) to another size. Upsample{size= | scale_factor=, mode='nearest',
-- align_corners=false}; size and scale_factor are numbers or lists with one for each spatial dim; modes are those of
-- metann.interpolate.
local pure = require 'metann.nn.pure'
local kinds = require('metann.nn.options').kinds
local support = require 'metann.nn.support'
local interpolate = support.functions.interpolate

local function factors(v)
  if type(v) == 'number' and v > 0 then return v end
  if type(v) == 'table' and type(v[1]) == 'number' then return v end
  return nil, 'a number above 0 or a list of them'
end

return pure.class('Upsample', { 'input' }, {
  { 'size', kinds.sizes, optional = true, show = true },
  { 'scale_factor', factors, optional = true, show = true },
  { 'mode', kinds.choice('nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area'), 'nearest',
    show = true },
  { 'align_corners', kinds.boolean, optional = true },
}, function(o, x)
  return interpolate(x, o.size, o.scale_factor, o.mode, o.align_corners)
end, function(o)
  if (o.size == nil) == (o.scale_factor == nil) then
    support.raise("Upsample: give either 'size' or 'scale_factor'")
  end
end)
