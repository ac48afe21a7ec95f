--- Whether a file can be written, asked before the work whose result it shall hold.
local arguments = require 'metann.arguments'
local atomic = require 'metann.io.atomic'
local errors = require 'metann.binding.errors'
local paths = require 'metann.io.paths'

--- Raises unless a file can be written at the path as metann's writers do it. What stands there stays as it is.
-- @function check_writable
-- @param path of the file
-- @raise the path with the system's message
return arguments.define('check_writable', { { 'path', paths.kind } }, function(path)
  local ok, message = atomic.check(path)
  if not ok then errors.raise('check_writable: %s', message) end
end)
