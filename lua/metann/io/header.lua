--- The header of a safetensors file: its text from entries and back, with every check that the format asks for.
-- Format: github.com/huggingface/safetensors, "Format". 8 bytes little-endian length of the header, the header
-- {name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {string: string}}, padded with spaces, then the
-- data, row-major little-endian, without holes or overlaps. Knows nothing of files or tensors.
local pairs = require('metann.binding.traversal').pairs
local json = require 'metann.binding.json'
local paths = require 'metann.io.paths'

local header = {}

header.METADATA = '__metadata__'

-- The format's dtypes in the order in which the Python package sorts data, which puts wide elements first (so that every
-- tensor is aligned to its own width): name, bits an element, metann's name where there is one.
local FORMAT_DTYPES = {
  { 'BOOL', 8, 'bool' }, { 'F4', 4 }, { 'F6_E2M3', 6 }, { 'F6_E3M2', 6 }, { 'U8', 8, 'uint8' }, { 'I8', 8 },
  { 'F8_E5M2', 8 }, { 'F8_E4M3', 8 }, { 'F8_E8M0', 8 }, { 'I16', 16 }, { 'U16', 16 }, { 'F16', 16, 'float16' },
  { 'BF16', 16, 'bfloat16' }, { 'I32', 32, 'int32' }, { 'U32', 32 }, { 'F32', 32, 'float32' }, { 'C64', 64 },
  { 'F64', 64, 'float64' }, { 'I64', 64, 'int64' }, { 'U64', 64 },
}
local by_format, by_dtype, known = {}, {}, {}
for rank, row in ipairs(FORMAT_DTYPES) do
  local record = { format = row[1], bits = row[2], dtype = row[3], rank = rank }
  by_format[record.format] = record
  if record.dtype then
    by_dtype[record.dtype] = record
    known[#known + 1] = record.format
  end
end
table.sort(known)

local LARGEST_HEADER = 100e6 -- the format's own limit
local MAX_DIMS = 8
local DEEPEST = 8 -- the format needs three levels; a few more give errors that say what is wrong

local function whole(n) return type(n) == 'number' and n >= 0 and n % 1 == 0 end

--- True for a dtype that the format has.
function header.writes(dtype) return by_dtype[dtype] ~= nil end

-- ---- writing ----

--- 8 bytes, little-endian.
local function pack_length(n)
  local digits = {}
  for i = 1, 8 do
    digits[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(digits)
end

--- Puts entries in the order of the data and gives them offsets.
-- @param entries list of {name, dtype, shape, length in bytes}
function header.arrange(entries)
  table.sort(entries, function(a, b)
    local x, y = by_dtype[a.dtype].rank, by_dtype[b.dtype].rank
    if x ~= y then return x > y end
    return a.name < b.name
  end)
  local offset = 0
  for _, entry in ipairs(entries) do
    entry.from, entry.to = offset, offset + entry.length
    offset = entry.to
  end
end

--- What stands before the data: the length and the header, byte for byte as the Python package writes them.
-- @param entries list of {name, dtype, shape, from, to} in the order of the data
-- @param metadata table of strings by string, or nil
-- @raise a name or a string that JSON can't hold
function header.encode(entries, metadata)
  local parts = {}
  if metadata then
    parts[1] = ('"%s":%s'):format(header.METADATA, json.encode(metadata))
  end
  for _, entry in ipairs(entries) do
    local sizes = {}
    for d, size in ipairs(entry.shape) do sizes[d] = ('%.0f'):format(size) end
    parts[#parts + 1] = ('%s:{"dtype":"%s","shape":[%s],"data_offsets":[%.0f,%.0f]}'):format(json.encode(entry.name),
      by_dtype[entry.dtype].format, table.concat(sizes, ','), entry.from, entry.to)
  end
  local text = '{' .. table.concat(parts, ',') .. '}'
  text = text .. (' '):rep(-#text % 8)
  return pack_length(#text) .. text
end

-- ---- reading ----

--- The length of the header from a file's first 8 bytes, or nil and what is wrong with it.
-- @param text the bytes
-- @param size of the file
function header.length(text, size)
  local n = 0
  for i = 8, 1, -1 do n = n * 256 + text:byte(i) end
  if n > LARGEST_HEADER or 8 + n > size then
    return nil, ('the header is said to have %.0f bytes, the file has %.0f'):format(n, size)
  end
  return n
end


--- Why a format's dtype or number of dims can't become a tensor, or nil.
local function refusal_of(record, shape)
  if not record.dtype then
    return ('dtype %s has no counterpart in metann, which reads %s'):format(record.format, table.concat(known, ', '))
  end
  if #shape > MAX_DIMS then return ('%d dims are more than %d'):format(#shape, MAX_DIMS) end
  return nil
end

--- Reads one entry: returns it; or nil and what is wrong.
local function read_entry(name, entry)
  if type(entry) ~= 'table' or json.is_array(entry) then return nil, 'no JSON object' end
  local record = by_format[entry.dtype]
  if not record then return nil, 'dtype ' .. tostring(entry.dtype) .. ' is unknown' end
  local shape, offsets = entry.shape, entry.data_offsets
  if not json.is_array(shape) then return nil, 'shape is no array' end
  for i = 1, #shape do
    if not whole(shape[i]) then return nil, 'shape has ' .. tostring(shape[i]) end
  end
  local count = paths.count(shape)
  if not count then return nil, 'shape has more elements than can be counted' end
  if not json.is_array(offsets) or #offsets ~= 2 or not whole(offsets[1]) or not whole(offsets[2]) then
    return nil, 'data_offsets must be two whole numbers'
  end
  local length = count * record.bits / 8
  if offsets[2] - offsets[1] ~= length then
    return nil, ('%.0f bytes needed, data_offsets give %.0f to %.0f'):format(length, offsets[1], offsets[2])
  end
  local sizes = {}
  for i = 1, #shape do sizes[i] = shape[i] end
  return {
    name = name, dtype = record.dtype, format = record.format, shape = sizes, from = offsets[1], to = offsets[2],
    refusal = refusal_of(record, shape),
  }
end

local function check_metadata(metadata)
  if metadata == nil then return nil end
  if type(metadata) ~= 'table' or json.is_array(metadata) then return header.METADATA .. ' is no JSON object' end
  for key, value in pairs(metadata) do
    if type(value) ~= 'string' then return ('%s: %s is no string'):format(header.METADATA, key) end
  end
  return nil
end

--- Why entries in the order of the data don't fill exactly the bytes that there are, or nil.
local function misplaced(entries, available)
  local offset = 0
  for _, entry in ipairs(entries) do
    if entry.from ~= offset then
      return ('%s: data begins at %.0f, where %.0f was expected'):format(entry.name, entry.from, offset)
    end
    offset = entry.to
  end
  if offset ~= available then
    return ('the tensors need %.0f bytes of data, the file has %.0f'):format(offset, available)
  end
  return nil
end

--- Reads a header. Every number is checked: sizes against offsets, offsets against each other and the file.
-- @param text of the header
-- @param available bytes of data that follow it
-- @return list of {name, dtype, format, shape, from, to, refusal} in the order of the data, where dtype is nil and
-- refusal says why when the tensor has no counterpart in metann; the metadata, a table (empty for none). Or nil and
-- what is wrong
function header.decode(text, available)
  local root, message = json.decode(text, { whole = true, depth = DEEPEST })
  if not root then return nil, message end
  if type(root) ~= 'table' or json.is_array(root) or text:sub(1, 1) ~= '{' then
    return nil, 'the header is no JSON object'
  end
  local wrong = check_metadata(root[header.METADATA])
  if wrong then return nil, wrong end
  local entries = {}
  for name, value in pairs(root) do
    if name ~= header.METADATA then
      local entry
      entry, wrong = read_entry(name, value)
      if not entry then return nil, name .. ': ' .. wrong end
      entries[#entries + 1] = entry
    end
  end
  table.sort(entries, function(a, b)
    if a.from ~= b.from then return a.from < b.from end
    if a.to ~= b.to then return a.to < b.to end
    return a.name < b.name
  end)
  wrong = misplaced(entries, available)
  if wrong then return nil, wrong end
  return entries, root[header.METADATA] or {}
end

return header
