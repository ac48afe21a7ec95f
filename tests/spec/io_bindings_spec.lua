-- The thin wrappers of other C libraries: JSON, PNG, zip, POSIX.
local ffi = require 'ffi'
local scratch = require 'tests.support.scratch'
local json = require 'metann.binding.json'
local png = require 'metann.binding.png'
local posix = require 'metann.binding.posix'
local zip = require 'metann.binding.zip'
local clib = require 'metann.binding.clib'

describe('JSON', function()
  it('reads every kind of value', function()
    local value = json.decode '{"a": [1, -2.5, true, false, null, "x\\u00e9\\n"], "b": {}, "c": []}'
    assert.are.same({1, -2.5, true, false, json.null, 'xé\n'}, {unpack(value.a)})
    assert.is_false(json.is_array(value.b))
    assert.is_true(json.is_array(value.c))
    assert.are.equal(7, json.decode '7')
  end)

  it('refuses what is not JSON, with the place', function()
    for text, pattern in pairs{
      ['[1'] = 'line 1, column 2', ['{"a":1,"a":2}'] = 'duplicate', ['[1] x'] = 'end of file', [''] = 'line 1',
      ['["\255"]'] = 'unable to decode', ['9007199254740993'] = 'beyond 2%^53', ['[01]'] = 'line 1',
    } do
      local value, message = json.decode(text)
      assert.is_nil(value)
      assert.truthy(message:find(pattern), text .. ': ' .. message)
    end
  end)

  it('writes one line with sorted keys', function()
    local value = {b = {1, 2.5, json.null}, a = json.array {}, c = {}, d = 'é"', e = true, f = 2 ^ 53}
    assert.are.equal('{"a":[],"b":[1,2.5,null],"c":{},"d":"é\\"","e":true,"f":9007199254740992}', json.encode(value))
  end)

  it('refuses values that JSON lacks', function()
    assert.has_error(function() json.encode{f = print} end, 'json.encode: a function has no JSON form')
    assert.has_error(function() json.encode{0 / 0} end, 'json.encode: JSON has no number for ' .. tostring(0 / 0))
    assert.has_error(function() json.encode{['\255'] = 1} end)
    assert.has_error(function() json.encode{[3] = 1} end)
  end)
end)

describe('PNG', function()
  it('gives back the pixels that were written', function()
    local rows = {{0, 128, 255}, {1, 2, 3}}
    local pixels, width, height = png.decode_gray(scratch.png(rows))
    assert.are.same({3, 2}, {width, height})
    for i = 1, 2 do
      for j = 1, 3 do assert.are.equal(rows[i][j], pixels[(i - 1) * 3 + j - 1]) end
    end
  end)

  it('says what is wrong with broken files', function()
    local whole = scratch.png(scratch.drawing(1, 21))
    for _, text in ipairs{'', 'no picture at all', whole:sub(1, #whole - 30), whole:sub(1, 40)} do
      local pixels, message = png.decode_gray(text)
      assert.is_nil(pixels)
      assert.truthy(#message > 0)
    end
  end)

  it('refuses a size that would take all memory', function()
    local header = scratch.png{{0}}
    -- width, in the header that comes first; its checksum is wrong then, which is an error as well
    local pixels = png.decode_gray(header:sub(1, 16) .. '\127\255\255\255' .. header:sub(21))
    assert.is_nil(pixels)
  end)
end)

describe('zip', function()
  local folder
  before_each(function() folder = scratch.folder() end)
  after_each(function() scratch.remove(folder) end)

  it('lists and reads entries', function()
    local text = ('some text '):rep(1000)
    scratch.zip(folder .. '/a.zip', {{'x/y.txt', text}, {'empty', ''}, {'z.txt', 'z'}})
    local texts, names = scratch.unzip(folder .. '/a.zip')
    assert.are.same({'x/y.txt', 'empty', 'z.txt'}, names)
    assert.are.same({['x/y.txt'] = text, empty = '', ['z.txt'] = 'z'}, texts)
    local archive = assert(zip.open(folder .. '/a.zip'))
    archive:close()
    archive:close()
  end)

  it('says what is wrong', function()
    local archive, message = zip.open(folder .. '/none.zip')
    assert.is_nil(archive)
    assert.truthy(message:find 'No such file')
    scratch.zip(folder .. '/a.zip', {{'a', ('some text '):rep(1000)}})
    local whole = scratch.read(folder .. '/a.zip')
    scratch.write(folder .. '/b.zip', whole:sub(1, #whole - 10))
    archive, message = zip.open(folder .. '/b.zip')
    assert.is_nil(archive)
    assert.truthy(#message > 0)
    -- data changed: the checksum tells
    scratch.write(folder .. '/c.zip', whole:sub(1, 40) .. '\1\2\3\4' .. whole:sub(45))
    archive = assert(zip.open(folder .. '/c.zip'))
    local got
    got, message = archive:read(archive:entries()[1], function(n) return ffi.new('uint8_t[?]', n) end)
    assert.is_nil(got)
    assert.truthy(#message > 0)
  end)
end)

describe('POSIX', function()
  it('lists folders and tells files from missing ones', function()
    local folder = scratch.folder()
    scratch.write(folder .. '/b', '')
    scratch.write(folder .. '/a', '')
    scratch.write(folder .. '/c/d', '')
    assert.are.same({'a', 'b', 'c'}, posix.list(folder))
    assert.are.equal('file', (select(3, posix.list(folder .. '/a'))))
    assert.are.equal('missing', (select(3, posix.list(folder .. '/x'))))
    scratch.remove(folder)
  end)

  it('has a clock that runs forward', function()
    local before = posix.clock()
    assert.is_true(posix.clock() >= before)
  end)
end)

it('a missing C library is an error with the package to install', function()
  local ok, message = pcall(clib.open, 'libnothing', {'libnothing.so.1'}, 'libnothing1')
  assert.is_false(ok)
  assert.truthy(message:find('libnothing is not installed (on Debian and Ubuntu: apt-get install libnothing1', 1, true))
end)
