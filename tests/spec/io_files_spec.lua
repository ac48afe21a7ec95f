-- Files that the Python packages wrote (tests/golden/io, made by make.py there): read to the values that make.py gives, and
-- written again byte for byte.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local safetensors, npy, npz = metann.io.safetensors, metann.io.npy, metann.io.npz

local GOLDEN = 'tests/golden/io/'
local folder
before_each(function() folder = scratch.folder() end)
after_each(function() scratch.remove(folder) end)

local INF = math.huge
local VALUES = {
  float64 = { { 1.5, -0, 65504 }, { -2, INF, 2 ^ -14 } }, float32 = { { 1.5, -0, 65504 }, { -2, INF, 2 ^ -14 } },
  float16 = { { 1.5, -0, 65504 }, { -2, INF, 2 ^ -14 } }, bfloat16 = { { 1.5, -0, 3 }, { -2, INF, 2 ^ -14 } },
  int64 = { { 1, -2, 2 ^ 53 }, { -2 ^ 53, 0, 7 } }, int32 = { { 1, -2, 2 ^ 31 - 1 }, { -2 ^ 31, 0, 7 } },
  uint8 = { { 0, 1, 255 }, { 128, 2, 7 } }, bool = { { 1, 0, 1 }, { 0, 0, 1 } },
}

--- Values of a tensor as nested tables of numbers, exactly.
local function numbers(t)
  return t.dtype == 'int64' and t:to_table() or t:to('float64'):to_table()
end

local function check(name, dtype, t)
  assert.are.equal(dtype, t.dtype, name)
  assert.are.same(VALUES[dtype], numbers(t), name)
  if dtype:find 'float' then assert.are.equal(-INF, 1 / numbers(t)[1][2], name .. ': the sign of zero') end
end

local function entries(path) return (scratch.unzip(path)) end

describe('safetensors and the Python package', function()
  local path = GOLDEN .. 'every_dtype.safetensors'

  it('agree on every dtype, read here', function()
    local tensors, metadata = safetensors.load(path)
    for dtype in pairs(VALUES) do check(dtype, dtype, tensors[dtype]) end
    assert.are.equal(2.5, tensors.scalar:item())
    assert.are.same({}, tensors.scalar.shape)
    assert.are.same({ 0, 3 }, tensors.empty.shape)
    assert.are.equal(7, tensors['näme "quoted"\\\n/1']:item())
    assert.are.same({ ['made by'] = 'Python, ü' }, metadata)
  end)

  it('write the same bytes', function()
    local tensors, metadata = safetensors.load(path)
    safetensors.save(folder .. '/again', tensors, metadata)
    assert.are.equal(scratch.read(path), scratch.read(folder .. '/again'))
  end)

  for _, name in ipairs { 'I8', 'I16', 'U16', 'U32', 'U64' } do
    it(('a tensor of dtype %s is named; the others can be read'):format(name), function()
      local file = GOLDEN .. 'dtype_' .. name .. '.safetensors'
      local ok, message = pcall(safetensors.load, file)
      assert.is_false(ok)
      assert.truthy(message:find('other: dtype ' .. name .. ' has no counterpart in metann, which reads BF16, BOOL', 1, true),
        message)
      local reader = safetensors.open(file)
      assert.are.same({ 3 }, reader:get 'known':to_table())
      assert.are.equal(name, reader:info 'other'.dtype)
      assert.has_error(function() reader:get 'other' end)
      reader:close()
    end)
  end
end)

describe('npy, npz and NumPy', function()
  it('agree on every dtype, read here', function()
    for _, file in ipairs { 'written.npz', 'written_deflated.npz' } do
      local tensors = npz.load(GOLDEN .. file)
      for dtype in pairs(VALUES) do
        if dtype ~= 'bfloat16' then check(dtype, dtype, tensors[dtype]) end
      end
      assert.are.equal(2.5, tensors.scalar:item())
      assert.are.same({ {}, { 0, 3 }, { 10 }, { 1, 2, 3, 4 } },
        { tensors.scalar.shape, tensors.empty.shape, tensors.long.shape, tensors.dims.shape })
      assert.are.same({ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, tensors.long:to_table())
      assert.are.equal(23, tensors.dims[1][2][3][4]:item())
    end
  end)

  it('write the same bytes', function()
    local tensors = npz.load(GOLDEN .. 'written.npz')
    local wanted = entries(GOLDEN .. 'written.npz')
    for name, t in pairs(tensors) do
      npy.save(folder .. '/a.npy', t)
      assert.are.equal(wanted[name .. '.npy'], scratch.read(folder .. '/a.npy'), name)
    end
    for _, compress in ipairs { false, true } do
      npz.save(folder .. '/a.npz', tensors, { compress = compress })
      assert.are.same(wanted, entries(folder .. '/a.npz'))
    end
  end)

  it('agree on orders, versions and integers that become wider', function()
    local t = npz.load(GOLDEN .. 'variants.npz')
    for _, dtype in ipairs { 'float64', 'float32', 'float16', 'int64', 'int32' } do
      check('big_' .. dtype, dtype, t['big_' .. dtype])
    end
    check('big_fortran', 'float64', t.big_fortran)
    for version = 1, 3 do check('version ' .. version, 'float32', t['version' .. version]) end
    assert.are.same({ { { 0, 1, 2, 3 }, { 4, 5, 6, 7 }, { 8, 9, 10, 11 } },
      { { 12, 13, 14, 15 }, { 16, 17, 18, 19 }, { 20, 21, 22, 23 } } }, t.fortran:to_table())
    assert.is_true(t.fortran:is_contiguous())
    assert.are.same({ 0, 1, 2 }, t.fortran_vector:to_table())
    local wide = {
      int8 = { 'int32', { -128, 127 } }, int16 = { 'int32', { -32768, 32767 } }, uint16 = { 'int32', { 0, 65535 } },
      uint32 = { 'int64', { 0, 2 ^ 32 - 1 } }, big_int16 = { 'int32', { -2, 258 } },
      big_uint32 = { 'int64', { 2 ^ 32 - 2, 258 } },
    }
    for name, want in pairs(wide) do assert.are.same(want, { t[name].dtype, t[name]:to_table() }, name) end
  end)

  it('refuse other dtypes, each with its reason', function()
    local reasons = {
      uint64 = "dtype '<u8' is not read: uint64", complex = "dtype '<c16' is not read: complex numbers",
      text = "dtype '<U1' is not read: text", bytes = "dtype '|S1' is not read: byte strings",
      object = "dtype '|O' is not read: Python objects", date = "dtype '<M8[D]' is not read: dates",
      record = 'structured dtypes are not read',
    }
    for name, text in pairs(entries(GOLDEN .. 'refused.npz')) do
      local path = folder .. '/' .. name
      scratch.write(path, text)
      local ok, message = pcall(npy.load, path)
      assert.is_false(ok)
      assert.truthy(message:find(path .. ': ' .. reasons[name:match '^%w+'], 1, true), message)
    end
    local ok, message = pcall(npz.load, GOLDEN .. 'refused.npz')
    assert.is_false(ok)
    assert.truthy(message:find 'refused.npz: %w+: ', message)
  end)
end)
