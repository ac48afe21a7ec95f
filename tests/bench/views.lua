-- What a functional view of a 100-layer net costs to make: time a parameter, tensor data, and memory after many.
-- usage: luajit tests/bench/views.lua [--count N] [--smoke]     (in the root of the tree)
-- Makes N views (100,000) of a net of 100 layers, 200 parameters, and prints the microseconds a parameter: for the view
-- alone, whose parts are made when they are first read, and with all parts read; then bytes of tensor data and of the
-- Lua heap before and after. Ends with status 1 where data was allocated or memory grew.
local metann = require 'metann'
local posix = require 'metann.binding.posix'
local nn = metann.nn

local parser = require 'argparse'('views', 'What a functional view costs.')
parser:option('--count', 'views to make', '100000', tonumber)
parser:flag('--smoke', 'few views, once')
local options = parser:parse()
local count, rounds = options.count, 5
if options.smoke then count, rounds = 1000, 1 end

local layers = {}
for i = 1, 100 do layers[i] = nn.Linear(8, 8) end
local net = nn.Sequential(unpack(layers))
local proto = metann.ProtoModule(net)
local weights = {}
for p in proto:parameters() do weights[#weights + 1] = p end

local function view() return proto:functional(weights, true) end
local function whole()
  local made = view()
  for i = 1, 100 do assert(made[i].weight) end
  return made
end

--- Microseconds a parameter of one call, the least of several rounds.
local function cost(make)
  local n, best = math.min(2000, count), math.huge
  for _ = 1, rounds do
    local start = posix.clock()
    for _ = 1, n do make() end
    best = math.min(best, (posix.clock() - start) * 1e6 / n / #weights)
  end
  return best
end

local function memory()
  collectgarbage()
  collectgarbage()
  return metann.memory().live_bytes, collectgarbage 'count' * 1024
end

view()
whole()
print(('%d parameters; a view: %.3f us a parameter; with all its parts read: %.3f us a parameter'):format(#weights,
  cost(view), cost(whole)))
local data, heap = memory()
local made = whole()
local with_one = metann.memory().live_bytes
assert(made)
made = nil -- luacheck: ignore
print(('tensor data that a view allocates: %d bytes'):format(with_one - data))
for _ = 1, count do view() end
local after, heap_after = memory()
print(('after %d views: tensor data %+d bytes, Lua heap %+d bytes'):format(count, after - data, heap_after - heap))
if with_one ~= data or after ~= data or heap_after > heap + 65536 then os.exit(1) end
