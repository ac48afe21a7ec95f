--- NumPy's .npy files: one array each (npyformat.lua has the format).
local arguments = require 'metann.arguments'
local atomic = require 'metann.io.atomic'
local bytes = require 'metann.binding.bytes'
local kinds = require 'metann.io.kinds'
local npyformat = require 'metann.io.npyformat'
local posix = require 'metann.binding.posix'
local paths = require 'metann.io.paths'
local support = require 'metann.support'

local raise = support.raise

local npy = {}

--- Write a tensor to a file, whole or not at all, byte for byte as NumPy writes it. A view is written out.
-- @function save
-- @param path of the file
-- @param t a tensor of any dtype but bfloat16, which NumPy lacks
-- @raise what is wrong with an argument; or the system's message, with the path
npy.save = arguments.define('npy.save', { { 'path', paths.kind }, { 't', arguments.kinds.tensor } }, function(path, t)
  paths.check_machine 'npy.save'
  local dtype = t.dtype
  if not npyformat.writes(dtype) then
    raise("npy.save: NumPy has no %s: convert the tensor first, for example with :to('float32')", dtype)
  end
  local ok, message = atomic.write(path, function(file)
    file:write(npyformat.encode(dtype, t.shape))
    bytes.with_elements(t, function(pointer, n) file:write(pointer, n) end)
  end)
  if not ok then raise('npy.save: %s', message) end
end)

--- What a file holds: a tensor; or nil and what is wrong.
local function read(file)
  local position = 0
  local source = { size = file.size }
  function source.take(_, pointer, n)
    position = position + n
    return file:read(position - n, pointer, n)
  end
  local t, message, foreign = npyformat.read(source)
  if foreign then message = message .. kinds.hint(file, 'npy') end
  return t, message
end

--- Read a tensor from a file: versions 1 to 3 of the format, either byte order, C and Fortran order. Elements: bool,
-- uint8, int32, int64, float16, float32, float64; int8, int16 and uint16 become int32, uint32 becomes int64. Other
-- dtypes (uint64, complex numbers, text, Python objects, structures) are errors. Nothing in a file is ever run.
-- @function load
-- @param path of the file
-- @return a tensor of its own
-- @raise the path and what is wrong with it
npy.load = arguments.define('npy.load', { { 'path', paths.kind } }, function(path)
  paths.check_machine 'npy.load'
  local file, message = posix.open(path)
  if not file then raise('npy.load: %s: %s', path, message) end
  local ok, t
  ok, t, message = pcall(read, file)
  file:close()
  if not ok then paths.fail('npy.load', path, t) end
  if not t then raise('npy.load: %s: %s', path, message) end
  return t
end)

return npy
