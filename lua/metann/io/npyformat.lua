--- NumPy's format of one array: a header that describes it, then its elements. Read from any stream of bytes.
-- Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html. "\147NUMPY", a version (two bytes), the length
-- of the header (two bytes in version 1, else four), the header: a Python dictionary in text, which is parsed here and
-- never evaluated. Knows nothing of files.
local pairs = require('metann.binding.traversal').pairs
local bytes = require 'metann.binding.bytes'
local functions = require 'metann.tensor.ops'
local paths = require 'metann.io.paths'

local npyformat = {}

local MAGIC = '\147NUMPY'
local LARGEST_HEADER = 2 ^ 20
local MAX_DIMS = 8
-- NumPy leaves room for the first size to grow to this many digits, and ends the header at a multiple of 64 bytes.
local GROWTH_DIGITS, ALIGNMENT = 21, 64

local DESCRIPTIONS = {
  float32 = '<f4', float64 = '<f8', float16 = '<f2', int64 = '<i8', int32 = '<i4', uint8 = '|u1', bool = '|b1',
}
local KINDS = {
  b1 = 'bool', u1 = 'uint8', i4 = 'int32', i8 = 'int64', f2 = 'float16', f4 = 'float32', f8 = 'float64', i1 = 'int8',
  i2 = 'int16', u2 = 'uint16', u4 = 'uint32',
}
local OTHERS = {
  O = 'Python objects, which only running code could give back', S = 'byte strings', U = 'text', V = 'raw bytes',
  c = 'complex numbers', M = 'dates', m = 'time spans', u = 'uint64, of which int64 holds only half',
}

--- True for a dtype that NumPy has.
function npyformat.writes(dtype) return DESCRIPTIONS[dtype] ~= nil end

-- ---- writing ----

--- What stands before the elements, byte for byte as NumPy writes it (version 1).
-- @param dtype a dtype for which `writes` is true
-- @param shape list of sizes
function npyformat.encode(dtype, shape)
  local sizes = {}
  for d, size in ipairs(shape) do sizes[d] = ('%.0f'):format(size) end
  local tuple = '(' .. table.concat(sizes, ', ') .. (#sizes == 1 and ',' or '') .. ')'
  local text = ("{'descr': '%s', 'fortran_order': False, 'shape': %s, }"):format(DESCRIPTIONS[dtype], tuple)
  if sizes[1] then text = text .. (' '):rep(GROWTH_DIGITS - #sizes[1]) end
  local start = #MAGIC + 4
  text = text .. (' '):rep(ALIGNMENT - (start + #text + 1) % ALIGNMENT) .. '\n'
  return MAGIC .. '\1\0' .. string.char(#text % 256, math.floor(#text / 256)) .. text
end

-- ---- the header's text ----

-- A value starts at `at`: returns it and where it ends; or nil.
local values = {
  descr = function(text, at)
    local _, value, last = text:match('^([\'"])([^\'"\\]*)%1()', at)
    return value, last
  end,
  fortran_order = function(text, at)
    local word, last = text:match('^(%a+)()', at)
    if word == 'True' then return 1, last end
    if word == 'False' then return 0, last end
    return nil
  end,
  shape = function(text, at)
    local inner, last = text:match('^%(([%dL,%s]*)%)()', at)
    if not inner then return nil end
    if inner:find '%d%s+%d' or inner:find '%f[%d]0%d' then return nil end
    local sizes = {}
    for number in inner:gmatch '%d+' do sizes[#sizes + 1] = tonumber(number) end
    -- Python 2 wrote 3L for 3. A tuple of one needs its comma.
    local commas = inner:gsub('%s+', ''):gsub('%d+L?', 'n')
    local whole = ('n,'):rep(#sizes)
    if commas ~= whole and not (#sizes > 1 and commas .. ',' == whole) then return nil end
    return sizes, last
  end,
}

--- The dictionary of a header: {descr, fortran_order, shape}; or nil and what is wrong.
local function parse(text)
  local result, at = {}, text:match '^%s*{%s*()'
  if not at then return nil, 'the header is no dictionary' end
  while text:sub(at, at) ~= '}' do
    local _, key, start = text:match('^([\'"])([%w_]*)%1%s*:%s*()', at)
    if not key or not values[key] then
      return nil, ('the header has an unknown key at byte %d'):format(at)
    end
    if result[key] then return nil, ("the header has '%s' twice"):format(key) end
    if key == 'descr' and text:sub(start, start) == '[' then return nil, 'structured dtypes are not read' end
    local value, last = values[key](text, start)
    if not value then return nil, ("the header's '%s' is not understood"):format(key) end
    result[key] = value
    at = text:match('^%s*()', last)
    if text:sub(at, at) == ',' then
      at = text:match('^,%s*()', at)
    elseif text:sub(at, at) ~= '}' then
      return nil, ('the header has no comma at byte %d'):format(at)
    end
  end
  if not text:find('^}%s*$', at) then return nil, 'the header goes on after its dictionary' end
  for key in pairs(values) do
    if not result[key] then return nil, ("the header has no '%s'"):format(key) end
  end
  return result
end

--- What a dtype's description says: {kind, width, reversed}; or nil and why it can't be read.
local function read_description(text)
  local order, letter, width = text:match '^([<>|=]?)(%a)(.*)$'
  if not letter then return nil, ("dtype '%s' is unknown"):format(text) end
  local kind = KINDS[letter .. width]
  if not kind then
    return nil, ("dtype '%s' is not read%s"):format(text, OTHERS[letter] and ': ' .. OTHERS[letter] or '')
  end
  width = tonumber(width)
  if order == '|' and width > 1 then return nil, ("dtype '%s' has no byte order"):format(text) end
  return { kind = kind, width = width, reversed = order == '>' and width > 1 }
end

--- What a header's text describes: {kind, width, reversed, fortran, shape, count}; or nil and what is wrong.
local function describe(text)
  local fields, message = parse(text)
  if not fields then return nil, message end
  local array
  array, message = read_description(fields.descr)
  if not array then return nil, message end
  local shape = fields.shape
  if #shape > MAX_DIMS then return nil, ('%d dims are more than %d'):format(#shape, MAX_DIMS) end
  local count = paths.count(shape)
  if not count then return nil, 'shape has more elements than can be counted' end
  array.fortran, array.shape, array.count = fields.fortran_order == 1, shape, count
  return array
end

-- ---- reading ----

local function take_text(source, n)
  return bytes.string_of(n, function(pointer) return source:take(pointer, n) end)
end

--- Reads up to the elements: what the header describes and how many bytes were read; or nil, what is wrong, and true for
-- what isn't the format at all.
local function read_header(source)
  if source.size < #MAGIC + 4 then return nil, 'too short for an npy file', true end
  local start, message = take_text(source, #MAGIC + 2)
  if not start then return nil, message end
  if start:sub(1, #MAGIC) ~= MAGIC then return nil, 'not an npy file', true end
  local major, minor = start:byte(#MAGIC + 1, #MAGIC + 2)
  if major < 1 or major > 3 or minor ~= 0 then
    return nil, ('version %d.%d of the format is not read'):format(major, minor)
  end
  local digits = major == 1 and 2 or 4
  local before = #start + digits
  if source.size < before then return nil, 'too short for a header' end
  local text
  text, message = take_text(source, digits)
  if not text then return nil, message end
  local length = 0
  for i = digits, 1, -1 do length = length * 256 + text:byte(i) end
  if length > LARGEST_HEADER or before + length > source.size then
    return nil, ('the header is said to have %.0f bytes, the file has %.0f'):format(length, source.size)
  end
  text, message = take_text(source, length)
  if not text then return nil, message end
  local array
  array, message = describe(text)
  if not array then return nil, message end
  return array, before + length
end

local function reversed_list(list)
  local result = {}
  for i = 1, #list do result[i] = list[#list + 1 - i] end
  return result
end

local function read_elements(source, array, shape)
  local function fill(pointer, n)
    local ok, message = source:take(pointer, n)
    if ok and array.reversed then bytes.reverse_elements(pointer, array.count, array.width) end
    return ok, message
  end
  if bytes.narrow(array.kind) then return bytes.widened(array.kind, shape, fill) end
  local t, pointer, n = bytes.new_tensor(array.kind, shape)
  local ok, message = fill(pointer, n)
  if not ok then return nil, message end
  if array.kind == 'bool' and not bytes.are_bools(t) then return nil, 'a bool is neither 0 nor 1' end
  return t
end

--- Reads an array; integers that metann lacks are widened.
-- @param source with `size`, the bytes that there are, and `take(pointer, n)`, which returns true, or nil and a message
-- @return the tensor; or nil, what is wrong, and true for what isn't the format at all
function npyformat.read(source)
  local array, start, foreign = read_header(source)
  if not array then return nil, start, foreign end
  if source.size - start ~= array.count * array.width then
    return nil, ('the elements need %.0f bytes, the file has %.0f'):format(array.count * array.width,
      source.size - start)
  end
  if not array.fortran or #array.shape < 2 then
    local t, message = read_elements(source, array, array.shape)
    if not t then return nil, message end
    return bytes.placed(t)
  end
  local t, message = read_elements(source, array, reversed_list(array.shape))
  if not t then return nil, message end
  local dims = {}
  for d = 1, #array.shape do dims[d] = #array.shape + 1 - d end
  return bytes.placed(functions.contiguous(functions.permute(t, dims)))
end

return npyformat
