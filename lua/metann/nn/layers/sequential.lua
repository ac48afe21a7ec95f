--- Sequential: modules that are called one after another. `seq[1]` is the first.
local class = require 'metann.nn.machinery.class'
local Container = require 'metann.nn.machinery.container'
local support = require 'metann.support'

local Sequential = class.new('Sequential', Container)

--- What a slice is: a plain Sequential, whatever the class of the whole.
Sequential._plain = Sequential

--- @param ... modules, or one list of modules or of {name, module} pairs
function Sequential:init(...)
  local list = { ... }
  local only = list[1]
  if select('#', ...) == 1 and type(only) == 'table' and not class.class_of(only) then list = only end
  for i = 1, select('#', ...) > #list and select('#', ...) or #list do
    local entry = list[i]
    if type(entry) == 'table' and not class.class_of(entry) and type(entry[1]) == 'string' then
      if not class.class_of(entry[2]) then
        support.raise("Sequential: '%s' must be a module, got %s", entry[1], support.describe(entry[2]))
      end
      self:add_module(entry[1], entry[2])
    elseif class.class_of(entry) then
      self:append(entry)
    else
      support.raise('Sequential: argument %d must be a module, got %s', i, support.describe(entry))
    end
  end
end

local function missing(self, i)
  support.raise("Sequential: entry %d ('%s') is empty, it was registered as nil", i, self._modules.names[i])
end

--- Passes x through all modules. What is given besides goes to the first module.
function Sequential:forward(x, ...)
  local names = self._modules.names
  local n = #names
  if n == 0 then return x end
  local module = self[names[1]] or missing(self, 1)
  if n == 1 then return module(x, ...) end
  x = module(x, ...)
  for i = 2, n - 1 do
    module = self[names[i]] or missing(self, i)
    x = module(x)
  end
  module = self[names[n]] or missing(self, n)
  return module(x)
end

class.guard(Sequential)

return Sequential
