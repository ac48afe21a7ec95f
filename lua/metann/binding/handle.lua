--- Handles: how Lua holds tensors, and what keeps their memory in check.
-- Owns the ctype, the context of this Lua state, the soft limit that drives the collector, and how a failed call
-- becomes a Lua error. Knows no op; methods and operators hang themselves into `methods`, `getters`, `setters`, `meta`.
--
-- A Lua state loads the core once: types can be declared once, and the library must stay open until the very end (its
-- threads outlive lua_close). So this module is anchored in the registry; loading it again, after package.loaded was
-- cleared, gives the same object.
local has_ffi, ffi = pcall(require, 'ffi')
if not has_ffi then error('metann needs LuaJIT 2.1: this is ' .. _VERSION .. ', which has no ffi library', 0) end

local anchor = debug and debug.getregistry and debug.getregistry() or package.loaded
local KEY = 'metann.binding.handle: loaded once in a state'
if anchor[KEY] then return anchor[KEY] end

local errors = require 'metann.binding.errors'
local library = require 'metann.binding.library'
local raise = errors.raise
local istype = ffi.istype

local C, path = library.open(ffi)
local ctx = C.mn_context_new()
if ctx == nil then error('metann: no memory for a context', 0) end
-- At the end of the state finalizers run in any order: after this one only what holds the context itself may be used.
local closed = false
ctx = ffi.gc(ctx, function(c)
  closed = true
  C.mn_context_release(c)
end)
C.mn_set_message_base(ctx, 1)

local handle = { ffi = ffi, C = C, ctx = ctx, library_path = path }

local Handle = ffi.typeof('mn_handle')
local stats = C.mn_context_stats(ctx)
local free = C.mn_handle_free
local array_pointer = ffi.typeof('const mn_array *')
local NONE = C.mn_none()
handle.NONE, handle.stats = NONE, stats

-- What a handle's mark says: who releases it, or, above 0, where it was released.
local COLLECTED, IN_SCOPE, MOVED = 0, -1, -2
handle.COLLECTED, handle.IN_SCOPE, handle.MOVED = COLLECTED, IN_SCOPE, MOVED

-- ---- garbage ----
-- Handles have no finalizers: LuaJIT runs those one by one outside compiled code, which costs more than the operation
-- that made the handle and throws loops back to the interpreter (measured: 730 ns a handle against 60). Instead a
-- table with weak values knows the living handles and an array the pointers that they stand for: an empty place with
-- a pointer is garbage, found by a sweep. A sentinel's finalizer sweeps at the end of each of the collector's cycles,
-- and at the end of the state another gives all back.
--
-- A finalizer runs wherever compiled code returns to the interpreter, also between the lines of `wrap` that take a
-- place. So a sweep only empties the array; which places are free is looked up by `make_room` alone, or a place that
-- is being taken would be given away a second time.
local places_of = setmetatable({}, { __mode = 'v' })
local free_places, free_count = {}, 0
local capacity = 0
local pointers, pointers_anchor -- mn_tensor **, indexed from 1; the array that it points into

local sweeping = false

--- Gives back what dead handles stood for.
local function sweep()
  if sweeping then return end
  sweeping = true
  local raw, living = pointers, places_of
  for i = 1, capacity do
    local p = raw[i]
    if p ~= nil and not living[i] then
      raw[i] = nil
      C.mn_tensor_release(p)
    end
  end
  if not closed and stats.dead_numbers > 0 then handle.forget_dead() end
  sweeping = false
end

local function find_free_places()
  local n = 0
  local raw, living, places = pointers, places_of, free_places
  for i = 1, capacity do
    if raw[i] == nil and not living[i] then
      n = n + 1
      places[n] = i
    end
  end
  free_count = n
end

--- For derivatives.lua, which puts its own here: drops what the core's dead nodes needed of Lua.
function handle.forget_dead() end

handle.sweep = sweep

local function arm()
  ffi.gc(ffi.new('char[1]'), function()
    sweep()
    arm()
  end)
end

local function finish_state(array)
  for i = 1, capacity do
    local h = places_of[i]
    if h then h.p = nil end
    if array[i] ~= nil then
      C.mn_tensor_release(array[i])
      array[i] = nil
    end
  end
end

local function grow(size)
  sweeping = true -- a sweep of the old array in between would be undone by the copy
  local array = ffi.gc(ffi.new('mn_tensor *[?]', size + 1), finish_state)
  if pointers_anchor then
    ffi.copy(array, pointers_anchor, (capacity + 1) * ffi.sizeof('void *'))
    ffi.gc(pointers_anchor, nil)
  end
  pointers_anchor, pointers = array, ffi.cast('mn_tensor **', array)
  for i = capacity + 1, size do
    places_of[i] = false
    places_of[i] = nil
    free_count = free_count + 1
    free_places[free_count] = i
  end
  capacity = size
  sweeping = false
end
grow(4096)

-- A finalizer can't start traces, so the sweep is compiled now, on tensors made for it.
local function warm_up()
  local no_sizes = ffi.new('int64_t[1]')
  for _ = 1, 3 do
    for i = 1, 100 do pointers[i] = C.mn_tensor_empty(ctx, 0, 0, no_sizes) end
    sweep()
  end
end
warm_up()
arm()

--- Makes room for another handle: sweeps, and takes more places when half of them stay in use.
local function make_room()
  sweep()
  find_free_places()
  if free_count < capacity / 2 then grow(2 * capacity) end
end

--- h, which holds a reference to raw, is the collector's from now on.
local function register(h, raw)
  if free_count == 0 then make_room() end
  local n = free_count
  local place = free_places[n]
  free_count = n - 1
  places_of[place] = h -- before the pointer: a sweep in between must not take it for garbage
  pointers[place] = raw
  return h
end

-- LuaJIT sees a handle of a few bytes where the core holds megabytes, so the core's count decides when to collect.
local SMALLEST_LIMIT = 64 * 2 ^ 20
local soft_limit = SMALLEST_LIMIT

--- Collects the garbage and gives back what it stood for.
local function collect() collectgarbage() end
handle.collect = collect

--- Collects, and sets the next soft limit: twice what is live now, but no nearer to the memory limit than half of it.
local function pass_limit()
  collect()
  local live = stats.live_bytes
  local limit = math.max(SMALLEST_LIMIT, 2 * live)
  if limit > stats.limit_bytes / 2 then limit = math.max(stats.limit_bytes / 2, 1.25 * live) end
  soft_limit = limit
end

-- Inside a scope, handles stand in the scope's list, which releases them all.
local scope_list, scope_count = nil, 0

--- Makes a handle of a raw pointer that holds one reference. On every hot path.
local function wrap(raw)
  if stats.live_bytes > soft_limit then pass_limit() end
  local list = scope_list
  if list then
    local h = Handle(raw, IN_SCOPE)
    local n = scope_count + 1
    scope_count = n
    list[n] = h
    return h
  end
  if free_count == 0 then make_room() end
  local h = Handle(raw)
  local n = free_count
  local place = free_places[n]
  free_count = n - 1
  places_of[place] = h -- before the pointer: a sweep in between must not take it for garbage
  pointers[place] = raw
  return h
end
handle.wrap = wrap

--- For scope.lua: puts another list in place; returns the one before and its count.
function handle.set_scope(list, count)
  local old_list, old_count = scope_list, scope_count
  scope_list, scope_count = list, count
  return old_list, old_count
end

function handle.in_scope() return scope_list ~= nil end

--- For scope.lua: h, made inside a scope, is the collector's from now on.
function handle.own(h)
  h.mark = COLLECTED
  return register(h, h.p)
end

--- For scope.lua: gives the tensor of a handle made inside a scope back at once.
function handle.free(h) free(h) end

-- ---- what a handle is ----

--- True for a metann tensor, whatever else x may be.
local function is_tensor(x) return istype(Handle, x) end
handle.is_tensor = is_tensor
handle.Handle = Handle

-- Places where scopes ended; a released handle's mark is a position in it.
local places, place_marks = {}, {}

--- The mark that stands for a place, a string.
function handle.mark_of(place)
  local mark = place_marks[place]
  if not mark then
    mark = #places + 1
    places[mark], place_marks[place] = place, mark
  end
  return mark
end

--- Under detect_anomaly: ", called at file:line" of what the core's message names; nothing where the error is raised.
function handle.called_at()
  local place = places[C.mn_place(ctx)]
  if place == errors.where() then return '' end
  return place and ', called at ' .. place or ', called outside detect_anomaly'
end

local function released(h)
  local place = places[h.mark]
  raise(place and 'this tensor was released at the end of metann.scope at ' .. place
    .. ' (return it, or metann.keep it, to use it outside)' or 'this tensor was released')
end
handle.released = released

--- A released tensor among a failed call's arguments is the cause.
local function blame(h)
  if istype(Handle, h) and h.p == nil then
    C.mn_error_clear(ctx)
    released(h)
  end
end

--- Raises the core's message at the user's line. The arguments of the failed call follow.
-- Under detect_anomaly it ends with where what it names was called.
local function fail(...)
  for i = 1, select('#', ...) do blame((select(i, ...))) end
  local message = ffi.string(C.mn_error_message(ctx))
  if C.mn_error_code(ctx) == C.MN_ERR_ANOMALY then message = message .. handle.called_at() end
  C.mn_error_clear(ctx)
  raise(message ~= '' and message or 'metann: a call failed without a message')
end
handle.fail = fail

--- The same, with the arguments in a list, however long.
function handle.fail_list(list)
  for i = 1, #list do blame(list[i]) end
  fail()
end

--- After a failed call: true when garbage was in the way, has been collected, and the call should be made once more.
-- Under detect_anomaly also when the core wanted to know where the call stands.
local function again()
  local code = C.mn_error_code(ctx)
  if code ~= C.MN_ERR_MEMORY and code ~= C.MN_ERR_LIVE_VIEWS and code ~= C.MN_ERR_PLACE then return false end
  C.mn_error_clear(ctx)
  if C.mn_anomaly(ctx) ~= 0 then C.mn_set_place(ctx, handle.mark_of(errors.where())) end
  if code == C.MN_ERR_PLACE then return true end
  collect()
  if code == C.MN_ERR_MEMORY then C.mn_empty_cache(ctx) end
  return true
end
handle.again = again

--- Calls fn(...), which returns a raw pointer or NULL, with a second try after a collection; returns a handle.
function handle.call(fn, ...)
  local raw = fn(...)
  if raw == nil then
    if again() then raw = fn(...) end
    if raw == nil then fail() end
  end
  return wrap(raw)
end

--- The core's view of a tensor: dtype, ndim, size[], stride[]. Valid while the handle lives.
local function array(h)
  -- a table may have a field p, too
  if not istype(Handle, h) then raise('expected a tensor, got %s', errors.describe(h)) end
  local p = h.p
  if p == nil then released(h) end
  return ffi.cast(array_pointer, p)
end
handle.array = array

-- ---- dtypes ----
handle.dtype_names = {
  [0] = 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16',
}
handle.dtypes = {}
for code = 0, 7 do handle.dtypes[handle.dtype_names[code]] = code end
handle.dtypes.float, handle.dtypes.double, handle.dtypes.long, handle.dtypes.int = 0, 1, 2, 3
handle.dtypes.half, handle.dtypes.byte = 6, 4
local ctypes = {
  [0] = ffi.typeof('float[?]'), ffi.typeof('double[?]'), ffi.typeof('int64_t[?]'), ffi.typeof('int32_t[?]'),
  ffi.typeof('uint8_t[?]'), ffi.typeof('uint8_t[?]'),
}

--- A buffer of n elements of a dtype; nil for float16 and bfloat16, which C has no type for.
function handle.buffer(dtype, n)
  local ctype = ctypes[dtype]
  return ctype and ctype(n)
end

local sizes_buffer = ffi.new('int64_t[8]')

--- A tensor from row-major elements of its dtype (a cdata array or pointer), which are copied.
function handle.from_data(dtype, sizes, data)
  if #sizes > 8 then raise('tensor: at most 8 dims, got %d', #sizes) end
  for i = 1, #sizes do sizes_buffer[i - 1] = sizes[i] end
  return handle.call(C.mn_tensor_from_data, ctx, dtype, #sizes, sizes_buffer, data)
end

function handle.empty(dtype, sizes)
  if #sizes > 8 then raise('empty: at most 8 dims, got %d', #sizes) end
  for i = 1, #sizes do sizes_buffer[i - 1] = sizes[i] end
  return handle.call(C.mn_tensor_empty, ctx, dtype, #sizes, sizes_buffer)
end

--- The elements, row-major, as a cdata array of the tensor's dtype (not float16, bfloat16), and how many.
function handle.read(h)
  local a = array(h)
  local n = tonumber(a.numel)
  local data = ctypes[a.dtype](math.max(n, 1))
  if C.mn_tensor_read(ctx, h.p, data) ~= 0 then fail(h) end
  return data, n
end

--- Overwrites the elements from a cdata array of the tensor's dtype.
function handle.write(h, data)
  if C.mn_tensor_write(ctx, h.p, data) ~= 0 then fail(h) end
end

function handle.is_int64(x) return istype('int64_t', x) or istype('uint64_t', x) end
--- Whether a 64-bit integer, signed or not, is one that int64 holds.
function handle.fits_int64(x) return not istype('uint64_t', x) or x < 2 ^ 63 end

--- The Lua number that a 64-bit integer is; op and name say whose, for the error where there is none.
function handle.to_number(x, op, name)
  local number = tonumber(x)
  if number == x then return number end
  return raise("%s: '%s' is %s, which does not fit a Lua number; make a tensor of it", op, name, tostring(x))
end

function errors.describe_cdata(x)
  if istype(Handle, x) then return 'tensor' end
  return handle.is_int64(x) and 'integer ' .. tostring(x) or 'cdata'
end

-- ---- fields and metamethods ----
-- These tables are filled by tensor.lua; the functions below are fixed, as ffi.metatype wants.
local methods, getters, setters, meta = {}, {}, {}, {}
handle.methods, handle.getters, handle.setters, handle.meta = methods, getters, setters, meta

local metatable = {}
function metatable.__index(t, k)
  if type(k) == 'string' then
    local method = methods[k]
    if method then return method end
    local getter = getters[k]
    if getter then return getter(t) end
    return meta.missing(t, k)
  end
  return meta.index(t, k)
end
function metatable.__newindex(t, k, v)
  if type(k) == 'string' then
    local setter = setters[k]
    if setter then return setter(t, v) end
    raise("a tensor has no field '%s' to assign", k)
  end
  return meta.newindex(t, k, v)
end
function metatable.__add(a, b) return meta.add(a, b) end
function metatable.__sub(a, b) return meta.sub(a, b) end
function metatable.__mul(a, b) return meta.mul(a, b) end
function metatable.__div(a, b) return meta.div(a, b) end
function metatable.__pow(a, b) return meta.pow(a, b) end
function metatable.__mod(a, b) return meta.remainder(a, b) end
function metatable.__unm(a) return meta.neg(a) end
function metatable.__len(a) return meta.len(a) end
function metatable.__tostring(a) return meta.tostring(a) end
function metatable.__eq(a, b)
  if istype(Handle, a) and istype(Handle, b) then
    local p, q = a.p, b.p
    if p == nil or q == nil then return rawequal(a, b) end
    return p == q or C.mn_tensor_id(p) == C.mn_tensor_id(q)
  end
  return false
end
function metatable.__lt() raise("tensors don't compare by < and >: use a:lt(b), a:gt(b)") end
function metatable.__le() raise("tensors don't compare by <= and >=: use a:le(b), a:ge(b)") end
function metatable.__concat(a, b) return tostring(a) .. tostring(b) end
ffi.metatype(Handle, metatable)
anchor[KEY] = handle

return handle
