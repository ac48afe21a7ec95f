-- luajit tests/fuzz/batch.lua SEED CALLS FILES STATE RESULT: one round of random calls and damaged files, in a process of its
-- own. STATE holds the case at hand, for when the process ends in the middle; RESULT gets numbers and findings.
local root = assert(arg[0]:match '^(.*)/tests/fuzz/[^/]*$', 'give the whole path of this script')
package.path = root .. '/?.lua;' .. package.path
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local calls = require 'tests.fuzz.calls'
local damaged = require 'tests.support.damaged'
local guard = require 'tests.fuzz.guard'
local mutate = require 'tests.support.mutate'
local scratch = require 'tests.support.scratch'

local SEED, CALLS, FILES = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local SECONDS, SECONDS_TO_SHRINK = 20, 300 -- of computing for one call, and for making a finding simple
local ROUND = 200 -- calls between two looks at what is live

local state = assert(io.open(arg[4], 'w'))
local counts, findings = { calls = 0, errors = 0, files = 0, read = 0 }, {}

local function note(text)
  state:seek 'set'
  state:write(text, '\n', (' '):rep(200), '\n')
  state:flush()
end

local function finding(text)
  findings[#findings + 1] = text
  io.write(text, '\n')
  io.flush()
end

-- ---- calls ----

metann.set_memory_limit(calls.MEMORY)
guard.alarm(SECONDS_TO_SHRINK)
local everything = calls.everything()
local here = scratch.folder()
guard.go(here)
local known = {}

local function one_call(entry, seed)
  local case = calls.case(entry, seed, everything.list)
  note(('%s seed %d: %s'):format(entry.path, seed, call.line(case)))
  guard.alarm(SECONDS)
  local fault, outcome = calls.check(case, everything)
  if outcome ~= 'none' then counts.calls = counts.calls + 1 end
  if outcome == 'error' then counts.errors = counts.errors + 1 end
  local key = fault and entry.path .. fault.oracle
  if fault and not known[key] then
    known[key] = true
    guard.alarm(SECONDS_TO_SHRINK)
    finding(('[%s] %s'):format(fault.oracle, calls.report(case, fault, everything)))
  end
  return case
end

local function look_for_leaks(before, cases)
  if before == calls.live() then return end
  guard.alarm(SECONDS_TO_SHRINK)
  local case, text = calls.leak(cases, everything)
  if not case then return end
  case = calls.shrink(case, function(other) return calls.leak({ other }, everything) ~= nil end)
  finding(('[leak] %s: %s\n    %s'):format(case.entry.path, text, call.line(case)))
end

local function all_calls()
  local draw = mutate.source(SEED)
  local cases, before = {}, calls.live()
  for i = 1, CALLS do
    cases[#cases + 1] = one_call(everything.entries[draw(#everything.entries)], SEED * 7919 % 2 ^ 31 + i)
    if i % ROUND == 0 or i == CALLS then
      look_for_leaks(before, cases)
      cases, before = {}, calls.live()
    end
  end
end

-- ---- files ----

--- One damaged file for a reader; a text about what is wrong with how it was read, if anything is.
local function one_file(reader, path, draw, i)
  note(('a file for %s, number %d of seed %d'):format(reader.name, i, SEED))
  guard.alarm(SECONDS)
  local text = damaged.draw_text(reader, draw)
  local ok, read = pcall(damaged.try, reader, path, text)
  counts.files, counts.read = counts.files + 1, counts.read + (ok and read and 1 or 0)
  if ok then return end
  local key = reader.name .. tostring(read):gsub('%d+', '#'):sub(-40)
  if known[key] then return end
  known[key] = true
  local kept = ('%s.file%d'):format(arg[5], i)
  scratch.overwrite(kept, text)
  finding(('[file] %s: %s\n    kept as %s'):format(reader.name, tostring(read), kept))
end

local function all_files()
  local path, draw = here .. '/damaged', mutate.source(SEED)
  local readers = damaged.readers(here, draw)
  for k, reader in ipairs(readers) do
    -- memory is looked at around each reader's files
    local ok, message = pcall(damaged.with_limits, reader, path, function()
      for i = k, FILES, #readers do one_file(reader, path, draw, i) end
    end)
    if not ok then finding(('[file] %s: %s\n    in the round of seed %d'):format(reader.name, tostring(message), SEED)) end
  end
end

if FILES > 0 then all_files() end
if CALLS > 0 then all_calls() end
guard.alarm(0)
guard.go '/'
scratch.remove(here)
state:close()

local file = assert(io.open(arg[5], 'w'))
file:write(('%d %d %d %d %d\n'):format(counts.calls, counts.errors, counts.files, counts.read, #findings))
file:write(table.concat(findings, '\n'), '\n')
file:close()
os.exit(true, true)
