-- The tree: what stands where, and who may know of whom (dependencies point down the list in core/README.md's terms).
local scratch = require 'tests.support.scratch'

local function lines(command)
  local list = {}
  local status, said = scratch.run(command)
  assert(status == 0, said)
  for line in said:gmatch '[^\n]+' do list[#list + 1] = line end
  return list
end

-- What git tracks; in an unpacked archive, what lies there.
local function files()
  local tracked = scratch.run 'git ls-files --error-unmatch dev' == 0
  return lines(tracked and 'git ls-files' or "find . -type f -not -path './.*' -not -path './build*' | sed 's|^./||'")
end
local tree = files()

local function matching(pattern)
  local list = {}
  for _, path in ipairs(tree) do
    if path:find(pattern) then list[#list + 1] = path end
  end
  assert(#list > 0, 'no file matches ' .. pattern)
  return list
end

--- Calls fn(line, number) for every line.
local function each_line(path, fn)
  local number = 0
  for line in (scratch.read(path) .. '\n'):gmatch '(.-)\n' do
    number = number + 1
    fn(line, number)
  end
end

local function none(offences) assert(#offences == 0, '\n  ' .. table.concat(offences, '\n  ')) end

--- Every line of the files that match the Lua pattern `path` in which find(line) is true.
local function offences(path, find)
  local list = {}
  for _, file in ipairs(matching(path)) do
    each_line(file, function(line, number)
      if find(line, file) then list[#list + 1] = ('%s:%d: %s'):format(file, number, line) end
    end)
  end
  return list
end

describe('the tree', function()
  it('has only the entries that the design names at its top', function()
    local named, found = {}, {}
    for name in ('CMakeLists.txt README.md dev core lua rocks tests examples docs LICENSE CHANGELOG.md'):gmatch '%S+' do
      named[name] = true
    end
    for _, path in ipairs(tree) do
      local top = path:match '^[^/]+'
      if not named[top] and top:sub(1, 1) ~= '.' then found[#found + 1] = top end
    end
    none(found)
  end)

  it('has no file over 800 lines', function()
    local long = {}
    for _, path in ipairs(matching '%.[clhimsd][a-z]*$') do
      local n = 0
      each_line(path, function() n = n + 1 end)
      if n > 801 then long[#long + 1] = path .. ': ' .. n - 1 .. ' lines' end
    end
    none(long)
  end)

  it('says at the head of each source file what it owns', function()
    local bare = {}
    for _, path in ipairs(matching '^[cl][ou][ra]e?/.*%.[chl][nu]?[ac]?$') do
      local head = scratch.read(path):sub(1, 3)
      if not (head:find '^/%*' or head:find '^%-%-') then bare[#bare + 1] = path end
    end
    none(bare)
  end)

  it('lets cpu/ know nothing of engine/ and ops/, and engine/ nothing of ops/', function()
    local function includes(folders)
      return function(line)
        local name = line:match '^%s*#%s*include%s+"([^"]+)"'
        if not name or name:find '%.def$' then return false end -- the op table's sections are for all
        for _, folder in ipairs(folders) do
          if name:find('^' .. folder .. '/') or name:find('../' .. folder .. '/', 1, true) then return true end
        end
        return false
      end
    end
    none(offences('^core/cpu/', includes { 'engine', 'ops' }))
    none(offences('^core/engine/', includes { 'ops', 'cpu' }))
    none(offences('^core/ops/', includes { 'cpu' }))
  end)

  it('makes threads in cpu/threads.c only', function()
    none(offences('^core/.*%.[chi]', function(line, file)
      return file ~= 'core/cpu/threads.c' and (line:find '#%s*pragma%s+omp' or line:find 'pthread_create')
    end))
  end)

  it('never exits, aborts or prints in the core', function()
    none(offences('^core/.*%.[chi]', function(line)
      return line:find '%f[%w_]f?printf%s*%(' or line:find '%f[%w_]exit%s*%(' or line:find '%f[%w_]abort%s*%('
        or line:find '%f[%w_]longjmp%s*%(' or line:find '%f[%w_]puts%s*%('
    end))
  end)

  it('requires ffi in the binding only', function()
    none(offences('^lua/.*%.lua$', function(line, file)
      return not file:find '^lua/metann/binding/' and line:find 'require%s*%(?%s*["\']ffi["\']'
    end))
  end)

  it("takes next and pairs from binding/traversal.lua, which says why (`local pairs = require(...).pairs`)", function()
    local bare = {}
    for _, file in ipairs(matching '^lua/.*%.lua$') do
      local walks = false
      each_line(file, function(line)
        line = line:gsub('%-%-.*', ''):gsub('local .*traversal.*', '')
        walks = walks or line:find '%f[%w_.:]pairs%s*[({]' or line:find '%f[%w_.:]next%s*[(,]'
      end)
      local own = file == 'lua/metann/binding/traversal.lua'
      if walks and not own and not scratch.read(file):find('metann.binding.traversal', 1, true) then
        bare[#bare + 1] = file
      end
    end
    none(bare)
  end)

  -- Each layer may require itself and those before it.
  local layers = {
    { 'version' }, { 'binding' }, { 'arguments' }, { '', 'init', 'tensor', 'ops', 'compose', 'linalg', 'indexing', 'printing', 'autograd',
      'gradcheck', 'func' },
    { 'utils' }, { 'nn' }, { 'optim' }, { 'plan', 'view', 'viewcopy', 'dependent', 'dependentmodule', 'proto' }, { 'meta' },
    { 'data', 'io', 'train' },
  }
  local rank = {}
  for i, names in ipairs(layers) do
    for _, name in ipairs(names) do rank[name] = i end
  end

  it('has Lua modules that require only what stands before them', function()
    local upward = offences('^lua/.*%.lua$', function(line, file)
      local own = file:match '^lua/metann/([^/.]+)'
      local wanted = not line:find '^%s*%-%-' and line:match 'require%s*%(?%s*["\']metann([^"\']*)["\']'
      if not wanted then return false end
      local name = wanted:match '^%.?([^.]*)'
      assert(rank[own], file .. ' belongs to no layer of this spec')
      assert(rank[name], file .. ' requires metann' .. wanted .. ', of no layer of this spec')
      return rank[name] > rank[own]
    end)
    none(upward)
  end)

  it('leaves nothing open', function()
    none(offences('%.[clhimsd][a-z]*$', function(line, file)
      local text = file ~= 'tests/spec/tree_spec.lua' and not file:find '%.safetensors$'
      return text and (line:find '%f[%w]TODO%f[%W]' or line:find '%f[%w]FIXME%f[%W]'
        or line:find '%f[%w]XXX%f[%W]')
    end))
  end)
end)
