-- What hosts do: several Lua states in a process, signals, little address space, no debug library, words in the
-- environment that nobody knows.
local scratch = require 'tests.support.scratch'

local function child(before, text)
  local folder = scratch.folder()
  scratch.overwrite(folder .. '/child.lua', text)
  local status, said = scratch.run(('%s luajit %s/child.lua'):format(before, folder))
  scratch.remove(folder)
  return status, said
end

local function says(expected, text, before)
  local status, said = child(before or '', text)
  assert.equal(expected, said)
  assert.equal(0, status)
end

local HEAD = [[
local ffi, metann = require 'ffi', require 'metann'
ffi.cdef 'int raise(int);'
local function operation() return metann.ones(2):sum():item() end
local function try() return (select(2, pcall(operation))) end
]]

describe('catch_interrupt', function()
  it('leaves what other signals do', function()
    says('interrupted 2', HEAD .. [[
      metann.interrupt_on_signal(10)
      metann.catch_interrupt(function() end)
      ffi.C.raise(10)
      io.write(try():match 'interrupted', ' ', try())
    ]])
  end)

  it('leaves Ctrl-C on where it was on, and off where it was off', function()
    says('interrupted', HEAD .. [[
      metann.interrupt_on_signal()
      metann.catch_interrupt(function() end)
      ffi.C.raise(2)
      io.write(try():match 'interrupted')
    ]])
    local status = child('', HEAD .. "metann.catch_interrupt(function() end) ffi.C.raise(2) io.write 'alive'")
    assert(status ~= 0)
  end)

  it('ends with the interrupt that no operation saw, and leaves none behind', function()
    says('interrupted 2 oh 2', HEAD .. [[
      local ok, message = pcall(metann.catch_interrupt, function() ffi.C.raise(2) return 5 end)
      io.write(tostring(message):match 'interrupted', ' ', try(), ' ')
      ok, message = pcall(metann.catch_interrupt, function() ffi.C.raise(2) error('oh', 0) end)
      io.write(message, ' ', try())
    ]])
  end)

  it('protects each of two coroutines until its own end, and none while it waits', function()
    says('true interrupted interrupted true', HEAD .. [[
      ffi.cdef 'typedef void (*handler)(int); handler signal(int, handler);'
      local before = ffi.C.signal(2, nil)
      ffi.C.signal(2, before)
      local function as_before()
        local now = ffi.C.signal(2, before)
        return tostring(now == before)
      end
      local function run() return metann.catch_interrupt(function() coroutine.yield() ffi.C.raise(2) return try() end) end
      local a, b = coroutine.wrap(run), coroutine.wrap(run)
      a() b()
      io.write(as_before(), ' ')
      io.write(b():match 'interrupted', ' ', a():match 'interrupted', ' ')
      io.write(as_before())
    ]])
  end)

  it('says what it wants', function()
    local ok, message = pcall(require('metann').catch_interrupt, 5)
    assert.is_false(ok)
    assert.truthy(message:find('hosts_spec.lua:%d+: catch_interrupt: expected a function, got number 5'))
  end)
end)

describe('two Lua states', function()
  it('are both interrupted by the signal that both asked for, whichever is closed first', function()
    says('both 1: interrupted interrupted, left: interrupted\nboth 2: interrupted interrupted, left: interrupted\n', HEAD .. [[
      ffi.cdef [=[
        typedef struct lua_State lua_State;
        lua_State *luaL_newstate(void); void luaL_openlibs(lua_State *); void lua_close(lua_State *);
        int luaL_loadstring(lua_State *, const char *); int lua_pcall(lua_State *, int, int, int);
        const char *lua_tolstring(lua_State *, int, size_t *);
      ]=]
      local function run(L, text)
        assert(ffi.C.luaL_loadstring(L, text) == 0)
        local status = ffi.C.lua_pcall(L, 0, 1, 0)
        local said = ffi.string(ffi.C.lua_tolstring(L, -1, nil))
        assert(status == 0, said)
        return said
      end
      local function state()
        local L = ffi.C.luaL_newstate()
        ffi.C.luaL_openlibs(L)
        run(L, "metann = require 'metann' metann.interrupt_on_signal(10) return ''")
        return L
      end
      local TRY = "local ok, message = pcall(metann.ones, 1) return tostring(message):match 'interrupted' or 'no'"
      for first = 1, 2 do
        local states = { state(), state() }
        ffi.C.raise(10)
        io.write('both ', first, ': ', run(states[1], TRY), ' ', run(states[2], TRY))
        ffi.C.lua_close(states[first])
        ffi.C.raise(10)
        io.write(', left: ', run(states[3 - first], TRY), '\n')
        ffi.C.lua_close(states[3 - first])
      end
    ]])
  end)
end)

describe('a host', function()
  it('with little address space gets an error from what needs BLAS or LAPACK, not a loop', function()
    if os.getenv 'METANN_LIBRARY' then return end -- the sanitizers' shadow alone needs more than that
    local text = [[
      local metann = require 'metann'
      local a = metann.eye(400)
      for _, fn in ipairs{ function() return a:matmul(a) end, function() return metann.linalg.inv(a) end } do
        local ok, message = pcall(fn)
        io.write(ok and 'done' or message:match 'out of memory' or message:match 'no BLAS' or message:match 'no LAPACK'
          or message, ';')
      end
    ]]
    for _, kilobytes in ipairs{ 60000, 150000, 250000, 350000, 8000000 } do
      local status, said = child(('ulimit -v %d; timeout 20'):format(kilobytes), text)
      assert(status == 0 and said:find '^[%a ]+;[%a ]+;$', said)
      if kilobytes == 8000000 then assert.equal('done;done;', said) end
      if kilobytes == 150000 then assert.equal('out of memory;out of memory;', said) end
    end
  end)

  it('without the debug library can use everything; errors have no line then', function()
    says("6 add: 'other' must be a tensor or a number, got table", [[
      debug, package.loaded.debug = nil, nil
      local metann = require 'metann'
      io.write(metann.arange(4):sum():item(), ' ')
      io.write((select(2, pcall(metann.add, metann.ones(1), {}, 1))))
    ]])
  end)

  it('is told when METANN_CPU is a word that nothing has', function()
    says("METANN_CPU: must be one of c, avx2, avx512, got 'AVX2'", [[
      io.write((select(2, pcall(require, 'metann'))))
    ]], 'METANN_CPU=AVX2')
    says('c', [[
      require 'metann'
      local handle = require('metann.binding').handle
      io.write(handle.ffi.string(handle.C.mn_cpu_path()))
    ]], 'METANN_CPU=c')
  end)
end)
