-- The benchmarks run; what they measure is not a matter for tests, that results don't depend on threads is.
local scratch = require 'tests.support.scratch'

describe('tests/bench/compare.lua', function()
  it('gives times, and equal weights on 1 and 2 threads', function()
    local status, said = scratch.run 'luajit tests/bench/compare.lua --smoke'
    assert.are.equal(0, status, said)
    for _, job in ipairs{'sinusoid', 'omniglot'} do
      assert.truthy(said:find(job .. ' +1 +%d+%.%d+ +%- +%-'), said)
      assert.truthy(said:find(job .. ' +weights after the run on 1 and 2 threads: equal, bit for bit'), said)
    end
    assert.truthy(said:find 'kernels: %w+, ', said)
  end)
end)
