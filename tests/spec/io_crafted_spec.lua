-- Files made to do harm, and files that change while they are read: errors that name the path, or the file as it was;
-- never more memory than in proportion to the file and within the limit, never a crash or a hang.
local scratch = require 'tests.support.scratch'
local crafted = require 'tests.support.crafted'
local metann = require 'metann'
local posix = require 'metann.binding.posix'
local safetensors, npy, npz = metann.io.safetensors, metann.io.npy, metann.io.npz

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/a'
end)
after_each(function() scratch.remove(folder) end)

local function peak() return tonumber(scratch.read('/proc/self/status'):match 'VmHWM:%s*(%d+) kB') / 1024 end

-- What a sanitizer keeps of freed memory counts as well.
local ALLOWED = os.getenv('LD_PRELOAD') and os.getenv('LD_PRELOAD') ~= '' and 300 or 40

--- Runs fn with so many MiB of metann's memory: its error must name the path and have the words.
local function refused(fn, words, limit)
  collectgarbage()
  local before, old = peak(), metann.memory().limit_bytes
  metann.set_memory_limit(metann.memory().live_bytes + (limit or 16) * 2 ^ 20)
  local ok, message = pcall(fn, path)
  metann.set_memory_limit(old)
  assert.is_false(ok)
  assert.truthy(message:find(path, 1, true), message)
  assert.truthy(message:find(words, 1, true), message)
  assert.is_true(peak() - before < ALLOWED, ('%.0f MiB more at the peak'):format(peak() - before))
end

local function omniglot(place) return metann.data.Omniglot(place) end

--- A folder with one drawing, as `path`.
local function drawing(png) scratch.write(path .. '/Greek/character01/0001_01.png', png) end

describe('Sizes that lie', function()
  it('in a zip directory are found before memory is taken', function()
    crafted.drawing_zip(path, scratch.png(scratch.drawing(1, 21)))
    scratch.overwrite(path, crafted.zip_of_size(scratch.read(path), 2 ^ 30))
    refused(omniglot, 'said to hold 1073741824 bytes, more than fit into')
    npz.save(path, { x = metann.ones(3) })
    scratch.overwrite(path, crafted.zip_of_size(scratch.read(path), 2 ^ 30))
    refused(npz.load, 'x: said to hold 1073741824 bytes, more than fit into')
  end)

  it('of one entry that stands in the directory many times are found', function()
    crafted.drawing_zip(path, scratch.png(scratch.drawing(1, 105)))
    scratch.overwrite(path, crafted.zip_of_copies(scratch.read(path), 5000))
    refused(omniglot, 'the entries overlap')
    npz.save(path, { abcdef = metann.zeros(1000) }, { compress = true })
    scratch.overwrite(path, crafted.zip_of_copies(scratch.read(path), 5000))
    refused(npz.load, 'the entries overlap')
  end)

  it('in a zip directory, with a method that is not read, are errors', function()
    crafted.drawing_zip(path, scratch.png(scratch.drawing(1, 21)))
    scratch.overwrite(path, crafted.zip_field(scratch.read(path), 'PK\1\2', 10, '\12\0'))
    refused(omniglot, 'compressed by method 12, which is not read')
  end)

  it('in a PNG header are found before memory is taken', function()
    for _, depth in ipairs { 1, 2, 4, 8, 16 } do
      for interlace = 0, 1 do
        drawing(crafted.png_of_size(scratch.png(scratch.drawing(1, 3)), 4096, 4096, depth, 0, interlace))
        refused(omniglot, 'said to have 4096 x 4096 pixels, more than fit into')
      end
    end
    drawing(crafted.png_of_size(scratch.png(scratch.drawing(1, 3)), 4097, 1))
    refused(omniglot, '4097 x 1 pixels are more than the 4096 x 4096 that are read')
  end)

  it('are none in pictures of one colour, which unfold to a thousand times their bytes', function()
    local rows = {}
    for i = 1, 500 do
      rows[i] = {}
      for j = 1, 700 do rows[i][j] = 255 end
    end
    local png = scratch.png(rows)
    assert(#png < 3000, #png)
    drawing(png)
    assert.are.same({ 1, 1, 28, 28 }, omniglot(path).classes[1].images.shape)
    crafted.drawing_zip(folder .. '/b', png)
    assert.are.same({ 1, 1, 28, 28 }, omniglot(folder .. '/b').classes[1].images.shape)
  end)
end)

describe('The memory limit', function()
  it('holds for pictures and what is made of them', function()
    local side = 4096
    local png = require('metann.binding.png').encode_gray(('\255'):rep(side * side), side, side)
    drawing(png)
    collectgarbage()
    refused(omniglot, '/Greek/character01/0001_01.png: out of memory')
    os.execute(("rm -r '%s'"):format(path))
    crafted.drawing_zip(path, png)
    refused(omniglot, ': Greek/character01/0001_01.png: out of memory')
  end)

  it('holds for the values of a JSON header', function()
    for name, text in pairs(crafted.json()) do
      scratch.overwrite(path, crafted.safetensors(text))
      refused(safetensors.load, 'safetensors.load: ' .. path)
      local structure = require('metann.binding.json').encode(text)
      local header = '{"__metadata__":{"format":"metann","structure":' .. structure .. '}}'
      scratch.overwrite(path, crafted.safetensors(header))
      refused(metann.load, 'load: ' .. path)
      assert(name)
    end
  end)
end)

describe('Drawings', function()
  it('of a few bytes take no more than a picture of the largest size', function()
    local side = 4096
    local png = require('metann.binding.png').encode_gray(('\255'):rep(side * side), side, side)
    assert(#png < 100000, #png)
    for i = 1, 3 do scratch.write(('%s/Greek/character01/%d.png'):format(path, i), png) end
    metann.empty_cache()
    local live, old = metann.memory().live_bytes, metann.memory().limit_bytes
    metann.set_memory_limit(live + 150 * 2 ^ 20)
    local ok, set = pcall(omniglot, path)
    metann.set_memory_limit(old)
    metann.empty_cache()
    assert.is_true(ok, set)
    assert.are.same({ 3, 1, 28, 28 }, set.classes[1].images.shape)
    assert.are.equal(0, set.classes[1].images:max():item())
  end)

  it('in files of more bytes than pictures have are refused before they are read', function()
    scratch.write(path .. '/Greek/character01/a.png', '')
    assert.are.equal(0, (scratch.run(("truncate -s 1T '%s/Greek/character01/a.png'"):format(path))))
    refused(omniglot, '1099511627776 bytes are more than the 67108864 that are read')
    -- a zip file of zeros, packed to a thousandth
    os.execute(("rm -r '%s'"):format(path))
    crafted.drawing_zip(path, ('\0'):rep(2 ^ 26 + 1))
    collectgarbage()
    refused(omniglot, '67108865 bytes are more than the 67108864 that are read')
  end)
end)

describe('Nesting', function()
  --- Runs a script on a stack as small as a thread's of musl.
  local function on_small_stack(script, ...)
    scratch.write(folder .. '/script.lua', script)
    local status, said = scratch.run(("ulimit -s 128; luajit '%s/script.lua' %s"):format(folder, table.concat({ ... }, ' ')))
    assert.are.equal(0, status, said)
  end

  it('in headers and descriptions is an error before it takes the stack', function()
    local json = crafted.json()
    local places = {}
    for _, name in ipairs { 'lists', 'objects', 'mixed', 'open_lists', 'open_objects' } do
      places[#places + 1] = folder .. '/header_' .. name
      scratch.overwrite(places[#places], crafted.safetensors(json[name]))
      places[#places + 1] = folder .. '/structure_' .. name
      local structure = '{"version":1,"tensors":[],"value":' .. json[name] .. '}'
      local header = '{"__metadata__":{"format":"metann","structure":%s}}'
      scratch.overwrite(places[#places],
        crafted.safetensors(header:format(require('metann.binding.json').encode(structure))))
    end
    on_small_stack([[
      local metann = require 'metann'
      for _, path in ipairs(arg) do
        local ok, message = pcall(metann.load, path)
        assert(not ok and message:find(path, 1, true) and message:find('JSON: nested %d+ deep'), message)
      end
    ]], unpack(places))
  end)

  it('as deep as metann.save writes is written and read', function()
    on_small_stack([[
      local metann = require 'metann'
      local value = 7
      for i = 1, 500 do value = i % 2 == 0 and { value } or { x = value } end
      metann.save(arg[1], value)
      local loaded = metann.load(arg[1])
      for i = 500, 1, -1 do
        if i % 2 == 0 then loaded = loaded[1] else loaded = loaded.x end
      end
      assert(loaded == 7)
      local ok, message = pcall(metann.save, arg[1], { { metann.load(arg[1]) } })
      assert(not ok and message:find 'nested deeper than 500 tables', message)
    ]], path)
  end)
end)

describe('What is no regular file', function()
  it('is an error in every reader, at once', function()
    scratch.write(folder .. '/script.lua', [[
      local metann = require 'metann'
      for _, path in ipairs(arg) do
        for name, read in pairs{
          load = metann.load, npy = metann.io.npy.load, npz = metann.io.npz.load, safetensors = metann.io.safetensors.load,
          open = metann.io.safetensors.open, omniglot = metann.data.Omniglot,
        } do
          local ok, message = pcall(read, path)
          assert(not ok and message:find(path, 1, true), name .. ': ' .. tostring(message))
          assert(message:find 'not a regular file' or name == 'omniglot', message)
        end
      end
    ]])
    local pictures = folder .. '/pictures/Greek/character01'
    local zeros = folder .. '/zeros/Greek/character01'
    scratch.run(("mkdir -p '%s' '%s'; mkfifo '%s/a.png' '%s/pipe'; ln -s /dev/zero '%s/a.png'")
      :format(pictures, zeros, pictures, folder, zeros))
    local status, said = scratch.run(("timeout 60 luajit '%s/script.lua' '%s/pipe' /dev/zero '%s/pictures' '%s/zeros'")
      :format(folder, folder, folder, folder))
    assert.are.equal(0, status, said)
  end)

  it('and folders that lead back to themselves end', function()
    scratch.omniglot(path, { Greek = 1 }, 2)
    scratch.run(("ln -s .. '%s/Greek/up' && ln -s . '%s/Greek/here' && ln -s ../Greek '%s/Greek/again'"):format(path, path, path))
    assert.are.equal(1, #omniglot(path).classes)
  end)
end)

describe('A file that is replaced while it is read', function()
  local function sizes(t)
    local list = {}
    for name, x in pairs(t) do list[#list + 1] = name .. x:numel() end
    table.sort(list)
    return list
  end
  local old, new = { a = metann.arange(1000):float(), b = metann.ones(3) }, { c = metann.zeros(7) }

  --- Runs fn while each file is replaced as soon as it has been opened.
  local function replacing(replace, fn)
    local open = posix.open
    posix.open = function(...)
      local file, message = open(...)
      if file then replace(...) end
      return file, message
    end
    local ok, result = pcall(fn)
    posix.open = open
    if not ok then error(result, 0) end
    return result
  end

  for name, reader in pairs {
    npz = { save = npz.save, load = npz.load }, safetensors = { save = safetensors.save, load = safetensors.load },
    checkpoint = { save = metann.save, load = metann.load },
    npy = {
      save = function(place, t) npy.save(place, t.a or t.c) end, load = function(place) return { a = npy.load(place) } end,
    },
    mapped = { save = safetensors.save, load = function(place) return (safetensors.load(place, { map = true })) end },
  } do
    it('is read as it was: ' .. name, function()
      reader.save(path, old)
      local opened = 0
      local got = replacing(function(place)
        opened = opened + 1
        reader.save(place, new)
      end, function() return reader.load(path) end)
      assert.are.equal(1, opened)
      assert.are.same(name == 'npy' and { 'a1000' } or { 'a1000', 'b3' }, sizes(got))
      assert.are.equal(999, got.a[1000]:item())
      local after = reader.load(path)
      assert.are.same(name == 'npy' and { 'a7' } or { 'c7' }, sizes(after))
    end)
  end

  it('is read as it was: drawings in a zip file', function()
    crafted.drawing_zip(path, scratch.png { { 0, 255 }, { 255, 0 } })
    local got = replacing(function(place)
      scratch.overwrite(folder .. '/other', 'something else')
      assert(os.rename(folder .. '/other', place))
    end, function() return metann.data.Omniglot(path, { size = 2 }) end)
    assert.are.same({ { { { 255, 0 }, { 0, 255 } } } }, got.classes[1].images:to_table())
  end)
end)

describe('The bits of numbers', function()
  it('stand in a file as they stood in the one that was read, those of NaN too', function()
    local words = {
      float64 = { 8, 'F64', { '\255\255\255\255\255\255\255\255', '\1\0\0\0\0\0\240\127', '\65\65\65\65\0\160\255\255',
        '\0\0\0\0\0\0\248\127', '\0\0\0\0\0\0\0\128', '\1\0\0\0\0\0\0\0' } },
      float32 = { 4, 'F32', { '\255\255\255\255', '\1\0\128\127', '\0\0\192\255', '\0\0\0\128', '\1\0\0\0' } },
      float16 = { 2, 'F16', { '\255\255', '\1\124', '\0\254', '\0\128', '\1\0' } },
      bfloat16 = { 2, 'BF16', { '\255\255', '\129\127', '\192\255', '\0\128', '\1\0' } },
    }
    for dtype, row in pairs(words) do
      local data, n = table.concat(row[3]), #row[3]
      scratch.overwrite(path, crafted.safetensors(('{"x":{"dtype":"%s","shape":[%d],"data_offsets":[0,%d]}}')
        :format(row[2], n, #data), data))
      local t = safetensors.load(path).x
      local bytes = require 'metann.binding.bytes'
      assert.are.equal(data, bytes.of_tensor(t), dtype)
      metann.save(path, { t, t:view(n, 1) })
      assert.are.equal(data, bytes.of_tensor(metann.load(path)[2]), dtype)
      if dtype ~= 'bfloat16' then
        npy.save(path, t)
        assert.are.equal(data, scratch.read(path):sub(-#data), dtype)
        assert.are.equal(data, bytes.of_tensor(npy.load(path)), dtype)
        npz.save(path, { t = t }, { compress = true })
        assert.are.equal(data, bytes.of_tensor(npz.load(path).t), dtype)
      end
    end
  end)
end)

describe('A file of another kind', function()
  it('among drawings is called by its name', function()
    for words, text in pairs {
      ['not a PNG file, it looks like a JPEG picture'] = '\255\216\255\224' .. ('\0'):rep(600),
      ['not a PNG file, it is empty'] = '', ['not a PNG file, it looks like a text file'] = 'Not found',
    } do
      drawing(text)
      refused(omniglot, '/Greek/character01/0001_01.png: ' .. words)
    end
  end)

  it('is called by its name', function()
    local torch = 'export its tensors from PyTorch by the safetensors package'
    scratch.zip(folder .. '/torch', { { 'model/data.pkl', '\128\2}q' }, { 'model/data/0', 'abcd' } })
    npy.save(folder .. '/npy', metann.ones(2))
    npz.save(folder .. '/npz', { x = metann.ones(2) })
    metann.save(folder .. '/safetensors', metann.ones(2))
    scratch.zip(folder .. '/zip', { { 'readme', 'x' } })
    for name, text in pairs {
      old = '\128\2\138\10l\252\156F\249 j\168P\25.' .. ('x'):rep(50), pickle = '\128\4\149\10\0\0\0\0\0\0\0}\148.',
      text = 'epoch 1: loss 0.5\nepoch 2: loss 0.4, größer\n', empty = '', hdf = '\137HDF\r\n\26\n' .. ('\0'):rep(50),
      png = scratch.png { { 0 } }, gzip = '\31\139\8' .. ('\0'):rep(20), json = '{"a": [1, 2, 3], "b": "text"}',
    } do
      scratch.write(folder .. '/' .. name, text)
    end
    local words = {
      torch = 'it looks like a PyTorch archive (zip): ' .. torch, old = "it looks like a file of PyTorch's old format: " .. torch,
      npy = 'it looks like an npy file: metann.io.npy.load reads it', zip = 'it looks like a zip file',
      npz = 'it looks like an npz file: metann.io.npz.load reads it', text = 'it looks like a text file',
      safetensors = 'it looks like a safetensors file: metann.load', empty = 'it is empty', hdf = 'an HDF5 file',
      png = 'a PNG picture', gzip = 'a file packed by gzip', json = 'a text file', pickle = 'a Python pickle',
    }
    local readers = { safetensors = metann.load, npy = npy.load, npz = npz.load }
    for wanted, read in pairs(readers) do
      for kind, said in pairs(words) do
        if kind ~= wanted and not (wanted == 'npz' and kind == 'zip') then
          local ok, message = pcall(read, folder .. '/' .. kind)
          assert.is_false(ok, wanted .. ' ' .. kind)
          assert.truthy(message:find(folder .. '/' .. kind .. ': ', 1, true), message)
          assert.truthy(message:find(said, 1, true), message)
        end
      end
    end
  end)
end)
