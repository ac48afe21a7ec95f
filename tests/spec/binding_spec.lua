-- The binding: loading, loading again, what it says when it can't; interruption.
local metann = require 'metann'
local handle = require('metann.binding').handle
local live = require 'tests.support.live'

--- Runs a script in a LuaJIT of its own; returns its output and whether it ended well.
local function run(script, environment)
  local name = os.tmpname()
  local file = assert(io.open(name, 'w'))
  file:write('package.path = ', ('%q'):format(package.path), '\npackage.cpath = ', ('%q'):format(package.cpath), '\n',
    script)
  file:close()
  local pipe = io.popen((environment or '') .. ' luajit ' .. name .. ' 2>&1; echo "status $?"')
  local text = pipe:read('*a')
  pipe:close()
  os.remove(name)
  return text:gsub('status %d+\n$', ''), text:match('status (%d+)\n$') == '0'
end

describe('loading', function()
  it('a second time gives the same core', function()
    local t = metann.ones(2)
    local kept = {}
    for name in pairs(package.loaded) do
      if name:find('^metann') then kept[name], package.loaded[name] = package.loaded[name], nil end
    end
    local ok, again = pcall(require, 'metann')
    local sum = ok and (again.ones(2) + t):to_table()
    for name in pairs(package.loaded) do
      if name:find('^metann') then package.loaded[name] = nil end
    end
    for name, module in pairs(kept) do package.loaded[name] = module end
    assert(ok, again)
    assert.same({ 2, 2 }, sum)
  end)

  it('says in one sentence that plain Lua will not do', function()
    local text, ok = run([[package.preload.ffi = function() error('no ffi') end
      package.loaded.ffi = nil
      local fine, message = pcall(require, 'metann')
      io.write(tostring(fine), ' ', message)]])
    assert(ok, text)
    assert.equal('false metann needs LuaJIT 2.1: this is Lua 5.1, which has no ffi library', text)
  end)

  it('names a library that is not there, or is none', function()
    local script = "local fine, message = pcall(require, 'metann') io.write(tostring(fine), ' ', message)"
    assert.truthy(run(script, 'METANN_LIBRARY=/nowhere.so'):find('METANN_LIBRARY names /nowhere.so', 1, true))
    assert.truthy(run(script, 'METANN_LIBRARY=/dev/null'):find("can't open /dev/null", 1, true))
  end)

  it('notices that library and Lua files differ', function()
    local text = run([[package.preload['metann.version'] = function() return '9.9.9' end
      local fine, message = pcall(require, 'metann')
      io.write(tostring(fine), ' ', message)]])
    assert.truthy(text:find('version ' .. metann._VERSION, 1, true), text)
    assert.truthy(text:find('are version 9.9.9', 1, true), text)
  end)

  it('ends cleanly when the state is closed with tensors alive', function()
    local text, ok = run([[local metann = require 'metann'
      local x = metann.ones(3, {requires_grad = true})
      kept = (x * 2):sum()
      coroutine.wrap(function() metann.scope(function() held = metann.ones(2) coroutine.yield() end) end)()
      io.write('done')]])
    assert(ok, text)
    assert.equal('done', text)
  end)
end)

describe('settings', function()
  it('are read back', function()
    local n = metann.get_num_threads()
    metann.set_num_threads(1)
    assert.equal(1, metann.get_num_threads())
    metann.set_num_threads(n)
    local s = metann.get_rng_state()
    local a = metann.rand(3)
    metann.set_rng_state(s)
    assert.is_true(a:equal(metann.rand(3)))
    for _, name in ipairs{ 'live_bytes', 'peak_bytes', 'limit_bytes', 'live_tensors' } do
      assert.equal('number', type(metann.memory()[name]))
    end
    for call, said in pairs{
      [function() metann.manual_seed(-1) end] = "manual_seed: 'seed' must be a whole number from 0 to 9007199254740992, got number -1",
      -- beyond 2^53 all seeds would be one
      [function() metann.manual_seed(1e30) end] = "manual_seed: 'seed' must be a whole number",
      [function() metann.set_rng_state{ 1e30, 0 } end] = "set_rng_state: 'state[1]' must be a whole number",
      [function() metann.set_rng_state{ 1, -3 } end] = "'state[2]' must be a whole number from 0 to 9007199254740992, got number -3",
      [function() metann.set_num_threads(0) end] = "set_num_threads: 'n' must be a whole number from 1 to 1024, got number 0",
      [function() metann.set_num_threads(1e30) end] = 'got number 1e+30',
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.is_truthy(message:find(said, 1, true), message)
    end
  end)
end)

describe('interruption', function()
  it('stops the next operation, and everything stays usable', function()
    metann.interrupt()
    local ok, message = pcall(function() return metann.ones(2) + 1 end)
    assert.is_false(ok)
    assert.truthy(message:find('interrupted'), message)
    assert.same({ 2, 2 }, (metann.ones(2) + 1):to_table())
  end)

  it('comes from a signal, also in compiled loops', function()
    local text, ok = run([[local metann = require 'metann'
      local ffi = require 'ffi'
      ffi.cdef 'int getpid(void);'
      local killer = io.popen('read go; kill -2 ' .. ffi.C.getpid(), 'w') -- once it is told to
      local fine, message = pcall(metann.catch_interrupt, function()
        local t, n = metann.ones(2), 0
        while true do
          t, n = t + 1, n + 1
          if n == 10000 then
            killer:write 'go\n'
            killer:flush()
          end
        end
      end)
      io.write(tostring(fine), ' ', message:match('interrupted'), ' ', metann.ones(1):item())]])
    assert(ok, text)
    assert.equal('false interrupted 1', text)
  end)

  it('nests, and leaves the signal as it was', function()
    local text, ok = run([[local metann = require 'metann'
      local ffi = require 'ffi'
      ffi.cdef 'typedef void (*handler)(int); handler signal(int, handler); int raise(int);'
      local IGNORED = ffi.cast('handler', 1)
      ffi.C.signal(2, IGNORED)
      local fine, message = pcall(metann.catch_interrupt, function()
        metann.catch_interrupt(metann.ones, 1)
        ffi.C.raise(2)
        return metann.ones(1)
      end)
      io.write(tostring(fine), ' ', message:match('interrupted'), ' ', tostring(ffi.C.signal(2, nil) == IGNORED))]])
    assert(ok, text)
    assert.equal('false interrupted true', text)
  end)

  it('refuses signals that there are not', function()
    for _, signum in ipairs{ -1, 65, 1.5, 'INT' } do
      local fine, message = pcall(metann.interrupt_on_signal, signum)
      assert.is_false(fine)
      assert.is_truthy(message:find("interrupt_on_signal: 'signum' must be a whole number from 0 to 64, got", 1, true), message)
    end
  end)
end)

describe('handles', function()
  it('give their places back and take more when they need', function()
    local held = {}
    for i = 1, 10000 do held[i] = metann.full({ 1 }, i) end
    collectgarbage()
    for i = 1, 10000, 997 do assert.equal(i, held[i]:item()) end
    local before = handle.stats.live_tensors
    held = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(before - 10000, handle.stats.live_tensors)
  end)

  -- A finalizer runs wherever compiled code returns to the interpreter, also between the lines that take a place for a
  -- handle: a sweep of the free places there gave one place to two tensors and lost the first.
  it('are each given a place of their own however often the collector comes by', function()
    local pause, stride = collectgarbage('setpause', 20), collectgarbage('setstepmul', 1000)
    local a, b = metann.tensor({ 1, 2 }, { requires_grad = true }), metann.tensor{ 1, 2 }
    local function work(n)
      local held = {} -- luacheck: ignore
      for i = 1, n do
        local x = a * b
        if i % 3 == 0 then x = x + 1 end
        if i % 7 == 0 then x = x:sum() * 2 end
        if i % 5 == 0 then x = (x - b):square() end
        held[i % 50 + 1] = x
        if i % 1000 == 0 then held = {} end
      end
    end
    local before = live().tensors
    for _ = 1, 5 do work(20000) end
    local after = live().tensors
    collectgarbage('setpause', pause)
    collectgarbage('setstepmul', stride)
    assert.equal(before, after)
  end)
end)

-- A row's attributes are written one by one to a buffer that the next call reuses.
describe('a call refused half-way', function()
  local t = metann.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }

  it('leaves the defaults of the next one', function()
    assert.equal(21, t:sum():item())
    assert.has_error(function() t:sum(2, 'x') end)
    assert.equal(21, t:sum():item())
    assert.has_error(function() t:sum{ 1, 'x' } end)
    assert.equal(21, t:sum():item())
    assert.has_error(function() t:mean{ dim = 2, keepdim = 0 } end)
    assert.equal(3.5, t:mean():item())
    assert.has_error(function() t:sum(1, 2, 'x') end)
    assert.equal(21, t:sum():item())
  end)

  it('by numbers one by one too', function()
    local ones = metann.ones(1, 2, 1)
    assert.same({ 2 }, ones:squeeze().shape)
    assert.has_error(function() ones:squeeze(1, 'x') end)
    assert.same({ 2 }, ones:squeeze().shape)
    assert.has_error(function() ones:squeeze{ 1, 'x' } end)
    assert.same({ 2 }, ones:squeeze().shape)
  end)
end)
