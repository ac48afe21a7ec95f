--- metann: tensors, differentiation of any order, networks and meta-learning for LuaJIT.
-- The names below are loaded at their first use.
local next = require('metann.binding.traversal').next
local version = require 'metann.version'
local binding = require 'metann.binding'
local arguments = require 'metann.arguments'
local devices = require 'metann.binding.devices'
local handle, errors = binding.handle, binding.errors
local C, ctx = handle.C, handle.ctx

local metann = { _VERSION = version }

-- ---- the core's settings ----

-- Up to here a Lua number holds every integer.
local LARGEST = 2 ^ 53

--- Starts the random numbers anew from a seed, a whole number from 0 to 2^53.
function metann.manual_seed(seed)
  errors.check_count('manual_seed', 'seed', seed, 0, LARGEST)
  C.mn_manual_seed(ctx, seed)
end

--- The state of the random numbers, a table {seed, offset} for set_rng_state.
function metann.get_rng_state()
  local state = handle.ffi.new('double[2]')
  C.mn_rng_get(ctx, state, state + 1)
  return { state[0], state[1] }
end

--- Puts the random numbers back to where they were.
-- @param saved what get_rng_state returned
function metann.set_rng_state(saved)
  if type(saved) ~= 'table' then
    errors.raise("set_rng_state: 'state' must be what get_rng_state returned, got %s", errors.describe(saved))
  end
  errors.check_count('set_rng_state', 'state[1]', saved[1], 0, LARGEST)
  errors.check_count('set_rng_state', 'state[2]', saved[2], 0, LARGEST)
  C.mn_rng_set(ctx, saved[1], saved[2])
end

--- The dtype of tensors made from Lua numbers: 'float32' (at the start) or 'float64'.
function metann.set_default_dtype(dtype)
  local code = handle.dtypes[dtype]
  if not code then
    errors.raise("set_default_dtype: expected 'float32' or 'float64', got %s", errors.describe(dtype))
  end
  if C.mn_set_default_dtype(ctx, code) ~= 0 then handle.fail() end
end
function metann.get_default_dtype() return handle.dtype_names[C.mn_default_dtype(ctx)] end

--- The device that tensors are made on where nothing else says which: 'cpu' (at the start).
function metann.set_default_device(device) devices.set_default(device) end
function metann.get_default_device() return devices.default() end

--- A device as an object with `type` and `index`, which may stand wherever a device's name may: device('cuda:1').
metann.device = devices.object

--- Waits until a device (the default one) has done what it was asked for. What it found wrong after the call that asked
-- for it, such as an index out of range, is an error here that names that call's line.
function metann.synchronize(device) devices.synchronize(device == nil and devices.default() or device) end

--- How many threads kernels use, 1 to 1024. Results don't depend on it. The threads are the process's, so it holds for
-- all of its Lua states.
function metann.set_num_threads(n)
  errors.check_count('set_num_threads', 'n', n, 1, 1024)
  if C.mn_set_num_threads(ctx, n) ~= 0 then handle.fail() end
end
function metann.get_num_threads() return C.mn_num_threads(ctx) end

--- What the core holds: live_bytes, peak_bytes, cached_bytes, limit_bytes, live_tensors, live_storages, live_nodes;
-- and visited_nodes, how many nodes all derivatives so far have visited. Of another device than 'cpu': live_bytes,
-- peak_bytes, limit_bytes and live_storages there.
function metann.memory(device)
  handle.sweep()
  if device ~= nil and devices.number(device) ~= 0 then return devices.memory(device) end
  local s = handle.stats
  return {
    live_bytes = s.live_bytes, peak_bytes = s.peak_bytes, cached_bytes = s.cached_bytes, limit_bytes = s.limit_bytes,
    live_tensors = s.live_tensors, live_storages = s.live_storages, live_nodes = s.live_nodes,
    visited_nodes = s.visited_nodes,
  }
end

--- Past this many bytes an operation is an error instead of a killed process; 90 % of the machine's memory at first. Of
-- another device than 'cpu': past this many bytes there; no limit at first.
function metann.set_memory_limit(bytes, device)
  if type(bytes) ~= 'number' or bytes <= 0 or bytes ~= bytes then
    errors.raise('set_memory_limit: expected a number of bytes, got %s', errors.describe(bytes))
  end
  devices.set_limit(device == nil and 'cpu' or device, bytes)
end

--- Gives memory that is cached for reuse back to the system.
function metann.empty_cache() C.mn_empty_cache(ctx) end

local SIGINT = 2
-- The signals that interrupt for good, a set.
local interrupting = {}

local function listen(signum)
  if C.mn_interrupt_on_signal(ctx, signum) ~= 0 then handle.fail() end
end

--- From now on the signal (SIGINT, 2, unless given; 0 for none any more) makes the running operation, or the next one,
-- fail with the error 'interrupted' instead of ending the process. With 0, signals do again what they did before. Each
-- Lua state of a process that asks for a signal is interrupted by it.
function metann.interrupt_on_signal(signum)
  signum = signum or SIGINT
  errors.check_count('interrupt_on_signal', 'signum', signum, 0, 64)
  listen(signum)
  if signum == 0 then interrupting = {} else interrupting[signum] = true end
end

--- Makes the next operation fail with the error 'interrupted'.
function metann.interrupt() C.mn_interrupt(ctx) end

-- While it is on, Ctrl-C interrupts; what other signals do stays as it is.
local Catching = {}
Catching.__index = Catching
local catching = false
function Catching:save() self.outer = catching end
function Catching.enter()
  catching = true
  listen(SIGINT)
end
function Catching:leave()
  catching = self.outer
  if not catching and not interrupting[SIGINT] then listen(-SIGINT) end
end

-- An interrupt that no operation has seen belongs to the call that ends, not to what comes after it.
local function uncaught(ok, ...)
  local waiting = C.mn_take_interrupt(ctx) ~= 0
  if not ok then error((select(1, ...)), 0) end
  if waiting then errors.raise('interrupted') end
  return ...
end

--- Calls fn(...) so that Ctrl-C stops it with the error 'interrupted': the operation that runs, or the next one; where
-- none is left, the call itself. Other signals do what they did, and so does Ctrl-C afterwards, and while a coroutine
-- in which this is called has yielded.
function metann.catch_interrupt(fn, ...)
  fn = binding.scope.callable(fn, 'catch_interrupt')
  return uncaught(pcall(binding.scope.with, setmetatable({}, Catching), fn, ...))
end

--- True for a tensor.
metann.is_tensor = handle.is_tensor

-- ---- names loaded at first use ----

local MODULES = {
  nn = 'metann.nn', optim = 'metann.optim', meta = 'metann.meta', utils = 'metann.utils', data = 'metann.data',
  io = 'metann.io', train = 'metann.train', autograd = 'metann.autograd', distributions = 'metann.distributions',
  ops = 'metann.tensor.ops', linalg = 'metann.tensor.linalg', fft = 'metann.tensor.fft', special = 'metann.special',
  func = 'metann.func',
}
local MEMBERS = {
  DependentModule = 'metann.views.dependent', ProtoModule = 'metann.views.proto', tensor_copy = 'metann.views.proto',
  grad = 'metann.autograd', backward = 'metann.autograd', no_grad = 'metann.autograd', enable_grad = 'metann.autograd',
  is_grad_enabled = 'metann.autograd', scope = 'metann.autograd', keep = 'metann.autograd',
  gradcheck = 'metann.gradcheck', checkpoint = 'metann.autograd.checkpoint',
  detect_anomaly = 'metann.autograd.anomaly',
  save = 'metann.io.checkpoint', load = 'metann.io.checkpoint',
}

require 'metann.tensor'
require 'metann.autograd'
local ops = require 'metann.tensor.ops'

-- Torch7's and PyTorch's classes of tensors -> the dtype that makes one here.
local TENSORS = {
  Tensor = 'float32', FloatTensor = 'float32', DoubleTensor = 'float64', LongTensor = 'int64', IntTensor = 'int32',
  ByteTensor = 'uint8', BoolTensor = 'bool', HalfTensor = 'float16', BFloat16Tensor = 'bfloat16',
}

local function unknown(name)
  if TENSORS[name] then
    errors.raise("metann has no '%s', make tensors by metann.tensor(values, {dtype='%s'}) or metann.zeros(sizes)", name,
      TENSORS[name])
  end
  local names = {}
  for _, list in ipairs{ metann, MODULES, MEMBERS, ops, binding.stub.rows } do
    for key in next, list do names[#names + 1] = key end
  end
  table.sort(names)
  errors.no_member('metann', name, names)
end

return setmetatable(metann, {
  __index = function(self, name)
    local value
    if MODULES[name] then
      value = require(MODULES[name])
    elseif MEMBERS[name] then
      local module = require(MEMBERS[name])
      value = type(module) == 'table' and rawget(module, name) or module
    else
      value = arguments.compiled(ops[name])
      if value == nil then unknown(name) end
      errors.name(value, name)
    end
    rawset(self, name, value)
    return value
  end,
})
