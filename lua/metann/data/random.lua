--- A small random stream for choosing tasks: its own seed, apart from the stream that layers and tensors draw from.
-- Counter-based: number i of a stream is a fixed function of seed and i (SplitMix64 of Steele, Lea and Flood, "Fast
-- splittable pseudorandom number generators", OOPSLA 2014), so a stream is saved and put back as two numbers.
local bit = require 'bit'
local errors = require 'metann.binding.errors'

local shift, xor = bit.rshift, bit.bxor
local GAMMA = 0x9E3779B97F4A7C15ULL

local function mix(z)
  z = xor(z, shift(z, 30)) * 0xBF58476D1CE4E5B9ULL
  z = xor(z, shift(z, 27)) * 0x94D049BB133111EBULL
  return xor(z, shift(z, 31))
end

local Random = {}
Random.__index = Random

--- A stream of its own.
-- @param seed whole number from 0 to 2^53
-- @param[opt=0] position how many numbers are already drawn
local function new(seed, position)
  if type(seed) ~= 'number' or seed % 1 ~= 0 or seed < 0 or seed > 2 ^ 53 then
    errors.raise('Random: seed must be a whole number from 0 to 2^53, got %s', errors.describe(seed))
  end
  return setmetatable({seed = seed, position = position or 0}, Random)
end

local function draw(self)
  local i = self.position + 1
  self.position = i
  return mix(self.seed + i * GAMMA)
end

--- A number from lo (0) up to hi (1), hi excluded, of 53 random bits.
function Random:uniform(lo, hi)
  local u = tonumber(shift(draw(self), 11)) * 2 ^ -53
  if lo then return lo + (hi - lo) * u end
  return u
end

--- A whole number from 1 to n.
function Random:integer(n) return math.floor(self:uniform() * n) + 1 end

--- The first k places of a random order of 1..n: k different whole numbers (Fisher and Yates, on a sparse array).
function Random:choose(n, k)
  local moved, chosen = {}, {}
  for i = 1, k do
    local j = i + self:integer(n - i + 1) - 1
    chosen[i] = moved[j] or j
    moved[j] = moved[i] or i
  end
  return chosen
end

return setmetatable({}, {__call = function(_, ...) return new(...) end, __index = Random})
