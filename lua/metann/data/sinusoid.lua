--- Sine waves as regression tasks: amplitude from [0.1, 5], phase from [0, pi], inputs from [-5, 5], y = amplitude *
-- sin(x - phase).
-- Source: Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017, section 5.1.
local errors = require 'metann.binding.errors'
local metann = require 'metann'
local Random = require 'metann.data.random'
local arguments = require 'metann.arguments'

local DTYPES = {float32 = true, float64 = true, float = true, double = true}

local Sinusoid = {}
Sinusoid.__index = Sinusoid

--- A source of waves.
-- @param[opt] options `seed` (default 1) of its own random stream, `dtype` of the tensors: 'float32' or 'float64', the
-- default dtype when left out
local function new(options)
  options = options or {}
  errors.check_options('Sinusoid', options, {'seed', 'dtype'})
  local seed, dtype = options.seed, options.dtype
  if seed == nil then seed = 1 end
  arguments.count('Sinusoid', 'seed', seed, 0, 2 ^ 53)
  if not (dtype == nil or DTYPES[dtype]) then
    errors.raise("Sinusoid: 'dtype' must be 'float32' or 'float64', got %s", errors.describe(dtype))
  end
  return setmetatable({random = Random(seed), dtype = dtype}, Sinusoid)
end

local Wave = {}
Wave.__index = Wave

--- Height of the wave at x, a number.
function Wave:at(x) return self.amplitude * math.sin(x - self.phase) end

--- n points of the wave: {x, y}, both of size (n, 1), x uniform in [-5, 5].
function Wave:points(n)
  arguments.count('Sinusoid:points', 'n', n, 1)
  local x, y = {}, {}
  for i = 1, n do
    local at = self.random:uniform(-5, 5)
    x[i], y[i] = {at}, {self:at(at)}
  end
  return {metann.tensor(x, {dtype = self.dtype}), metann.tensor(y, {dtype = self.dtype})}
end

--- One wave, unseen so far.
-- @param shots how many points `support` has
-- @param[opt=shots] queries how many points `query` has
-- @return table: `support` and `query`, each {x, y} of size (n, 1), in other places; `amplitude`, `phase`, `at(x)`
-- and `points(n)` for more of the same wave
function Sinusoid:sample(shots, queries)
  if queries == nil then queries = shots end
  arguments.count('Sinusoid:sample', 'shots', shots, 1)
  arguments.count('Sinusoid:sample', 'queries', queries, 1)
  local random = self.random
  local wave = setmetatable({random = random, dtype = self.dtype}, Wave)
  wave.amplitude, wave.phase = random:uniform(0.1, 5), random:uniform(0, math.pi)
  wave.support = wave:points(shots)
  wave.query = wave:points(queries)
  return wave
end

return setmetatable({}, {__call = function(_, ...) return new(...) end, __index = Sinusoid})
