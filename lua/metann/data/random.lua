--- A small random stream for choosing tasks: its own seed, apart from the stream that layers and tensors draw from.
-- Counter-based: number i of a stream is a fixed function of seed and i (SplitMix64 of Steele, Lea and Flood, "Fast
-- splittable pseudorandom number generators", OOPSLA 2014), so a stream is saved and put back as two numbers.
local bit = require 'bit'
local arguments = require 'metann.arguments'

local shift, xor = bit.rshift, bit.bxor
local GAMMA = 0x9E3779B97F4A7C15ULL

local function mix(z)
  z = xor(z, shift(z, 30)) * 0xBF58476D1CE4E5B9ULL
  z = xor(z, shift(z, 27)) * 0x94D049BB133111EBULL
  return xor(z, shift(z, 31))
end

-- Up to here a Lua number holds every integer.
local LARGEST = 2 ^ 53

local Random = {}
Random.__index = Random

--- A stream of its own.
-- @param seed whole number from 0 to 2^53
-- @param[opt=0] position how many numbers are already drawn, from 0 to 2^53
local function new(seed, position)
  if position == nil then position = 0 end
  arguments.count('Random', 'seed', seed, 0, LARGEST)
  arguments.count('Random', 'position', position, 0, LARGEST)
  return setmetatable({seed = seed, position = position}, Random)
end

local function draw(self)
  local i = self.position + 1
  self.position = i
  return mix(self.seed + i * GAMMA)
end

-- From 0 to 1, 1 excluded.
local function unit(self) return tonumber(shift(draw(self), 11)) * 2 ^ -53 end

--- A number from lo up to hi, hi excluded, of 53 random bits; from 0 to 1 when both are left out.
function Random:uniform(lo, hi)
  if lo == nil and hi == nil then return unit(self) end
  arguments.finite('Random:uniform', 'lo', lo)
  arguments.finite('Random:uniform', 'hi', hi)
  return lo + (hi - lo) * unit(self)
end

--- A whole number from 1 to n, which is 1 to 2^53.
function Random:integer(n)
  arguments.count('Random:integer', 'n', n, 1, LARGEST)
  return math.floor(unit(self) * n) + 1
end

--- The first k places of a random order of 1..n: k different whole numbers (Fisher and Yates, on a sparse array).
-- @param n from 0 to 2^53
-- @param k from 0 to n
function Random:choose(n, k)
  arguments.count('Random:choose', 'n', n, 0, LARGEST)
  arguments.count('Random:choose', 'k', k, 0, n)
  local moved, chosen = {}, {}
  for i = 1, k do
    local j = i + self:integer(n - i + 1) - 1
    chosen[i] = moved[j] or j
    moved[j] = moved[i] or i
  end
  return chosen
end

return setmetatable({}, {__call = function(_, ...) return new(...) end, __index = Random})
