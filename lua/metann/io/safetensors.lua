--- safetensors files: tensors by name, raw, with a JSON header (header.lua has the format).
-- Data is read by position straight into the tensors' memory: a file of any size costs what is asked of it, and one that
-- is cut short meanwhile is an error. Mapped tensors are for those who ask: there the same would end the process.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local atomic = require 'metann.io.atomic'
local bytes = require 'metann.binding.bytes'
local methods = require 'metann.utils.methods'
local errors = require 'metann.binding.errors'
local header = require 'metann.io.header'
local kinds = require 'metann.io.kinds'
local paths = require 'metann.io.paths'
local posix = require 'metann.binding.posix'
local pytorch = require 'metann.nn.machinery.pytorch'
local support = require 'metann.support'

local raise, describe, is_tensor = support.raise, support.describe, support.is_tensor

local safetensors = {}

local METADATA = header.METADATA

-- ---- writing ----

local function check_metadata(what, metadata)
  if type(metadata) ~= 'table' then raise('%s: metadata must be a table, got %s', what, describe(metadata)) end
  for key, value in pairs(metadata) do
    if type(key) ~= 'string' or type(value) ~= 'string' then
      raise('%s: metadata must have strings for keys and values, got %s = %s', what, describe(key), describe(value))
    end
  end
end

local function entries_of(what, tensors)
  if type(tensors) ~= 'table' then
    raise('%s: a table of tensors by name expected, got %s', what, describe(tensors))
  end
  local entries = {}
  for name, t in pairs(tensors) do
    if type(name) ~= 'string' or name == METADATA then
      raise('%s: a name must be a string other than %s, got %s', what, METADATA, describe(name))
    end
    if not is_tensor(t) then raise('%s: %s must be a tensor, got %s', what, name, describe(t)) end
    local dtype = t.dtype
    if not header.writes(dtype) then raise('%s: %s has dtype %s, which the format lacks', what, name, dtype) end
    entries[#entries + 1] = {
      name = name, dtype = dtype, shape = t.shape, length = t:numel() * bytes.width[dtype],
    }
  end
  header.arrange(entries)
  return entries
end

--- save, under the name that errors give it.
function safetensors._save(what, path, tensors, metadata)
  paths.check_machine(what)
  if metadata ~= nil then check_metadata(what, metadata) end
  local entries = entries_of(what, tensors)
  local encoded, text = pcall(header.encode, entries, metadata)
  if not encoded then raise('%s: %s', what, text) end
  local ok, message = atomic.write(path, function(file)
    file:write(text)
    for _, entry in ipairs(entries) do
      bytes.with_elements(tensors[entry.name], function(pointer, n) file:write(pointer, n) end)
    end
  end)
  if not ok then raise('%s: %s', what, message) end
end

--- Write tensors to a file, whole or not at all, byte for byte as the Python package writes them. Equal arguments give
-- equal files. The tables stand for themselves, so tensors and metadata are given by position.
-- @function save
-- @param path of the file
-- @param tensors table of tensors by name, for example a module's `state_dict()`; views are written out
-- @param[opt] metadata table of strings by string
-- @raise what can't be written, with the name; or the system's message, with the path
safetensors.save = arguments.define('safetensors.save', {
  { 'path', paths.kind }, { 'tensors', required = true, data = true }, { 'metadata', data = true },
}, function(path, tensors, metadata) safetensors._save('safetensors.save', path, tensors, metadata) end)

-- ---- reading ----

local function read_header(file)
  if file.size < 8 then return nil, 'too short for a safetensors file' .. kinds.hint(file, 'safetensors') end
  local first, message = file:text(0, 8)
  if not first then return nil, message end
  if not kinds.may_be_safetensors(file) then
    return nil, 'not a safetensors file' .. kinds.hint(file, 'safetensors')
  end
  local length
  length, message = header.length(first, file.size)
  if not length then return nil, message end
  local text
  text, message = bytes.string_of(length, function(pointer) return file:read(8, pointer, length) end)
  if not text then return nil, message end
  local entries, metadata = header.decode(text, file.size - 8 - length)
  if not entries then return nil, metadata end
  return entries, metadata, 8 + length
end

local function copied(file, entry, offset)
  local t, pointer, n = bytes.new_tensor(entry.dtype, entry.shape)
  local ok, message = file:read(offset, pointer, n)
  if not ok then return nil, message end
  return t
end

--- The tensor of an entry; or nil and why it can't be had.
local function read_tensor(self, entry)
  local file, offset = self._file, self._start + entry.from
  if entry.refusal then return nil, entry.name .. ': ' .. entry.refusal end
  local t, message
  if self._map then
    if not file.fd then return nil, entry.name .. ': the file is closed' end
    if not file:is_whole() then return nil, entry.name .. ': the file has become shorter' end
    t = bytes.mapped(self._map, offset, entry.dtype, entry.shape)
  end
  if not t then t, message = copied(file, entry, offset) end
  if not t then return nil, entry.name .. ': ' .. message end
  if entry.dtype == 'bool' and not bytes.are_bools(t) then return nil, entry.name .. ': a bool is neither 0 nor 1' end
  return bytes.placed(t, self._device)
end

local Reader = {}
Reader.__index = Reader

--- What a reader needs of an open file: {entries, metadata, start, map}; or nil and what is wrong.
local function read_start(file, map)
  local entries, metadata, start = read_header(file)
  if not entries then return nil, metadata end
  return { entries = entries, metadata = metadata, start = start, map = map and bytes.map(file) or nil }
end

--- How open, load and metann.load read their arguments.
safetensors._parameters = {
  { 'path', paths.kind }, { 'from', arguments.kinds.choice 'pytorch', optional = true, named = true },
  { 'map', arguments.kinds.boolean, false, named = true }, { 'device', arguments.kinds.device, optional = true, named = true },
}

--- open, under the name that errors give it.
function safetensors._open(what, path, from, map, device)
  paths.check_machine(what)
  local file, message = posix.open(path)
  if not file then raise('%s: %s: %s', what, path, message) end
  local ok, found
  ok, found, message = pcall(read_start, file, map)
  if not ok or not found then file:close() end
  if not ok then paths.fail(what, path, found) end
  if not found then raise('%s: %s: %s', what, path, message) end
  local by_name, names = {}, {}
  for i, entry in ipairs(found.entries) do
    if from then entry.name = pytorch.shifted(entry.name) end
    by_name[entry.name], names[i] = entry, entry.name
  end
  return setmetatable({
    _what = what, _path = path, _file = file, _map = found.map, _start = found.start, _entries = by_name,
    _names = names, _metadata = found.metadata, _device = device,
  }, Reader)
end

--- Open a file to read single tensors from it. The header is checked here, data is read when it is asked for.
-- @param path of the file
-- @param[opt] options {from='pytorch'}: numbers in names, which count from 0 in PyTorch, count from 1. {map=true}: the
-- tensors lie on the file's pages, which are read when they are used and shared by all processes that map the file;
-- writing to one leaves the file alone. The file must not be cut short or written over while they live (replacing it, as
-- save does, is fine): the system ends a process that uses a page which is gone. {device=}: where the tensors are made,
-- the default device unless it is given; pages are the host's, so what lies elsewhere is a copy also with map=true.
-- @function open
-- @return a reader with `names()`, `metadata()`, `info(name)`, `get(name)` and `close()`
-- @raise the path and what is wrong with it
safetensors.open = arguments.define('safetensors.open', safetensors._parameters,
  function(path, from, map, device) return safetensors._open('safetensors', path, from, map, device) end)

local define = methods.definer(Reader, 'safetensors reader')

--- The names in the order of the data, a fresh list.
-- @function Reader:names
define('names', {}, function(self)
  local names = {}
  for i, name in ipairs(self._names) do names[i] = name end
  return names
end)

--- The metadata's strings, a fresh table.
-- @function Reader:metadata
define('metadata', {}, function(self)
  local copy = {}
  for key, value in pairs(self._metadata) do copy[key] = value end
  return copy
end)

local function entry_of(self, name)
  local entry = self._entries[name]
  if not entry then
    raise('%s: %s: there is no tensor %s%s', self._what, self._path, tostring(name),
      errors.suggestion(name, self._names))
  end
  return entry
end

--- What a tensor is, without reading it: {dtype, shape, bytes}; dtype is the format's name (such as 'I8') where metann
-- has none.
-- @function Reader:info
define('info', {{'name'}}, function(self, name)
  local entry = entry_of(self, name)
  local shape = {}
  for i, size in ipairs(entry.shape) do shape[i] = size end
  return { dtype = entry.dtype or entry.format, shape = shape, bytes = entry.to - entry.from }
end)

--- Reads a tensor: a copy of its own, or, with map=true, one on the file's pages. An unknown name, a dtype that metann
-- lacks, a file that has become shorter, and a closed reader are errors.
-- @function Reader:get
define('get', {{'name'}}, function(self, name)
  local ok, t, message = pcall(read_tensor, self, entry_of(self, name))
  if not ok then paths.fail(self._what, self._path, t) end
  if not t then raise('%s: %s: %s', self._what, self._path, message) end
  return t
end)

--- Lets go of the file. Tensors that were read stay.
-- @function Reader:close
define('close', {}, function(self) self._file:close() end)

function Reader:__tostring() return ('safetensors %s: %d tensors'):format(self._path, #self._names) end

local function read_all(reader)
  local tensors = {}
  for _, name in ipairs(reader._names) do
    local t, message = read_tensor(reader, reader._entries[name])
    if not t then return nil, message end
    tensors[name] = t
  end
  return tensors
end

--- Read all tensors of a file. Every number in the header is checked before it is used, and no more memory is taken
-- than the file has bytes.
-- @param path of the file
-- @param[opt] options {from='pytorch'}: numbers in names, which count from 0 in PyTorch, count from 1. {map=true}: the
-- tensors lie on the file's pages, which are read when they are used and shared by all processes that map the file;
-- writing to one leaves the file alone. The file must not be cut short or written over while they live (replacing it, as
-- save does, is fine): the system ends a process that uses a page which is gone. {device=}: where the tensors are made,
-- the default device unless it is given; pages are the host's, so what lies elsewhere is a copy also with map=true.
-- @function load
-- @return table of tensors by name; table of the metadata's strings (empty if there are none)
-- @raise the path and what is wrong with it
safetensors.load = arguments.define('safetensors.load', safetensors._parameters, function(path, from, map, device)
  local reader = safetensors._open('safetensors.load', path, from, map, device)
  local ok, tensors, message = pcall(read_all, reader)
  reader:close()
  if not ok then paths.fail('safetensors.load', path, tensors) end
  if not tensors then raise('safetensors.load: %s: %s', path, message) end
  return tensors, reader._metadata
end)

return safetensors
