--- What the padding layers share: amounts, and the classes. A class pads the last one, two or three dims, in the way of
-- its mode; amounts stand as in functions.pad, the last dim first, before and after.
local kinds = require('metann.nn.machinery.options').kinds
local layouts = require 'metann.nn.shared.layouts'
local pure = require 'metann.nn.machinery.pure'
local support = require 'metann.support'
local pad = support.functions.pad

local padding = {}

support.errors.inner_name 'pad'

--- The kind of `padding` of so many sides: a number for all, or a list of two for each dim; negative ones crop.
local function amounts(sides)
  local expected = ('a whole number or a list of %d of them'):format(2 * sides)
  return kinds.list_kind(function(v)
    local alone, list = kinds.integer(v), {}
    if not alone and not (type(v) == 'table' and #v == 2 * sides) then return nil, expected end
    for i = 1, 2 * sides do
      list[i] = alone or kinds.integer(v[i])
      if not list[i] then return nil, expected end
    end
    return list
  end)
end

--- Raises unless x has the dims that a mode of copies wants.
local function check(name, x, sides)
  local n = support.ndim(x)
  if n ~= sides + 1 and n ~= sides + 2 then
    support.raise("%s: 'input' must be a tensor of size %s, got %s", name, layouts[sides], support.describe(x))
  end
end

--- Makes a class.
-- @param name of the class
-- @param sides how many dims it pads, from the last one on
-- @param mode one of functions.pad's; 'value' for 'constant' with the option `value`
function padding.class(name, sides, mode)
  local parameters = { { 'padding', amounts(sides), show = true } }
  if mode == 'value' then
    parameters[2] = { 'value', kinds.number, show = true }
    return pure.class(name, { 'input' }, parameters, function(o, x) return pad(x, o.padding, 'constant', o.value) end)
  end
  return pure.class(name, { 'input' }, parameters, function(o, x)
    if mode ~= 'constant' then check(name, x, sides) end
    return pad(x, o.padding, mode)
  end)
end

return padding
