-- npy and npz: files put together by hand, round trips, and what they refuse. (io_files_spec.lua has NumPy's own files.)
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local npy, npz = metann.io.npy, metann.io.npz

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/a.npy'
end)
after_each(function() scratch.remove(folder) end)

--- A file of version 1 from the header's text and the elements, as the format's page says.
local function npy_of(header, data)
  return '\147NUMPY\1\0' .. string.char(#header % 256, math.floor(#header / 256)) .. header .. (data or '')
end

local function header_of(descr, shape, fortran)
  return ("{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n"):format(descr, fortran or 'False', shape)
end

local function fails(fn, pattern)
  local ok, message = pcall(fn)
  assert.is_false(ok, pattern)
  assert.truthy(message:find(pattern, 1, true), message)
  assert.truthy(message:find 'io_npy_spec', message)
end

describe('npy.load', function()
  local function load(header, data)
    scratch.write(path, npy_of(header, data))
    return npy.load(path)
  end

  it('reads what was put together by hand', function()
    assert.are.same({ { 1, -2 } }, load(header_of('<f4', '(1, 2)'), '\0\0\128\63\0\0\0\192'):to_table())
    assert.are.same({ 258, 1 }, load(header_of('>i4', '(2,)'), '\0\0\1\2\0\0\0\1'):to_table())
    assert.are.same({ { 1, 3 }, { 2, 4 } }, load(header_of('|u1', '(2, 2)', 'True'), '\1\2\3\4'):to_table())
    assert.are.equal(3, load(header_of('|u1', '()'), '\3'):item())
    assert.are.same({ 0, 4 }, load(header_of('<f8', '(0, 4)'), ''):size())
  end)

  it('takes the dictionary in any order and spacing that Python may write', function()
    for _, header in ipairs {
      '{"shape":(2,),"fortran_order":False,"descr":"|u1"}', "{ 'shape' : ( 2 , ) , 'fortran_order':False,'descr':'u1'}\n",
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2L,)}   \n",
    } do
      assert.are.same({ 1, 2 }, load(header, '\1\2'):to_table())
    end
  end)

  for what, case in pairs {
    ['an empty file'] = { '', 'too short' },
    ['a file cut in the header'] = { npy_of(header_of('|u1', '(2,)')):sub(1, 40), 'the header is said to have' },
    ['another kind of file'] = { ('x'):rep(100), 'not an npy file' },
    ['a version to come'] = { '\147NUMPY\4\0\2\0{}\n', 'version 4.0' },
    ['missing elements'] = { npy_of(header_of('<f4', '(2,)'), '\0\0\0\0'), 'need 8 bytes, the file has 4' },
    ['elements left over'] = { npy_of(header_of('|u1', '(2,)'), '123'), 'need 2 bytes, the file has 3' },
    ['sizes whose product overflows'] = { npy_of(header_of('<f4', '(4294967296, 4294967296)')), 'can be counted' },
    ['sizes that overflow before a 0'] = { npy_of(header_of('<f4', '(4294967296, 4294967296, 0)')), 'can be counted' },
    ['a huge size'] = { npy_of(header_of('<f4', '(1' .. ('0'):rep(400) .. ',)')), 'can be counted' },
    ['a size that asks for all memory'] = { npy_of(header_of('<f4', '(1000000000000,)')), 'need 4000000000000 bytes' },
    ['a negative size'] = { npy_of(header_of('<f4', '(-1,)')), "'shape' is not understood" },
    ['a number for a tuple'] = { npy_of(header_of('<f4', '(2)')), "'shape' is not understood" },
    ['sizes without commas'] = { npy_of(header_of('<f4', '(2 3)')), "'shape' is not understood" },
    ['an empty place in the tuple'] = { npy_of(header_of('<f4', '(2,,3)')), "'shape' is not understood" },
    ['a leading zero'] = { npy_of(header_of('<f4', '(02,)')), "'shape' is not understood" },
    ['nine dims'] = { npy_of(header_of('|u1', '(' .. ('1, '):rep(9) .. ')'), '1'), '9 dims' },
    ['code for a shape'] = { npy_of(header_of('<f4', "__import__('os').system('true')")), "'shape' is not understood" },
    ['a word for an order'] = { npy_of(header_of('<f4', '(2,)', 'Maybe')), "'fortran_order' is not understood" },
    ['a dtype without byte order'] = { npy_of(header_of('|f4', '(1,)'), '1234'), 'no byte order' },
    ['an unknown dtype'] = { npy_of(header_of('<q7', '(1,)'), '1234'), "dtype '<q7' is not read" },
    ['no dtype at all'] = { npy_of(header_of('', '(1,)'), '1234'), "dtype '' is unknown" },
    ['text after the dictionary'] = { npy_of(header_of('|u1', '(1,)') .. '; os', '1'), 'goes on after' },
    ['an unknown key'] = { npy_of("{'descr': '|u1', 'x': 1}\n"), 'unknown key' },
    ['a key twice'] = { npy_of("{'descr': '|u1', 'descr': '|u1'}\n"), "'descr' twice" },
    ['a missing key'] = { npy_of("{'descr': '|u1', 'shape': ()}\n", '1'), "no 'fortran_order'" },
    ['keys without a comma'] = { npy_of("{'descr': '|u1' 'shape': ()}\n", '1'), 'no comma' },
    ['no dictionary'] = { npy_of '[1]\n', 'no dictionary' },
    ['an open dictionary'] = { npy_of "{'descr': '|u1', ", 'unknown key' },
    ['a bool of 2'] = { npy_of(header_of('|b1', '(1,)'), '\2'), 'neither 0 nor 1' },
  } do
    it('refuses ' .. what, function()
      scratch.write(path, case[1])
      fails(function() npy.load(path) end, case[2])
      fails(function() npy.load(path) end, path)
      scratch.zip(folder .. '/a.npz', { { 'x.npy', case[1] } })
      fails(function() npz.load(folder .. '/a.npz') end, 'x: ')
    end)
  end
end)

describe('npy and npz', function()
  it('give back every dtype, 0-dim, empty and strided tensors', function()
    local tensors = {
      double = metann.tensor({ { 0.1, -0.2 }, { 1e300, 5e-324 } }, { dtype = 'float64' }), scalar = metann.tensor(2.5),
      empty = metann.zeros(0, 3), strided = metann.tensor { { 1, 2, 3 }, { 4, 5, 6 } }:transpose(1, 2),
      int32 = metann.tensor({ -7, 7 }, { dtype = 'int32' }), uint8 = metann.tensor({ 0, 255 }, { dtype = 'uint8' }),
      half = metann.tensor { 1, -0.5 }:to 'float16', bool = metann.tensor { true, false },
      long = metann.tensor({ 2 ^ 53, -1 }, { dtype = 'int64' }), ['a/b ü'] = metann.ones(1, 2, 3, 4, 5, 6, 7, 8),
    }
    local function same(want, got)
      assert.are.same({ want.dtype, want.shape }, { got.dtype, got.shape })
      assert.are.same(want:to('float64'):to_table(), got:to('float64'):to_table())
    end
    for _, t in pairs(tensors) do
      npy.save(path, t)
      same(t, npy.load(path))
    end
    for _, compress in ipairs { false, true } do
      npz.save(folder .. '/a.npz', tensors, { compress = compress })
      local back, n = npz.load(folder .. '/a.npz'), 0
      for name, t in pairs(back) do
        same(tensors[name], t)
        n = n + 1
      end
      assert.are.equal(10, n)
    end
  end)

  it('write equal files for equal tensors, smaller ones when asked', function()
    local t = { b = metann.zeros(1000), a = metann.ones(1000) }
    npz.save(folder .. '/a', t)
    npz.save(folder .. '/b', { a = t.a, b = t.b })
    npz.save(folder .. '/c', t, { compress = true })
    assert.are.equal(scratch.read(folder .. '/a'), scratch.read(folder .. '/b'))
    assert.is_true(#scratch.read(folder .. '/c') < 1000)
    npz.save(folder .. '/a', {})
    assert.are.same({}, npz.load(folder .. '/a'))
  end)

  it('name what is wrong', function()
    local t = metann.tensor { 1 }
    for pattern, call in pairs {
      ["npy.save: 'path' must be given, as in save(path, t)"] = function() npy.save(nil, t) end,
      ["npy.load: 'path' must be given, as in load(path)"] = function() npy.load() end,
      ["npy.save: 't' must be a tensor, got number 3"] = function() npy.save(path, 3) end,
      ["npy.save: NumPy has no bfloat16: convert the tensor first"] = function() npy.save(path, t:to 'bfloat16') end,
      ['npy.load: ' .. folder .. '/none: No such file'] = function() npy.load(folder .. '/none') end,
      ['npy.load: ' .. folder .. ': not a regular file'] = function() npy.load(folder) end,
      ['npz.load: ' .. folder .. ': not a regular file'] = function() npz.load(folder) end,
      ['npz.load: ' .. folder .. '/none: No such file'] = function() npz.load(folder .. '/none') end,
      ['npz.save: a table of tensors by name expected, got float32 tensor of size (1,)'] = function() npz.save(path, t) end,
      ['npz.save: x must be a tensor, got number 3'] = function() npz.save(path, { x = 3 }) end,
      ['npz.save: x: NumPy has no bfloat16'] = function() npz.save(path, { x = t:to 'bfloat16' }) end,
      ['npz.save: a name must be a string without zero bytes, got number 1'] = function() npz.save(path, { t }) end,
      ["npz.save: unknown option 'compres', did you mean 'compress'"] = function() npz.save(path, {}, { compres = 1 }) end,
      ["npz.save: 'compress' must be true or false, got number 1"] = function() npz.save(path, {}, { compress = 1 }) end,
      ['npz.save: takes 2 arguments, got 3'] = function() npz.save(path, {}, true) end,
    } do
      fails(call, pattern)
    end
  end)
end)

describe('npz.load', function()
  local whole = npy_of(header_of('|u1', '(2,)'), '\1\2')

  it('refuses entries that are no arrays, doubled names, and damage', function()
    scratch.zip(path, { { 'x.npy', whole }, { 'readme.txt', 'x' } })
    fails(function() npz.load(path) end, "the entry 'readme.txt' is no .npy file")
    scratch.zip(path, { { 'x.npy', whole }, { 'y.npy', whole } })
    local text = scratch.read(path)
    scratch.write(path, (text:gsub('y%.npy', 'x.npy')))
    fails(function() npz.load(path) end, 'x is there twice')
    scratch.write(path, text:sub(1, #text - 5))
    fails(function() npz.load(path) end, path)
  end)

  it("refuses a size that its bytes can't hold, before taking memory", function()
    scratch.zip(path, { { 'x.npy', whole } })
    local text = scratch.read(path)
    -- the size after unpacking, in the central directory: 24 bytes after its signature
    local at = text:find('PK\1\2', 1, true)
    scratch.write(path, text:sub(1, at + 23) .. '\0\0\0\64' .. text:sub(at + 28))
    local before = metann.memory().peak_bytes
    fails(function() npz.load(path) end, path)
    assert.are.equal(before, metann.memory().peak_bytes)
  end)
end)
