--- Numbers that may still be tensors.
local metann = require 'metann'
local errors = require 'metann.binding.errors'
local describe = require('metann.support').describe

--- The number `value`, or the one that a tensor of one element holds; raises for anything else.
return function(what, name, value)
  if type(value) == 'number' then return value end
  if not metann.is_tensor(value) or value:numel() ~= 1 then
    errors.raise("%s: '%s' must be a number or a tensor of one number, got %s", what, name, describe(value))
  end
  return value:item()
end
