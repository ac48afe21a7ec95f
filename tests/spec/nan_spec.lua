-- NaNs come in many bits, and LuaJIT keeps the types of values in those of some: whatever a tensor holds, Lua gets
-- numbers, and files get the bits that are there.
local ffi = require 'ffi'
local metann = require 'metann'
local safetensors = require 'metann.io.safetensors'
local npy = require 'metann.io.npy'
local scratch = require 'tests.support.scratch'

local NPY = { float64 = '<f8', float32 = '<f4', float16 = '<f2' }
local SAFE = { float64 = 'F64', float32 = 'F32', float16 = 'F16', bfloat16 = 'BF16' }

-- dtype -> little-endian bytes of NaNs: both signs, quiet and not, the least and the largest payloads, and such as LuaJIT
-- would take for nil, booleans, strings, tables, functions and cdata.
local BITS = { float64 = {}, float32 = {}, float16 = {}, bfloat16 = {} }
for _, top in ipairs{ 0x7ff8, 0xfff8, 0x7ff0, 0xfff0, 0xfff9, 0xfffa, 0xfffb, 0xfffd, 0xfffe, 0xffff, 0x7fff } do
  for _, rest in ipairs{ '\0\0\0\0\0\1', '\255\255\255\255\255\255', 'AAAA\0\0', '\64\65\66\67\127\255' } do
    table.insert(BITS.float64, rest .. string.char(top % 256, math.floor(top / 256)))
  end
end
for _, top in ipairs{ 0x7fc0, 0xffc0, 0x7f80, 0xff80, 0xffff, 0xfff4, 0xffd5 } do
  for _, rest in ipairs{ '\1\0', '\255\255', 'AA' } do
    table.insert(BITS.float32, rest .. string.char(top % 256, math.floor(top / 256)))
  end
end
for _, top in ipairs{ 0x7e, 0xfe, 0xff, 0x7d, 0xfd } do
  for _, rest in ipairs{ 1, 0x41, 255 } do table.insert(BITS.float16, string.char(rest, top)) end
end
for _, bits in ipairs{ '\192\127', '\192\255', '\255\255', '\129\255', '\129\127' } do table.insert(BITS.bfloat16, bits) end

local function safetensors_file(dtype, n, data)
  local header = ('{"x":{"dtype":"%s","shape":[%d],"data_offsets":[0,%d]}}'):format(SAFE[dtype], n, #data)
  header = header .. (' '):rep(-#header % 8)
  return string.char(#header, 0, 0, 0, 0, 0, 0, 0) .. header .. data
end

local function npy_file(dtype, n, data)
  local header = ("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }"):format(NPY[dtype], n)
  header = header .. (' '):rep((-#header - 11) % 64) .. '\n'
  return '\147NUMPY\1\0' .. string.char(#header, 0) .. header .. data
end

local function is_nan(x) return type(x) == 'number' and x ~= x and tostring(x):find 'nan' ~= nil end

--- Everything that gives elements of t, all of which are NaN, to Lua.
local function check(t)
  local n = t:numel()
  local flat, nested, halves = t:to_flat_table(), t:to_table(), t:view(1, n):to_table()
  for i = 1, n do
    assert(is_nan(flat[i]) and is_nan(nested[i]) and is_nan(halves[1][i]))
    assert(is_nan(t[i]:item()) and is_nan(t[i]:to_table()))
  end
  local expanded = t:view(n, 1):expand(n, 2):t()
  assert(is_nan(expanded:to_table()[2][n]))
  assert(tostring(t):find 'nan' and tostring(t[1]):find 'nan')
  for _, dtype in ipairs{ 'float64', 'float32', 'float16', 'bfloat16' } do
    for _, x in ipairs(t:to(dtype):to_flat_table()) do assert(is_nan(x)) end
  end
  if t.dtype:find '^float[36]' then
    for _, y in ipairs{ t:sum(), t:max(), t:mean(), t:neg():sum(), (t * 2):prod(), t:clone()[n], t:abs()[1] } do
      assert(is_nan(y:item()))
    end
  end
end

describe('a NaN', function()
  local folder
  setup(function() folder = scratch.folder() end)
  teardown(function() scratch.remove(folder) end)

  for _, dtype in ipairs{ 'float64', 'float32', 'float16', 'bfloat16' } do
    it('of whatever bits is a number in Lua, and keeps its bits in files: ' .. dtype, function()
      local data, n = table.concat(BITS[dtype]), #BITS[dtype]
      local path = folder .. '/' .. dtype
      scratch.overwrite(path .. '.safetensors', safetensors_file(dtype, n, data))
      local x = safetensors.load(path .. '.safetensors').x
      assert.equal(dtype, x.dtype)
      check(x)
      safetensors.save(path .. '.again', { x = x })
      local text = io.open(path .. '.again', 'rb'):read '*a'
      assert.equal(data, text:sub(-#data))
      metann.save(path .. '.saved', { x = x })
      check(metann.load(path .. '.saved').x)
      if NPY[dtype] then
        scratch.overwrite(path .. '.npy', npy_file(dtype, n, data))
        local y = npy.load(path .. '.npy')
        check(y)
        npy.save(path .. '.again.npy', y)
        assert.equal(data, io.open(path .. '.again.npy', 'rb'):read('*a'):sub(-#data))
      end
    end)
  end

  it('out of memory is a number too', function()
    local raw = ffi.new('uint64_t[2]', 0xffffffffffffffffULL, 0xfffa000041414140ULL)
    check(metann.from_buffer(raw, { 2 }, { dtype = 'float64' }))
    local narrow = ffi.new('uint32_t[2]', 0xffffffff, 0xfff41414)
    check(metann.from_buffer(narrow, { 2 }, { dtype = 'float32' }))
  end)
end)
