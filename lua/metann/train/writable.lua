--- Whether a file can be written, asked before the work whose result it shall hold.
local atomic = require 'metann.io.atomic'
local errors = require 'metann.binding.errors'

--- Raises unless a file can be written at the path as metann's writers do it. What stands there stays as it is.
-- @param path of the file
-- @raise the path with the system's message
return function(path)
  if type(path) ~= 'string' then errors.raise('check_writable: a path expected, got %s', errors.describe(path)) end
  local ok, message = atomic.check(path)
  if not ok then errors.raise('check_writable: %s', message) end
end
