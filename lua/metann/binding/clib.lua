--- Opens C libraries by their run-time names, so that no development package is needed.
-- Owns the search and its error; what a library offers is declared in the module that wraps it.
local ffi = require 'ffi'

local clib = {}

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
    if ok then return library end
    reasons[i] = tostring(library)
  end
  error(('%s is not installed (on Debian and Ubuntu: apt-get install %s): %s'):format(what, package,
    table.concat(reasons, '; ')), 0)
end

return clib
