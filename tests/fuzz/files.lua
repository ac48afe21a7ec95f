--- Damaged files for everything that reads files: each is an error that names the file, or still valid; never a crash, a
-- hang, or memory out of proportion.
local json = require 'metann.binding.json'
local metann = require 'metann'
local mutate = require 'tests.support.mutate'
local rows = require 'tests.support.rows'
local scratch = require 'tests.support.scratch'
local inventory = require 'tests.fuzz.inventory'

local files = {}

-- Files here have a few KiB. The core may take little more than they have; a sanitizer keeps what was freed.
files.CORE_LIMIT = 4 * 2 ^ 20
files.PROCESS_LIMIT = os.getenv('LD_PRELOAD') and os.getenv('LD_PRELOAD') ~= '' and 1024 or 48

-- ---- whole files ----

local function sample()
  return {
    ['1.weight'] = metann.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, ['1.bias'] = metann.tensor { true, false, true },
    n = metann.tensor({ 7 }, { dtype = 'int64' }), h = metann.tensor { 1, 2 }:to 'float16', e = metann.zeros(0, 2),
    ['a b'] = metann.tensor({ 1, 2, 3 }, { dtype = 'uint8' }), s = metann.tensor(2, { dtype = 'float64' }),
  }
end
files.sample = sample

--- What metann.save takes: nested tables, views of one storage, modules' states.
local function tree()
  local base = metann.arange(12)
  local shared = { 1, 'é' }
  return {
    metann.nn.Linear(2, 2):state_dict(), base:view(3, 4), base[{ { 3, 5 } }],
    { shared, shared, x = 0 / 0, y = '\255', z = true },
    metann.utils.OrderedDict { { 'a', 1 }, { 'b', metann.nn.Parameter(metann.ones(2)) } }, step = 3,
  }
end

--- Looks at all that a reader gave.
local function look(value, seen)
  if metann.is_tensor(value) then
    assert(value:numel() * 8 <= files.CORE_LIMIT)
    rows.bytes(value)
    if value:numel() < 1000 then tostring(value) end
  elseif type(value) == 'table' and not seen[value] then
    seen[value] = true
    for _, v in next, value do look(v, seen) end
  end
end

--- Samples for a format that can save: those of these values that it takes, as texts.
local function texts_of(save, path)
  local list = {}
  local given = { sample(), tree(), metann.zeros(3, 4) }
  for _, t in pairs(sample()) do given[#given + 1] = t end
  for _, value in ipairs(given) do
    for _, options in ipairs{ false, { compress = true } } do
      if pcall(save, path, value, options or nil) then list[#list + 1] = scratch.read(path) end
    end
  end
  return list
end

--- Every reader there is: {name, load, texts}, found by its name beside a writer's; `write(path, text)` where a text is
-- only a part of a file, `ending` how many bytes at its end say nothing.
-- @param path of a file that may be written
function files.readers(path)
  local list = {}
  local function add(name, load, save)
    local texts = texts_of(save, path)
    assert(#texts > 0, name)
    list[#list + 1] = { name = name, load = load, texts = texts }
  end
  local formats = inventory.members(metann.io)
  local names = {}
  for name in pairs(formats) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local format = formats[name]
    for method, load in pairs(inventory.members(format)) do
      if method == 'load' then add(name .. '.load', function(file) return load(file) end, format.save) end
      if method == 'open' then
        add(name .. '.open', function(file)
          local reader = load(file)
          local all = {}
          for _, key in ipairs(reader:names()) do all[key] = reader:get(key) end
          reader:close()
          return all
        end, format.save)
      end
    end
  end
  local function drawings(file)
    local set = metann.data.Omniglot(file, { size = 7 })
    return { set.classes[1].images }
  end
  local drawing = scratch.png(scratch.drawing(1, 9))
  local function archive(file, text) scratch.zip(file, { { 'Greek/character01/0001_01.png', text } }) end
  archive(path, drawing)
  list[#list + 1] = { name = 'data.Omniglot', load = drawings, texts = { scratch.read(path) } }
  list[#list + 1] = { name = 'a drawing of data.Omniglot', load = drawings, texts = { drawing }, write = archive, ending = 12 }
  add('metann.load', metann.load, metann.save)
  add('metann.load from pytorch', function(file) return metann.load(file, { from = 'pytorch' }) end, metann.io.safetensors.save)
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

-- ---- damage ----

--- A safetensors file's header and data apart, and together again with a length that is right.
function files.split(text)
  local n = text:byte(1) + 256 * text:byte(2) + 65536 * text:byte(3)
  return text:sub(9, 8 + n), text:sub(9 + n)
end

function files.join(header, data)
  local n = #header
  return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536), 0, 0, 0, 0, 0) .. header .. data
end

--- Damages the tree that the header of a safetensors file is, or the one that its metadata hold as text.
local function damage_header(text, draw)
  local ok, header, data = pcall(files.split, text)
  if not ok or header:sub(1, 1) ~= '{' then return mutate.bytes(text, draw) end
  local tree_of = json.decode(header)
  local metadata = type(tree_of) == 'table' and tree_of.__metadata__
  if type(metadata) == 'table' and type(metadata.structure) == 'string' and draw(2) == 1 then
    -- changed bytes may be no UTF-8, which the header can't hold
    local change = draw(3) == 1 and mutate.bytes or draw(2) == 1 and mutate.number or mutate.json
    metadata.structure = change(metadata.structure, draw):gsub('[\128-\255]', '?'):gsub('%z', '0')
    return files.join(json.encode(tree_of), data)
  end
  return files.join(draw(2) == 1 and mutate.json(header, draw) or mutate.number(header, draw), data)
end

local DAMAGE = {
  mutate.bytes, mutate.bytes, mutate.number, damage_header, damage_header, damage_header,
  function(text, draw) return text:sub(1, draw(#text) - 1) end,
  function(text, draw) return mutate.bytes(mutate.number(text, draw), draw) end,
  function(text, draw) -- the beginning, where a format says what it is
    local n = math.min(#text, 128)
    return mutate.bytes(text:sub(1, n), draw) .. text:sub(n + 1)
  end,
  function(text, draw) -- the end, where an archive has its directory
    local n = math.max(1, #text - 200)
    return text:sub(1, n) .. mutate.bytes(text:sub(n + 1), draw)
  end,
}

--- One damaged file of a reader.
function files.damaged(reader, draw)
  local text = reader.texts[draw(#reader.texts)]
  return DAMAGE[draw(#DAMAGE)](text, draw)
end

-- ---- reading them ----

--- Reads a file with that text; says what is wrong with how that went, or nothing; and whether it was read.
function files.check(reader, text, path)
  local write = reader.write or scratch.overwrite
  write(path, text)
  local ok, message = pcall(function() look(reader.load(path), {}) end)
  if ok then return nil, true end
  if type(message) ~= 'string' then return 'an error that is a ' .. type(message) end
  if not message:find(path, 1, true) then return 'an error without the path: ' .. message end
  for _, pattern in ipairs{ 'out of memory', 'attempt to ', 'bad argument', 'stack overflow', 'not enough memory' } do
    if message:find(pattern, 1, true) then return message end
  end
  return nil, false
end

--- Highest memory that the process ever took, in MiB.
function files.peak()
  local kib = scratch.read('/proc/self/status'):match 'VmHWM:%s*(%d+) kB'
  return tonumber(kib) / 1024
end

return files
