-- Progress, means with their intervals, plots.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local Mean = require 'metann.train.mean'
local Progress = require 'metann.train.progress'
local check_writable = require 'metann.train.writable'
local plot = require 'metann.train.plot'
local png = require 'metann.binding.png'

local function fails(message, call, ...)
  local ok, said = pcall(call, ...)
  assert.is_false(ok)
  assert.truthy(said:find(message, 1, true), said)
end

describe('Mean', function()
  it('gives mean, deviation and interval as the formulas do', function()
    local values, sum = {3, 1, 4, 1, 5, 9, 2, 6}, 0
    local mean = Mean()
    for _, v in ipairs(values) do
      mean:add(v)
      sum = sum + v
    end
    local average, squares = sum / #values, 0
    for _, v in ipairs(values) do squares = squares + (v - average) ^ 2 end
    local std = math.sqrt(squares / (#values - 1))
    assert.is_near(average, mean:mean(), 1e-14)
    assert.is_near(std, mean:std(), 1e-14)
    assert.is_near(1.96 * std / math.sqrt(8), mean:interval(), 1e-14)
  end)

  it('is exact far from zero', function()
    local mean = Mean()
    for _, v in ipairs{1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16} do mean:add(v) end
    assert.are.equal(1e9 + 10, mean:mean())
    assert.is_near(math.sqrt(30), mean:std(), 1e-9)
  end)

  it('is NaN without numbers', function()
    local mean = Mean():mean()
    assert.is_true(mean ~= mean)
  end)
end)

describe('Mean:add', function()
  it('takes tensors of one number', function()
    local mean = Mean():add(metann.tensor(1)):add(metann.tensor{4}):add(metann.tensor({7}, {dtype = 'int64'}))
    assert.are.equal(4, mean:mean())
    assert.are.equal(3, mean:std())
  end)

  it('refuses what is no number, at the line that gave it', function()
    local mean = Mean():add(3)
    for got, value in pairs{
      ["string 'x'"] = 'x', table = {1}, ['true'] = true, ['float32 tensor of size (2,)'] = metann.ones(2),
    } do
      fails("train_helpers_spec.lua:" .. debug.getinfo(1, 'l').currentline + 1 .. ": Mean:add: 'value' must be a number or a"
        .. ' tensor of one number, got ' .. got, function() mean:add(value) end)
    end
    fails("Mean:add: 'value' must be a number", function() mean:add() end)
    assert.are.equal(3, mean:mean())
    assert.are.equal(1, mean.count)
  end)
end)

describe('Progress', function()
  local time, written, out
  before_each(function()
    time, written = 100, {}
    out = {
      write = function(_, ...)
        for _, text in ipairs{...} do written[#written + 1] = text end
        return true -- as LuaJIT's files do
      end,
      flush = function() end,
    }
  end)
  local function clock() return time end

  it('shows rate, time left and values on a terminal', function()
    local progress = Progress{steps = 200, out = out, terminal = true, clock = clock}
    while progress.count < 50 do
      time = time + 0.5
      progress:step{loss = 0.25}
    end
    assert.are.equal('50/200 steps  2.0/s  1:15 left  loss 0.250', progress:line())
    -- wrapping is off while the line is written: in a narrow terminal it stays one row
    assert.truthy(table.concat(written):find('\r\27[?7l50/200 steps  2.0/s  1:15 left  loss 0.250\27[K\27[?7h', 1, true))
    assert.are.same({50, 25}, {progress:finish()})
    assert.are.equal('\n', written[#written])
  end)

  it('writes nothing when it is no terminal', function()
    local progress = Progress{steps = 3, out = out, terminal = false, clock = clock}
    while progress:more() do
      time = time + 1
      progress:step{loss = 1}
    end
    progress:finish()
    assert.are.same({}, written)
  end)

  it('writes to real files', function()
    local file = io.tmpfile()
    local progress = Progress{steps = 1, out = file, terminal = true}
    progress:step{loss = 2}
    progress:finish()
    file:seek 'set'
    assert.truthy(file:read '*a':find '^\r\27%[%?7l1/1 steps .*loss 2%.000\27%[K\27%[%?7h\n$')
    file:close()
  end)

  it('asks the system whether its output is a terminal', function()
    local file = io.tmpfile()
    local progress = Progress{steps = 1, out = file}
    progress:step()
    progress:finish()
    assert.are.equal(0, file:seek 'end')
    file:close()
  end)

  it('ends with the steps or with the time, whichever is first', function()
    local progress = Progress{steps = 100, seconds = 10, out = out, terminal = false, clock = clock}
    while progress:more() do
      time = time + 3
      progress:step()
    end
    assert.are.equal(4, progress.count)
    assert.are.equal('4/100 steps  3.0 s each  0:00 left', progress:line())
  end)

  it('names wrong options', function()
    assert.has_error(function() Progress{} end)
    local ok, message = pcall(Progress, {stepz = 3})
    assert.is_false(ok)
    assert.truthy(message:find "unknown option 'stepz', did you mean 'steps'")
  end)

  it('refuses limits that never come', function()
    for _, value in ipairs{-1, 1.5, 0 / 0, math.huge, 'x'} do
      local ok, message = pcall(Progress, {steps = value})
      assert.is_false(ok)
      assert.truthy(message:find("Progress: 'steps' must be a whole number of at least 0, got", 1, true), message)
    end
    for _, value in ipairs{-1, 0 / 0, 'x'} do
      local ok, message = pcall(Progress, {seconds = value})
      assert.is_false(ok)
      assert.truthy(message:find("Progress: 'seconds' must be a number of at least 0, got", 1, true), message)
    end
  end)
end)

describe('Progress:step', function()
  it('takes tensors of one number', function()
    local progress = Progress{steps = 4, terminal = false}
    progress:step{loss = metann.tensor(0.5)}
    progress:step()
    assert.truthy(progress:line():find('loss 0.500', 1, true))
  end)

  it("refuses values that are no numbers by name, and doesn't count the step", function()
    local progress = Progress{steps = 4, terminal = false}
    fails("Progress:step: 'values' must be a table of numbers by name, got number 3", function() progress:step(3) end)
    fails("Progress:step: 'loss' must be a number or a tensor of one number, got string 'x'",
      function() progress:step{loss = 'x'} end)
    fails("'loss' must be a number or a tensor of one number, got float32 tensor of size (2,)",
      function() progress:step{accuracy = 1, loss = metann.ones(2)} end)
    fails('train_helpers_spec', function() progress:step(3) end)
    assert.are.equal(0, progress.count)
    assert.is_nil(progress:line():find 'accuracy')
  end)

  it('is of a Progress whose options are of their kinds', function()
    fails("Progress: 'out' must be an open file, got string 'x'", Progress, {steps = 1, out = 'x'})
    fails("Progress: 'clock' must be a function, got number 3", Progress, {steps = 1, clock = 3})
    fails("Progress: 'terminal' must be true or false, got number 1", Progress, {steps = 1, terminal = 1})
  end)
end)

describe('check_writable', function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  it('leaves everything as it is where a file can be written', function()
    check_writable(folder .. '/new')
    scratch.write(folder .. '/old', 'kept')
    check_writable(folder .. '/old')
    assert.are.equal('kept', scratch.read(folder .. '/old'))
    local _, names = scratch.run(("ls -A '%s'"):format(folder))
    assert.are.equal('old\n', names)
  end)

  it('says why none can be', function()
    for path, reason in pairs{
      [folder .. '/none/x'] = folder .. '/none/x: No such file or directory', [folder] = folder .. ': not a regular file',
      [''] = 'No such file or directory', [3] = "'path' must be a path, got number 3",
    } do
      local ok, message = pcall(check_writable, path)
      assert.is_false(ok)
      assert.truthy(message:find('check_writable: ', 1, true) and message:find(reason, 1, true), message)
    end
  end)
end)

describe('plot.png', function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)
  local line = {x = {0, 1, 2}, y = {0, 5, -3}, label = "it's a line"}

  it('draws a picture of the size asked for', function()
    local path = folder .. '/a.png'
    plot.png(path, {panels = {{series = {line}}, {series = {line, {x = {1}, y = {1}, points = true}}}}, width = 600,
      height = 300, title = 'two panels'})
    local pixels, width, height = assert(png.decode_gray(scratch.read(path)))
    assert.are.same({600, 300}, {width, height})
    local dark = 0
    for i = 0, width * height - 1 do
      if pixels[i] < 128 then dark = dark + 1 end
    end
    assert.is_true(dark > 500)
  end)

  it('leaves out points that are no numbers', function()
    local path, nan = folder .. '/a.png', 0 / 0
    plot.png(path, {panels = {{series = {line, {x = {0, 1, 2}, y = {nan, nan, math.huge}}, {x = {nan, 1}, y = {1, 2}}}}}})
    assert.truthy(png.decode_gray(scratch.read(path)))
  end)

  it('leaves what stood there, and nothing beside it, when gnuplot fails', function()
    scratch.write(folder .. '/a.png', 'old')
    fails('a.png: gnuplot said: ', plot.png, folder .. '/a.png',
      {panels = {{series = {{x = {1, 2}, y = {1, 2}, color = 'no such colour'}}}}})
    assert.are.equal('old', scratch.read(folder .. '/a.png'))
    local _, names = scratch.run(("ls -A '%s'"):format(folder))
    assert.are.equal('a.png\n', names)
  end)

  it('takes a path for nothing but a path', function()
    -- gnuplot would run the one as a command and write the other into a home folder
    for _, name in ipairs{'|touch ran', '~/a.png', "it's.png", 'a b.png', '`touch ran`.png', 'back\\slash.png', 'line\nbreak.png',
      '$(touch ran).png', '-o.png'} do
      local paint = ("require('metann.train.plot').png(%q, {panels = {{series = {{x = {1, 2}, y = {1, 2}}}}}})"):format(name)
      scratch.write(folder .. '/~/nothing', '')
      scratch.write(folder .. '/paint.lua', paint)
      local status, said = scratch.run(("cd '%s' && HOME=/nowhere luajit paint.lua"):format(folder))
      assert.are.equal(0, status, said)
      assert.truthy(png.decode_gray(scratch.read(folder .. '/' .. name)), name)
      assert.is_nil((io.open(folder .. '/ran')))
    end
  end)

  it('says what is wrong', function()
    for pattern, call in pairs{
      ["plot.png: 'panels' must be given"] = function() plot.png('x') end,
      ["plot.png: 'panels' must be a list of tables, got an empty one"] = function() plot.png('x', {panels = {}}) end,
      ["plot.png: panel 1: 'series' must be a list of tables, got nil"] = function() plot.png('x', {panels = {{}}}) end,
      ["plot.png: panel 1: unknown option 'serie', did you mean 'series'"] = function()
        plot.png('x', {panels = {{serie = {}}}})
      end,
      ["panel 1, series 1: 'x' and 'y' must be lists of equal length, not empty, got 1 and 0"] = function()
        plot.png('x', {panels = {{series = {{x = {1}, y = {}}}}}})
      end,
      ["plot.png: panel 2, series 2: 'y' must be a list of numbers, got nil"] = function()
        plot.png('x', {panels = {{series = {line}}, {series = {line, {x = {1}}}}}})
      end,
      ["series 1: 'x' must be a list of numbers, but number 2 is string 'a'"] = function()
        plot.png('x', {panels = {{series = {{x = {1, 'a'}, y = {1, 2}}}}}})
      end,
      ["series 1: unknown option 'colour', did you mean 'color'"] = function()
        plot.png('x', {panels = {{series = {{x = {1}, y = {2}, colour = '#ff0000'}}}}})
      end,
      ["series 1: 'width' must be a number above 0, got string 'x'"] = function()
        plot.png('x', {panels = {{series = {{x = {1}, y = {2}, width = 'x'}}}}})
      end,
      ["plot.png: 'width' must be a whole number from 1 to 16384, got string 'wide'"] = function()
        plot.png('x', {panels = {{series = {line}}}, width = 'wide'})
      end,
      ["plot.png: 'height' must be a whole number from 1 to 16384, got number 1000000000"] = function()
        plot.png('x', {panels = {{series = {line}}}, height = 1e9})
      end,
      ["plot.png: 'columns' must be a whole number from 1 to 1000, got number 0"] = function()
        plot.png('x', {panels = {{series = {line}}}, columns = 0})
      end,
      ["plot.png: 'path' must be given"] = function() plot.png(nil, {panels = {{series = {line}}}}) end,
      ['plot.png: panel 1: nothing to draw, every point is nan or infinite'] = function()
        plot.png('x', {panels = {{series = {{x = {1, 2, 0 / 0}, y = {0 / 0, math.huge, 1}}}}}})
      end,
      ["unknown option 'panel'"] = function() plot.png('x', {panel = {}}) end,
      ['plot.png: ' .. folder .. '/none/a.png: No such file'] = function()
        plot.png(folder .. '/none/a.png', {panels = {{series = {line}}}})
      end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find(pattern, 1, true), message)
      assert.truthy(message:find 'train_helpers_spec', message)
    end
  end)
end)

describe('Training helpers', function()
  it('take their arguments by the rule, and say that methods want a colon', function()
    local progress = Progress(3, {terminal = false})
    assert.is_true(progress:more())
    assert.are.equal(2, Mean():add{value = 2}:mean())
    for message, call in pairs{
      ['Mean: takes 0 arguments, got 1'] = function() Mean(3) end,
      ["Mean:add: must be called with ':', as in Mean:add(...), got number 3"] = function() Mean().add(3) end,
      ['Mean:add: takes 1 argument, got 2'] = function() Mean():add(3, 4) end,
      ["Mean:std: must be called with ':', as in Mean:std(...), got nil"] = function() Mean().std() end,
      ["Progress:more: must be called with ':', as in Progress:more(...), got nil"] = function() progress.more() end,
      ['Progress:step: takes 1 argument, got 2'] = function() progress:step({}, 2) end,
      ["Progress: unknown option 'stps', did you mean 'steps'"] = function() Progress{stps = 3} end,
      ['Progress: takes 2 arguments, got 3'] = function() Progress(3, 4, io.stderr) end,
      ["check_writable: 'path' must be given"] = function() check_writable() end,
      ['check_writable: takes 1 argument, got 2'] = function() check_writable('x', 'y') end,
    } do
      local ok, said = pcall(call)
      assert.is_false(ok)
      assert.truthy(said:find('train_helpers_spec', 1, true) and said:find(message, 1, true), said)
    end
  end)
end)
