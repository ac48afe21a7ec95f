-- How long after a signal work comes back with the error 'interrupted': at most a tenth of a second is promised.
-- usage: luajit tests/bench/interrupt.lua [--rounds N] [--smoke]     (in the root of the tree)
-- Prints the middle and the longest of N rounds (20), in milliseconds, for a compiled loop of small operations and for
-- the walk back through a million nodes; the signal comes 50 ms and more after the work has begun.
local ffi = require 'ffi'
local metann = require 'metann'
local posix = require 'metann.binding.posix'

local parser = require 'argparse'('interrupt', 'How long after a signal work comes back.')
parser:option('--rounds', 'how often', '20', tonumber)
parser:flag('--smoke', 'once, and little work')
local options = parser:parse()
local rounds, nodes, delay = options.rounds, 1000000, 0.05
if options.smoke then rounds, nodes, delay = 1, 1000, 0.001 end

ffi.cdef [[
  typedef struct { long sec, usec; } metann_bench_time;
  typedef struct { metann_bench_time interval, value; } metann_bench_timer;
  int setitimer(int which, const metann_bench_timer *new_value, metann_bench_timer *old_value);
]]
local SIGALRM = 14

--- Milliseconds from the signal, `after` seconds ahead, to the return of work, which goes on until it is stopped.
local function latency(after, work)
  local timer = ffi.new 'metann_bench_timer'
  timer.value.usec = after * 1e6
  local start = posix.clock()
  ffi.C.setitimer(0, timer, nil)
  local ok, message = pcall(work)
  local late = (posix.clock() - start - after) * 1e3
  assert(not ok and tostring(message):find('interrupted', 1, true), message)
  return late
end

local function report(name, work)
  local times = {}
  for i = 1, rounds do times[i] = latency(delay * (1 + (i - 1) / rounds), work) end
  table.sort(times)
  print(('%s: middle %.2f ms, longest %.2f ms'):format(name, times[math.ceil(rounds / 2)], times[rounds]))
end

metann.interrupt_on_signal(SIGALRM)
local x = metann.randn(8, 8)
report('operations in a compiled loop', function()
  local y = x
  while true do y = (y + x):tanh() end
end)
local leaf = metann.tensor(1, { requires_grad = true })
local chain = leaf
for _ = 1, nodes do chain = chain + 1 end
report(('walks through %d nodes'):format(nodes), function()
  while true do metann.grad(chain, leaf, { retain_graph = true }) end
end)
