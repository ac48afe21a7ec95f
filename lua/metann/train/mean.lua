--- A running mean with its 95 % confidence interval.
-- Source of the update: Welford, "Note on a method for calculating corrected sums of squares and products",
-- Technometrics 4(3), 1962: stable however many numbers are added.
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'
local scalar = require 'metann.train.scalar'

local Mean = {}
Mean.__index = Mean

local read = arguments.reader('Mean', {})

local function new(...)
  read(...)
  return setmetatable({count = 0, average = 0, squares = 0}, Mean)
end

local define = methods.definer(Mean, 'Mean')

local function deviation(self) return math.sqrt(self.squares / (self.count - 1)) end

--- Take one more number (or tensor of one number) in; returns self.
-- @function Mean:add
define('add', {{'value'}}, function(self, value)
  value = scalar('Mean:add', 'value', value)
  self.count = self.count + 1
  local before = value - self.average
  self.average = self.average + before / self.count
  self.squares = self.squares + before * (value - self.average)
  return self
end)

--- The mean; NaN before the first number.
-- @function Mean:mean
define('mean', {}, function(self) return self.count > 0 and self.average or 0 / 0 end)

--- Standard deviation of the numbers (of a sample: divided by count - 1); NaN with fewer than two.
-- @function Mean:std
define('std', {}, deviation)

--- Half the width of the 95 % confidence interval of the mean, 1.96 std / sqrt(count), as few-shot papers give it.
-- @function Mean:interval
define('interval', {}, function(self) return 1.96 * deviation(self) / math.sqrt(self.count) end)

return setmetatable({}, {__call = methods.constructor('Mean', new)})
