-- Meta-steps of metann next to those of the original MetaNN on PyTorch: same jobs, same threads, one run.
-- usage: luajit tests/bench/compare.lua [--python PROGRAM] [--rounds N] [--smoke]     (in the root of the tree)
-- PROGRAM: a Python that can import torch 1.x and metann; without it only metann's own times are given. For example
-- /usr/bin/python3 -m venv --system-site-packages v && v/bin/pip install --no-deps metann, then --python v/bin/python
-- The two take turns, --rounds times (5), so that other load on the machine meets both alike; what counts is the ratio
-- of medians. Also checks that metann's weights after the run are the same, bit for bit, on 1 and 2 threads.
-- OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are unset for both.
local python, rounds, smoke = nil, 5, false
do
  local i = 1
  while arg[i] do
    if arg[i] == '--python' then
      i = i + 1
      python = arg[i]
    elseif arg[i] == '--rounds' then
      i = i + 1
      rounds = assert(tonumber(arg[i]), '--rounds needs a number')
    elseif arg[i] == '--smoke' then
      smoke = true
    else
      error('compare.lua: unknown option ' .. arg[i], 0)
    end
    i = i + 1
  end
end

-- Steps in a round, about the same time for both jobs.
local STEPS = smoke and {sinusoid = 2, omniglot = 1} or {sinusoid = 40, omniglot = 5}
if smoke then rounds = 1 end
local THREADS = {1, 2}

--- Run a worker; add its times to `times`. Returns the kernel's name.
local function run(command, times)
  local pipe = io.popen('env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE ' .. command .. ' 2>&1')
  local said = pipe:read '*a'
  pipe:close()
  local kernel = said:match 'kernel ([^\n]+)'
  if not kernel then error(command .. ' failed:\n' .. said, 0) end
  for ms in said:gmatch 'ms (%S+)' do times[#times + 1] = tonumber(ms) end
  return kernel
end

local function median(times)
  table.sort(times)
  local middle = math.floor((#times + 1) / 2)
  return (times[middle] + times[#times - middle + 1]) / 2
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read '*a'
  file:close()
  os.remove(path)
  return text
end

local equal = true
print(('%-10s %7s %12s %12s %7s'):format('job', 'threads', 'metann, ms', 'original, ms', 'ratio'))
local kernels = {}
for _, job in ipairs{'sinusoid', 'omniglot'} do
  local weights = {}
  for _, threads in ipairs(THREADS) do
    local ours, theirs, path = {}, {}, os.tmpname()
    for _ = 1, rounds do
      local settings = ('%s %d %d'):format(job, threads, STEPS[job])
      kernels[1] = run(('luajit tests/bench/workers/meta_steps.lua %s %s'):format(settings, path), ours)
      if python then kernels[2] = run(('%s tests/bench/peers/original.py %s'):format(python, settings), theirs) end
    end
    weights[threads] = read(path)
    local a, b = median(ours), python and median(theirs)
    print(('%-10s %7d %12.2f %12s %7s'):format(job, threads, a, b and ('%.2f'):format(b) or '-',
      b and ('%.2f'):format(b / a) or '-'))
    io.flush()
  end
  local same = weights[1] == weights[2]
  equal = equal and same
  local verdict = same and 'equal, bit for bit' or 'DIFFERENT'
  print(('%-10s weights after the run on 1 and 2 threads: %s'):format(job, verdict))
end
print('kernels: ' .. table.concat(kernels, '; '))
if not equal then os.exit(1) end
