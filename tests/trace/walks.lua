-- Counts calls, files and moves of the walks below: what the functions of metann call, in C and in Lua, and how many
-- rows of the op table they record. A move is a change of folder between one call and the next; the last column leaves out
-- functions of files that are included (.h .inc .def), which the compiler puts into their callers. Run by trace.sh, in
-- the checkout that is looked at.
--   luajit walks.lua LIBRARY [PART OF A WALK'S NAME, whose moves are listed by folders]
local ffi = require 'ffi'
local metann = require 'metann'
local record = require 'metann.binding.record'
local nn, meta, optim = metann.nn, metann.meta, metann.optim
jit.off()
jit.flush()
ffi.cdef [[
  void calls_start(void);
  double calls_stop(void);
  void calls_lua(double number);
  double calls_get(double i);
]]
local C = ffi.C
local library = assert(arg[1], 'usage: luajit walks.lua LIBRARY')

-- ---- places ----

-- Files of Lua by number, and numbers by what debug.getinfo calls the source; 0: not metann's.
local files, numbers = {}, {}

--- The file below lua/metann that a chunk is of. Generated ones are called by a file and, after a space, a name.
local function number_of(source)
  local path = source:match '^@.*lua/metann/(.*)$'
  if not path then return 0 end
  files[#files + 1] = 'lua/' .. path:gsub(' .*', ''):gsub('%.lua$', '')
  return #files
end

local function on_call()
  local source = debug.getinfo(2, 'S').source
  local number = numbers[source]
  if not number then
    number = number_of(source)
    numbers[source] = number
  end
  if number > 0 then C.calls_lua(number) end
end

--- Files by address of the library.
local function resolved(addresses)
  local name, list, found = os.tmpname(), {}, {}
  local file = assert(io.open(name, 'w'))
  for address in pairs(addresses) do
    list[#list + 1] = address
    file:write(('0x%x\n'):format(address))
  end
  file:close()
  local pipe = assert(io.popen(('addr2line -e %q < %q'):format(library, name)))
  for _, address in ipairs(list) do
    found[address] = pipe:read('*l'):match '/(core/[^:]*)' or 'core/?'
  end
  pipe:close()
  os.remove(name)
  return found
end

local function folder_of(path) return path:match '^(.*)/' end

-- ---- counting ----

local function trace(fn)
  collectgarbage()
  collectgarbage()
  collectgarbage 'stop' -- sweeps come when they will
  debug.sethook(on_call, 'c')
  C.calls_start()
  fn()
  local n = C.calls_stop()
  debug.sethook()
  collectgarbage 'restart'
  local sequence, addresses = {}, {}
  for i = 1, n do
    local call = C.calls_get(i - 1)
    sequence[i] = call
    if call < 0 then addresses[-call] = true end
  end
  local places = resolved(addresses)
  for i, call in ipairs(sequence) do
    sequence[i] = call < 0 and places[-call] or files[call]
  end
  return sequence
end

--- How often the folder changes from one call of a sequence to the next; and by 'from -> to'.
local function moves_of(sequence, counts)
  local n, arrows, before = 0, {}, nil
  for _, path in ipairs(sequence) do
    if counts(path) then
      local folder = folder_of(path)
      if before and folder ~= before then
        local arrow = before .. ' -> ' .. folder
        n, arrows[arrow] = n + 1, (arrows[arrow] or 0) + 1
      end
      before = folder
    end
  end
  return n, arrows
end

local function any() return true end
local function compiled_alone(path) return path:find '^lua' or path:find '%.c$' end

local function count(sequence)
  local seen, total = {}, { lua = 0, c = 0, files = 0 }
  for _, path in ipairs(sequence) do
    local side = path:find '^lua' and 'lua' or 'c'
    total[side] = total[side] + 1
    if not seen[path] then seen[path], total.files = true, total.files + 1 end
  end
  total.moves, total.arrows = moves_of(sequence, any)
  total.without = moves_of(sequence, compiled_alone)
  return total
end

-- ---- walks ----

local function mlp(sizes)
  local list = {}
  for i = 2, #sizes do
    if i > 2 then list[#list + 1] = nn.ReLU() end
    list[#list + 1] = nn.Linear(sizes[i - 1], sizes[i])
  end
  return nn.Sequential(unpack(list))
end

local function mse(model, data) return nn.functional.mse_loss(model(data[1]), data[2]) end

local function batch() return { metann.randn(5, 1), metann.randn(5, 1) } end

--- A step of an optimizer of a net of so many Linear layers, with the gradients there.
local function step(class, layers)
  local sizes = { 1 }
  for i = 1, layers - 1 do sizes[i + 1] = 4 end
  sizes[#sizes + 1] = 1
  local net, data = mlp(sizes), batch()
  local optimizer = class(net:parameters(), { lr = 0.01 })
  return function() optimizer:step() end, function()
    optimizer:zero_grad()
    mse(net, data):backward()
  end
end

--- {name, the walk, what is done before each}
local function walks()
  local a, b = metann.randn(3, 4), metann.randn(3, 4)
  local linear, net = nn.Linear(1, 4), mlp{ 1, 4, 1 }
  local data, path = batch(), os.tmpname()
  local loss
  local small = meta.MAML(mlp{ 1, 4, 1 }, 1, 1, 0.01, mse)
  local large = meta.MAML(mlp{ 1, 4, 4, 1 }, 1, 1, 0.01, mse)
  local safetensors = require 'metann.io.safetensors'
  safetensors.save(path, { a = a, b = b })
  local list = {
    { 'a + b', function() return a + b end },
    { 'Linear, forward', function() return linear(data[1]) end },
    { 'net(x) of Linear, ReLU, Linear', function() return net(data[1]) end },
    { 'backward of its loss', function() loss:backward() end, function()
      net:zero_grad()
      loss = mse(net, data)
    end },
    { 'SGD step of 2 parameters', step(optim.SGD, 1) },
    { 'Adam step of 2 parameters', step(optim.Adam, 1) },
    { 'Adam step of 6 parameters', step(optim.Adam, 3) },
    { 'MAML adaptation, Linear, ReLU, Linear', function() return small(data) end },
    { 'MAML adaptation of three Linear layers', function() return large(data) end },
    { 'safetensors.load of 2 tensors', function() return safetensors.load(path) end },
  }
  return list, function() os.remove(path) end
end

local list, finish = walks()
local line = '%-40s %6s %6s %6s %6s %6s %6s %6s'
print(line:format('walk', 'calls', 'Lua', 'C', 'files', 'moves', 'own', 'rows'))
for _, walk in ipairs(list) do
  local name, fn, before = unpack(walk)
  before = before or function() end
  for _ = 1, 3 do -- what is made at the first call is not of the walk
    before()
    fn()
  end
  before()
  local total = count(trace(fn))
  before()
  local rows = record.run(fn)
  print(line:format(name, total.lua + total.c, total.lua, total.c, total.files, total.moves, total.without, #rows))
  if arg[2] and name:find(arg[2], 1, true) then
    local arrows = {}
    for arrow, n in pairs(total.arrows) do arrows[#arrows + 1] = ('%10d  %s'):format(n, arrow) end
    table.sort(arrows, function(x, y) return x > y end)
    print(table.concat(arrows, '\n'))
  end
end
finish()
