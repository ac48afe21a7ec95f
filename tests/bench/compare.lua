-- Meta-steps of metann next to those of another version of it, or of the original MetaNN on PyTorch: same jobs, same
-- threads, one run.
-- usage: luajit tests/bench/compare.lua [--python PROGRAM] [--against CHECKOUT] [--rounds N] [--smoke]
--   (in the root of the tree)
-- PROGRAM: a Python that can import torch 1.x and metann. For example
-- /usr/bin/python3 -m venv --system-site-packages v && v/bin/pip install --no-deps metann, then --python v/bin/python
-- CHECKOUT: the root of another tree of metann, built in its folder build; its weights after the run are compared, too.
-- Without either only metann's own times are given.
-- All take turns, --rounds times (5), so that other load on the machine meets them alike; what counts is the ratio of
-- medians. Also checks that metann's weights after the run are the same, bit for bit, on 1 and 2 threads.
-- OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset for all.
local options, smoke = { rounds = 5 }, false
do
  local VALUES = { ['--python'] = 'python', ['--against'] = 'against', ['--rounds'] = 'rounds' }
  local i = 1
  while arg[i] do
    local name = VALUES[arg[i]]
    if name then
      options[name] = arg[i + 1] or error(arg[i] .. ' needs a value', 0)
      i = i + 1
    elseif arg[i] == '--smoke' then
      smoke = true
    else
      error('compare.lua: unknown option ' .. arg[i], 0)
    end
    i = i + 1
  end
end
local rounds = smoke and 1 or assert(tonumber(options.rounds), '--rounds needs a number')

-- Steps in a round, about the same time for both jobs.
local STEPS = smoke and {sinusoid = 2, omniglot = 1} or {sinusoid = 40, omniglot = 5}
local THREADS = {1, 2}

-- Who takes part: {name, command before the job's settings, path of the weights that it writes or nil}.
local WORKER = 'luajit tests/bench/workers/meta_steps.lua'
local contenders = { { name = 'metann', command = WORKER, weights = os.tmpname() } }
if options.against then
  local root = options.against:gsub('/$', '')
  contenders[2] = {
    name = 'against', weights = os.tmpname(),
    command = ("LUA_PATH='%s/lua/?.lua;%s/lua/?/init.lua;;' LUA_CPATH='%s/build/?.so;;' %s"):format(root, root, root, WORKER),
  }
end
if options.python then
  contenders[#contenders + 1] = { name = 'original', command = options.python .. ' tests/bench/peers/original.py' }
end

--- Run a worker; add its times to `times`. Returns the kernel's name.
local function run(command, times)
  local pipe = io.popen('unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE; ' .. command .. ' 2>&1')
  local said = pipe:read '*a'
  pipe:close()
  local kernel = said:match 'kernel ([^\n]+)'
  if not kernel then error(command .. ' failed:\n' .. said, 0) end
  for ms in said:gmatch 'ms (%S+)' do times[#times + 1] = tonumber(ms) end
  return kernel
end

--- Median, and the quarter and three quarter points, of a list that is sorted by it.
local function quartiles(times)
  table.sort(times)
  local function at(part)
    local place = 1 + part * (#times - 1)
    local low = times[math.floor(place)]
    return low + (place % 1) * ((times[math.ceil(place)] or low) - low)
  end
  return at(0.5), at(0.25), at(0.75)
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  os.remove(path)
  return text
end

local equal = true
print(('%-10s %7s %-9s %12s %22s %7s'):format('job', 'threads', '', 'median, ms', 'half of all within', 'ratio'))

--- The job on so many threads: prints a line for each contender, returns metann's weights.
local function compare(job, threads)
  for _, c in ipairs(contenders) do c.times = {} end
  for _ = 1, rounds do
    for _, c in ipairs(contenders) do
      c.kernel = run(('%s %s %d %d %s'):format(c.command, job, threads, STEPS[job], c.weights or ''), c.times)
    end
  end
  local first
  for _, c in ipairs(contenders) do
    local median, low, high = quartiles(c.times)
    first = first or median
    print(('%-10s %7d %-9s %12.3f %11.3f %10.3f %7s'):format(job, threads, c.name, median, low, high,
      c == contenders[1] and '' or ('%.3f'):format(median / first)))
  end
  io.flush()
  local weights = read(contenders[1].weights)
  if options.against then
    local same = read(contenders[2].weights) == weights
    equal = equal and same
    print(('%-10s weights after the run of both versions: %s'):format(job, same and 'equal, bit for bit' or 'DIFFERENT'))
  end
  return weights
end

for _, job in ipairs{'sinusoid', 'omniglot'} do
  local weights = {}
  for _, threads in ipairs(THREADS) do weights[threads] = compare(job, threads) end
  local same = weights[1] == weights[2]
  equal = equal and same
  local verdict = same and 'equal, bit for bit' or 'DIFFERENT'
  print(('%-10s weights after the run on 1 and 2 threads: %s'):format(job, verdict))
end
for _, c in ipairs(contenders) do print(('kernel of %s: %s'):format(c.name, c.kernel)) end
if not equal then os.exit(1) end
