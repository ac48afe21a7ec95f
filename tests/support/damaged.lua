-- Every reader of files, with whole files of its kind and ways to damage them, all drawn from one source of numbers: what
-- io_mutations_spec tries a little of, and whoever has more time can try for hours.
local crafted = require 'tests.support.crafted'
local mutate = require 'tests.support.mutate'
local rows = require 'tests.support.rows'
local scratch = require 'tests.support.scratch'
local json = require 'metann.binding.json'
local metann = require 'metann'
local safetensors, npy, npz = metann.io.safetensors, metann.io.npy, metann.io.npz

local damaged = {}

-- ---- whole files ----

local function sample()
  return {
    ['1.weight'] = metann.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, ['1.bias'] = metann.tensor { true, false, true },
    n = metann.tensor({ 7 }, { dtype = 'int64' }), h = metann.tensor { 1, 2 }:to 'float16', e = metann.zeros(0, 2),
    ['a b'] = metann.tensor({ 1, 2, 3 }, { dtype = 'uint8' }), s = metann.tensor(2, { dtype = 'float64' }),
  }
end
damaged.sample = sample

--- What `write(path)` leaves in a file.
local function text_of(folder, write)
  local path = folder .. '/whole'
  write(path)
  local text = scratch.read(path)
  os.remove(path)
  return text
end

--- A safetensors file's header and data apart.
function damaged.split(text)
  local n = text:byte(1) + 256 * text:byte(2) + 65536 * text:byte(3)
  return text:sub(9, 8 + n), text:sub(9 + n)
end
local split, join = damaged.split, crafted.safetensors

function damaged.safetensors_text(folder)
  return text_of(folder, function(path) safetensors.save(path, sample(), { note = 'x', other = 'y' }) end)
end

function damaged.checkpoint_text(folder)
  local base, shared = metann.arange(12), { 1, 'é' }
  local state = metann.nn.Linear(2, 2):state_dict()
  return text_of(folder, function(path)
    metann.save(path, {
      state, base:view(3, 4), base[{ { 3, 5 } }], { shared, shared, x = 0 / 0, y = '\255', z = true },
      metann.utils.OrderedDict { { 'a', 1 }, { 'b', metann.nn.Parameter(metann.ones(2)) } }, step = 3,
    })
  end)
end

function damaged.npz_text(folder, compress)
  local tensors = sample()
  tensors.zeros = metann.zeros(500)
  return text_of(folder, function(path) npz.save(path, tensors, { compress = compress }) end)
end

local function npy_of(version, header, data)
  local length = crafted.little(#header, version == 1 and 2 or 4)
  return '\147NUMPY' .. string.char(version, 0) .. length .. header .. data
end

--- .npy files of each version, order and kind of elements, as NumPy writes them.
function damaged.npy_texts(folder)
  local texts = {}
  for _, t in pairs(sample()) do texts[#texts + 1] = text_of(folder, function(path) npy.save(path, t) end) end
  table.sort(texts) -- in an order of their own
  for version = 1, 3 do
    for _, fortran in ipairs { 'True', 'False' } do
      for description, width in pairs { ['>f4'] = 4, ['<i2'] = 2, ['|i1'] = 1, ['>u4'] = 4, ['<f8'] = 8 } do
        local header = ("{'descr': '%s', 'fortran_order': %s, 'shape': (2, 3), }\n"):format(description, fortran)
        texts[#texts + 1] = npy_of(version, header, ('\1\2'):rep(3 * width))
      end
    end
  end
  return texts
end

--- PNG files of each kind, and one that libpng wrote.
function damaged.png_texts(draw)
  local texts = { scratch.png(scratch.drawing(1, 21)) }
  for colour, depths in pairs { [0] = { 1, 2, 4, 8, 16 }, [2] = { 8, 16 }, [3] = { 1, 2, 4, 8 }, [4] = { 8, 16 }, [6] = { 8 } } do
    for _, depth in ipairs(depths) do texts[#texts + 1] = crafted.png(13, 7, depth, colour, draw) end
  end
  return texts
end

-- ---- damage ----

local function any(list, draw) return list[draw(#list)] end

local function change_safetensors(text, draw)
  local header, data = split(text)
  local kind = draw(5)
  if kind == 1 then return mutate.bytes(text, draw) end
  if kind == 2 then return join(mutate.bytes(header, draw), data) end
  if kind == 3 then return join(mutate.number(header, draw), data) end
  if kind == 4 then return join(mutate.json(header, draw), data) end
  return join(mutate.number(mutate.json(header, draw), draw), data)
end

local function change_checkpoint(text, draw)
  if draw(4) == 1 then return change_safetensors(text, draw) end
  local header, data = split(text)
  local tree = json.decode(header)
  local change = any({ mutate.json, mutate.number, mutate.json, mutate.bytes }, draw)
  -- changed bytes may be no UTF-8, which the header can't hold
  local changed = change(tree.__metadata__.structure, draw):gsub('[\128-\255]', '?'):gsub('%z', '0')
  tree.__metadata__.structure = changed
  return join(json.encode(tree), data)
end

local function change_npy(text, draw)
  local kind = draw(3)
  if kind == 1 then return mutate.bytes(text, draw) end
  if kind == 2 then return mutate.number(text, draw) end
  local version = text:byte(7)
  local digits = version == 1 and 2 or 4
  local length = text:byte(9) + 256 * text:byte(10)
  local header = text:sub(9 + digits, 8 + digits + length)
  header = mutate.bytes(mutate.number(header, draw), draw)
  return npy_of(version, header, text:sub(9 + digits + length))
end

local LENGTHS = { '\0\0\0\0', '\255\255\255\255', '\255\255\255\127', '\1\0\0\0', '\0\0\0\64', '\255\255\0\0' }

--- A zip file with the bytes, the directory, or a number of an entry changed.
local function change_zip(text, draw)
  local kind = draw(4)
  if kind == 1 then return mutate.bytes(text, draw) end
  local directory = text:find('PK\1\2', 1, true)
  if kind == 2 then return text:sub(1, directory - 1) .. mutate.bytes(text:sub(directory), draw) end
  local value = any(LENGTHS, draw)
  if kind == 3 then return crafted.zip_field(text, 'PK\1\2', any({ 10, 16, 20, 24, 28, 42 }, draw), value) end
  return crafted.zip_field(text, 'PK\3\4', any({ 8, 14, 18, 22, 26 }, draw), value)
end

local function change_png(text, draw)
  local kind = draw(4)
  if kind == 1 then return mutate.bytes(text, draw) end
  local chunks = crafted.chunks(text)
  local at = draw(#chunks)
  local chunk = chunks[at]
  if kind == 2 then -- other contents, checksums right
    chunk[2] = mutate.bytes(chunk[2], draw)
  elseif kind == 3 then -- gone, twice, or of another kind
    local way = draw(3)
    if way == 1 then table.remove(chunks, at) end
    if way == 2 then table.insert(chunks, draw(#chunks), chunk) end
    if way == 3 then chunk[1] = any({ 'PLTE', 'tRNS', 'IDAT', 'iCCP', 'zTXt', 'iTXt', 'gAMA', 'sRGB', 'cHRM', 'xxxx' }, draw) end
  else -- another size and kind
    local size = crafted.big(any({ 0, 1, 7, 13, 16384, 16385, 2 ^ 31 - 1, 2 ^ 31, 2 ^ 32 - 1 }, draw), 4)
    local other = crafted.big(any({ 1, 7, 13, 16384, 2 ^ 31 - 1 }, draw), 4)
    local form = string.char(any({ 1, 2, 4, 8, 16, 3, 0 }, draw), any({ 0, 2, 3, 4, 6, 1 }, draw), 0, 0, draw(2) - 1)
    chunks[1] = { 'IHDR', (draw(2) == 1 and size .. other or other .. size) .. form }
  end
  return crafted.png_of_chunks(chunks)
end

-- ---- readers ----

--- Looks at all that came.
local function look(value, seen)
  if metann.is_tensor(value) then
    if value:numel() < 1000 then
      rows.bytes(value)
      assert(tostring(value))
      if value:is_floating_point() then assert(#value:to_flat_table() == value:numel()) end
    end
  elseif type(value) == 'table' and not seen[value] then
    seen[value] = true
    for _, v in next, value do look(v, seen) end
  end
end

local function looking(load) return function(path) look(load(path), {}) end end

--- A reader of a file made of the damaged one, whose name begins with its own.
local function through(make, load)
  return function(path)
    local other = path .. '.made'
    make(other, scratch.read(path))
    local ok, message = pcall(load, other)
    os.remove(other)
    if not ok then error(message, 0) end
  end
end

local function open(path)
  local reader, all = safetensors.open(path), {}
  for _, name in ipairs(reader:names()) do all[name] = reader:get(name) end
  reader:close()
  return all
end

local function load_from_pytorch(path) return (metann.load(path, { from = 'pytorch' })) end

local function omniglot(path) look(metann.data.Omniglot(path).classes, {}) end

--- A reader of a folder whose one drawing is the damaged file.
local function drawing_in(folder)
  local picture = '/Greek/character01/0001_01.png'
  scratch.write(folder .. picture, '')
  return function(path)
    scratch.overwrite(folder .. picture, scratch.read(path))
    local ok, message = pcall(omniglot, folder)
    -- the error names the drawing, which is the damaged file here
    if not ok then error(tostring(message):gsub((folder .. picture):gsub('%p', '%%%0'), (path:gsub('%%', '%%%%'))), 0) end
  end
end

--- The readers: list of {name, load(path), texts (whole files), change(text, draw)}.
-- @param folder for files in between
-- @param draw source of numbers
function damaged.readers(folder, draw)
  local pngs = damaged.png_texts(draw)
  local zips = {}
  for i, png in ipairs(pngs) do
    zips[i] = text_of(folder, function(path) crafted.drawing_zip(path, png) end)
  end
  local load_npz, checkpoint = looking(npz.load), damaged.checkpoint_text(folder)
  return {
    { name = 'safetensors', load = looking(safetensors.load), texts = { damaged.safetensors_text(folder) },
      change = change_safetensors },
    { name = 'mapped safetensors', load = looking(function(path) return (safetensors.load(path, { map = true })) end),
      texts = { damaged.safetensors_text(folder) }, change = change_safetensors },
    { name = 'an open safetensors file', load = looking(open), texts = { damaged.safetensors_text(folder) },
      change = change_safetensors },
    { name = 'weights from PyTorch', load = looking(load_from_pytorch), texts = { damaged.safetensors_text(folder) },
      change = change_safetensors },
    { name = 'metann.load', load = looking(metann.load), texts = { checkpoint }, change = change_checkpoint },
    { name = 'npy', load = looking(npy.load), texts = damaged.npy_texts(folder), change = change_npy },
    { name = 'npz', load = load_npz, texts = { damaged.npz_text(folder, false), damaged.npz_text(folder, true) },
      change = change_zip },
    { name = 'npz of damaged arrays', texts = damaged.npy_texts(folder), change = change_npy,
      load = through(function(path, text) scratch.zip(path, { { 'x.npy', text } }) end, load_npz) },
    { name = 'drawings', load = drawing_in(folder .. '/pictures'), texts = pngs, change = change_png },
    { name = 'zip files of drawings', load = omniglot, texts = zips, change = change_zip },
    { name = 'zip files of damaged drawings', load = through(crafted.drawing_zip, omniglot), texts = pngs, change = change_png },
  }
end

--- A damaged file for a reader of `readers`.
function damaged.draw_text(reader, draw) return reader.change(any(reader.texts, draw), draw) end

--- Loads a file by a reader: true when it was taken, false when it was refused by an error that names the path.
-- @raise what is wrong with the refusal
function damaged.try(reader, path, text)
  scratch.overwrite(path, text)
  local loaded, message = pcall(reader.load, path)
  if loaded then return true end
  assert(type(message) == 'string' and message:find(path, 1, true), 'an error without the path: ' .. tostring(message))
  for _, words in ipairs { 'out of memory', 'attempt to', 'bad argument', 'stack overflow', 'cannot convert' } do
    assert(not message:find(words, 1, true), message)
  end
  return false
end

--- Highest memory that the process ever took, in MiB.
local function peak() return tonumber(scratch.read('/proc/self/status'):match 'VmHWM:%s*(%d+) kB') / 1024 end

-- Files here have a few KiB. The core may take little more than they have; a sanitizer keeps what was freed.
local CORE_LIMIT = 4 * 2 ^ 20
local PROCESS_LIMIT = os.getenv('LD_PRELOAD') and os.getenv('LD_PRELOAD') ~= '' and 1024 or 48

--- Runs fn(try), where try(text) loads a file with that text and says whether it was taken. Nothing may stay alive, and
-- memory stays small. A file on which something else happens is kept as `build/mutated`.
-- @return how many files there were, how many were taken
function damaged.with_limits(reader, path, fn)
  local live, before, limit = rows.live(), peak(), metann.memory().limit_bytes
  metann.set_memory_limit(metann.memory().live_bytes + CORE_LIMIT)
  local count, taken = 0, 0
  local ok, message = pcall(fn, function(text)
    count = count + 1
    local good = damaged.try(reader, path, text)
    if good then taken = taken + 1 end
    return good
  end)
  metann.set_memory_limit(limit)
  if not ok then
    scratch.overwrite('build/mutated', scratch.read(path))
    error(('%s, file %d (kept as build/mutated): %s'):format(reader.name, count, tostring(message)), 0)
  end
  local now = rows.live()
  assert(now == live, ('tensors stay alive: %s before, %s after'):format(live, now))
  assert(peak() - before < PROCESS_LIMIT, ('%.0f MiB more at the peak'):format(peak() - before))
  return count, taken
end

return damaged
