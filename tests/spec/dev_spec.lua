-- The front door's words for what it doesn't know: said before anything is installed or built.
local scratch = require 'tests.support.scratch'

describe('./dev', function()
  it('lists its commands', function()
    for _, arguments in ipairs{'', 'help', '--help'} do
      local status, said = scratch.run(scratch.STATE_LEFT_OPEN .. './dev ' .. arguments)
      assert.are.equal(0, status)
      for command in ('deps demo test fuzz bench opinfo lint docs'):gmatch '%a+' do
        assert.truthy(said:find('\n./dev ' .. command, 1, true) or said:find('./dev ' .. command, 1, true) == 1, command)
      end
    end
  end)

  it("refuses what it doesn't know", function()
    for arguments, reason in pairs{
      ['tset'] = "no command 'tset'", ['lint x'] = "lint takes no arguments, got 'x'",
      ['docs x y'] = "docs takes no arguments, got 'x y'", ['deps x'] = "deps takes no arguments, got 'x'",
      ['test --fast'] = 'test: unknown option --fast', ['test none_spec.lua'] = 'test: no file none_spec.lua',
      ['test tests/spec'] = 'test: no file tests/spec', ['test --golden'] = '--golden needs a folder',
      ['test --golden none'] = '--golden: no folder none',
      ['test --device'] = '--device needs a name',
      ['test --device gpu'] = "--device: no device 'gpu', there is guarded",
      ['fuzz'] = "fuzz: give a number of seconds, got ''",
      ['fuzz x'] = "fuzz: give a number of seconds, got 'x'", ['fuzz --fast'] = 'fuzz: unknown option --fast',
      ['fuzz 1 --seed'] = '--seed needs a number', ['fuzz 1 --seed x'] = "fuzz: --seed must be a number, got 'x'",
    } do
      local status, said = scratch.run(scratch.STATE_LEFT_OPEN .. './dev ' .. arguments)
      assert.are.equal(1, status, said)
      assert.truthy(said:find('dev: ' .. reason, 1, true), said)
    end
  end)

  it('works from other folders, also where CDPATH is set', function()
    local folder = scratch.folder()
    local status, here = scratch.run 'pwd'
    assert.are.equal(0, status)
    local above, name = here:match '^(.*)/([^/]+)\n$'
    scratch.write(('%s/%s/none'):format(folder, name), '')
    local said
    status, said = scratch.run(([[cd "%s" && CDPATH='%s' %s "%s/dev" test none]]):format(above, folder,
      scratch.STATE_LEFT_OPEN, name))
    scratch.remove(folder)
    assert.are.equal(1, status)
    assert.truthy(said:find('dev: test: no file none', 1, true), said)
  end)
end)
