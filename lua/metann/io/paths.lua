--- What all readers and writers ask of a path, and of the machine.
local bytes = require 'metann.binding.bytes'
local errors = require 'metann.binding.errors'

local paths = {}

--- Raises unless `path` can name a file; also on a machine whose numbers lie the other way round than the files'.
-- @param what the caller's name
function paths.check(what, path)
  if type(path) ~= 'string' then errors.raise('%s: a path expected, got %s', what, errors.describe(path)) end
  if path:find '%z' then errors.raise('%s: the path has a zero byte', what) end
  if not bytes.little_endian then errors.raise('%s: needs a little-endian machine', what) end
end

return paths
