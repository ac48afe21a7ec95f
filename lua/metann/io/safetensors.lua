--- safetensors files: tensors by name, raw, with a JSON header.
-- Format: github.com/huggingface/safetensors, "Format". 8 bytes little-endian length of the header, the header
-- {name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {string: string}}, then the data, row-major
-- little-endian, without holes or overlaps.
local atomic = require 'metann.io.atomic'
local bytes = require 'metann.binding.bytes'
local errors = require 'metann.binding.errors'
local json = require 'metann.binding.json'

local raise = errors.raise

local safetensors = {}

local FORMAT_NAMES = {
  float32 = 'F32', float64 = 'F64', int64 = 'I64', int32 = 'I32', uint8 = 'U8', bool = 'BOOL', float16 = 'F16',
  bfloat16 = 'BF16',
}
local DTYPES = {}
for dtype, name in pairs(FORMAT_NAMES) do DTYPES[name] = dtype end
local LARGEST_HEADER = 100e6 -- the format's own limit
local METADATA = '__metadata__'

local function whole(n) return type(n) == 'number' and n >= 0 and n % 1 == 0 end

-- ---- writing ----

local function pack_length(n)
  local digits = {}
  for i = 1, 8 do
    digits[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(digits)
end

local function check_metadata(metadata)
  for key, value in pairs(metadata) do
    if type(key) ~= 'string' or type(value) ~= 'string' then
      raise('safetensors.save: metadata must have strings for keys and values, got %s = %s', errors.describe(key),
        errors.describe(value))
    end
  end
end

local function sorted_names(tensors)
  local names = {}
  for name, t in pairs(tensors) do
    if type(name) ~= 'string' or name == METADATA then
      raise('safetensors.save: a name must be a string other than %s, got %s', METADATA, errors.describe(name))
    end
    local ok, dtype = pcall(function() return t.dtype end)
    if not ok or not FORMAT_NAMES[dtype] then
      raise('safetensors.save: %s must be a tensor, got %s', name, errors.describe(t))
    end
    names[#names + 1] = name
  end
  -- Widest elements first, so that every tensor is aligned to its own width; then by name.
  local width = function(name) return bytes.width[tensors[name].dtype] end
  table.sort(names, function(a, b)
    if width(a) ~= width(b) then return width(a) > width(b) end
    return a < b
  end)
  return names
end

local function header_text(tensors, names, metadata)
  local header, offset = {}, 0
  for _, name in ipairs(names) do
    local t = tensors[name]
    local length = t:numel() * bytes.width[t.dtype]
    header[name] = {
      dtype = FORMAT_NAMES[t.dtype], shape = json.array(t.shape), data_offsets = {offset, offset + length},
    }
    offset = offset + length
  end
  header[METADATA] = metadata
  local text = json.encode(header)
  return text .. (' '):rep(-#text % 8)
end

--- Write tensors to a file, whole or not at all.
-- @param path of the file
-- @param tensors table of tensors by name, for example a module's `state_dict()`
-- @param[opt] metadata table of strings by string
-- @raise what can't be written, with the name; or the system's message, with the path
function safetensors.save(path, tensors, metadata)
  if type(path) ~= 'string' then raise('safetensors.save: a path expected, got %s', errors.describe(path)) end
  if not bytes.little_endian then raise 'safetensors.save: needs a little-endian machine' end
  if metadata then check_metadata(metadata) end
  local names = sorted_names(tensors)
  local header = header_text(tensors, names, metadata)
  local ok, message = atomic(path, function(file)
    assert(file:write(pack_length(#header), header))
    for _, name in ipairs(names) do assert(file:write(bytes.of_tensor(tensors[name]))) end
  end)
  if not ok then raise('safetensors.save: %s', message) end
end

-- ---- reading ----

local function unpack_length(text)
  local n = 0
  for i = 8, 1, -1 do n = n * 256 + text:byte(i) end
  return n
end

local function read_header(file, size)
  local first = file:read(8)
  if not first or #first < 8 then return nil, 'too short for a header' end
  local length = unpack_length(first)
  if length > LARGEST_HEADER or 8 + length > size then
    return nil, ('the header is said to have %.0f bytes, the file has %.0f'):format(length, size)
  end
  local text = length > 0 and file:read(length) or ''
  local header, message = json.decode(text)
  if not header then return nil, message end
  if type(header) ~= 'table' or json.is_array(header) or text:sub(1, 1) ~= '{' then
    return nil, 'the header is no JSON object'
  end
  return header, size - 8 - length
end

--- Why an entry of the header is wrong, or nil.
local function fault(entry)
  if type(entry) ~= 'table' or json.is_array(entry) then return 'no JSON object' end
  if not DTYPES[entry.dtype] then return 'dtype ' .. tostring(entry.dtype) .. ' is unknown' end
  local shape, offsets = entry.shape, entry.data_offsets
  if not json.is_array(shape) then return 'shape is no array' end
  if #shape > 8 then return ('%d dims are more than 8'):format(#shape) end
  local count = 1
  for i = 1, #shape do
    if not whole(shape[i]) then return 'shape has ' .. tostring(shape[i]) end
    count = count * shape[i]
  end
  if not json.is_array(offsets) or #offsets ~= 2 or not whole(offsets[1]) or not whole(offsets[2]) then
    return 'data_offsets must be two whole numbers'
  end
  local length = count * bytes.width[DTYPES[entry.dtype]]
  if offsets[2] - offsets[1] ~= length then
    return ('%.0f bytes needed, data_offsets give %.0f to %.0f'):format(length, offsets[1], offsets[2])
  end
  return nil
end

local function check_metadata_read(metadata)
  if metadata == nil then return nil end
  if type(metadata) ~= 'table' or json.is_array(metadata) then return METADATA .. ' is no JSON object' end
  for key, value in pairs(metadata) do
    if type(value) ~= 'string' then return ('%s: %s is no string'):format(METADATA, key) end
  end
  return nil
end

--- Entries in the order of the data, after every check; or nil and what is wrong.
local function checked_entries(header, available)
  local wrong = check_metadata_read(header[METADATA])
  if wrong then return nil, wrong end
  local entries = {}
  for name, entry in pairs(header) do
    if name ~= METADATA then
      wrong = fault(entry)
      if wrong then return nil, name .. ': ' .. wrong end
      entries[#entries + 1] = {
        name = name, dtype = DTYPES[entry.dtype], shape = entry.shape, from = entry.data_offsets[1],
        to = entry.data_offsets[2],
      }
    end
  end
  table.sort(entries, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    return a.to < b.to
  end)
  local offset = 0
  for _, entry in ipairs(entries) do
    if entry.from ~= offset then
      return nil, ('%s: data begins at %.0f, where %.0f was expected'):format(entry.name, entry.from, offset)
    end
    offset = entry.to
  end
  if offset ~= available then
    return nil, ('the tensors need %.0f bytes of data, the file has %.0f'):format(offset, available)
  end
  return entries
end

local function read_tensors(file, size)
  local header, available = read_header(file, size)
  if not header then return nil, available end
  local entries, message = checked_entries(header, available)
  if not entries then return nil, message end
  local tensors = {}
  for _, entry in ipairs(entries) do
    local length = entry.to - entry.from
    local data = length > 0 and file:read(length) or ''
    if not data or #data ~= length then return nil, entry.name .. ': the data ends too early' end
    if entry.dtype == 'bool' and data:find '[^%z\1]' then return nil, entry.name .. ': a bool is neither 0 nor 1' end
    tensors[entry.name] = bytes.to_tensor(entry.dtype, entry.shape, data)
  end
  return tensors, header[METADATA] or {}
end

--- Read all tensors of a file. Every number in the header is checked before it is used.
-- @param path of the file
-- @return table of tensors by name; table of the metadata's strings (empty if there are none)
-- @raise the path and what is wrong with it
function safetensors.load(path)
  if type(path) ~= 'string' then raise('safetensors.load: a path expected, got %s', errors.describe(path)) end
  if not bytes.little_endian then raise 'safetensors.load: needs a little-endian machine' end
  local file, message = io.open(path, 'rb')
  if not file then raise('safetensors.load: %s', message) end
  local size = file:seek 'end'
  if not size then
    file:close()
    raise('safetensors.load: %s: not a file that can be read by position', path)
  end
  file:seek 'set'
  local ok, tensors, metadata = pcall(read_tensors, file, size)
  file:close()
  if not ok then raise('safetensors.load: %s: %s', path, tensors) end
  if not tensors then raise('safetensors.load: %s: %s', path, metadata) end
  return tensors, metadata
end

return safetensors
