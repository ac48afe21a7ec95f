--- The binding: the only folder that requires "ffi".
-- A Lua state loads the core once: types can be declared once, and the library must stay open until the very end (its
-- threads outlive lua_close), so what was loaded is anchored in the registry, and loading this module again, after
-- package.loaded was cleared, gives the same objects.
if not pcall(require, 'ffi') then
  error('metann needs LuaJIT 2.1: this is ' .. _VERSION .. ', which has no ffi library', 0)
end

local anchor = debug and debug.getregistry and debug.getregistry() or package.loaded
local KEY = 'metann.binding: loaded once in a state'
if not anchor[KEY] then
  local handle = require 'metann.binding.handle'
  anchor[KEY] = {
    handle = handle,
    errors = require 'metann.binding.errors',
    stub = require 'metann.binding.stub',
    scope = require 'metann.binding.scope',
  }
end
return anchor[KEY]
