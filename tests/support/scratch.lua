-- For specs that need files: a folder of their own, drawings in the official Omniglot layout, zip files, pixels.
local ffi = require 'ffi'
local png = require 'metann.binding.png'
local zip = require 'metann.binding.zip'

local scratch = {}

function scratch.run(command)
  local pipe = io.popen(command .. ' 2>&1; echo "status $?"')
  local said = pipe:read '*a'
  pipe:close()
  local status = tonumber(said:match 'status (%d+)%s*$')
  return status, (said:gsub('status %d+%s*$', ''))
end

--- Goes before a command that ends by os.exit: its Lua state is never closed, and what LuaJIT's memory points at would
-- look like a leak where the tests run under sanitizers.
scratch.STATE_LEFT_OPEN = 'ASAN_OPTIONS=detect_leaks=0 '

--- A new empty folder. Remove it with scratch.remove.
function scratch.folder()
  -- not under the sanitizer that a test run may preload: mktemp takes what that does to stderr for a failure
  local status, path = scratch.run 'LD_PRELOAD= mktemp -d'
  assert(status == 0, path)
  return (path:gsub('%s+$', ''))
end

function scratch.remove(folder)
  assert(folder:find '^/.+/')
  os.execute("rm -rf '" .. folder .. "'")
end

--- Write a file in a folder that is there.
function scratch.overwrite(path, text)
  local file = assert(io.open(path, 'wb'))
  file:write(text)
  file:close()
end

function scratch.write(path, text)
  os.execute(("mkdir -p '%s'"):format(path:match '^(.*)/'))
  scratch.overwrite(path, text)
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

--- Write a zip file of a list of {name, text}.
function scratch.zip(path, entries)
  local list = {}
  for i, entry in ipairs(entries) do list[i] = { name = entry[1], parts = { { entry[2] } } } end
  assert(zip.write(path, list, true))
end

--- The contents of a zip file: texts by name, and the names in order.
function scratch.unzip(path)
  local archive = assert(zip.open(path))
  local texts, names = {}, archive:names()
  for _, entry in ipairs(assert(archive:entries())) do
    local buffer
    local n = assert(archive:read(entry, function(size)
      buffer = ffi.new('uint8_t[?]', math.max(size, 1))
      return buffer
    end))
    texts[entry.name] = ffi.string(buffer, n)
  end
  archive:close()
  return texts, names
end

return scratch
