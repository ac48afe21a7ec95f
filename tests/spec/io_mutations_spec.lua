-- Damaged files: each is refused with an error that names it, or is still a valid file; never a crash, a hang, or memory
-- out of proportion. The seed is printed; METANN_SEED repeats a run.
local scratch = require 'tests.support.scratch'
local mutate = require 'tests.support.mutate'
local rows = require 'tests.support.rows'
local metann = require 'metann'
local safetensors, npy, npz = metann.io.safetensors, metann.io.npy, metann.io.npz

local seed = tonumber(os.getenv 'METANN_SEED') or os.time()
print('seed ' .. seed)
local draw = mutate.source(seed)

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/a'
end)
after_each(function() scratch.remove(folder) end)

--- Highest memory that the process ever took, in MiB.
local function peak()
  local kib = scratch.read('/proc/self/status'):match 'VmHWM:%s*(%d+) kB'
  return tonumber(kib) / 1024
end

-- Files here have a few KiB. The core may take little more than they have; a sanitizer keeps what was freed.
local CORE_LIMIT = 4 * 2 ^ 20
local PROCESS_LIMIT = os.getenv('LD_PRELOAD') and os.getenv('LD_PRELOAD') ~= '' and 1024 or 48

--- Runs fn(try): try(text) loads a file with that text by `load` and says whether it was taken. Checks memory around it.
local function with_limits(load, fn)
  local live, before, limit = rows.live(), peak(), metann.memory().limit_bytes
  metann.set_memory_limit(metann.memory().live_bytes + CORE_LIMIT)
  local count, taken = 0, 0
  local ok, message = pcall(fn, function(text)
    count = count + 1
    scratch.overwrite(path, text)
    local loaded, result = pcall(load, path)
    if loaded then
      taken = taken + 1
      return true
    end
    assert(type(result) == 'string' and result:find(path, 1, true), 'an error without the path: ' .. tostring(result))
    assert(not result:find('out of memory', 1, true), result)
    assert(not result:find('attempt to', 1, true), result)
    return false
  end)
  metann.set_memory_limit(limit)
  if not ok then
    scratch.overwrite('build/mutated', scratch.read(path))
    error(('file %d (kept as build/mutated): %s'):format(count, tostring(message)), 0)
  end
  assert.are.equal(live, rows.live())
  assert.is_true(peak() - before < PROCESS_LIMIT, ('%.0f MiB more at the peak'):format(peak() - before))
  return count, taken
end

--- Loads, and looks at what came: tensors, whose values can be read.
local function load_tensors(load)
  return function(file)
    for name, t in pairs(load(file)) do
      assert(type(name) == 'string' and metann.is_tensor(t))
      assert(#rows.bytes(t) <= CORE_LIMIT)
    end
  end
end

local function sample()
  return {
    ['1.weight'] = metann.tensor { { 1, 2, 3 }, { 4, 5, 6 } }, ['1.bias'] = metann.tensor { true, false, true },
    n = metann.tensor({ 7 }, { dtype = 'int64' }), h = metann.tensor { 1, 2 }:to 'float16', e = metann.zeros(0, 2),
    ['a b'] = metann.tensor({ 1, 2, 3 }, { dtype = 'uint8' }), s = metann.tensor(2, { dtype = 'float64' }),
  }
end

--- A safetensors file's header and data apart, and together again with a length that is right.
local function split(text)
  local n = text:byte(1) + 256 * text:byte(2) + 65536 * text:byte(3)
  return text:sub(9, 8 + n), text:sub(9 + n)
end
local function join(header, data)
  local n = #header
  return string.char(n % 256, math.floor(n / 256) % 256, math.floor(n / 65536), 0, 0, 0, 0, 0) .. header .. data
end

describe('safetensors', function()
  local load = load_tensors(safetensors.load)

  local function whole()
    safetensors.save(path, sample(), { note = 'x', other = 'y' })
    return scratch.read(path)
  end

  it('cut short anywhere are errors', function()
    local text = whole()
    with_limits(load, function(try)
      for n = 0, #text - 1 do assert(not try(text:sub(1, n)), n) end
      assert(not try(text .. '\0'))
      assert(try(text))
    end)
  end)

  it('with a thousand damaged headers are errors or valid', function()
    local header, data = split(whole())
    local changes = { mutate.bytes, mutate.number, mutate.json, function(text) return mutate.number(mutate.json(text, draw), draw) end }
    local count, taken = with_limits(load, function(try)
      for i = 1, 1200 do try(join(changes[i % 4 + 1](header, draw), data)) end
    end)
    assert(count == 1200 and taken < 400, taken)
  end)

  it('damaged anywhere are errors or valid', function()
    local text = whole()
    with_limits(load, function(try)
      for _ = 1, 400 do try(mutate.bytes(text, draw)) end
    end)
  end)

  it('with any length of the header are errors', function()
    local text = whole()
    with_limits(load, function(try)
      for shift = 0, 7 do
        for _, byte in ipairs { 1, 127, 128, 255 } do
          local length = { 0, 0, 0, 0, 0, 0, 0, 0 }
          length[shift + 1] = byte
          assert(not try(string.char(unpack(length)) .. text:sub(9)))
        end
      end
    end)
  end)
end)

describe('npy', function()
  local function load(file) assert(#rows.bytes(npy.load(file)) <= CORE_LIMIT) end

  it('files damaged in their header or anywhere, or cut short, are errors or valid', function()
    for _, t in pairs(sample()) do
      npy.save(path, t)
      local text = scratch.read(path)
      with_limits(load, function(try)
        for n = 0, #text - 1 do assert(not try(text:sub(1, n)), n) end
        for _ = 1, 60 do
          try(mutate.bytes(text, draw))
          try(mutate.number(text, draw))
          local start = text:sub(1, 10)
          local header = mutate.bytes(mutate.number(text:sub(11, 128), draw), draw)
          try(start:sub(1, 8) .. string.char(#header % 256, math.floor(#header / 256)) .. header .. text:sub(129))
        end
      end)
    end
  end)
end)

describe('npz', function()
  local load = load_tensors(npz.load)

  local function whole(compress)
    local tensors = sample()
    tensors.zeros = metann.zeros(500)
    npz.save(path, tensors, { compress = compress })
    return scratch.read(path)
  end

  for _, compress in ipairs { false, true } do
    it((compress and 'deflated' or 'stored') .. ' files damaged anywhere or cut short are errors or valid', function()
      local text = whole(compress)
      with_limits(load, function(try)
        for n = 0, #text - 1, 7 do assert(not try(text:sub(1, n)), n) end
        for _ = 1, 400 do try(mutate.bytes(text, draw)) end
        -- the end, where the directory is
        local directory = text:find('PK\1\2', 1, true)
        for _ = 1, 400 do try(text:sub(1, directory - 1) .. mutate.bytes(text:sub(directory), draw)) end
      end)
    end)
  end

  it('files with damaged arrays in a whole archive are errors or valid', function()
    npy.save(path, sample()['1.weight'])
    local text = scratch.read(path)
    with_limits(function(file)
      scratch.zip(folder .. '/z.npz', { { 'x.npy', scratch.read(file) } })
      local ok, message = pcall(load, folder .. '/z.npz')
      if not ok then error(path .. message, 0) end
    end, function(try)
      for _ = 1, 300 do try(mutate.bytes(mutate.number(text, draw), draw)) end
    end)
  end)
end)

describe('metann.load', function()
  --- Looks at all that came.
  local function look(value, seen)
    if metann.is_tensor(value) then
      if value:numel() < 1000 then rows.bytes(value) end
    elseif type(value) == 'table' and not seen[value] then
      seen[value] = true
      for _, v in next, value do look(v, seen) end
    end
  end
  local function load(file) look(metann.load(file), {}) end

  local function whole()
    local base = metann.arange(12)
    local shared = { 1, 'é' }
    local state = metann.nn.Linear(2, 2):state_dict()
    metann.save(path, {
      state, base:view(3, 4), base[{ { 3, 5 } }], { shared, shared, x = 0 / 0, y = '\255', z = true },
      metann.utils.OrderedDict { { 'a', 1 }, { 'b', metann.nn.Parameter(metann.ones(2)) } }, step = 3,
    })
    local header, data = split(scratch.read(path))
    return header, data, safetensors.open(path):metadata().structure
  end

  it('of files with damaged descriptions gives errors or values', function()
    local header, data, text = whole()
    local json = require 'metann.binding.json'
    local tree = json.decode(header)
    local changes = { mutate.json, mutate.number, mutate.json, mutate.bytes }
    with_limits(load, function(try)
      for i = 1, 1000 do
        -- changed bytes may be no UTF-8, which the header can't hold
        local changed = changes[i % 4 + 1](text, draw):gsub('[\128-\255]', '?')
        tree.__metadata__.structure = changed:gsub('%z', '0')
        try(join(json.encode(tree), data))
      end
    end)
  end)

  it('of files damaged anywhere, or cut short, gives errors or values', function()
    local header, data = whole()
    local text = join(header, data)
    with_limits(load, function(try)
      for n = 0, #text - 1, 3 do assert(not try(text:sub(1, n)), n) end
      for _ = 1, 400 do
        try(mutate.bytes(text, draw))
        try(join(mutate.json(header, draw), data))
      end
    end)
  end)
end)
