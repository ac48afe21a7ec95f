-- Files made to do harm: sizes that lie, nesting, archives and pictures that unfold to far more than they are.
local ffi = require 'ffi'
local bit = require 'bit'
local scratch = require 'tests.support.scratch'

local crafted = {}

--- n in little-endian bytes.
function crafted.little(n, bytes)
  local list = {}
  for i = 1, bytes do
    list[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(list)
end

function crafted.big(n, bytes) return crafted.little(n, bytes):reverse() end

local crc_table
--- CRC-32 as PNG and zip have it (ISO 3309).
function crafted.crc(text)
  if not crc_table then
    crc_table = ffi.new 'uint32_t[256]'
    for n = 0, 255 do
      local c = n
      for _ = 1, 8 do
        c = bit.band(c, 1) == 1 and bit.bxor(bit.rshift(c, 1), 0xedb88320) or bit.rshift(c, 1)
      end
      crc_table[n] = c
    end
  end
  local c = -1
  for i = 1, #text do
    c = bit.bxor(bit.rshift(c, 8), bit.tobit(crc_table[bit.band(bit.bxor(c, text:byte(i)), 255)]))
  end
  return bit.bnot(c) % 2 ^ 32
end

--- A PNG file's header chunk, its checksum right.
local function header_chunk(width, height, depth, colour, interlace)
  local content = 'IHDR' .. crafted.big(width, 4) .. crafted.big(height, 4) .. string.char(depth, colour, 0, 0, interlace)
  return crafted.big(#content - 4, 4) .. content .. crafted.big(crafted.crc(content), 4)
end

--- A PNG's chunks as a list of {kind, content}; what is no whole chunk is left out.
function crafted.chunks(png)
  local list, at = {}, 9
  while at + 11 <= #png do
    local a, b, c, d = png:byte(at, at + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    list[#list + 1] = { png:sub(at + 4, at + 7), png:sub(at + 8, at + 7 + length) }
    at = at + 12 + length
  end
  return list
end

--- A PNG of chunks, lengths and checksums right.
function crafted.png_of_chunks(chunks)
  local parts = { '\137PNG\r\n\26\n' }
  for _, chunk in ipairs(chunks) do
    local content = chunk[1] .. chunk[2]
    parts[#parts + 1] = crafted.big(#chunk[2], 4) .. content .. crafted.big(crafted.crc(content), 4)
  end
  return table.concat(parts)
end

--- Bytes as a zlib stream that packs nothing.
local function zlib_stored(bytes)
  local a, b = 1, 0
  for i = 1, #bytes do
    a = (a + bytes:byte(i)) % 65521
    b = (b + a) % 65521
  end
  local blocks = {}
  for at = 1, math.max(#bytes, 1), 65535 do
    local block = bytes:sub(at, at + 65534)
    blocks[#blocks + 1] = (at + 65535 > #bytes and '\1' or '\0') .. crafted.little(#block, 2)
      .. crafted.little(65535 - #block, 2) .. block
  end
  return '\120\1' .. table.concat(blocks) .. crafted.big(b * 65536 + a, 4)
end

local CHANNELS = { [0] = 1, [2] = 3, [3] = 1, [4] = 2, [6] = 4 }

--- A whole PNG of a kind: colour type 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha; its bytes are drawn.
function crafted.png(width, height, depth, colour, draw)
  local rows, row_bytes = {}, math.ceil(width * depth * CHANNELS[colour] / 8)
  for y = 1, height do
    local row = {}
    for i = 1, row_bytes do row[i] = string.char(colour == 3 and 0 or draw(256) - 1) end
    rows[y] = string.char(draw(5) - 1) .. table.concat(row) -- each kind of filter
  end
  local size = crafted.big(width, 4) .. crafted.big(height, 4)
  local chunks = { { 'IHDR', size .. string.char(depth, colour, 0, 0, 0) }, { 'gAMA', crafted.big(45455, 4) } }
  if colour == 3 then
    chunks[#chunks + 1] = { 'PLTE', '\0\0\0\255\255\255' }
    chunks[#chunks + 1] = { 'tRNS', '\128' }
  end
  chunks[#chunks + 1] = { 'IDAT', zlib_stored(table.concat(rows)) }
  chunks[#chunks + 1] = { 'IEND', '' }
  return crafted.png_of_chunks(chunks)
end

--- A PNG with another size (and depth, colour type, interlacing) said in its header.
function crafted.png_of_size(png, width, height, depth, colour, interlace)
  return png:sub(1, 8) .. header_chunk(width, height, depth or 8, colour or 0, interlace or 0) .. png:sub(34)
end

--- The text with the field at `offset` of each directory entry of a zip file (or each local header) replaced.
-- @param which 'PK\1\2' for the directory, 'PK\3\4' for local headers
function crafted.zip_field(text, which, offset, value)
  local at = 1
  while true do
    at = text:find(which, at, true)
    if not at then return text end
    text = text:sub(1, at + offset - 1) .. value .. text:sub(at + offset + #value)
    at = at + 4
  end
end

--- A zip file whose entries are said to unfold to `size` bytes.
function crafted.zip_of_size(text, size)
  text = crafted.zip_field(text, 'PK\1\2', 24, crafted.little(size, 4))
  return crafted.zip_field(text, 'PK\3\4', 22, crafted.little(size, 4))
end

--- A zip file whose directory names its one entry n times.
function crafted.zip_of_copies(text, n)
  local start = text:find('PK\1\2', 1, true)
  local stop = text:find('PK\5\6', 1, true)
  local entry = text:sub(start, stop - 1)
  local directory = {}
  for i = 1, n do -- names of one length, each its own
    local name_length = entry:byte(29) + 256 * entry:byte(30)
    local name = ('%06d'):format(i) .. entry:sub(47 + 6, 46 + name_length)
    directory[i] = entry:sub(1, 46) .. name .. entry:sub(47 + name_length)
  end
  directory = table.concat(directory)
  local count = crafted.little(n, 2)
  return text:sub(1, start - 1) .. directory .. 'PK\5\6\0\0\0\0' .. count .. count .. crafted.little(#directory, 4)
    .. crafted.little(start - 1, 4) .. '\0\0'
end

--- A safetensors file with this header and data.
function crafted.safetensors(header, data)
  return crafted.little(#header, 8) .. header .. (data or '')
end

--- JSON texts that cost whoever reads them: nested, broad, with keys and numbers without end.
function crafted.json()
  return {
    lists = ('['):rep(2000) .. (']'):rep(2000), open_lists = ('['):rep(1e6),
    objects = ('{"a":'):rep(2000) .. '1' .. ('}'):rep(2000), open_objects = ('{"a":'):rep(3e5),
    mixed = ('[{"a":'):rep(1500) .. '1' .. ('}]'):rep(1500), empty_objects = '[' .. ('{},'):rep(1e6) .. '{}]',
    empty_lists = '[' .. ('[],'):rep(1e6) .. '[]]', pairs = '[' .. ('[[1]],'):rep(5e5) .. '1]',
    number = ('9'):rep(1e6), exponent = '1' .. ('0'):rep(1e6) .. 'e999999999', string = '"' .. ('\\u00e9'):rep(2e5) .. '"',
    surrogates = '"' .. ('\\ud800'):rep(1e5) .. '"', blank = (' '):rep(3e6), quotes = ('"'):rep(1e6),
    escapes = ('\\'):rep(1e6), commas = '[' .. (','):rep(1e6) .. ']', key = '{"' .. ('k'):rep(3e6) .. '":1}',
  }
end

--- Writes a zip file of one drawing, under the name that Omniglot wants.
function crafted.drawing_zip(path, png) scratch.zip(path, { { 'Greek/character01/0001_01.png', png } }) end

return crafted
