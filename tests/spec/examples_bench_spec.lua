-- The benchmarks run; what they measure is not a matter for tests, that results don't depend on threads is.
local scratch = require 'tests.support.scratch'

describe('tests/bench/compare.lua', function()
  it('gives times, and equal weights on 1 and 2 threads and in both of two trees', function()
    local status, said = scratch.run 'luajit tests/bench/compare.lua --smoke --against .'
    assert.are.equal(0, status, said)
    for _, job in ipairs{'sinusoid', 'omniglot'} do
      assert.truthy(said:find(job .. ' +1 metann +%d+%.%d+'), said)
      assert.truthy(said:find(job .. ' +2 against +%d+%.%d+ +%d+%.%d+ +%d+%.%d+ +%d+%.%d+'), said)
      assert.truthy(said:find(job .. ' +weights after the run of both versions: equal, bit for bit'), said)
      assert.truthy(said:find(job .. ' +weights after the run on 1 and 2 threads: equal, bit for bit'), said)
    end
    assert.truthy(said:find 'kernel of metann: %w+, ', said)
  end)
end)

describe('tests/bench/views.lua', function()
  it('finds that views allocate no tensor data and leave memory flat', function()
    local status, said = scratch.run 'luajit tests/bench/views.lua --smoke'
    assert.are.equal(0, status, said)
    assert.truthy(said:find('tensor data that a view allocates: 0 bytes', 1, true), said)
  end)
end)

describe('tests/bench/interrupt.lua', function()
  it('gives times for a loop and for a walk', function()
    local status, said = scratch.run 'luajit tests/bench/interrupt.lua --smoke'
    assert.are.equal(0, status, said)
    assert.truthy(said:find 'operations in a compiled loop: middle .- ms, longest .- ms\n', said)
    assert.truthy(said:find 'walks through 1000 nodes: middle .- ms, longest .- ms\n', said)
  end)
end)

describe('tests/bench/peers/agree.lua', function()
  it('says what it needs, and what the Python that it is given lacks', function()
    local status, said = scratch.run(scratch.STATE_LEFT_OPEN .. 'luajit tests/bench/peers/agree.lua')
    assert.are.equal(2, status)
    assert.truthy(said:find 'name a Python that can import torch 1.x and metann by %-%-python', said)
    -- a program that is no such Python, after the nets have been drawn and run here
    status, said = scratch.run(scratch.STATE_LEFT_OPEN .. 'luajit tests/bench/peers/agree.lua --python false --seed 1')
    assert.are.equal(2, status)
    assert.truthy(said:find 'seed 1\n' and said:find 'false gave no results', said)
  end)
end)

describe('tests/bench/rows.lua', function()
  it('gives a time and a share of the copy rate for every row', function()
    local status, said = scratch.run(scratch.STATE_LEFT_OPEN .. 'luajit tests/bench/rows.lua --smoke')
    assert.are.equal(0, status, said)
    for _, row in ipairs{ 'sum +2 forward', 'softmax +1 backward', 'embedding +1 backward' } do
      assert.truthy(said:find(row .. ' +%d+%.%d+ +%d+\n'), said)
    end
  end)
end)
