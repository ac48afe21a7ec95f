-- safetensors: against files put together by hand, and byte by byte.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local safetensors = metann.io.safetensors

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/a.safetensors'
end)
after_each(function() scratch.remove(folder) end)

--- A file from a header text and data, as the format's page says.
local function file_of(header, data) return string.char(#header % 256, math.floor(#header / 256), 0, 0, 0, 0, 0, 0)
  .. header .. (data or '') end

local function write(header, data) scratch.write(path, file_of(header, data)) end

describe('safetensors.load', function()
  it('reads a file put together by hand', function()
    write('{"__metadata__":{"made":"by hand"},'
      .. '"b":{"dtype":"I64","shape":[2],"data_offsets":[8,24]},'
      .. '"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},'
      .. '"c":{"dtype":"F64","shape":[],"data_offsets":[24,32]},'
      .. '"d":{"dtype":"BOOL","shape":[3],"data_offsets":[32,35]},'
      .. '"none":{"dtype":"U8","shape":[0,4],"data_offsets":[35,35]}}  ',
      '\0\0\128\63\0\0\0\192' -- 1, -2
      .. '\3\0\0\0\0\0\0\0\255\255\255\255\255\255\255\255' -- 3, -1
      .. '\0\0\0\0\0\0\248\63' -- 1.5
      .. '\1\0\1')
    local tensors, metadata = safetensors.load(path)
    assert.are.same({made = 'by hand'}, metadata)
    assert.are.same({{1, -2}}, tensors.a:to_table())
    assert.are.same({3, -1}, tensors.b:to_table())
    assert.are.equal(1.5, tensors.c:item())
    assert.are.equal(0, tensors.c:dim())
    assert.are.same({1, 0, 1}, tensors.d:to_table())
    assert.are.same({0, 4}, tensors.none.shape)
    assert.are.same({'float32', 'int64', 'float64', 'bool', 'uint8'},
      {tensors.a.dtype, tensors.b.dtype, tensors.c.dtype, tensors.d.dtype, tensors.none.dtype})
  end)

  it('reads a file without tensors', function()
    write '{}'
    local tensors, metadata = safetensors.load(path)
    assert.are.same({{}, {}}, {tensors, metadata})
  end)

  local a = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
  local eight = ('\0'):rep(8)
  for what, case in pairs{
    ['a hole between tensors'] = {'{' .. a .. ',"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}', eight .. 'ab',
      'b: data begins at 9, where 8 was expected'},
    ['an overlap'] = {'{' .. a .. ',"b":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}}', eight,
      'b: data begins at 7, where 8 was expected'},
    ['data left over'] = {'{' .. a .. '}', eight .. 'x', 'need 8 bytes of data, the file has 9'},
    ['data missing'] = {'{' .. a .. '}', '\0', 'need 8 bytes of data, the file has 1'},
    ["offsets that don't fit the shape"] = {'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,7]}}', ('x'):rep(7),
      'a: 8 bytes needed, data_offsets give 0 to 7'},
    ['offsets turned round'] = {'{"a":{"dtype":"U8","shape":[0],"data_offsets":[4,0]}}', '', 'a: 0 bytes needed'},
    ['an unknown dtype'] = {'{"a":{"dtype":"F3","shape":[2],"data_offsets":[0,8]}}', eight, 'dtype F3 is unknown'},
    ['a negative size'] = {'{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,8]}}', eight, 'a: shape has -1'},
    ['a size that is no whole number'] = {'{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,8]}}', eight,
      '1.5 is not written as a whole number'},
    ['sizes whose product overflows'] = {
      '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}', '', 'a: shape has more elements than can be counted'},
    ['sizes that overflow beside a 0'] = {
      '{"a":{"dtype":"F32","shape":[9007199254740992,0],"data_offsets":[0,0]}}', '', 'can be counted'},
    ['nine dims'] = {'{"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}}', 'x', '9 dims'},
    ['no shape'] = {'{"a":{"dtype":"U8","data_offsets":[0,1]}}', 'x', 'a: shape is no array'},
    ['one offset'] = {'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}}', 'x', 'data_offsets must be two'},
    ['a dtype of four bits whose elements fill no whole bytes'] = {
      '{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', 'xx', 'data_offsets give 0 to 2'},
    ['a size written with a point'] = {'{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 'x',
      'not written as a whole number'},
    ['an offset beyond 2^53'] = {'{"a":{"dtype":"U8","shape":[0],"data_offsets":[9007199254740994,9007199254740994]}}',
      '', 'beyond 2^53'},
    ['space before the object'] = {' {}', '', 'no JSON object'},
    ['text after the object'] = {'{} x', '', 'end of file expected'},
    ['deep nesting'] = {('['):rep(5000), '', 'JSON'},
    ['a name twice'] = {'{' .. a .. ',' .. a .. '}', eight, 'duplicate'},
    ['metadata that is no string'] = {'{"__metadata__":{"x":1}}', '', '__metadata__: x is no string'},
    ['a header that is a list'] = {'[]', '', 'no JSON object'},
    ['broken JSON'] = {'{"a":', '', 'JSON, line 1'},
    ['a bool of 2'] = {'{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', '\2', 'neither 0 nor 1'},
  } do
    it('refuses ' .. what, function()
      write(case[1], case[2])
      local ok, message = pcall(safetensors.load, path)
      assert.is_false(ok)
      assert.truthy(message:find(case[3], 1, true), message)
      assert.truthy(message:find(path, 1, true), message)
    end)
  end

  it('refuses files cut short, and missing ones', function()
    for text, words in pairs{
      [''] = 'too short for a safetensors file, it is empty', ['\1\2\3'] = 'too short for a safetensors file',
      ['\255\0\0\0\0\0\0\0{}'] = 'the header is said to have 255 bytes, the file has 10',
      [('\255'):rep(8) .. '{}'] = 'the header is said to have 18446744073709551616 bytes',
    } do
      scratch.write(path, text)
      local ok, message = pcall(safetensors.load, path)
      assert.is_false(ok)
      assert.truthy(message:find(path .. ': ' .. words, 1, true), message)
    end
    local ok, message = pcall(safetensors.load, folder .. '/none')
    assert.is_false(ok)
    assert.truthy(message:find('none: No such file', 1, true), message)
  end)
end)

describe('safetensors.save', function()
  it('writes what the format asks for, byte by byte', function()
    safetensors.save(path, {
      w = metann.tensor{{1, -2}}, n = metann.tensor({3}, {dtype = 'int64'}), b = metann.tensor{true, false},
    }, {made = 'here'})
    local text = scratch.read(path)
    local length = text:byte(1) + 256 * text:byte(2)
    assert.are.equal(0, (8 + length) % 8)
    assert.are.equal('{"__metadata__":{"made":"here"},'
      .. '"n":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},'
      .. '"w":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},'
      .. '"b":{"dtype":"BOOL","shape":[2],"data_offsets":[16,18]}}', (text:sub(9, 8 + length):gsub(' +$', '')))
    assert.are.equal('\3\0\0\0\0\0\0\0' .. '\0\0\128\63\0\0\0\192' .. '\1\0', text:sub(9 + length))
  end)

  it('round-trips every dtype, 0-dim, empty and strided tensors', function()
    local t = {
      double = metann.tensor({{0.1, -0.2}, {1e300, 5e-324}}, {dtype = 'float64'}), scalar = metann.tensor(2.5),
      empty = metann.zeros(0, 3), strided = metann.tensor{{1, 2, 3}, {4, 5, 6}}:transpose(1, 2),
      int32 = metann.tensor({-7, 7}, {dtype = 'int32'}), uint8 = metann.tensor({0, 255}, {dtype = 'uint8'}),
      half = metann.tensor{1, -0.5}:to 'float16', bfloat = metann.tensor{1, -0.5}:to 'bfloat16',
    }
    safetensors.save(path, t)
    local back = safetensors.load(path)
    for name, tensor in pairs(t) do
      assert.are.equal(tensor.dtype, back[name].dtype)
      assert.are.same(tensor.shape, back[name].shape)
      assert.are.same(tensor:to('float64'):to_table(), back[name]:to('float64'):to_table())
    end
  end)

  it('leaves the old file alone when something goes wrong', function()
    safetensors.save(path, {a = metann.tensor{1}})
    local before = scratch.read(path)
    assert.is_false((pcall(safetensors.save, path, {a = 'text'})))
    assert.is_false((pcall(safetensors.save, path, {a = metann.tensor{1}}, {x = 1})))
    assert.is_false((pcall(safetensors.save, path, {['\255'] = metann.tensor{1}})))
    assert.are.equal(before, scratch.read(path))
    assert.are.same({'a.safetensors'}, require('metann.binding.posix').list(folder))
  end)

  it('names what is wrong', function()
    for pattern, call in pairs{
      ['x must be a tensor, got'] = function() safetensors.save(path, {x = 3}) end,
      ['a name must be a string'] = function() safetensors.save(path, {metann.tensor(1)}) end,
      ['metadata must have strings'] = function() safetensors.save(path, {}, {a = 1}) end,
      ['No such file'] = function() safetensors.save(folder .. '/none/a', {}) end,
      ["safetensors.save: 'path' must be given, as in save(path, tensors, metadata)"] = function() safetensors.save(nil, {}) end,
      ["'path' must be a path without zero bytes"] = function() safetensors.save('a\0b', {}) end,
      ['a table of tensors by name expected, got float32 tensor of size ()'] = function() safetensors.save(path, metann.tensor(1)) end,
      ["a name must be a string other than __metadata__, got string '__metadata__'"] = function()
        safetensors.save(path, {__metadata__ = metann.tensor(1)})
      end,
      ['is not UTF-8'] = function() safetensors.save(path, {['\255'] = metann.tensor(1)}) end,
      ['metadata must be a table, got number 3'] = function() safetensors.save(path, {}, 3) end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find(pattern, 1, true), message)
      assert.truthy(message:find 'io_safetensors_spec', message)
    end
  end)
end)

describe('safetensors.open', function()
  local function sample()
    safetensors.save(path, {a = metann.tensor{1, 2}, b = metann.tensor({3}, {dtype = 'int64'})}, {made = 'here'})
    return safetensors.open(path)
  end

  it('reads single tensors when they are asked for', function()
    local reader = sample()
    assert.are.same({'b', 'a'}, reader:names())
    assert.are.same({made = 'here'}, reader:metadata())
    assert.are.same({dtype = 'int64', shape = {1}, bytes = 8}, reader:info 'b')
    assert.are.same({1, 2}, reader:get 'a':to_table())
    assert.are.equal('safetensors ' .. path .. ': 2 tensors', tostring(reader))
    local first, second = reader:get 'a', reader:get 'a'
    first:fill_(9)
    assert.are.same({1, 2}, second:to_table())
    reader:close()
    reader:close()
    assert.are.same({9, 9}, first:to_table())
  end)

  it('takes memory only for what is read', function()
    -- a file of 64 GiB, all of it hole
    local text = file_of('{"big":{"dtype":"U8","shape":[68719476736],"data_offsets":[0,68719476736]},'
      .. '"small":{"dtype":"F32","shape":[2],"data_offsets":[68719476736,68719476744]}}')
    scratch.write(path, text)
    assert(scratch.run(("truncate -s %d '%s'"):format(#text + 68719476744, path)) == 0)
    local reader = safetensors.open(path)
    local before = metann.memory().live_bytes
    assert.are.same({0, 0}, reader:get 'small':to_table())
    assert.is_true(metann.memory().live_bytes - before < 4096)
    reader:close()
  end)

  it('names the file when there is no memory for a tensor', function()
    safetensors.save(path, {big = metann.zeros(1e6)})
    local limit = metann.memory().limit_bytes
    collectgarbage()
    metann.empty_cache()
    metann.set_memory_limit(metann.memory().live_bytes + 1e5)
    for _, load in ipairs{safetensors.load, function(p) return safetensors.open(p):get 'big' end} do
      local ok, message = pcall(load, path)
      assert.is_false(ok)
      assert.truthy(message:find('spec.lua:%d+: safetensors[.load]*: ' .. path:gsub('%p', '%%%0') .. ': out of memory'),
        message)
    end
    metann.set_memory_limit(limit)
  end)

  it('gives errors for unknown names, a closed file, and a file cut short meanwhile', function()
    local reader = sample()
    local ok, message = pcall(reader.get, reader, 'A')
    assert.is_false(ok)
    assert.truthy(message:find("there is no tensor A, did you mean 'a'?", 1, true), message)
    local size = #scratch.read(path)
    assert(scratch.run(("truncate -s %d '%s'"):format(size - 4, path)) == 0)
    assert.are.same({3}, reader:get 'b':to_table())
    ok, message = pcall(reader.get, reader, 'a')
    assert.is_false(ok)
    assert.truthy(message:find('a: the file has become shorter', 1, true), message)
    reader:close()
    ok, message = pcall(reader.get, reader, 'b')
    assert.is_false(ok)
    assert.truthy(message:find('b: the file is closed', 1, true), message)
  end)

  it('goes on with the old file when a new one is put in its place', function()
    local reader = sample()
    safetensors.save(path, {a = metann.tensor{7}})
    assert.are.same({1, 2}, reader:get 'a':to_table())
    reader:close()
  end)

  it('names what is wrong', function()
    for pattern, call in pairs{
      ['safetensors: ' .. folder .. ': not a regular file'] = function() safetensors.open(folder) end,
      ['safetensors: /dev/null: not a regular file'] = function() safetensors.open '/dev/null' end,
      ["unknown option 'fro', did you mean 'from'"] = function() safetensors.open(path, {fro = 'pytorch'}) end,
      ["'map' must be true or false, got number 1"] = function() safetensors.load(path, {map = 1}) end,
      ["'from' must be one of 'pytorch', got string 'torch'"] = function() safetensors.load(path, {from = 'torch'}) end,
      ['safetensors.load: takes 1 argument, got 2'] = function() safetensors.load(path, 'pytorch') end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find(pattern, 1, true), message)
      assert.truthy(message:find 'io_safetensors_spec', message)
    end
  end)
end)

describe('tensors on the pages of a file', function()
  local function sample()
    safetensors.save(path, {
      a = metann.tensor{{1, 2, 3}, {4, 5, 6}}, b = metann.tensor{true, false}, c = metann.tensor({2 ^ 53}, {dtype = 'int64'}),
      e = metann.zeros(0, 3), h = metann.tensor{1, 2, 3}:to 'float16',
    })
  end

  it('are the tensors of the file, of every layout that ops ask for', function()
    sample()
    local plain, mapped = safetensors.load(path), safetensors.load(path, {map = true})
    for name, t in pairs(plain) do
      assert.are.equal(t.dtype, mapped[name].dtype)
      assert.are.same(t.shape, mapped[name].shape)
      assert.are.same(t:to('float64'):to_table(), mapped[name]:to('float64'):to_table())
    end
    assert.are.same({{13, 28}, {28, 61}}, mapped.a[{{}, {2, 3}}]:matmul(mapped.a[{{}, {2, 3}}]:t()):to_table())
    assert.are.equal(91, (mapped.a * mapped.a):sum():item())
    assert.are.same({{1, 4}, {2, 5}, {3, 6}}, mapped.a:t():contiguous():to_table())
  end)

  it('take no memory of the core, live on without the reader, and can be differentiated', function()
    sample()
    local before = require('tests.support.rows').live()
    local reader = safetensors.open(path, {map = true})
    local a = reader:get 'a'
    reader:close()
    reader = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local b = a:requires_grad_(true) * 2
    b:sum():backward()
    assert.are.same({{2, 2, 2}, {2, 2, 2}}, a.grad:to_table())
    a, b = nil, nil -- luacheck: ignore 311
    assert.are.equal(before, require('tests.support.rows').live())
  end)

  it('may be written to, which changes neither the file nor other tensors of it', function()
    sample()
    local text = scratch.read(path)
    local reader = safetensors.open(path, {map = true})
    local one, two = reader:get 'a', safetensors.load(path, {map = true}).a
    one:fill_(9)
    one[1] = 7
    assert.are.same({{7, 7, 7}, {9, 9, 9}}, one:to_table())
    assert.are.same({{1, 2, 3}, {4, 5, 6}}, two:to_table())
    assert.are.equal(text, scratch.read(path))
    reader:close()
  end)

  it('stay when the file is replaced or removed; one cut short before is an error', function()
    sample()
    local reader = safetensors.open(path, {map = true})
    local a = reader:get 'a'
    safetensors.save(path, {a = metann.zeros(1)})
    os.remove(path)
    assert.are.same({{1, 2, 3}, {4, 5, 6}}, a:to_table())
    assert.are.same({2 ^ 53}, reader:get 'c':to_table())
    reader:close()
    local ok, message = pcall(reader.get, reader, 'a')
    assert.is_false(ok)
    assert.truthy(message:find('a: the file is closed', 1, true), message)
    sample()
    reader = safetensors.open(path, {map = true})
    assert(scratch.run(("truncate -s 100 '%s'"):format(path)) == 0)
    ok, message = pcall(reader.get, reader, 'a')
    assert.is_false(ok)
    assert.truthy(message:find('a: the file has become shorter', 1, true), message)
    reader:close()
  end)

  it('are of files larger than the memory that may be taken', function()
    local header = '{"big":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]},'
      .. '"small":{"dtype":"F32","shape":[2],"data_offsets":[4294967296,4294967304]}}'
    local text = file_of(header .. (' '):rep(-#header % 8))
    scratch.write(path, text)
    assert(scratch.run(("truncate -s %d '%s'"):format(#text + 4294967304, path)) == 0)
    local limit = metann.memory().limit_bytes
    metann.set_memory_limit(metann.memory().live_bytes + 1e6)
    local mapped = safetensors.load(path, {map = true})
    assert.are.same({0, 0}, mapped.small:to_table())
    assert.are.same({0, 0}, mapped.big[{{1073741823, 1073741824}}]:to_table())
    metann.set_memory_limit(limit)
  end)

  it('are copies where the file has them at odd places', function()
    write('{"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}}',
      'x\0\0\128\63')
    assert.are.equal(1, safetensors.load(path, {map = true}).a:item())
  end)

  it('are what metann.load gives as well', function()
    local base = metann.arange(6)
    metann.save(path, {base, base:view(2, 3):t()})
    local back = metann.load(path, {map = true})
    back[1]:fill_(3)
    assert.are.same({{3, 3}, {3, 3}, {3, 3}}, back[2]:to_table())
    assert.are.same({0, 1, 2, 3, 4, 5}, metann.load(path)[1]:to_table())
  end)
end)
