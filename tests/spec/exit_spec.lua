-- Processes as a whole: a clean exit whatever is alive, and one clear sentence under PUC Lua.
local scratch = require 'tests.support.scratch'

describe('a process', function()
  it('that used every kernel exits cleanly a hundred times in a row, with tensors alive', function()
    for i = 1, 100 do
      local status, said = scratch.run('luajit tests/support/every_kernel.lua ' .. (i % 2 == 0 and 'close' or ''))
      assert(status == 0 and said:find '^%d+ uses\n$', ('run %d: status %d, it said:\n%s'):format(i, status, said))
    end
  end)

  it('of PUC Lua gets one clear sentence', function()
    local status, said = scratch.run [[lua5.1 -e "require 'metann'"]]
    assert.equal(1, status)
    assert.truthy(said:find 'metann needs LuaJIT 2%.1: this is Lua 5%.1, which has no ffi library')
    assert.falsy(said:find 'loop or previous error')
  end)
end)

describe('an installed copy', function()
  local folder
  setup(function() folder = scratch.folder() end)
  teardown(function() scratch.remove(folder) end)

  it('works from any folder by LUA_PATH and LUA_CPATH that end in two semicolons', function()
    local status, said = scratch.run('cmake --install build --prefix ' .. folder)
    assert(status == 0, said)
    local _, lib = scratch.run('dirname $(find ' .. folder .. ' -name libmetann.so)')
    status, said = scratch.run(([[cd / && env -u METANN_LIBRARY LUA_PATH='%s/share/lua/5.1/?.lua;%s/share/lua/5.1/?/init.lua;;' \
      LUA_CPATH='%s/?.so;;' luajit -e "local m = require 'metann' io.write(m.ones(2, 3):sum():item())
      assert(require('jit.util'))"]]):format(folder, folder, lib:gsub('%s+$', '')))
    assert.equal('6', said)
    assert.equal(0, status)
    status, said = scratch.run(([[cd / && env -u METANN_LIBRARY LUA_PATH='%s/share/lua/5.1/?.lua;%s/share/lua/5.1/?/init.lua;;' \
      LUA_CPATH='%s/?.so;;' luajit -e "io.write(tostring(require('metann.nn.linear')(3, 2)))"]]):format(folder, folder,
      lib:gsub('%s+$', '')))
    assert.equal('Linear(in_features=3, out_features=2, bias=true)', said)
    assert.equal(0, status)
  end)
end)
