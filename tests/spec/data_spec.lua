-- Random streams, sine waves, area averaging, Omniglot files, episodes.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local data = metann.data
local resize = require 'metann.data.resize'

local function fails(call, ...)
  local ok, message = pcall(call)
  assert.is_false(ok)
  for _, part in ipairs{...} do assert.truthy(message:find(part, 1, true), message) end
  assert.truthy(message:find 'data_spec', message)
end

describe('Random', function()
  it('is SplitMix64', function()
    -- First outputs for seed 1234567 of the authors' generator.
    local expected = {6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL, 4593380528125082431ULL}
    local random = data.Random(1234567)
    for i, word in ipairs(expected) do
      assert.are.equal(tonumber(word / 2048) / 2 ^ 53, random:uniform(), 'number ' .. i)
    end
  end)

  it('goes on from a saved position', function()
    local random = data.Random(5)
    for _ = 1, 7 do random:uniform() end
    local again = data.Random(random.seed, random.position)
    assert.are.equal(random:uniform(), again:uniform())
  end)

  it('chooses every subset equally often', function()
    local random, counts, n = data.Random(3), {}, 20000
    for _ = 1, n do
      local chosen = random:choose(5, 2)
      table.sort(chosen)
      local key = table.concat(chosen, ' ')
      counts[key] = (counts[key] or 0) + 1
    end
    local kinds = 0
    for _, count in pairs(counts) do
      kinds = kinds + 1
      -- 10 subsets: n/10 each, within 5 standard deviations
      assert.is_near(n / 10, count, 5 * math.sqrt(n * 0.1 * 0.9))
    end
    assert.are.equal(10, kinds)
  end)

  it('chooses all of them when asked to', function()
    local chosen = data.Random(1):choose(50, 50)
    table.sort(chosen)
    for i = 1, 50 do assert.are.equal(i, chosen[i]) end
  end)

  it("refuses seeds it can't hold", function()
    fails(function() data.Random(1.5) end, "Random: 'seed' must be a whole number", 'number 1.5')
    fails(function() data.Random(-1) end, 'number -1')
    for _, position in ipairs{'x', -1, 0.5, 0 / 0, 2 ^ 54} do
      fails(function() data.Random(1, position) end,
        "Random: 'position' must be a whole number from 0 to 9007199254740992, got " .. type(position))
    end
  end)

  it('draws from the range that is asked for', function()
    local random, plain = data.Random(4), data.Random(4)
    for _ = 1, 100 do
      local u = plain:uniform()
      assert.are.equal(-3 + 5 * u, random:uniform(-3, 2))
    end
    for _ = 1, 20 do assert.are.equal(1, random:integer(1)) end
    assert.are.same({}, random:choose(0, 0))
    assert.are.same({}, random:choose(3, 0))
  end)

  it('refuses ranges that have no such numbers', function()
    local random = data.Random(1)
    fails(function() random:uniform(2) end, "Random:uniform: 'hi' must be a finite number, got nil")
    fails(function() random:uniform(nil, 2) end, "Random:uniform: 'lo' must be a finite number, got nil")
    fails(function() random:uniform(0, 'x') end, "'hi' must be a finite number, got string 'x'")
    for _, hi in ipairs{math.huge, -math.huge, 0 / 0} do
      fails(function() random:uniform(0, hi) end, "'hi' must be a finite number, got number ")
    end
    for _, n in ipairs{0, -1, 1.5, 0 / 0, math.huge, 2 ^ 60, 'x'} do
      fails(function() random:integer(n) end, "Random:integer: 'n' must be a whole number from 1 to 9007199254740992, got ")
    end
    fails(function() random:integer() end, "Random:integer: 'n' must be", 'got nil')
    fails(function() random:choose(2, 3) end, "Random:choose: 'k' must be a whole number from 0 to 2, got number 3")
    fails(function() random:choose(-1, 1) end, "Random:choose: 'n' must be a whole number from 0 to", 'got number -1')
    fails(function() random:choose(3) end, "'k' must be a whole number from 0 to 3, got nil")
    assert.are.equal(0, random.position) -- nothing was drawn for them
  end)
end)

it('names what there is once, loaded or not', function()
  assert(data.Omniglot and data.Episodes)
  fails(function() return data.Nonsense end, "metann.data has no 'Nonsense'; known are Episodes, Omniglot, Random, Sinusoid")
end)

describe('Numbers without end', function()
  -- Each in a process of its own, which ends it when it takes too long.
  local function script(text)
    local folder = scratch.folder()
    scratch.write(folder .. '/script.lua', text)
    local status, said = scratch.run(("timeout 100 luajit '%s/script.lua'"):format(folder))
    scratch.remove(folder)
    assert.are.equal(0, status, said)
  end

  it('of points ask for their memory first, and leave the stream as it was', function()
    local waves = data.Sinusoid(4)
    local wave = waves:sample(2)
    for _, n in ipairs{2 ^ 40, 2 ^ 53, 2 ^ 60, 1e300} do
      local position = waves.random.position
      fails(function() waves:sample(2, n) end, 'Sinusoid:sample: ')
      fails(function() waves:sample(n) end, 'Sinusoid:sample: ')
      fails(function() wave:points(n) end, 'Wave:points: ')
      assert.are.equal(position, waves.random.position)
    end
    fails(function() waves:sample(2, 2 ^ 53) end, 'Sinusoid:sample: out of memory')
  end)

  it('of choices are refused', function()
    for _, k in ipairs{2 ^ 26 + 1, 2 ^ 40, 2 ^ 53} do
      fails(function() data.Random(1):choose(2 ^ 53, k) end,
        "Random:choose: 'k' must be a whole number from 0 to 67108864, got number ")
    end
  end)

  it('end when they are interrupted', function()
    script [[
      local metann = require 'metann'
      local random, waves = metann.data.Random(1), metann.data.Sinusoid(1)
      for _, long in ipairs{
        function() random:choose(2 ^ 53, 2 ^ 26) end, function() waves:sample(2, 2 ^ 26) end,
      } do
        metann.interrupt() -- the next look finds it
        local ok, message = pcall(long)
        assert(not ok and message:find 'interrupted', message)
      end
      assert(random.position == 0 and waves.random.position == 0)
    ]]
  end)
end)

describe('Sinusoid', function()
  it('gives points of its waves, within the ranges of the paper', function()
    local waves = data.Sinusoid{seed = 2, dtype = 'float64'}
    local least, most = math.huge, -math.huge
    for _ = 1, 300 do
      local wave = waves:sample(4, 6)
      assert.are.same({4, 1}, wave.support[1].shape)
      assert.are.same({6, 1}, wave.query[2].shape)
      assert.is_true(wave.amplitude >= 0.1 and wave.amplitude <= 5 and wave.phase >= 0 and wave.phase <= math.pi)
      least, most = math.min(least, wave.amplitude), math.max(most, wave.amplitude)
      local x, y = wave.query[1]:to_table(), wave.query[2]:to_table()
      for i = 1, 6 do
        assert.is_true(x[i][1] >= -5 and x[i][1] <= 5)
        assert.is_near(wave.amplitude * math.sin(x[i][1] - wave.phase), y[i][1], 1e-12)
      end
    end
    assert.is_true(least < 0.3 and most > 4.8)
  end)

  it('depends on its own seed only', function()
    local function first(seed) return data.Sinusoid{seed = seed}:sample(3).support[1]:to_table() end
    metann.manual_seed(1)
    local one = first(7)
    metann.manual_seed(2)
    metann.rand(5)
    assert.are.same(one, first(7))
    assert.are_not.same(one, first(8))
  end)

  it('refuses unknown options', function()
    fails(function() data.Sinusoid{sead = 1} end, "Sinusoid: unknown option 'sead', did you mean 'seed'")
    fails(function() data.Sinusoid{seed = 'x'} end, "Sinusoid: 'seed' must be a whole number from 0 to", "got string 'x'")
    for _, dtype in ipairs{'flaot32', 'int64', 3, false} do
      fails(function() data.Sinusoid{dtype = dtype} end, "Sinusoid: 'dtype' must be 'float32' or 'float64', got ")
    end
    for given, dtype in pairs{float32 = 'float32', float64 = 'float64', double = 'float64'} do
      assert.are.equal(dtype, data.Sinusoid{dtype = given}:sample(2).support[2].dtype)
    end
  end)

  it('takes its arguments by position and by name', function()
    local one = data.Sinusoid{seed = 3, dtype = 'float64'}:sample{shots = 2, queries = 4}
    for _, other in ipairs{
      data.Sinusoid(3, 'float64'):sample(2, 4), data.Sinusoid(3, {dtype = 'float64'}):sample(2, {queries = 4}),
    } do
      assert.are.same(one.query[2]:to_table(), other.query[2]:to_table())
    end
    assert.are.equal(one:at(0.5), one:at{x = 0.5})
    assert.are.same({3, 1}, one:points{n = 3}[1].shape)
    assert.are.equal(data.Random(2, 5):uniform(1, 3), data.Random{seed = 2, position = 5}:uniform{lo = 1, hi = 3})
    assert.are.equal(data.Random(2):integer(9), data.Random{seed = 2}:integer{n = 9})
    assert.are.same(data.Random(2):choose(9, 4), data.Random(2):choose{n = 9, k = 4})
    fails(function() data.Sinusoid(3, 'float64', 4) end, 'Sinusoid: takes 2 arguments, got 3')
    fails(function() data.Sinusoid():sample(1, 2, 3) end, 'Sinusoid:sample: takes 2 arguments, got 3')
    fails(function() data.Sinusoid():sample{shot = 1} end, "Sinusoid:sample: unknown option 'shot', did you mean 'shots'")
    fails(function() data.Sinusoid():sample(2):at() end, "Wave:at: 'x' must be a number, got nil")
  end)

  it('says that methods want a colon', function()
    local waves = data.Sinusoid()
    fails(function() waves.sample(3) end, "Sinusoid:sample: must be called with ':', as in Sinusoid:sample(...), got number 3")
    fails(function() waves:sample(2).points(3) end, "Wave:points: must be called with ':', as in Wave:points(...), got number 3")
    fails(function() waves.random.uniform() end, "Random:uniform: must be called with ':', as in Random:uniform(...), got nil")
  end)

  it('refuses numbers of points that are none', function()
    local waves = data.Sinusoid()
    for _, n in ipairs{0, -1, 1.5, 0 / 0, '3'} do
      fails(function() waves:sample(n) end, "Sinusoid:sample: 'shots' must be a whole number of at least 1, got")
      fails(function() waves:sample(2, n) end, "Sinusoid:sample: 'queries' must be a whole number of at least 1, got")
      fails(function() waves:sample(2):points(n) end, "Wave:points: 'n' must be a whole number of at least 1")
    end
    fails(function() waves:sample() end, "'shots' must be a whole number of at least 1, got nil")
  end)
end)

--- Mean over the box that a new pixel covers, cell by cell.
local function naive_average(rows, height, width)
  local function covered(old, new, i, j) -- how much of old cell j lies in new cell i
    return math.max(0, math.min(i * old / new, j) - math.max((i - 1) * old / new, j - 1))
  end
  local result = {}
  for i = 1, height do
    result[i] = {}
    for j = 1, width do
      local sum, area = 0, 0
      for k = 1, #rows do
        local high = covered(#rows, height, i, k)
        for l = 1, high > 0 and #rows[1] or 0 do
          local share = high * covered(#rows[1], width, j, l)
          sum, area = sum + share * rows[k][l], area + share
        end
      end
      result[i][j] = sum / area
    end
  end
  return result
end

describe('resize', function()
  for _, case in ipairs{{105, 105, 28, 28}, {7, 5, 3, 2}, {4, 4, 4, 4}, {6, 9, 3, 3}, {3, 3, 5, 4}} do
    it(('averages areas exactly: %dx%d to %dx%d'):format(unpack(case)), function()
      local rows = scratch.drawing(5, math.max(case[1], case[2]))
      for i = #rows, case[1] + 1, -1 do rows[i] = nil end
      for _, row in ipairs(rows) do
        for j = #row, case[2] + 1, -1 do row[j] = nil end
      end
      local got = resize(metann.tensor(rows), case[3], case[4]):to_table()
      local expected = naive_average(rows, case[3], case[4])
      for i = 1, case[3] do
        for j = 1, case[4] do assert.is_near(expected[i][j], got[i][j], 1e-3) end
      end
    end)
  end
end)

describe('Omniglot', function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  local function names(set)
    local list = {}
    for i, class in ipairs(set.classes) do list[i] = class.name end
    return list
  end

  it('reads drawings, averaged, ink 255 and paper 0', function()
    local drawings = scratch.omniglot(folder .. '/images_background', {Greek = 2, Latin = 1}, 3)
    local set = data.Omniglot(folder, {size = 8})
    assert.are.same({'Greek/character01', 'Greek/character02', 'Latin/character01'}, names(set))
    assert.are.same({'Greek', 'Latin'}, set:alphabets())
    local class = set.classes[3]
    assert.are.same({3, 1, 8, 8}, class.images.shape)
    assert.are.equal('uint8', class.images.dtype)
    local got = class.images:to_table()
    for i = 1, 3 do
      local paper = naive_average(drawings[('Latin/character01/%04d_%02d.png'):format(6 + i, i)], 8, 8)
      for r = 1, 8 do
        for c = 1, 8 do assert.is_near(255 - paper[r][c], got[i][1][r][c], 0.501) end
      end
    end
  end)

  it('gives the same from folders at any level and from zip files', function()
    local drawings = scratch.omniglot(folder .. '/a/images_background', {Greek = 1, Latin = 2}, 2)
    local entries = {{'images_background/', ''}, {'__MACOSX/Greek/character01/._0001_01.png', 'not a picture'}}
    for name, rows in pairs(drawings) do entries[#entries + 1] = {'images_background/' .. name, scratch.png(rows)} end
    scratch.zip(folder .. '/a.zip', entries)
    local all = data.Omniglot(folder .. '/a')
    for _, path in ipairs{'/a/', '/a/images_background', '/a.zip'} do
      local set = data.Omniglot(folder .. path)
      assert.are.same(names(all), names(set))
      for i, class in ipairs(all.classes) do
        assert.are.same(class.images:to_table(), set.classes[i].images:to_table())
      end
    end
    assert.are.same({'Latin/character01', 'Latin/character02'},
      names(data.Omniglot(folder .. '/a/images_background/Latin')))
    -- twice the same drawings: counted once
    local twice = data.Omniglot{folder .. '/a', folder .. '/a.zip'}
    assert.are.same(names(all), names(twice))
    assert.are.equal(2, twice.classes[1].images:size(1))
  end)

  it('merges classes across sets', function()
    scratch.write(folder .. '/one/Greek/character01/1.png', scratch.png(scratch.drawing(1, 20)))
    scratch.write(folder .. '/two/Greek/character01/2.png', scratch.png(scratch.drawing(2, 20)))
    scratch.write(folder .. '/two/Tagalog/character01/2.png', scratch.png(scratch.drawing(3, 20)))
    local set = data.Omniglot{folder .. '/one', folder .. '/two'}
    assert.are.same({'Greek/character01', 'Tagalog/character01'}, names(set))
    assert.are.equal(2, set.classes[1].images:size(1))
    assert.are.same({'Tagalog/character01'}, names(set:without{'Greek', 'Unheard'}))
    assert.are.same({'Greek/character01'}, names(set:only{'Greek'}))
    fails(function() set:only{'Greece'} end, "no alphabet 'Greece', did you mean 'Greek'")
    for _, method in ipairs{'only', 'without'} do
      local what = ("Omniglot:%s: 'alphabets' must be a list of strings, "):format(method)
      fails(function() set[method](set, 'Greek') end, what .. "got string 'Greek'")
      fails(function() set[method](set) end, what .. 'got nil')
      fails(function() set[method](set, {'Greek', 3}) end, what .. 'but number 2 is number 3')
      fails(function() set[method](set, {Greek = true}) end, what .. "got a table with the key 'Greek'")
    end
  end)

  it('gives the same for drawings that it takes several at a time', function()
    -- pictures larger than are held at once: 3 x 1500 x 1000 pixels, white but for a black left half of each second one
    local size, rows = 10, {}
    for number = 1, 3 do
      rows[number] = {}
      for i = 1, 1500 do
        local row = {}
        for j = 1, 1000 do row[j] = number == 2 and j <= 500 and 0 or 255 end
        rows[number][i] = row
      end
      scratch.write(('%s/Greek/character01/%d.png'):format(folder, number), scratch.png(rows[number]))
    end
    local images = data.Omniglot({folder, size = size}).classes[1].images:to_table()
    for number = 1, 3 do
      for i = 1, size do
        for j = 1, size do assert.are.equal(number == 2 and j <= 5 and 255 or 0, images[number][1][i][j]) end
      end
    end
  end)

  it('turns drawings into new classes', function()
    scratch.omniglot(folder, {Greek = 1}, 2)
    local set = data.Omniglot(folder, {size = 6}):with_rotations()
    assert.are.equal(4, #set.classes)
    assert.are.equal('Greek/character01 turned by 90', set.classes[2].name)
    local plain = set.classes[1].images:to_table()
    for number, turn in ipairs{
      function(i, j) return 7 - j, i end, function(i, j) return 7 - i, 7 - j end, function(i, j) return j, 7 - i end,
    } do
      -- An element at row i, column j goes to row 7 - j, column i when the page is turned anticlockwise.
      local turned = set.classes[number + 1].images:to_table()
      for i = 1, 6 do
        for j = 1, 6 do
          local r, c = turn(i, j)
          assert.are.equal(plain[2][1][i][j], turned[2][1][r][c])
        end
      end
    end
  end)

  it('names the file that is wrong', function()
    fails(function() data.Omniglot(folder .. '/nowhere') end, 'Omniglot: ' .. folder .. '/nowhere', 'No such file')
    fails(function() data.Omniglot(folder) end, 'no drawings (.png) in ' .. folder)
    scratch.write(folder .. '/x/Greek/character01/a.png', scratch.png(scratch.drawing(1, 20)):sub(1, 60))
    fails(function() data.Omniglot(folder .. '/x') end, folder .. '/x/Greek/character01/a.png: ')
    scratch.write(folder .. '/z/Greek/character01/a.png', scratch.png(scratch.drawing(1, 20)))
    scratch.write(folder .. '/z/Greek/character01/b.png', scratch.png(scratch.drawing(2, 21)))
    fails(function() data.Omniglot(folder .. '/z') end,
      '/z/Greek/character01/b.png: 21 x 21 pixels, but other drawings of the character have 20 x 20')
    scratch.write(folder .. '/y/a.png', scratch.png{{0}})
    fails(function() data.Omniglot(folder .. '/y') end, '/y/a.png: expected .../Alphabet/characterNN/IMAGE.png')
    scratch.zip(folder .. '/a.zip', {{'S/Greek/character01/a.png', 'none'}})
    fails(function() data.Omniglot(folder .. '/a.zip') end,
      folder .. '/a.zip: S/Greek/character01/a.png: not a PNG file')
    scratch.write(folder .. '/b.zip', scratch.read(folder .. '/a.zip'):sub(1, 100))
    fails(function() data.Omniglot(folder .. '/b.zip') end, folder .. '/b.zip: ', 'wanted a folder or a zip file')
    fails(function() data.Omniglot() end, 'a path or a list of paths expected, got nil')
    fails(function() data.Omniglot{1} end, "Omniglot: 'paths' must be a list of strings, but number 1 is number 1")
    fails(function() data.Omniglot(folder, {sise = 3}) end, "did you mean 'size'")
    for _, size in ipairs{0, 1.5, 1025, 1e9, 'x', false} do
      fails(function() data.Omniglot(folder, {size = size}) end,
        "Omniglot: 'size' must be a whole number from 1 to 1024, got ")
    end
  end)
end)

describe('Episodes', function()
  --- Classes whose images are their own names: image j of class i is the number 100 i + j.
  local function classes(count, images)
    local list = {}
    for i = 1, count do
      list[i] = {name = 'class ' .. i, images = metann.arange(1, images + 1):reshape(images, 1) + 100 * i}
    end
    return list
  end

  it('draws support and query without an image in common, labelled class by class', function()
    local sampler = data.Episodes(classes(8, 9), {ways = 3, shots = 2, queries = 4, seed = 5})
    local seen = {}
    for _ = 1, 100 do
      local episode = sampler:sample()
      assert.are.same({1, 1, 2, 2, 3, 3}, episode.support[2]:to_table())
      assert.are.same({1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}, episode.query[2]:to_table())
      assert.are.equal('int64', episode.support[2].dtype)
      local used, ways = {}, {}
      for _, part in ipairs{episode.support, episode.query} do
        local labels = part[2]:to_table()
        for row, image in ipairs(part[1]:to_table()) do
          local id = image[1]
          assert.is_nil(used[id])
          used[id] = true
          local class = math.floor(id / 100)
          ways[labels[row]] = ways[labels[row]] or class
          assert.are.equal(ways[labels[row]], class)
          seen[id] = true
        end
      end
      assert.are_not.equal(ways[1], ways[2])
      assert.are_not.equal(ways[2], ways[3])
      assert.are_not.equal(ways[1], ways[3])
    end
    local count = 0
    for _ in pairs(seen) do count = count + 1 end
    assert.are.equal(8 * 9, count)
  end)

  it('depends on its own seed only', function()
    local function third(seed)
      local sampler = data.Episodes(classes(8, 9), {ways = 3, shots = 2, queries = 4, seed = seed})
      sampler:sample()
      sampler:sample()
      return sampler:sample().query[1]:to_table()
    end
    metann.manual_seed(1)
    local one = third(7)
    metann.manual_seed(2)
    assert.are.same(one, third(7))
    assert.are_not.same(one, third(8))
  end)

  it('gives uint8 images as floats from 0 to 1', function()
    local images = metann.tensor({{0, 255, 51}, {0, 255, 51}}, {dtype = 'uint8'})
    local episode = data.Episodes({{images = images}}, {ways = 1, shots = 1, queries = 1}):sample()
    assert.are.equal('float32', episode.query[1].dtype)
    local row = episode.query[1]:to_table()[1]
    assert.is_near(0.2, row[3], 1e-7)
    assert.are.same({0, 1}, {row[1], row[2]})
  end)

  it('takes an Omniglot as it is', function()
    local folder = scratch.folder()
    scratch.omniglot(folder, {Greek = 3}, 4)
    local set = data.Omniglot{paths = folder, size = 6}
    local options = {ways = 2, shots = 1, queries = 2, seed = 4}
    local want = data.Episodes(set.classes, options):sample()
    local sources = {
      data.Episodes(set, options), data.Episodes{classes = set, ways = 2, shots = 1, queries = 2, seed = 4},
      data.Episodes(set, 2, 1, 2, 4), data.Episodes{classes = set.classes, ways = 2, shots = 1, queries = 2, seed = 4},
    }
    scratch.remove(folder)
    for _, source in ipairs(sources) do
      assert.are.same(want.query[1]:to_table(), source:sample().query[1]:to_table())
    end
    fails(function() data.Episodes(set:only{}) end, '5 ways asked for, but there are only 0 classes')
    fails(function() sources[1].sample() end, "Episodes:sample: must be called with ':', as in Episodes:sample(...), got nil")
    fails(function() set.only{'Greek'} end, "Omniglot:only: must be called with ':', as in Omniglot:only(...), got table")
  end)

  it("says which numbers don't fit", function()
    fails(function() data.Episodes(classes(4, 9), {ways = 5}) end, '5 ways asked for, but there are only 4 classes')
    fails(function() data.Episodes(classes(6, 9), {shots = 3, queries = 7}) end,
      'class class 1 has 9 drawings, but 3 shots and 7 queries need 10')
    for _, n in ipairs{0, -2, 1.5, 0 / 0, false, '1'} do
      fails(function() data.Episodes(classes(6, 9), {shots = n}) end, "'shots' must be a whole number of at least 1, got")
    end
    fails(function() data.Episodes(classes(6, 9), {shots = 1e30}) end,
      'class 1 has 9 drawings, but 1000000000000000019884624838656 shots and 15 queries')
    fails(function() data.Episodes(classes(6, 16), {seed = -1}) end, "Episodes: 'seed' must be a whole number from 0 to")
    fails(function() data.Episodes(classes(6, 9), {shot = 1}) end, "did you mean 'shots'")
    fails(function() data.Episodes(nil) end, 'a list of classes expected, got nil')
  end)

  it('says which class is none', function()
    for got, class in pairs{
      ["'images' = nil"] = {}, ["'images' = table"] = {images = {1, 2}}, ['number 3'] = 3,
      ["'images' = float32 tensor of size ()"] = {images = metann.tensor(1)},
    } do
      local list = classes(5, 16)
      list[2] = class
      fails(function() data.Episodes(list) end,
        "Episodes: class 2 must be a table whose 'images' is a tensor with a row for each image, got " .. got)
    end
  end)
end)
