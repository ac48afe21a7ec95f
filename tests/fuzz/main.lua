-- luajit tests/fuzz/main.lua SECONDS [--seed N]: rounds of random calls and damaged files, each in a process of its own, until
-- the time is over. Ends with a line of numbers; status 1 where something was found.
local root = assert(arg[0]:match '^(.*)/tests/fuzz/[^/]*$', 'give the whole path of this script')
package.path = root .. '/?.lua;' .. package.path

local CALLS, FILES = 1500, 400 -- of a round
local BATCH = root .. '/tests/fuzz/batch.lua'

local function usage() io.stderr:write 'usage: luajit tests/fuzz/main.lua SECONDS [--seed N]\n' os.exit(2) end

local seconds, seed = tonumber(arg[1]), os.time() % 1000000
if not seconds or seconds <= 0 then usage() end
if arg[2] then
  if arg[2] ~= '--seed' or not tonumber(arg[3]) then usage() end
  seed = tonumber(arg[3])
end

local folder = os.getenv 'METANN_FUZZ_FOLDER' or root .. '/build/fuzz'
os.execute(("mkdir -p '%s'"):format(folder))
local state, result, said = folder .. '/state', folder .. '/result', folder .. '/said'

local function read(path)
  local file = io.open(path, 'rb')
  if not file then return '' end
  local text = file:read '*a'
  file:close()
  return text
end

local function run(arguments)
  os.remove(result)
  local command = ("luajit '%s' %s '%s' '%s' >'%s' 2>&1"):format(BATCH, arguments, state, result, said)
  return os.execute(command) == 0
end

--- What a process that ended in the middle was doing.
local function crash(number)
  local at = read(state):match '^[^\n]*' or '?'
  local last = read(said):gsub('%s+$', ''):match '([^\n]*)$'
  local path, of = at:match '^(.-) seed (%d+): '
  local simple = ''
  if path then
    local pipe = io.popen(("luajit '%s/tests/fuzz/crash.lua' '%s' %s '%s/crash.lua' 2>/dev/null"):format(root, path, of, folder))
    simple = pipe:read '*a'
    pipe:close()
  end
  if simple == '' then simple = at end
  local report = read(said):match '(==%d+==ERROR[^\n]*\n.-)\n\n' or read(said):match '([^\n]*runtime error:[^\n]*)' or last
  return ('[crash] round of seed %d ended in the middle of\n    %s\n    %s'):format(number, simple:gsub('%s+$', ''), report)
end

local totals, findings, seen = { 0, 0, 0, 0 }, {}, {}
-- a finding that differs only in its numbers is the same
local function note(text)
  local head = text:match '^[^\n]*'
  local key = head:gsub('%d[%d.e+-]*', '#'):sub(1, 120)
  if seen[key] then return end
  seen[key] = true
  findings[#findings + 1] = text
  io.write(text, '\n')
  io.flush()
end

io.stdout:setvbuf 'line'
print(('fuzz: seed %d, %d seconds'):format(seed, seconds))
local start, rounds = os.time(), 0
repeat
  local number = seed + rounds
  local ok = run(('%d %d %d'):format(number, CALLS, FILES))
  local text = read(result)
  local counts = { text:match '^(%d+) (%d+) (%d+) (%d+) %d+\n' }
  for i = 1, #counts do totals[i] = totals[i] + counts[i] end
  if #counts == 0 then
    note(crash(number))
  else
    for finding in text:gmatch '(%[[^\n]*\n?    [^\n]*)' do note(finding) end
    if not ok then note(('[process] round of seed %d: %s'):format(number, read(said):sub(-2000))) end
  end
  rounds = rounds + 1
until os.time() - start >= seconds

local took = os.time() - start
print(('fuzz: seed %d, %d rounds in %d s: %d calls (%d errors), %d files (%d valid), %d failures'):format(seed, rounds, took,
  totals[1], totals[2], totals[3], totals[4], #findings))
os.exit(#findings == 0 and 0 or 1)
