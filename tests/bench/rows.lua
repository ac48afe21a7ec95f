-- Reductions, norms and index rows on 1 M float32 numbers next to PyTorch, forward and backward, along the last and the
-- first dim of 1000 x 1000, one thread on both sides.
-- usage: luajit tests/bench/rows.lua [--python PROGRAM] [--rounds N] [--only NAME] [--smoke]   (in the root of the tree)
-- PROGRAM: a Python that can import torch and numpy; without it metann's times alone are given. Both take turns, round by
-- round, so that other load meets them alike. A row's results are compared before its times are taken: the bench ends with
-- status 1 where they differ. Prints for each row the medians in ms, how often metann's goes into PyTorch's, and which
-- share of the copy rate metann has: the bytes of its operands and results, each once, over its time, against those of a
-- copy of as many numbers, measured in the same run. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset for both.
local metann = require 'metann'
local posix = require 'metann.binding.posix'
local functional, npy = metann.nn.functional, metann.io.npy

local parser = require 'argparse'('rows', 'Times of reductions, norms and index rows.')
parser:option('--python', 'a Python that has torch and numpy')
parser:option('--rounds', 'rounds, of which the median counts', '9', tonumber)
parser:option('--only', 'the one row to run')
parser:flag('--smoke', 'small tensors, one round')
local options = parser:parse()
local SIZE = options.smoke and 20 or 1000
local rounds, CALLS = options.smoke and 1 or options.rounds, options.smoke and 1 or 3
metann.set_num_threads(1)
metann.manual_seed(0)

-- What both sides are given: x, the numbers; index, places (int64, from 0 in the file) for each kind of row that has them.
local folder = assert(io.popen 'mktemp -d'):read '*l'
local x = metann.randn(SIZE, SIZE)
local places = metann.randint(0, SIZE, { SIZE, SIZE })
local labels = metann.randint(0, SIZE, { SIZE })
local function save(name, t) npy.save(('%s/%s.npy'):format(folder, name), t) end
save('x', x)
save('places', places)
save('labels', labels)
places, labels = places + 1, labels + 1
local weight, bias = metann.ones(SIZE), metann.zeros(SIZE)
local TOPK = math.ceil(SIZE / 100)

-- A row: its call on t along dim; back: it has a derivative; dims: those along which there is such a row.
local BOTH, LAST = { 2, 1 }, { 2 }
local function simple(name, back)
  return { name = name, back = back, dims = BOTH, call = function(t, dim) return metann[name](t, dim) end }
end
local ROWS = {
  simple('sum', true), simple('mean', true), simple('amax', true), simple('argmax', false), simple('cumsum', true),
  simple('sort', true), simple('softmax', true), simple('log_softmax', true),
  { name = 'topk', back = true, dims = BOTH, call = function(t, dim) return (metann.topk(t, TOPK, dim)) end },
  { name = 'layer_norm', back = true, dims = LAST, call = function(t)
    return functional.layer_norm(t, { SIZE }, { weight = weight, bias = bias })
  end },
  { name = 'batch_norm', back = true, dims = { 1 }, call = function(t)
    return functional.batch_norm(t, nil, nil, { weight = weight, bias = bias, training = true })
  end },
  { name = 'cross_entropy', back = true, dims = BOTH, call = function(t, dim)
    return functional.cross_entropy(dim == 2 and t or t:t(), labels)
  end },
  { name = 'index_select', back = true, dims = BOTH, call = function(t, dim)
    return metann.index_select(t, dim, labels)
  end },
  { name = 'gather', back = true, dims = BOTH, call = function(t, dim) return metann.gather(t, dim, places) end },
  { name = 'embedding', back = true, dims = { 1 }, call = function(t) return functional.embedding(labels, t) end },
}

--- PyTorch in a process of its own, which is asked on its standard input and answers through a pipe in the folder.
local function start_peer()
  local answers = folder .. '/answers'
  assert(os.execute(("mkfifo '%s'"):format(answers)) == 0)
  local program = ("unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE; %s -P tests/bench/peers/rows.py '%s' '%s' %d"):format(
    options.python, folder, answers, TOPK)
  local peer = { asks = assert(io.popen(program, 'w')), answers = assert(io.open(answers, 'r')) }
  function peer.ask(...)
    peer.asks:write(table.concat({ ... }, ' '), '\n')
    peer.asks:flush()
    return (assert(peer.answers:read '*l', 'PyTorch ended'))
  end
  return peer
end

--- Milliseconds of a call, of CALLS calls one after another.
local function time(call)
  local start = posix.clock()
  for _ = 1, CALLS do metann.scope(call) end
  return (posix.clock() - start) * 1e3 / CALLS
end

local function median(times)
  table.sort(times)
  return times[math.ceil(#times / 2)]
end

local function bytes(t) return t:numel() * (t.dtype == 'int64' and 8 or 4) end

--- What is timed of a row along dim: {direction, call, result, bytes that it reads and writes}.
local function jobs_of(row, dim)
  local out = row.call(x, dim)
  local jobs = { { 'forward', function() row.call(x, dim) end, out, bytes(x) + bytes(out) } }
  if not row.back then return jobs end
  local leaf = x:clone():requires_grad_()
  local y = row.call(leaf, dim)
  local cotangent = metann.linspace(-1, 1, y:numel()):reshape(y:size())
  save('cotangent', cotangent)
  local function back() return metann.grad(y, leaf, { grad_outputs = cotangent, retain_graph = true }) end
  jobs[2] = { 'backward', function() back() end, back(), bytes(x) + bytes(cotangent) }
  return jobs
end

local agree = true
local function check(row, dim, direction, result, peer)
  peer.ask('result', row.name, dim - 1, direction)
  local theirs = npy.load(folder .. '/result.npy')
  local ours = result.dtype == 'int64' and result - 1 or result
  if metann.allclose(ours, theirs:reshape(ours:size()), { rtol = 1e-4, atol = 1e-5 }) then return end
  agree = false
  print(('%s along dim %d, %s: DIFFERENT from PyTorch'):format(row.name, dim, direction))
end

local source, target = metann.randn(SIZE, SIZE), metann.zeros(SIZE, SIZE)
local function copy() target:copy_(source) end

--- Times of one job, its peer's and a copy's, in turns: their medians.
local function measure(row, dim, job, peer)
  local ours, theirs, copies = {}, {}, {}
  for i = 1, rounds do
    ours[i], copies[i] = time(job[2]), time(copy)
    if peer then theirs[i] = tonumber(peer.ask('time', row.name, dim - 1, job[1], CALLS)) end
  end
  return median(ours), median(copies), peer and median(theirs)
end

local function run(peer)
  print(('%-14s %4s %-9s %10s %10s %7s %7s'):format('row', 'dim', '', 'metann ms', 'PyTorch ms', 'ratio', 'copy %'))
  for _, row in ipairs(ROWS) do
    for _, dim in ipairs((not options.only or options.only == row.name) and row.dims or {}) do
      for _, job in ipairs(jobs_of(row, dim)) do
        if peer then check(row, dim, job[1], job[3], peer) end
        local ours, copied, theirs = measure(row, dim, job, peer)
        print(('%-14s %4d %-9s %10.3f %10s %7s %7.0f'):format(row.name, dim, job[1], ours,
          theirs and ('%.3f'):format(theirs) or '', theirs and ('%.2f'):format(theirs / ours) or '',
          100 * job[4] / ours / (2 * bytes(x) / copied)))
        io.flush()
      end
    end
  end
end

local peer = options.python and start_peer()
run(peer)
if peer then peer.asks:close() end
os.execute(("rm -rf '%s'"):format(folder))
if not agree then os.exit(1) end
