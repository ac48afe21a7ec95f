-- luajit tests/peers/opinfo/main.lua --python COMMAND [--all] [--only NAME] [--keep FOLDER]: PyTorch's databases of operators,
-- modules, optimizers and schedules against the library. Prints a table of counts and each kind of failure; status 1
-- where there is one that differences.lua doesn't explain.
local root = assert(arg[0]:match '^(.*)/tests/peers/opinfo/[^/]*$', 'give the whole path of this script')
package.path = root .. '/?.lua;' .. package.path
local metann = require 'metann'
local json = require 'metann.binding.json'
local differences = require 'tests.peers.opinfo.differences'
local names = require 'tests.peers.opinfo.names'
local run = require 'tests.peers.opinfo.run'

local KINDS = { 'op', 'module', 'optimizer', 'schedule' }
-- Of one kind of failure, as many examples are shown.
local EXAMPLES = 2

local function fail(message, ...)
  io.stderr:write('opinfo: ', message:format(...), '\n')
  os.exit(2)
end

local function read_options()
  local options, i = {}, 1
  while arg[i] do
    local name = arg[i]:match '^%-%-(.*)$'
    if name == 'all' then
      options.all = true
    elseif (name == 'python' or name == 'only' or name == 'keep') and arg[i + 1] then
      i = i + 1
      options[name] = arg[i]
    else
      fail("unknown option '%s'", arg[i])
    end
    i = i + 1
  end
  return options
end

local function quoted(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- What the generator prints; its own words go to stderr.
local function python(options, arguments)
  local command = ('PYTHONPATH=%s %s %s %s'):format(quoted(root .. '/tests/peers/opinfo'), options.python,
    quoted(root .. '/tests/peers/opinfo/generate.py'), arguments)
  local pipe = io.popen(command .. ' && echo "finished"')
  local said = pipe:read '*a'
  pipe:close()
  return said:match '^(.-)%s*finished%s*$'
end

local function check_python(options)
  local command = options.python
  if not command or command == '' then
    fail 'give a Python that has PyTorch: ./dev opinfo --python COMMAND, or METANN_TORCH_PYTHON in the environment'
  end
  if os.execute(command .. " -c 'import torch.testing' >/dev/null 2>&1") ~= 0 then
    fail("'%s' has no PyTorch: `%s -c 'import torch.testing'` fails", command, command)
  end
end

--- By kind: the names that are had and missing; `heads`: how the operators are spelled.
local function look_up(all)
  local heads, had, missing, apart = names.operators(all.op)
  local found = { op = { had = had, missing = missing, apart = apart } }
  for kind, space in pairs{ module = metann.nn, optimizer = metann.optim, schedule = metann.optim.lr_scheduler } do
    local own, others = names.members(space, all[kind])
    found[kind] = { had = own, missing = others }
  end
  return found, heads
end

--- What the generator is asked for, as JSON.
local function wanted(found, heads, only)
  local have = { op = {}, module = {}, optimizer = {}, schedule = {} }
  for name, head in pairs(heads) do
    if not only or only == name then have.op[name] = head end
  end
  for _, kind in ipairs{ 'module', 'optimizer', 'schedule' } do
    for _, name in ipairs(found[kind].had) do
      if not only or only == name then table.insert(have[kind], name) end
    end
    json.array(have[kind])
  end
  return json.encode(have)
end

local function explained(kind, name, fault)
  for _, d in ipairs(differences) do
    if d.kind == kind and name:find('^' .. d.name .. '$') and fault:find(d.says) then return d end
  end
end

--- A fault without its numbers: faults of one kind read the same.
local function kind_of(fault)
  return (fault:gsub('^error: [^:]*:%d+: ', 'error: '):gsub('%-?%d[%d.e+-]*', 'N'):gsub('%-?nan', 'N'):gsub('%-?inf', 'N'))
end

local Report = {}
Report.__index = Report

function Report.new()
  local self = setmetatable({ counts = {}, failures = {}, order = {}, skips = {} }, Report)
  for _, kind in ipairs(KINDS) do
    self.counts[kind] = { cases = 0, passed = 0, failed = 0, documented = 0, skipped = 0 }
  end
  return self
end

function Report:note(kind, name, case, fault)
  local counts = self.counts[kind]
  counts.cases = counts.cases + 1
  if not fault then
    counts.passed = counts.passed + 1
    return
  end
  local difference = explained(kind, name, fault)
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

function Report:print_failures()
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

function Report:print_table(found)
  for _, kind in ipairs(KINDS) do
    if #found[kind].missing > 0 then
      print(('\n%s: %d missing'):format(kind, #found[kind].missing))
      print(wrapped(found[kind].missing))
    end
  end
  print(('\n%-10s %6s %8s %7s %7s %7s %11s %16s'):format('', 'had', 'missing', 'cases', 'passed', 'failed', 'documented',
    'not expressible'))
  for _, kind in ipairs(KINDS) do
    local c = self.counts[kind]
    print(('%-10s %6d %8d %7d %7d %7d %11d %16d'):format(kind, #found[kind].had, #found[kind].missing, c.cases, c.passed,
      c.failed, c.documented, c.skipped))
  end
  print(("(operators that don't count: %d)"):format(#found.op.apart))
  for _, d in ipairs(differences) do
    if d.count then print(('documented, %d cases: %s %s: %s'):format(d.count, d.kind, d.name, d.why)) end
  end
end

function Report:print_skips()
  local keys = {}
  for key in pairs(self.skips) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do print(('not expressible %s (%d)'):format(key, self.skips[key])) end
end

local function generate(options, folder, found, heads)
  local have = assert(io.open(folder .. '/have.json', 'w'))
  have:write(wanted(found, heads, options.only))
  have:close()
  local arguments = ('cases %s %s%s'):format(quoted(folder), quoted(folder .. '/have.json'), options.all and ' --all' or '')
  if not python(options, arguments) then fail 'the generator failed' end
end

local function main()
  local options = read_options()
  options.python = options.python or os.getenv 'METANN_TORCH_PYTHON'
  check_python(options)
  local all = json.decode(python(options, 'names') or fail 'the generator failed')
  local folder = options.keep or io.popen('mktemp -d'):read '*l'
  local found, heads = look_up(all)
  print(('PyTorch %s: generating cases'):format(all.version))
  generate(options, folder, found, heads)
  local report = Report.new()
  for path in io.popen('ls ' .. quoted(folder) .. '/*.safetensors'):lines() do
    local texts = run.file(path, function(...) report:note(...) end)
    report:skip(texts.kind, texts.name, texts.skipped)
  end
  if not options.keep then os.execute('rm -rf ' .. quoted(folder)) end
  report:print_skips()
  report:print_failures()
  report:print_table(found)
  os.exit(#report.order == 0 and 0 or 1)
end

main()
