--- Modules whose parts are loaded when they are first read, and that say so when they have no such part.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'

--- Makes such a module. `rawget` and `pairs` see what is loaded so far.
-- @param what its name, for example 'metann.data'
-- @param files names of its parts -> the module below `what` that each is
-- @param loaded parts that are there from the beginning: the table to return
return function(what, files, loaded)
  return setmetatable(loaded or {}, {
    __index = function(self, name)
      if not files[name] then
        local names = {}
        for known in pairs(files) do names[#names + 1] = known end
        for known in pairs(self) do
          if not files[known] then names[#names + 1] = known end -- else it has been loaded, and is there already
        end
        table.sort(names)
        errors.no_member(what, name, names)
      end
      local part = require(what .. '.' .. files[name])
      rawset(self, name, part)
      return part
    end,
  })
end
