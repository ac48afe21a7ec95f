--- What all readers and writers ask of a path, of sizes and of the machine, and how their errors name the file.
local bytes = require 'metann.binding.bytes'
local errors = require 'metann.binding.errors'

local paths = {}

--- A kind of argument: what can name a file.
function paths.kind(value)
  if type(value) ~= 'string' then return nil, 'a path' end
  if value:find '%z' then return nil, 'a path without zero bytes' end
  return value
end

--- Raises on a machine whose numbers lie the other way round than the files'.
-- @param what the caller's name
function paths.check_machine(what)
  if not bytes.little_endian then errors.raise('%s: needs a little-endian machine', what) end
end

-- More elements than a machine's memory has bytes: the core makes no tensor of such sizes.
local MOST_ELEMENTS = 2 ^ 44

--- How many elements sizes (a list) ask for; nil where the sizes that aren't 0 multiply to more than any machine holds.
function paths.count(shape)
  local most, count = 1, 1
  for d = 1, #shape do
    count = count * shape[d]
    most = most * math.max(shape[d], 1)
    if not (most <= MOST_ELEMENTS) then return nil end
  end
  return count
end

--- Raises what a failed pcall gave, for example that there is no memory for a tensor, with the file's path in it.
function paths.fail(what, path, failure)
  if type(failure) ~= 'string' then error(failure, 0) end
  errors.raise('%s: %s: %s', what, path, errors.without_place(failure))
end

return paths
