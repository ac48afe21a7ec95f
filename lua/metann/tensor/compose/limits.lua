--- What the dtypes can hold.
local dtypes = require 'metann.binding.dtypes'
local errors = require 'metann.binding.errors'

local limits = {}

local function float(bits, digits, least, most)
  local eps = 2 ^ -digits
  return {
    bits = bits, eps = eps, max = (2 - eps) * 2 ^ most, min = -(2 - eps) * 2 ^ most, tiny = 2 ^ least,
    smallest_normal = 2 ^ least, resolution = 10 ^ -math.floor(digits * math.log10(2)),
  }
end

local FLOATS = {
  float32 = float(32, 23, -126, 127), float64 = float(64, 52, -1022, 1023), float16 = float(16, 10, -14, 15),
  bfloat16 = float(16, 7, -126, 127),
}
local INTEGERS = {
  int64 = { bits = 64, min = -0x7fffffffffffffffLL - 1, max = 0x7fffffffffffffffLL },
  int32 = { bits = 32, min = -2 ^ 31, max = 2 ^ 31 - 1 }, uint8 = { bits = 8, min = 0, max = 255 },
}

local function reader(name, facts, kind)
  return function(dtype)
    local number = dtypes.codes[dtype == nil and 'float32' or dtype]
    local known = number and facts[dtypes.names[number]]
    if not known then errors.raise("%s: 'dtype' must be %s, got %s", name, kind, errors.describe(dtype)) end
    local copy = { dtype = dtypes.names[number] }
    for _, key in ipairs{ 'bits', 'eps', 'max', 'min', 'tiny', 'smallest_normal', 'resolution' } do copy[key] = known[key] end
    return copy
  end
end

--- Facts about a float dtype ('float32' unless given): bits, eps, max, min, tiny, smallest_normal, resolution, dtype.
-- @function finfo
limits.finfo = reader('finfo', FLOATS, "a float dtype such as 'float32'")
--- Facts about an integer dtype: bits, min, max, dtype; those of int64 are 64-bit integers.
-- @function iinfo
limits.iinfo = reader('iinfo', INTEGERS, "an integer dtype such as 'int64'")

return limits
