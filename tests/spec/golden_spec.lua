-- Reference vectors from PyTorch and from the original: each case in tests/golden is a test.
local runner = require 'tests.support.golden.runner'

for _, kind in ipairs{ 'op', 'layer', 'optim', 'meta', 'high' } do
  describe('reference vectors: ' .. kind, function()
    for _, case in ipairs(runner.cases('tests/golden/' .. kind)) do
      it(case.name, function()
        local fault = runner.check(case)
        assert(fault == nil, fault)
      end)
    end
  end)
end
