--- NumPy's .npz files: arrays by name, each an .npy file in a zip file.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local atomic = require 'metann.io.atomic'
local bytes = require 'metann.binding.bytes'
local kinds = require 'metann.io.kinds'
local npyformat = require 'metann.io.npyformat'
local paths = require 'metann.io.paths'
local zip = require 'metann.binding.zip'
local support = require 'metann.support'

local raise, describe, is_tensor = support.raise, support.describe, support.is_tensor

local npz = {}

local SUFFIX = '.npy'
local LONGEST_NAME = 65535 - #SUFFIX

-- ---- writing ----

local function sorted_names(tensors)
  if type(tensors) ~= 'table' then
    raise('npz.save: a table of tensors by name expected, got %s', describe(tensors))
  end
  local names = {}
  for name, t in pairs(tensors) do
    if type(name) ~= 'string' or name == '' or #name > LONGEST_NAME or name:find '%z' then
      raise('npz.save: a name must be a string without zero bytes, got %s', describe(name))
    end
    if not is_tensor(t) then raise('npz.save: %s must be a tensor, got %s', name, describe(t)) end
    if not npyformat.writes(t.dtype) then
      raise("npz.save: %s: NumPy has no %s: convert the tensor first, for example with :to('float32')", name, t.dtype)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function write_archive(path, tensors, names, compress)
  local entries, kept = {}, {}
  for i, name in ipairs(names) do
    local t = tensors[name]
    local dense, pointer, n = bytes.dense(t)
    kept[i] = dense
    entries[i] = { name = name .. SUFFIX, parts = { { npyformat.encode(t.dtype, t.shape) }, { pointer, n } } }
  end
  local ok, message = zip.write(path, entries, compress)
  assert(#kept == #names) -- so that they live until here
  return ok, message
end

--- Write tensors to a file, whole or not at all, as numpy.savez does (numpy.savez_compressed with compress=true).
-- @function save
-- @param path of the file
-- @param tensors table of tensors by name, of any dtype but bfloat16, which NumPy lacks
-- @param[opt] options {compress=false}
-- @raise what can't be written, with the name; or the system's message, with the path
npz.save = arguments.define('npz.save', {
  { 'path', paths.kind }, { 'tensors', required = true, data = true },
  { 'compress', arguments.kinds.boolean, false, named = true },
}, function(path, tensors, compress)
  paths.check_machine 'npz.save'
  local names = sorted_names(tensors)
  local ok, message = atomic.produce(path, function(temporary)
    return write_archive(temporary, tensors, names, compress)
  end)
  if not ok then raise('npz.save: %s', message) end
end)

-- ---- reading ----

--- What the entries are, after checks that don't read them: list of {index, name, size}; or nil and what is wrong.
local function arrays_of(archive)
  local entries, message = archive:entries()
  if not entries then return nil, message end
  local arrays, seen = {}, {}
  for i, entry in ipairs(entries) do
    local name = entry.name:match '^(.+)%.npy$'
    if not name then
      return nil, ("the entry '%s' is no .npy file%s"):format(entry.name, kinds.zip_hint(entry.name))
    end
    if seen[name] then return nil, name .. ' is there twice' end
    if entry.wrong then return nil, name .. ': ' .. entry.wrong end
    seen[name] = true
    arrays[i] = { index = entry.index, name = name, size = entry.size }
  end
  return arrays
end

local function read_entry(archive, entry)
  local stream, message = archive:stream(entry.index)
  if not stream then return nil, message end
  local source = { size = entry.size, take = function(_, pointer, n) return stream:take(pointer, n) end }
  local ran, t
  ran, t, message = pcall(npyformat.read, source)
  local whole, trouble = true, nil
  if ran and t then whole, trouble = stream:finish() end
  stream:close()
  if not ran then error(t, 0) end
  if not whole then return nil, trouble end
  return t, message
end

local function read_all(archive)
  local entries, message = arrays_of(archive)
  if not entries then return nil, message end
  local tensors = {}
  for _, entry in ipairs(entries) do
    local t
    t, message = read_entry(archive, entry)
    if not t then return nil, entry.name .. ': ' .. message end
    tensors[entry.name] = t
  end
  return tensors
end

--- Read all tensors of a file, as npy.load does. No more memory is taken than the file's compressed bytes can hold.
-- @function load
-- @param path of the file
-- @return table of tensors by name
-- @raise the path and what is wrong with it
npz.load = arguments.define('npz.load', { { 'path', paths.kind } }, function(path)
  paths.check_machine 'npz.load'
  local archive, message = zip.open(path)
  if not archive then raise('npz.load: %s: %s%s', path, message, kinds.hint(path, 'npz')) end
  local ok, tensors
  ok, tensors, message = pcall(read_all, archive)
  archive:close()
  if not ok then paths.fail('npz.load', path, tensors) end
  if not tensors then raise('npz.load: %s: %s', path, message) end
  return tensors
end)

return npz
