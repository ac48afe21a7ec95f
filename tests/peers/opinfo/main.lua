-- luajit tests/peers/opinfo/main.lua --python COMMAND [--all] [--only NAME] [--keep FOLDER]: PyTorch's databases of operators,
-- modules, optimizers and schedules against the library. Prints a table of counts and each kind of failure; status 1
-- where there is one that differences.lua doesn't explain.
local root = assert(arg[0]:match '^(.*)/tests/peers/opinfo/[^/]*$', 'give the whole path of this script')
package.path = root .. '/?.lua;' .. package.path
local metann = require 'metann'
local json = require 'metann.binding.json'
local names = require 'tests.peers.opinfo.names'
local Report = require 'tests.peers.opinfo.report'
local run = require 'tests.peers.opinfo.run'

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
  local heads, operators = names.operators(all.op)
  local found = { op = operators }
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
  report:print(found)
  os.exit(report:is_clean() and 0 or 1)
end

main()
