--- A small random stream for choosing tasks: its own seed, apart from the stream that layers and tensors draw from.
-- Counter-based: number i of a stream is a fixed function of seed and i (SplitMix64 of Steele, Lea and Flood, "Fast
-- splittable pseudorandom number generators", OOPSLA 2014), so a stream is saved and put back as two numbers.
local bit = require 'bit'
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'

local shift, xor = bit.rshift, bit.bxor
local GAMMA = 0x9E3779B97F4A7C15ULL

local function mix(z)
  z = xor(z, shift(z, 30)) * 0xBF58476D1CE4E5B9ULL
  z = xor(z, shift(z, 27)) * 0x94D049BB133111EBULL
  return xor(z, shift(z, 31))
end

-- Up to here a Lua number holds every integer.
local LARGEST = 2 ^ 53

-- No longer list of different numbers is made: LuaJIT's tables end soon after.
local MOST_CHOSEN = 2 ^ 26
-- A loop looks at the interrupt flag each time it has drawn so many numbers.
local BETWEEN_LOOKS = 2 ^ 16

local Random = {}
Random.__index = Random

local read = arguments.reader('Random', { { 'seed' }, { 'position', default = 0 } })

--- A stream of its own.
-- @param seed whole number from 0 to 2^53
-- @param[opt=0] position how many numbers are already drawn, from 0 to 2^53
local function new(...)
  local o = read(...)
  arguments.count('Random', 'seed', o.seed, 0, LARGEST)
  arguments.count('Random', 'position', o.position, 0, LARGEST)
  return setmetatable({seed = o.seed, position = o.position}, Random)
end

local function draw(self)
  local i = self.position + 1
  self.position = i
  return mix(self.seed + i * GAMMA)
end

-- From 0 to 1, 1 excluded.
local function unit(self) return tonumber(shift(draw(self), 11)) * 2 ^ -53 end

local define = methods.definer(Random, 'Random')

--- A number from lo up to hi, hi excluded, of 53 random bits; from 0 to 1 when both are left out.
-- @function Random:uniform
define('uniform', { { 'lo' }, { 'hi' } }, function(self, lo, hi)
  if lo == nil and hi == nil then return unit(self) end
  arguments.finite('Random:uniform', 'lo', lo)
  arguments.finite('Random:uniform', 'hi', hi)
  return lo + (hi - lo) * unit(self)
end)

--- uniform for loops in here: lo and hi are known to be numbers.
function Random:_between(lo, hi) return lo + (hi - lo) * unit(self) end

local function integer(self, n) return math.floor(unit(self) * n) + 1 end

--- A whole number from 1 to n, which is 1 to 2^53.
-- @function Random:integer
define('integer', { { 'n' } }, function(self, n)
  arguments.count('Random:integer', 'n', n, 1, LARGEST)
  return integer(self, n)
end)

--- For a loop's turn number i: looks at the interrupt flag now and then, as operations do.
function Random._look(i)
  if i % BETWEEN_LOOKS == 0 then require('metann').zeros(0) end
end

--- Calls fn(...) and returns its one result; when it fails, nothing has been drawn.
function Random:_whole(fn, ...)
  local position = self.position
  local ok, result = pcall(fn, ...)
  if ok then return result end
  self.position = position
  error(result, 0)
end

local function chosen_of(self, n, k)
  local moved, chosen = {}, {}
  for i = 1, k do
    Random._look(i)
    local j = i + integer(self, n - i + 1) - 1
    chosen[i] = moved[j] or j
    moved[j] = moved[i] or i
  end
  return chosen
end

--- The first k places of a random order of 1..n: k different whole numbers (Fisher and Yates, on a sparse array).
-- @function Random:choose
-- @param n from 0 to 2^53
-- @param k from 0 to n, and to 2^26
define('choose', { { 'n' }, { 'k' } }, function(self, n, k)
  arguments.count('Random:choose', 'n', n, 0, LARGEST)
  arguments.count('Random:choose', 'k', k, 0, math.min(n, MOST_CHOSEN))
  return self:_whole(chosen_of, self, n, k)
end)

return setmetatable({}, {__call = methods.constructor('Random', new), __index = Random})
