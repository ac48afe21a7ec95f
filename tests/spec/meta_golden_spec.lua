-- Learners against reference numbers: a few cases that come with the repository, or all of a folder in METANN_GOLDEN.
local golden = require 'tests.golden_meta'

describe('reference cases of kind meta', function()
  it('pass, those of the repository', function()
    local failed, count = golden.run('tests/golden')
    assert.equal(15, count)
    assert.same({}, failed)
  end)

  local dir = os.getenv 'METANN_GOLDEN'
  if dir and dir ~= '' then
    it('pass, those of ' .. dir, function()
      local failed, count = golden.run(dir, nil, print)
      assert.is_true(count > 0)
      assert.same({}, failed)
    end)
  end
end)
