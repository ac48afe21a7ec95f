--- Modules whose parts are loaded when they are first read, and that say so when they have no such part.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'

--- Makes such a module. `rawget` and `pairs` see what is loaded so far; the metatable's `names` lists all there is.
-- @param what its name, for example 'metann.data'
-- @param files names of its parts -> the module below `what` that each is
-- @param loaded parts that are there from the beginning: the table to return
return function(what, files, loaded)
  local function names_of(self)
    local names = {}
    for known in pairs(files) do names[#names + 1] = known end
    for known in pairs(self) do
      if not files[known] then names[#names + 1] = known end -- else it has been loaded, and is there already
    end
    table.sort(names)
    return names
  end
  return setmetatable(loaded or {}, {
    names = names_of,
    __index = function(self, name)
      if not files[name] then errors.no_member(what, name, names_of(self)) end
      local part = require(what .. '.' .. files[name])
      rawset(self, name, part)
      return part
    end,
  })
end
