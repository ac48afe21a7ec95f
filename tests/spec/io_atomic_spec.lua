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

  it('takes another name when a stranger has the temporary one', function()
    local name = ('%s.%d-1.tmp'):format(path, posix.pid())
    scratch.write(name, 'theirs')
    assert(atomic.write(path, function(file) file:write 'new' end))
    assert.are.equal('new', scratch.read(path))
    assert.are.equal('theirs', scratch.read(name))
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
