-- For specs that need files: a folder of their own, drawings in the official Omniglot layout, zip files, pixels.
local ffi = require 'ffi'
local png = require 'metann.binding.png'

local scratch = {}

function scratch.run(command)
  local pipe = io.popen(command .. ' 2>&1; echo "status $?"')
  local said = pipe:read '*a'
  pipe:close()
  local status = tonumber(said:match 'status (%d+)%s*$')
  return status, (said:gsub('status %d+%s*$', ''))
end

--- A new empty folder. Remove it with scratch.remove.
function scratch.folder()
  local status, path = scratch.run 'mktemp -d'
  assert(status == 0, path)
  return (path:gsub('%s+$', ''))
end

function scratch.remove(folder)
  assert(folder:find '^/.+/')
  os.execute("rm -rf '" .. folder .. "'")
end

function scratch.write(path, text)
  os.execute(("mkdir -p '%s'"):format(path:match '^(.*)/'))
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

function scratch.read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  return text
end

--- PNG bytes of rows of grey values (0 black to 255 white).
function scratch.png(rows)
  local pixels = {}
  for _, row in ipairs(rows) do
    for _, value in ipairs(row) do pixels[#pixels + 1] = string.char(value) end
  end
  return assert(png.encode_gray(table.concat(pixels), #rows[1], #rows))
end

--- Rows of a made-up black and white drawing, different for every number.
function scratch.drawing(number, side)
  local state, rows = number * 7919 + 17, {}
  for i = 1, side do
    rows[i] = {}
    for j = 1, side do
      state = (state * 1103515245 + 12345) % 2147483648
      rows[i][j] = state / 2147483648 < 0.3 and 0 or 255
    end
  end
  return rows
end

--- Write drawings under `folder`: alphabets {Name = number of characters}, each of `count` drawings.
-- Returns the rows by 'Alphabet/characterNN/IMAGE.png'.
function scratch.omniglot(folder, alphabets, count, side)
  local drawings, number = {}, 0
  local names = {}
  for alphabet in pairs(alphabets) do names[#names + 1] = alphabet end
  table.sort(names)
  for _, alphabet in ipairs(names) do
    for character = 1, alphabets[alphabet] do
      for i = 1, count do
        number = number + 1
        local name = ('%s/character%02d/%04d_%02d.png'):format(alphabet, character, number, i)
        drawings[name] = scratch.drawing(number, side or 21)
        scratch.write(folder .. '/' .. name, scratch.png(drawings[name]))
      end
    end
  end
  return drawings
end

ffi.cdef [[
typedef struct zip_source metann_zip_source;
metann_zip_source *zip_source_buffer(struct zip *archive, const void *data, uint64_t size, int free);
int64_t zip_file_add(struct zip *archive, const char *name, metann_zip_source *source, uint32_t flags);
int zip_close(struct zip *archive);
]]

--- Write a zip file of a list of {name, text}.
function scratch.zip(path, entries)
  require 'metann.binding.zip'
  local libzip = require('metann.binding.clib').open('libzip', {'libzip.so.5', 'libzip.so.4', 'zip'}, 'libzip4')
  local CREATE, TRUNCATE = 1, 8
  local archive = libzip.zip_open(path, CREATE + TRUNCATE, nil)
  assert(archive ~= nil, path)
  for _, entry in ipairs(entries) do
    local source = libzip.zip_source_buffer(archive, entry[2], #entry[2], 0)
    assert(libzip.zip_file_add(archive, entry[1], source, 0) >= 0)
  end
  assert(libzip.zip_close(archive) == 0)
end

return scratch
