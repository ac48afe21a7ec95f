-- Writing files: whole or not at all.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local atomic = require 'metann.io.atomic'
local posix = require 'metann.binding.posix'

local folder, path
before_each(function()
  folder = scratch.folder()
  path = folder .. '/file'
end)
after_each(function() scratch.remove(folder) end)

local function shell(command, ...)
  local status, said = scratch.run(command:format(...))
  assert(status == 0, said)
  return said
end

describe('atomic.write', function()
  it('writes strings and memory', function()
    local bytes = require 'metann.binding.bytes'
    assert(atomic.write(path, function(file)
      file:write 'ab\0c'
      bytes.with_elements(metann.tensor({ 100, 101 }, { dtype = 'uint8' }), function(pointer, n) file:write(pointer, n) end)
      file:write ''
    end))
    assert.are.equal('ab\0cde', scratch.read(path))
    assert.are.same({ 'file' }, posix.list(folder))
  end)

  it('leaves the old file alone, and nothing beside it, when the writer raises', function()
    scratch.write(path, 'old')
    assert.has_error(function()
      atomic.write(path, function(file)
        file:write 'half'
        error('stop', 0)
      end)
    end, 'stop')
    assert.are.equal('old', scratch.read(path))
    assert.are.same({ 'file' }, posix.list(folder))
  end)

  it('keeps the permissions of the file that it replaces, and follows links to it', function()
    scratch.write(path, 'old')
    shell("chmod 640 '%s' && ln -s file '%s/link'", path, folder)
    assert(atomic.write(folder .. '/link', function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(path))
    assert.are.equal('640\n', shell("stat -c %%a '%s'", path))
    assert.are.equal('file\n', shell("readlink '%s/link'", folder))
    assert.are.same({ 'file', 'link' }, posix.list(folder))
  end)

  it('makes what a link to nothing points to', function()
    shell("mkdir '%s/sub' && ln -s sub/next '%s/link' && ln -s ../file '%s/sub/next'", folder, folder, folder)
    assert(atomic.check(folder .. '/link'))
    assert.are.same({ 'link', 'sub' }, posix.list(folder))
    assert(atomic.write(folder .. '/link', function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(path))
    assert.are.equal('sub/next\n../file\n', shell("readlink '%s/link' '%s/sub/next'", folder, folder))
    assert.are.same({ 'file', 'link', 'sub' }, posix.list(folder))
    shell("ln -s '%s/whole' '%s/whole link'", folder, folder)
    assert(atomic.write(folder .. '/whole link', function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(folder .. '/whole'))
    shell("ln -s round '%s/round'", folder)
    local ok, message = atomic.write(folder .. '/round', function() end)
    assert.is_nil(ok)
    assert.truthy(message:find('/round: Too many levels', 1, true), message)
  end)

  it("gives a new file the permissions that the process's mask leaves", function()
    assert(atomic.write(path, function() end))
    local mask = tonumber(shell 'umask', 8)
    assert.are.equal(bit.band(438, bit.bnot(mask)), tonumber(shell("stat -c %%a '%s'", path), 8))
  end)

  it('refuses what is no regular file, and says why it could not write', function()
    for target, reason in pairs {
      ['/dev/null'] = 'not a regular file', [folder] = 'not a regular file',
      [folder .. '/none/file'] = 'No such file or directory', [path .. '/x'] = 'Not a directory',
    } do
      scratch.write(path, 'old')
      local ok, message = atomic.write(target, function(file) file:write 'new' end)
      assert.is_nil(ok)
      assert.are.equal(target .. ': ' .. reason, message)
    end
    assert.are.same({ 'file' }, posix.list(folder))
  end)

  it('takes another name when somebody else writes, or what is no temporary file of ours has the name', function()
    local names = {}
    for i = 1, 4 do names[i] = ('%s.metann-%d.tmp'):format(path, i) end
    local writer = assert(posix.create(names[1], 384))
    assert(writer:lock())
    writer:write 'theirs'
    scratch.write(folder .. '/secret', 'mine')
    shell("ln -s secret '%s' && ln '%s/secret' '%s' && mkdir '%s'", names[2], folder, names[3], names[4])
    assert(atomic.write(path, function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(path))
    assert.are.equal('theirs', scratch.read(names[1]))
    assert.are.equal('mine', scratch.read(folder .. '/secret'))
    assert.are.same({ 'file', 'file.metann-1.tmp', 'file.metann-2.tmp', 'file.metann-3.tmp', 'file.metann-4.tmp',
      'secret' }, posix.list(folder))
    writer:close()
  end)

  it('removes what killed writers left of the same target, and nothing else', function()
    scratch.write(folder .. '/other.metann-1.tmp', 'of another target')
    for _, save in ipairs {
      'metann.io.safetensors.save(path, {a = t})', 'metann.io.npz.save(path, {a = t})',
      [[require 'metann.io.atomic'.produce(path, function(out)
        io.open(out .. '.xY12ab', 'w'):write 'as libzip does'
        ffi.C.kill(ffi.C.getpid(), 9)
      end)]],
      [[require 'metann.io.atomic'.write(path, function(file)
        file:write 'half'
        ffi.C.kill(ffi.C.getpid(), 9)
      end)]],
    } do
      scratch.write(folder .. '/script.lua', ([[
        local ffi, metann = require 'ffi', require 'metann'
        ffi.cdef 'int kill(int, int); int getpid(void);'
        local path, t = %q, metann.ones(3)
        %s
      ]]):format(path, save))
      local status = scratch.run(("luajit '%s/script.lua'"):format(folder))
      assert.are.equal(save:find 'kill' and 137 or 0, status)
      local left = #posix.list(folder) > 3
      assert.are.equal(save:find 'kill' ~= nil, left)
    end
    for _, number in ipairs { 2, 5, 16 } do scratch.write(('%s.metann-%d.tmp'):format(path, number), 'left by one of many') end
    assert(atomic.write(path, function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(path))
    assert.are.same({ 'file', 'other.metann-1.tmp', 'script.lua' }, posix.list(folder))
  end)

  it('writes files whose names are as long as names can be', function()
    for _, letter in ipairs { 'n', 'é' } do
      local name = letter:rep(math.floor(255 / #letter))
      assert(atomic.write(folder .. '/' .. name, function(file) file:write 'long' end))
      assert.are.equal('long', scratch.read(folder .. '/' .. name))
      local long = { x = metann.ones(2) }
      metann.io.npz.save(folder .. '/' .. name, long)
      assert.are.same({ 1, 1 }, metann.io.npz.load(folder .. '/' .. name).x:to_table())
      assert.are.same({ name }, posix.list(folder))
      os.remove(folder .. '/' .. name)
    end
  end)

  it('replaces files whatever their permissions', function()
    for _, mode in ipairs { '200', '400', '000', '640' } do
      for what, save in pairs { npy = function() metann.io.npy.save(path, metann.ones(2)) end,
        npz = function() metann.io.npz.save(path, { x = metann.ones(2) }) end } do
        scratch.write(path, 'old')
        shell("chmod %s '%s'", mode, path)
        save()
        assert.are.equal(tonumber(mode, 8), tonumber(shell("stat -c %%a '%s'", path), 8), what)
        shell("chmod 600 '%s'", path)
        assert.truthy(#scratch.read(path) > 100, what)
        assert.are.same({ 'file' }, posix.list(folder))
        os.remove(path)
      end
    end
  end)
end)

-- A limit on the size of files stands for a full disk: writing fails half-way in the same manner.
describe('a disk that fills up', function()
  for what, save in pairs {
    ['safetensors.save'] = "metann.io.safetensors.save(path, {a = t})",
    ['npy.save'] = "metann.io.npy.save(path, t)",
    ['npz.save'] = "metann.io.npz.save(path, {a = t})",
  } do
    it(what .. ' leaves the old file and nothing else', function()
      scratch.write(path, 'old')
      scratch.write(folder .. '/script.lua', ([[
        local metann = require 'metann'
        local path, t = %q, metann.randn(1000, 1000)
        local ok, message = pcall(function() %s end)
        print(ok, message)
      ]]):format(path, save))
      local said = shell("trap '' XFSZ; ulimit -f 100; luajit '%s/script.lua'", folder)
      assert.truthy(said:find '^false', said)
      assert.truthy(said:find 'File too large', said)
      assert.truthy(said:find(what .. ': ' .. path, 1, true), said)
      assert.are.equal('old', scratch.read(path))
      assert.are.same({ 'file', 'script.lua' }, posix.list(folder))
    end)
  end
end)
