--- Walking tables by key, kept from the compiler where it gets that wrong.
-- LuaJIT from September 2021 to April 2022, which Debian 12 has, compiles next() on x64 to code that now and then cuts a
-- pointer to 32 bits and crashes (LuaJIT's issue 829). A function that the compiler is switched off for ends a recording
-- that reaches it, so the walks are interpreted there. In other versions these are Lua's own functions. All files of the
-- library take `next` and `pairs` from here.
local traversal = { next = next, pairs = pairs }

if jit and jit.arch == 'x64' and jit.version == 'LuaJIT 2.1.0-beta3' then
  local raw = next
  local function walk(t, key) return raw(t, key) end
  jit.off(walk)
  traversal.next = walk
  function traversal.pairs(t) return walk, t, nil end
end

return traversal
