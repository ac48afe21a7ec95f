-- Every example runs, on tiny settings.
local scratch = require 'tests.support.scratch'
local png = require 'metann.binding.png'

local folder
before_each(function() folder = scratch.folder() end)
after_each(function() scratch.remove(folder) end)

--- Standard output and error of an example, from another folder than the repository's.
-- @param before a setting of the environment, or options of luajit
local here = assert(scratch.run 'pwd' == 0 and (select(2, scratch.run 'pwd')):gsub('%s+$', ''):gsub("'", "'\\''"))
local function example(name, arguments, before, luajit)
  local status, said = scratch.run(("cd '%s' && %sluajit %s '%s/examples/%s.lua' %s"):format(folder, before or '',
    luajit or '', here, name, arguments))
  return said, status
end
--- The same for what the parser of arguments ends.
local function parsed(name, arguments) return example(name, arguments, scratch.STATE_LEFT_OPEN) end

describe('sinusoid_maml', function()
  it('trains, tests and draws', function()
    local said, status = example('sinusoid_maml', '--iterations 3 --tasks 2 --test-tasks 5 --seed 3')
    assert.are.equal(0, status, said)
    assert.truthy(said:find('3 meta-steps in', 1, true), said)
    local cell = '%d+%.%d+ ± %d+%.%d+ +'
    assert.truthy(said:find('meta%-learned +' .. cell .. cell .. cell:sub(1, -3)), said)
    local pixels, width, height = png.decode_gray(scratch.read(folder .. '/sinusoid.png'))
    assert.truthy(pixels)
    assert.are.same({1440, 480}, {width, height})
    -- wherever it was started from, what it says of the picture finds it
    assert.are.equal(scratch.read(folder .. '/sinusoid.png'), scratch.read((said:match 'picture: (/[^\n]+)')))
  end)

  it('does the same again for the same seed', function()
    local settings = '--iterations 2 --tasks 2 --k 5 --first-order --test-tasks 3 --out b.png --seed '
    local function errors_printed(seed) return example('sinusoid_maml', settings .. seed):match 'not meta.-\n.-\n' end
    assert.are.equal(errors_printed(4), errors_printed(4))
    assert.are_not.equal(errors_printed(4), errors_printed(5))
  end)

  it('has a help text and refuses unknown options', function()
    assert.truthy(parsed('sinusoid_maml', '--help'):find('--first-order', 1, true))
    local said, status = parsed('sinusoid_maml', '--iteration 3')
    assert.are_not.equal(0, status)
    assert.truthy(said:find("Did you mean '--iterations'", 1, true), said)
  end)

  it('says before it trains what can not be', function()
    for arguments, reason in pairs{
      ['--out none/a.png'] = 'none/a.png: No such file', ['--tasks 0'] = "malformed argument '0'",
      ['--k 1.5'] = "malformed argument '1.5'", ['--iterations nan'] = "'steps' must be a whole number",
    } do
      local said, status = parsed('sinusoid_maml', arguments)
      assert.are_not.equal(0, status)
      assert.truthy(said:find(reason, 1, true), said)
      assert.falsy(said:find('meta-steps in', 1, true))
    end
  end)
end)

describe('omniglot_maml', function()
  local tiny = '--ways 3 --queries 2 --steps 1 --meta-batch 2 --iterations 2 --channels 4 --test-episodes 3 '

  it('trains, tests, saves, and tests what was saved', function()
    scratch.omniglot(folder .. '/set', {Greek = 3, Latin = 3}, 4)
    local said, status = example('omniglot_maml', tiny .. '--data set --save net.safetensors')
    assert.are.equal(0, status, said)
    assert.truthy(said:find('12 characters to train on, 3 to test on', 1, true), said)
    local accuracy = said:match 'accuracy .*'
    assert.truthy(accuracy and accuracy:find('over 3 episodes of 3 ways, 1 shots', 1, true), said)
    said, status = example('omniglot_maml', tiny .. '--data set --eval net.safetensors --seed 1')
    assert.are.equal(0, status, said)
    assert.are.equal(accuracy, said:match 'accuracy .*')
  end)

  it('tests on the alphabets that only the test data has', function()
    scratch.omniglot(folder .. '/a', {Greek = 3, Latin = 1}, 4)
    scratch.omniglot(folder .. '/b', {Greek = 3, Tagalog = 4}, 4)
    local said, status = example('omniglot_maml', tiny .. '--data a --test-data b --first-order')
    assert.are.equal(0, status, said)
    assert.truthy(said:find('16 characters to train on, 4 to test on', 1, true), said)
  end)

  it('says before it trains what can not be', function()
    scratch.omniglot(folder .. '/set', {Greek = 3, Latin = 3}, 4)
    scratch.omniglot(folder .. '/few', {Tagalog = 2}, 4)
    for arguments, reason in pairs{
      ['--data set --save none/net'] = 'none/net: No such file',
      ['--data set --test-data few'] = '3 ways asked for, but there are only 2 classes',
      ['--data set --meta-batch 0'] = "malformed argument '0'",
    } do
      local said, status = parsed('omniglot_maml', tiny .. arguments)
      assert.are_not.equal(0, status)
      assert.truthy(said:find(reason, 1, true), said)
      assert.falsy(said:find('meta-steps in', 1, true))
    end
  end)

  it('saves and tests what was learned before Ctrl-C', function()
    scratch.omniglot(folder .. '/set', {Greek = 3, Latin = 3}, 4)
    -- As the signal would, in the middle of the third meta-step: there are two episodes in each.
    local stop = [[-e "local metann, episodes = require 'metann', -1000
      local scope, catch_interrupt = metann.scope, metann.catch_interrupt
      function metann.catch_interrupt(...)
        episodes = 0
        return catch_interrupt(...)
      end
      function metann.scope(...)
        episodes = episodes + 1
        if episodes == 5 then metann.interrupt() end
        return scope(...)
      end"]]
    local said, status = example('omniglot_maml', tiny .. '--data set --save net --iterations 1000000', nil, stop)
    assert.are.equal(0, status, said)
    assert.truthy(said:find('2 meta-steps in', 1, true), said)
    local after_two = example('omniglot_maml', tiny .. '--data set --save other')
    assert.are.equal(after_two:match 'accuracy .*', said:match 'accuracy .*')
    assert.are.equal(scratch.read(folder .. '/other'), scratch.read(folder .. '/net'))
  end)

  it('says what is missing', function()
    assert.truthy(example('omniglot_maml', '--data nowhere'):find('nowhere: No such file', 1, true))
    assert.truthy(parsed('omniglot_maml', ''):find("'--data'", 1, true))
    assert.truthy(parsed('omniglot_maml', '--help'):find('--meta-batch', 1, true))
  end)
end)
