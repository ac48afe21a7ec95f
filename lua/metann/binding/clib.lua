--- Opens C libraries by their run-time names, so that no development package is needed, and declares what they offer.
-- Owns the search and its error; what a library offers stands in the module that wraps it.
local ffi = require 'ffi'

local clib = {}

--- Declare types and functions to ffi. A Lua state has one space of C names, in which the first declaration of a
-- function wins and a second one of a type is an error: so every name is our own (metann_...), and a function says which
-- symbol it stands for: `int metann_close(int fd) __asm__("close");`. Then neither do a host's declarations of the same
-- functions change ours, nor ours the host's.
-- @param known one of the types, which is there when the text was declared before and the module is loaded anew
-- @param text the declarations
function clib.declare(known, text)
  if not pcall(ffi.typeof, known) then ffi.cdef(text) end
end

clib.declare('metann_library', [[
typedef struct { char unused; } metann_library;
void *metann_dlopen(const char *name, int flags) __asm__("dlopen");
]])
local LAZY = 1
local extension = jit and jit.os == 'OSX' and '.dylib' or '.so'

--- Opens a library once more and for good: LuaJIT closes what ffi.load opened when the module that wraps it has been
-- unloaded and at the end of the state, while finalizers that come later may still call it.
local function keep(name)
  ffi.C.metann_dlopen(name:find('.', 1, true) and name or 'lib' .. name .. extension, LAZY)
end

--- Open the first of several names that can be opened.
-- @param what how an error calls the library, for example 'libzip'
-- @param names list of names as `ffi.load` takes them, best first
-- @param package the Debian package that has it, for the error
-- @return the library's namespace; keep it for as long as the library is used
-- @raise what was tried, what the loader said, and the package to install
function clib.open(what, names, package)
  local reasons = {}
  for i, name in ipairs(names) do
    local ok, library = pcall(ffi.load, name)
    if ok then
      keep(name)
      return library
    end
    reasons[i] = tostring(library)
  end
  error(('%s is not installed (on Debian and Ubuntu: apt-get install %s): %s'):format(what, package,
    table.concat(reasons, '; ')), 0)
end

return clib
