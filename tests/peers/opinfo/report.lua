--- What the cases came to: counts, what failed by kinds, what differs on purpose, what could not be written as Lua.
local differences = require 'tests.peers.opinfo.differences'

local KINDS = { 'op', 'module', 'optimizer', 'schedule' }
-- Of one kind of failure, as many examples are shown.
local EXAMPLES = 2

local function explained(kind, name, label, fault)
  for _, d in ipairs(differences) do
    if d.kind == kind and name:find('^' .. d.name .. '$') and fault:find(d.says) and (not d.label or label:find(d.label)) then
      return d
    end
  end
end

--- A fault without its numbers: faults of one kind read the same.
local function kind_of(fault)
  return (fault:gsub('^error: [^:]*:%d+: ', 'error: '):gsub('%-?%d[%d.e+-]*', 'N'):gsub('%-?nan', 'N'):gsub('%-?inf', 'N'))
end

local Report = {}
Report.__index = Report

function Report.new()
  local self = setmetatable({ counts = {}, failures = {}, order = {}, skips = {}, seen = {} }, Report)
  for _, kind in ipairs(KINDS) do
    self.seen[kind] = {}
    self.counts[kind] = { cases = 0, passed = 0, failed = 0, documented = 0, skipped = 0 }
  end
  return self
end

--- Counts a case that passed (fault nil) or says what was wrong.
function Report:note(kind, name, case, fault)
  local counts = self.counts[kind]
  counts.cases = counts.cases + 1
  self.seen[kind][name] = true
  if not fault then
    counts.passed = counts.passed + 1
    return
  end
  local difference = explained(kind, name, case.label, fault)
  if difference then
    counts.documented = counts.documented + 1
    difference.count = (difference.count or 0) + 1
    return
  end
  counts.failed = counts.failed + 1
  local key = name .. ': ' .. kind_of(fault)
  if not self.failures[key] then
    self.failures[key] = {}
    self.order[#self.order + 1] = key
  end
  table.insert(self.failures[key], { case = case, fault = fault })
end

--- Counts what the generator could not write as Lua, with its reasons.
function Report:skip(kind, name, skipped)
  self.counts[kind].skipped = self.counts[kind].skipped + #skipped
  for _, s in ipairs(skipped) do
    local key = name .. ': ' .. s.why
    self.skips[key] = (self.skips[key] or 0) + 1
  end
end

local function wrapped(list)
  table.sort(list)
  local lines, line = {}, ' '
  for _, name in ipairs(list) do
    if #line + #name > 118 then lines[#lines + 1], line = line, ' ' end
    line = line .. ' ' .. name
  end
  lines[#lines + 1] = line
  return table.concat(lines, '\n')
end

function Report:_print_failures()
  table.sort(self.order)
  for _, key in ipairs(self.order) do
    local list = self.failures[key]
    print(('FAILED %s (%d cases)'):format(key, #list))
    for i = 1, math.min(EXAMPLES, #list) do
      local case = list[i].case
      local text = case.constructor and case.constructor .. ' of ' .. case.code or case.code
      print(('  %s: %s\n    %s'):format(case.label, text, list[i].fault:sub(1, 300)))
    end
  end
end

function Report:_print_table(found)
  for _, kind in ipairs(KINDS) do
    if #found[kind].missing > 0 then
      print(('\n%s: %d missing'):format(kind, #found[kind].missing))
      print(wrapped(found[kind].missing))
    end
  end
  print(('\nop: %d missing that are complex, sparse, quantised or internal'):format(#found.op.outside))
  print(wrapped(found.op.outside))
  print(('\n%-10s %6s %8s %7s %7s %7s %11s %16s'):format('', 'had', 'missing', 'cases', 'passed', 'failed', 'documented',
    'not expressible'))
  for _, kind in ipairs(KINDS) do
    local c = self.counts[kind]
    print(('%-10s %6d %8d %7d %7d %7d %11d %16d'):format(kind, #found[kind].had, #found[kind].missing, c.cases, c.passed,
      c.failed, c.documented, c.skipped))
  end
  print(("(operators: %d special.*, masked.* and windows don't count)"):format(#found.op.uncounted))
  for _, d in ipairs(differences) do
    if d.count then print(('documented, %d cases: %s %s: %s'):format(d.count, d.kind, d.name, d.why)) end
  end
end

function Report:_print_skips()
  local keys = {}
  for key in pairs(self.skips) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do print(('not expressible %s (%d)'):format(key, self.skips[key])) end
end

--- Nothing failed but what is documented.
function Report:is_clean() return #self.order == 0 end

--- Names that count as had though no case of theirs could be run; with --only, that is nearly all.
function Report:_print_unseen(found)
  for _, kind in ipairs(KINDS) do
    local list = {}
    for _, name in ipairs(found[kind].had) do
      if not self.seen[kind][name] then list[#list + 1] = name end
    end
    if #list > 0 then
      print(('\n%s: %d had without a case'):format(kind, #list))
      print(wrapped(list))
    end
  end
end

--- @param found what main.lua looked up: by kind the names that are had and missing
function Report:print(found)
  self:_print_skips()
  self:_print_failures()
  self:_print_unseen(found)
  self:_print_table(found)
end

return Report
