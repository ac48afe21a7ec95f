--- Upsample: planes, lines or volumes (N, C, ...) to another size. Upsample{size= | scale_factor=, mode='nearest',
-- align_corners=false, recompute_scale_factor=false}; size and scale_factor are numbers or lists with one for each
-- spatial dim; modes are those of metann.interpolate. recompute_scale_factor takes the scale from the sizes that come out.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local upsampling = require 'metann.nn.shared.upsampling'
local interpolate = support.functions.interpolate

-- Modes in which a corner has a place.
local CORNERS = { linear = true, bilinear = true, trilinear = true, bicubic = true }

return pure.class('Upsample', { 'input' }, {
  { 'size', kinds.sizes, optional = true, show = true },
  { 'scale_factor', upsampling.factors, optional = true, show = true },
  { 'mode', kinds.choice('nearest', 'nearest-exact', 'linear', 'bilinear', 'trilinear', 'bicubic', 'area'), 'nearest',
    show = true },
  { 'align_corners', kinds.boolean, optional = true },
  { 'recompute_scale_factor', kinds.boolean, optional = true },
}, function(o, x)
  return interpolate(x, o.size, o.scale_factor, o.mode, o.align_corners, o.recompute_scale_factor)
end, function(o)
  upsampling.check('Upsample', o)
  if o.align_corners and not CORNERS[o.mode] then
    support.raise("Upsample: 'align_corners' is for the modes linear, bilinear, trilinear and bicubic, not for %s", o.mode)
  end
  if o.recompute_scale_factor and o.size then
    support.raise("Upsample: 'recompute_scale_factor' goes with 'scale_factor', not with 'size'")
  end
end)
