--- The dtypes: their names, the core's numbers for them, and what is to be known of each. Everybody else names them.
local pairs = require('metann.binding.traversal').pairs
local dtypes = {}

--- Names in the order of the core's numbers, which count from 0.
dtypes.all = { 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16' }

--- The core's number -> name; and name -> number, PyTorch's other names among them.
dtypes.names, dtypes.codes = {}, {}
for i, name in ipairs(dtypes.all) do dtypes.names[i - 1], dtypes.codes[name] = name, i - 1 end
for other, name in pairs{
  float = 'float32', double = 'float64', long = 'int64', int = 'int32', half = 'float16', byte = 'uint8',
} do
  dtypes.codes[other] = dtypes.codes[name]
end

--- A set by name, and by number for those who have one at hand.
local function set(names)
  local members = {}
  for name in names:gmatch '%S+' do members[name], members[dtypes.codes[name]] = true, true end
  return members
end

dtypes.floats = set 'float32 float64 float16 bfloat16'
dtypes.integers = set 'int64 int32 uint8' -- bool is none
dtypes.halves = set 'float16 bfloat16' -- for storage: no row computes in them, and Lua can't read them

--- Where two dtypes meet, the higher category wins; within one the wider of the two.
dtypes.category = { bool = 1, uint8 = 2, int32 = 2, int64 = 2, float16 = 3, bfloat16 = 3, float32 = 3, float64 = 3 }
dtypes.rank = { bool = 1, uint8 = 1, int32 = 2, int64 = 3, float16 = 1, bfloat16 = 1, float32 = 2, float64 = 3 }

--- Bytes per element.
dtypes.width = { float32 = 4, float64 = 8, int64 = 8, int32 = 4, uint8 = 1, bool = 1, float16 = 2, bfloat16 = 2 }

return dtypes
