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

  -- Which rooms of lua/metann may require which, each only such as stand above it here, so that there is no circle. A
  -- room is a folder; a file that stands in lua/metann or in nn itself is one, too.
  local arrows = {
    { 'version', '' },
    { 'renamed', '' },
    { 'binding', 'version renamed' },
    { 'arguments', 'binding' },
    { 'tensor/compose', 'binding arguments' },
    { 'tensor', 'binding arguments tensor/compose' },
    { 'autograd', 'binding arguments tensor/compose' },
    { 'gradcheck', 'binding tensor autograd' },
    { 'special', 'binding arguments tensor/compose tensor' },
    { 'support', 'binding tensor/compose tensor' },
    { 'utils', 'binding arguments' },
    { 'nn/machinery', 'binding arguments support' },
    { 'nn/shared', 'binding support nn/machinery' },
    { 'nn/initializers', 'binding arguments support' },
    { 'nn/utils', 'binding arguments support nn/machinery nn/shared' },
    { 'nn/layers', 'support nn/machinery nn/shared nn/initializers' },
    { 'nn/functional', 'binding arguments support nn/shared nn/layers' },
    { 'nn/init', 'binding arguments support nn/machinery' },
    { 'optim', 'binding arguments support' },
    { 'distributions', 'binding arguments autograd support' },
    { 'views', 'binding arguments autograd support utils nn/machinery nn/init' },
    { 'func', 'binding arguments tensor autograd nn/init views' },
    { 'proto', 'views' },
    { 'dependentmodule', 'views' },
    { 'init', 'version binding arguments tensor autograd' },
    { 'meta', 'binding arguments autograd support nn/machinery nn/init optim views init' },
    { 'io', 'binding arguments tensor support utils nn/machinery' },
    { 'data', 'binding arguments support utils init io' },
    { 'train', 'binding arguments support utils init io' },
  }

  local function room_of(path)
    local folder, file = path:match '^lua/metann/(.-)/?([^/]+)%.lua$'
    if folder == '' then return file end
    return folder == 'nn' and 'nn/' .. file or folder
  end

  --- The room of a module, or of all that begin with a name.
  local function room_of_module(name, known)
    local path = 'lua/' .. name:gsub('%.', '/')
    if path:sub(-1) == '/' then return room_of(path .. 'any.lua') end
    if known[path .. '.lua'] then return room_of(path .. '.lua') end
    assert(known[path .. '/init.lua'], 'there is no module ' .. name)
    return room_of(path .. '/init.lua')
  end

  --- Calls fn(room, wanted, file, line, number) for each line by which a Lua file of one room requires another room.
  local function each_arrow(fn)
    local known = {}
    for _, path in ipairs(tree) do known[path] = true end
    for _, file in ipairs(matching '^lua/.*%.lua$') do
      each_line(file, function(line, number)
        local name = not line:find '^%s*%-%-' and line:match 'require%s*%(?%s*["\'](metann[%w_.]*)["\']'
        local wanted = name and room_of_module(name, known)
        if wanted and wanted ~= room_of(file) then fn(room_of(file), wanted, file, line, number) end
      end)
    end
  end

  it('has Lua modules that require only what the arrows above allow', function()
    local allowed, above, used = {}, {}, {}
    for _, arrow in ipairs(arrows) do
      local room = arrow[1]
      allowed[room] = {}
      for name in arrow[2]:gmatch '%S+' do
        assert(above[name], room .. ' may not require ' .. name .. ", which doesn't stand above it")
        allowed[room][name] = true
      end
      above[room] = true
    end
    local found = {}
    each_arrow(function(room, wanted, file, line, number)
      assert(allowed[room], room .. ' is no room of this spec')
      used[room .. ' ' .. wanted] = true
      if not allowed[room][wanted] then found[#found + 1] = ('%s:%d: %s'):format(file, number, line) end
    end)
    none(found)
    for room, rooms in pairs(allowed) do
      for wanted in pairs(rooms) do
        assert(used[room .. ' ' .. wanted], 'nothing of ' .. room .. ' requires ' .. wanted .. ' any more: take it out')
      end
    end
  end)

  it('has nn read no private field of what stands above it', function()
    none(offences('^lua/metann/nn/.*%.lua$', function(line)
      return line:find '%f[%w_]_view%f[^%w_]' or line:find '%f[%w_]_dependents%f[^%w_]'
        or line:find '%f[%w_]_held%f[^%w_]' or line:find '%f[%w_]_models%f[^%w_]'
    end))
  end)

  it('leaves nothing open', function()
    none(offences('%.[clhimsd][a-z]*$', function(line, file)
      local text = file ~= 'tests/spec/tree_spec.lua' and not file:find '%.safetensors$'
      return text and (line:find '%f[%w]TODO%f[%W]' or line:find '%f[%w]FIXME%f[%W]'
        or line:find '%f[%w]XXX%f[%W]')
    end))
  end)
end)

-- ---- what calls what: the undefined symbols of the object files ----

describe('the core by its symbols', function()
  -- The folder that the library in use was built in; its objects tell who calls whom, which headers don't.
  local build = (os.getenv 'METANN_LIBRARY' or 'build/'):match '^(.*)/[^/]*$'
  local sources = {}
  for _, path in ipairs(matching '^core/.*%.c$') do sources[path] = true end

  --- symbol -> the source that defines it; source -> { symbol = true } of what it lacks. Of the kernels, which are
  -- compiled once for each instruction set, those in plain C.
  local function symbols()
    local defined, lacks = {}, {}
    local objects = "find '%s/CMakeFiles' -path '*/core/*' -name '*.c.o' | grep -v 'kernels_avx' "
      .. '| LD_PRELOAD= xargs nm -g -A' -- without sanitizers, as nm has leaks of its own
    for _, line in ipairs(lines(objects:format(build))) do
      local source, kind, name = line:match '%.dir/(core/.-)%.o:%S*%s+(%a) ([%w_]+)$'
      if sources[source] then -- a build keeps objects of sources that are gone
        lacks[source] = lacks[source] or {}
        if kind == 'U' then lacks[source][name] = true else defined[name] = source end
      end
    end
    for source in pairs(sources) do assert(lacks[source], 'no object file of ' .. source .. ' in ' .. build) end
    return defined, lacks
  end

  --- { from, to, symbol } for each call or address that goes from one file to another.
  local function arrows()
    local defined, lacks = symbols()
    local list = {}
    for source, names in pairs(lacks) do
      for name in pairs(names) do
        local to = defined[name]
        if to and to ~= source then list[#list + 1] = { source, to, name } end
      end
    end
    table.sort(list, function(a, b) return a[1] .. a[3] < b[1] .. b[3] end)
    return list
  end

  -- Rooms: folders, and the rooms of engine/ from the ground up. A file calls its own room and the rooms that are named
  -- for it. The table holds the rules' addresses, and backends.c the backends', without calling them.
  local ROOMS = {
    { 'table', 'engine/optable.c' }, { 'backends', 'backends.c' }, { 'kernels', 'cpu/kernels/' }, { 'cpu', 'cpu/' },
    { 'ops', 'ops/' },
    { 'base', 'engine/',
      'absent error device allocator context interrupt storage recording numbers rng query layout dtype attrs infer' },
    { 'graph', 'engine/', 'release scope tensor node mapping program' },
    { 'door', 'engine/', 'resolve execute scratch copy apply inplace api anomaly' },
    { 'data', 'engine/', 'data digest write' },
    { 'reverse', 'engine/', 'visits cotangents rule ask walk push function frontier' },
    { 'handle', 'engine/', 'handle' },
  }
  local ALLOWED = {
    table = 'ops', backends = 'cpu', kernels = 'cpu', cpu = 'kernels', ops = 'ops base door reverse',
    base = 'table backends', graph = 'base table', door = 'graph base table',
    data = 'door graph base', reverse = 'door graph base table',
    handle = 'reverse door graph base table',
  }

  local function room_of(source)
    for _, room in ipairs(ROOMS) do
      local rest = source:sub(#'core/' + 1)
      if rest == room[2] then return room[1] end
      if room[2]:sub(-1) == '/' and rest:sub(1, #room[2]) == room[2] then
        local name = rest:sub(#room[2] + 1):gsub('%.c$', '')
        if not room[3] or (' ' .. room[3] .. ' '):find(' ' .. name .. ' ', 1, true) then return room[1] end
      end
    end
    error(source .. ' is in no room of this spec')
  end

  it('calls only what its room may call', function()
    local wrong = {}
    for _, arrow in ipairs(arrows()) do
      local from, to = room_of(arrow[1]), room_of(arrow[2])
      if from ~= to and not (' ' .. ALLOWED[from] .. ' '):find(' ' .. to .. ' ', 1, true) then
        wrong[#wrong + 1] = ('%s (%s) calls %s of %s (%s)'):format(arrow[1], from, arrow[3], arrow[2], to)
      end
    end
    none(wrong)
  end)

  it('has no circle of more than two files', function()
    local calls = {}
    for _, arrow in ipairs(arrows()) do
      if room_of(arrow[1]) ~= 'table' then
        calls[arrow[1]] = calls[arrow[1]] or {}
        calls[arrow[1]][arrow[2]] = true
      end
    end
    local function reaches(from)
      local seen, queue = {}, { from }
      while #queue > 0 do
        for to in pairs(calls[table.remove(queue)] or {}) do
          if not seen[to] then
            seen[to] = true
            queue[#queue + 1] = to
          end
        end
      end
      return seen
    end
    local reached, circles = {}, {}
    for source in pairs(calls) do reached[source] = reaches(source) end
    for source in pairs(calls) do
      local circle = {}
      for other in pairs(reached[source]) do
        if reached[other] and reached[other][source] then circle[#circle + 1] = other end
      end
      table.sort(circle)
      if #circle > 2 and circle[1] == source then circles[#circles + 1] = table.concat(circle, ', ') end
    end
    none(circles)
  end)
end)
