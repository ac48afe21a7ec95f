--- Sine waves as regression tasks: amplitude from [0.1, 5], phase from [0, pi], inputs from [-5, 5], y = amplitude *
-- sin(x - phase).
-- Source: Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017, section 5.1.
local bytes = require 'metann.binding.bytes'
local errors = require 'metann.binding.errors'
local metann = require 'metann'
local Random = require 'metann.data.random'
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'

local DTYPES = {float32 = true, float64 = true, float = true, double = true}

local Sinusoid = {}
Sinusoid.__index = Sinusoid

local read = arguments.reader('Sinusoid', { { 'seed', default = 1 }, { 'dtype' } })

--- A source of waves.
-- @param[opt] options `seed` (default 1) of its own random stream, `dtype` of the tensors: 'float32' or 'float64', the
-- default dtype when left out
local function new(...)
  local o = read(...)
  arguments.count('Sinusoid', 'seed', o.seed, 0, 2 ^ 53)
  if not (o.dtype == nil or DTYPES[o.dtype]) then
    errors.raise("Sinusoid: 'dtype' must be 'float32' or 'float64', got %s", errors.describe(o.dtype))
  end
  return setmetatable({random = Random(o.seed), dtype = o.dtype}, Sinusoid)
end

local Wave = {}
Wave.__index = Wave

local function height(wave, x) return wave.amplitude * math.sin(x - wave.phase) end

--- n places x and the heights there, float64 (n, 1) both. Their memory is asked for before the first number is drawn.
local function drawn(wave, n)
  local x, xs = bytes.new_numbers{n, 1}
  local y, ys = bytes.new_numbers{n, 1}
  local random = wave.random
  for i = 1, n do
    Random._look(i)
    local at = random:_between(-5, 5)
    xs[i - 1], ys[i - 1] = at, height(wave, at)
  end
  return (bytes.numbers(x)), (bytes.numbers(y))
end

local function points(wave, n)
  local x, y = drawn(wave, n)
  local dtype = wave.dtype or metann.get_default_dtype()
  return {bytes.placed(x:to(dtype)), bytes.placed(y:to(dtype))}
end

--- What `make` gives, or the random stream as it was and an error that names the function.
local function whole(what, random, make, ...)
  local ok, result = pcall(random._whole, random, make, ...)
  if ok then return result end
  if type(result) ~= 'string' then error(result, 0) end
  errors.raise('%s: %s', what, errors.without_place(result))
end

local function wave_of(self, shots, queries)
  local random = self.random
  local wave = setmetatable({random = random, dtype = self.dtype}, Wave)
  wave.amplitude, wave.phase = random:_between(0.1, 5), random:_between(0, math.pi)
  wave.support = points(wave, shots)
  wave.query = points(wave, queries)
  return wave
end

local define = methods.definer(Wave, 'Wave')

--- Height of the wave at x, a number.
-- @function Wave:at
define('at', { { 'x' } }, function(self, x)
  if type(x) ~= 'number' then errors.raise("Wave:at: 'x' must be a number, got %s", errors.describe(x)) end
  return height(self, x)
end)

--- n points of the wave: {x, y}, both of size (n, 1), x uniform in [-5, 5].
-- @function Wave:points
define('points', { { 'n' } }, function(self, n)
  arguments.count('Wave:points', 'n', n, 1)
  return whole('Wave:points', self.random, points, self, n)
end)

--- One wave, unseen so far.
-- @function Sinusoid:sample
-- @param shots how many points `support` has
-- @param[opt=shots] queries how many points `query` has
-- @return table: `support` and `query`, each {x, y} of size (n, 1), in other places; `amplitude`, `phase`, `at(x)`
-- and `points(n)` for more of the same wave
methods.definer(Sinusoid, 'Sinusoid')('sample', { { 'shots' }, { 'queries' } }, function(self, shots, queries)
  if queries == nil then queries = shots end
  arguments.count('Sinusoid:sample', 'shots', shots, 1)
  arguments.count('Sinusoid:sample', 'queries', queries, 1)
  return whole('Sinusoid:sample', self.random, wave_of, self, shots, queries)
end)

return setmetatable({}, {__call = methods.constructor('Sinusoid', new), __index = Sinusoid})
