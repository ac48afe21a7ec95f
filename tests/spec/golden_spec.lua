-- Reference vectors from PyTorch and from the original: each case in tests/golden is a test.
local runner = require 'tests.support.golden.runner'

-- How many there are at least, so that a folder that got lost doesn't pass.
local LEAST = { op = 473, layer = 210, optim = 80, meta = 15, high = 28 }

for kind, least in pairs(LEAST) do
  describe('reference vectors: ' .. kind, function()
    local cases = runner.cases('tests/golden/' .. kind)

    it('are all there', function() assert.is_true(#cases >= least, #cases) end)

    for _, case in ipairs(cases) do
      it(case.name, function()
        local fault, found = runner.check(case)
        assert(fault == nil, fault)
        assert.equal(kind, found)
      end)
    end
  end)
end
