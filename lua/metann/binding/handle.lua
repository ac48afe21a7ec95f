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

local dtypes = require 'metann.binding.dtypes'
local errors = require 'metann.binding.errors'
local library = require 'metann.binding.library'
local raise = errors.raise
local istype = ffi.istype

local C, path = library.open(ffi)
-- The context lies in memory of the Lua state, which is freed after all finalizers have run. They run in any order: one
-- of the user's that comes after the context has been closed finds it closed, and gets an error.
local memory = ffi.new('int64_t[?]', math.ceil(tonumber(C.mn_context_size()) / 8))
local ctx = C.mn_context_at(memory)
C.mn_set_message_base(ctx, 1)
-- By then new symbols may not be found any more. These must.
local _ = { C.mn_error_code, C.mn_error_message, C.mn_error_clear }

local handle = { ffi = ffi, C = C, ctx = ctx, library_path = path, memory = memory }

local Handle = ffi.typeof('mn_handle')
local stats = C.mn_context_stats(ctx)
local elsewhere = C.mn_device_memory(ctx, 0) -- the bytes of all other devices
local array_pointer = ffi.typeof('const mn_array *')
local NONE = C.mn_none()
handle.NONE, handle.stats = NONE, stats

-- What a handle's mark says: who releases it, or, above 0, where it was released.
local COLLECTED, IN_SCOPE, MOVED = 0, -1, -2
handle.COLLECTED, handle.IN_SCOPE, handle.MOVED = COLLECTED, IN_SCOPE, MOVED

-- ---- garbage ----
-- Handles have no finalizers: LuaJIT runs those one by one outside compiled code, which costs more than the operation
-- that made the handle and throws loops back to the interpreter (measured: 730 ns a handle against 60). Instead each
-- handle takes a place: a table with weak values knows the living handles by place, and the context holds for each
-- place what its handle stands for. A place that holds something for a dead handle is garbage, found by a sweep. A
-- sentinel's finalizer sweeps at the end of each of the collector's cycles, and at the end of the state another closes
-- the context.
--
-- A finalizer of the user's may call metann wherever this code allocates or compiled code returns to the interpreter,
-- and a debug hook may do so, or raise an error, between any two instructions. So nothing here is counted in Lua: each
-- step that must not be torn is one call of the core, and what stays behind after an error is found by a sweep.
local places_of = setmetatable({}, { __mode = 'v' })
local CHUNK = 4096 -- places in one of the context's chunks
local closed = false

--- Gives back what dead handles stood for.
local function sweep()
  local living, sweep_number, before = places_of, C.mn_sweep_begin(ctx), 0
  local held = C.mn_places_chunk(ctx, 0)
  while held ~= nil do
    for i = 1, CHUNK do
      if held[i - 1] ~= nil and not living[before + i] then
        if C.mn_place_sweep(ctx, before + i, sweep_number) ~= 0 then return end -- another has done it all meanwhile
      end
    end
    before = before + CHUNK
    held = C.mn_places_chunk(ctx, before / CHUNK)
  end
  if not closed and stats.dead_numbers > 0 then handle.forget_dead() end
end

--- For derivatives.lua, which puts its own here: drops what the core's dead nodes needed of Lua.
function handle.forget_dead() end

handle.sweep = sweep

-- Bytes in use at the end of the collector's last cycle.
local in_use = 0

local function arm()
  ffi.gc(ffi.new('char[1]'), function()
    in_use = collectgarbage'count' * 1024
    sweep()
    arm()
  end)
end

local function count_chunks()
  local n = 0
  while C.mn_places_chunk(ctx, n) ~= nil do n = n + 1 end
  return n
end

--- Adds as many places as there are, at least one chunk.
local function grow()
  local chunks = math.max(1, count_chunks())
  local first = C.mn_places_reserve(ctx, chunks)
  if first == 0 then
    C.mn_error_clear(ctx)
    raise('out of memory: no room for more tensors')
  end
  for place = first, first + chunks * CHUNK - 1 do -- so that they lie in the table's array
    places_of[place] = false
    places_of[place] = nil
  end
  C.mn_places_open(ctx, first, chunks * CHUNK)
end
grow()

-- A finalizer can't start traces, so the sweep is compiled now, on tensors made for it.
local function warm_up()
  local no_sizes = ffi.new('int64_t[1]')
  for _ = 1, 3 do
    for _ = 1, 100 do
      C.mn_handle_fill(ctx, Handle(nil, COLLECTED, C.mn_place_take(ctx)), C.mn_tensor_empty(ctx, 0, 0, no_sizes))
    end
    sweep()
  end
end
warm_up()
arm()

-- Bytes that the collector counts for a handle, and how many places there are at least before growing needs a reason.
local HANDLE_BYTES, ENOUGH = 44, 8 * CHUNK

--- Are there places for all handles that the collector lets die before a cycle of its own ends? It begins one when as
-- many bytes have been asked for as were in use, of which the table of places is not to count.
local function covers_a_cycle(places)
  return places >= ENOUGH and places * HANDLE_BYTES >= in_use - places * 8
end

--- An empty place when none is at hand: sweeps, and makes more when half of them stay in use. Those of handles that have
-- died since the last cycle look as if they were: where places are many as it is, the collector is asked first. (More
-- places let more garbage stand, whose memory then falls out of the cache: `a + b` in a loop took 12 or 38 MB, and 40 %
-- more time, by chance.)
local function make_room()
  while true do
    if closed then raise('metann is closed: the program is at its end') end
    sweep()
    local places = count_chunks() * CHUNK
    if C.mn_places_empty(ctx) < places / 2 and covers_a_cycle(places) then
      collectgarbage()
      sweep()
    end
    if C.mn_places_empty(ctx) < places / 2 then grow() end
    local place = C.mn_place_take(ctx)
    if place > 0 then return place end
  end
end

-- LuaJIT sees a handle of a few bytes where the core holds megabytes, so the core's count, of all devices, decides when
-- to collect.
local SMALLEST_LIMIT = 64 * 2 ^ 20
local soft_limit = SMALLEST_LIMIT

--- Collects the garbage and gives back what it stood for.
local function collect() collectgarbage() end
handle.collect = collect

--- Collects, and sets the next soft limit: twice what is live now, but no nearer to the memory limit than half of it.
local function pass_limit()
  collect()
  local live = stats.live_bytes + elsewhere.live_bytes
  local limit = math.max(SMALLEST_LIMIT, 2 * live)
  if limit > stats.limit_bytes / 2 then limit = math.max(stats.limit_bytes / 2, 1.25 * live) end
  soft_limit = limit
end

-- The innermost open scope, or nil: {list, counter, outer}. Its handles stand in its list, which releases them all.
local scope

--- Makes an empty handle that the collector or the open scope knows, for the core to fill. On every hot path.
local function fresh()
  if stats.live_bytes + elsewhere.live_bytes > soft_limit then pass_limit() end
  local open = scope
  if open then
    local h = Handle(nil, IN_SCOPE)
    open.list[C.mn_count(open.counter)] = h
    return h
  end
  local place = C.mn_place_take(ctx)
  if place == 0 then place = make_room() end
  local h = Handle(nil, COLLECTED, place)
  places_of[place] = h
  return h
end
handle.fresh = fresh

--- Makes a handle of a raw pointer that holds one reference.
local function wrap(raw)
  local h = fresh()
  C.mn_handle_fill(ctx, h, raw)
  return h
end
handle.wrap = wrap

--- For scope.lua: the innermost open scope, or nil.
function handle.open_scope() return scope end

--- For scope.lua: puts another one (nil: none) in its place.
function handle.set_scope(open) scope = open end

--- For scope.lua: h, made inside a scope, is the collector's from now on.
function handle.own(h)
  local place = C.mn_place_take(ctx)
  if place == 0 then place = make_room() end
  places_of[place] = h
  C.mn_handle_own(ctx, h, place, COLLECTED)
  return h
end

--- For scope.lua: gives the tensor of a handle made inside a scope back at once.
function handle.free(h) C.mn_handle_free(h) end

-- ---- the end of the state ----
handle.last = ffi.gc(ffi.new('char[1]'), function()
  closed = true
  for place = 1, count_chunks() * CHUNK do
    local h = places_of[place]
    if h then h.p = nil end
  end
  local open = scope
  while open do
    for i = 1, open.counter.n do
      if open.list[i] then C.mn_handle_free(open.list[i]) end
    end
    open = open.outer
  end
  C.mn_context_close(ctx)
end)

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

--- ", called at file:line" of what the core's message names, `unknown` where the core doesn't know; nothing where the
-- error is raised.
function handle.called_at(unknown)
  local place = places[C.mn_place(ctx)]
  if place == errors.where() then return '' end
  return place and ', called at ' .. place or unknown
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
-- Under detect_anomaly, and of what a device found late, it ends with where what it names was called.
local function fail(...)
  for i = 1, select('#', ...) do blame((select(i, ...))) end
  local message = ffi.string(C.mn_error_message(ctx))
  local code = C.mn_error_code(ctx)
  if code == C.MN_ERR_ANOMALY then message = message .. handle.called_at(', called outside detect_anomaly') end
  if code == C.MN_ERR_LATE then message = message .. handle.called_at(', called in a derivative') end
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
-- Also when the core wanted to know where the call stands: under detect_anomaly, and where a device may find its failure
-- late.
local function again()
  local code = C.mn_error_code(ctx)
  if code ~= C.MN_ERR_MEMORY and code ~= C.MN_ERR_LIVE_VIEWS and code ~= C.MN_ERR_PLACE then return false end
  C.mn_error_clear(ctx)
  if code == C.MN_ERR_PLACE or C.mn_anomaly(ctx) ~= 0 then C.mn_set_place(ctx, handle.mark_of(errors.where())) end
  if code == C.MN_ERR_PLACE then return true end
  collect()
  if code == C.MN_ERR_MEMORY then C.mn_empty_cache(ctx) end
  return true
end
handle.again = again

--- Calls fn(...), which returns a raw pointer or NULL, with a second try after a collection; returns a handle.
function handle.call(fn, ...)
  local h = fresh()
  if C.mn_handle_fill(ctx, h, fn(...)) ~= 0 and (not again() or C.mn_handle_fill(ctx, h, fn(...)) ~= 0) then fail() end
  return h
end

--- The core's view of a tensor: dtype, ndim, size[], stride[]. Valid while the handle lives.
local function array(h)
  -- a table may have a field p, too
  if not istype(Handle, h) then raise('?: expected a tensor, got %s', errors.describe(h)) end
  local p = h.p
  if p == nil then released(h) end
  return ffi.cast(array_pointer, p)
end
handle.array = array

--- True when two descriptions (mn_array) have the same sizes.
function handle.same_size(a, b)
  if a.ndim ~= b.ndim then return false end
  for d = 0, a.ndim - 1 do
    if a.size[d] ~= b.size[d] then return false end
  end
  return true
end

-- ---- dtypes ----
handle.dtype_names, handle.dtypes = dtypes.names, dtypes.codes
local ctypes = {
  [0] = ffi.typeof('float[?]'), ffi.typeof('double[?]'), ffi.typeof('int64_t[?]'), ffi.typeof('int32_t[?]'),
  ffi.typeof('uint8_t[?]'), ffi.typeof('uint8_t[?]'),
}

-- LuaJIT makes no larger objects.
local MOST_BYTES = 2 ^ 31 - 2 ^ 12

--- A buffer of n elements of a dtype; nil for float16 and bfloat16, which C has no type for.
function handle.buffer(dtype, n)
  local ctype = ctypes[dtype]
  return ctype and ctype(n)
end

local sizes_type = ffi.typeof('int64_t[8]')

--- A list of sizes or strides as the core takes it, in memory of its own.
local function sizes_of(op, list)
  if #list > 8 then raise('%s: at most 8 dims, got %d', op, #list) end
  local sizes = sizes_type()
  for i = 1, #list do sizes[i - 1] = list[i] end
  return sizes
end
handle.sizes_of = sizes_of

--- While a recording is on: a function, called after each of its rows for a tensor that is made from, or written with,
-- numbers of Lua's; nil otherwise.
handle.on_constant = nil
function handle.is_recording() return handle.on_constant ~= nil end

--- A tensor from row-major elements of its dtype (a cdata array or pointer), which are copied.
function handle.from_data(dtype, sizes, data)
  local t = handle.call(C.mn_tensor_from_data, ctx, dtype, #sizes, sizes_of('tensor', sizes), data)
  if handle.on_constant then handle.on_constant() end
  return t
end

function handle.empty(dtype, sizes)
  return handle.call(C.mn_tensor_empty, ctx, dtype, #sizes, sizes_of('empty', sizes))
end

--- Raises, in the name of `what` or else of the function called, where a recording that is on computes the tensor: its
-- numbers can't be taken then.
function handle.check_readable(h, what)
  if C.mn_tensor_readable(ctx, what or '?', h.p) ~= 0 then fail(h) end
end

--- Must elements move before t has a view of these sizes? False also where it can't have one: the row view says why.
function handle.reshape_copies(t, sizes)
  return #sizes <= 8 and C.mn_reshape_copies(t.p, #sizes, sizes_of('view', sizes)) ~= 0
end

--- The elements, row-major, as a cdata array of the tensor's dtype (not float16, bfloat16), and how many: to be looked
-- at as numbers. LuaJIT keeps types in the bits of NaNs, and a float that it reads is taken as it lies in memory, so
-- each NaN comes as the usual one; what needs the bits as they are goes by bytes.lua.
function handle.read(h)
  local a = array(h)
  local n = tonumber(a.numel)
  local ctype = ctypes[a.dtype]
  if n * ffi.sizeof(ctype, 1) > MOST_BYTES then
    raise('?: %.0f elements are too many to become Lua numbers at once: take parts', n)
  end
  local data = ctype(math.max(n, 1))
  handle.check_readable(h)
  if C.mn_tensor_values(ctx, h.p, data) ~= 0 then fail(h) end
  return data, n
end

--- Overwrites the elements from a cdata array of the tensor's dtype.
function handle.write(h, data)
  if C.mn_tensor_write(ctx, h.p, data) ~= 0 then fail(h) end
  if handle.on_constant then handle.on_constant() end
end

function handle.is_int64(x) return istype('int64_t', x) or istype('uint64_t', x) end
--- Whether a 64-bit integer, signed or not, is one that int64 holds.
function handle.fits_int64(x) return not istype('uint64_t', x) or x < 2 ^ 63 end

--- The Lua number that a 64-bit integer is; op and name say whose, for the error where there is none.
function handle.to_number(x, op, name)
  local number = tonumber(x)
  if number == x then return number end
  return raise("%s: '%s' is %s, which doesn't fit a Lua number; make a tensor of it", op, name, tostring(x))
end

function errors.describe_cdata(x)
  if istype(Handle, x) then return 'tensor' end
  return handle.is_int64(x) and 'integer ' .. tostring(x) or 'cdata'
end

-- ---- fields and metamethods ----
-- These tables are filled by tensor/init.lua; the functions below are fixed, as ffi.metatype wants.
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
function metatable.__lt()
  raise("tensors don't compare by < and >: use a:lt(b), a:gt(b), as in if a:lt(b):item() == 1, or numbers, a:item() < b")
end
function metatable.__le()
  raise("tensors don't compare by <= and >=: use a:le(b), a:ge(b), as in if a:le(b):item() == 1, or numbers, "
    .. 'a:item() <= b')
end
function metatable.__call()
  raise("a tensor can't be called: T, shape, grad and the like are fields (t.T), methods have a colon (t:sum()), and its "
    .. 'rows are walked by for i = 1, #t do local row = t[i] ... end')
end
local WALK = ': a tensor is no table; walk its rows by for i = 1, #t do local row = t[i] ... end'
function metatable.__ipairs() raise('ipairs' .. WALK) end
function metatable.__pairs() raise('pairs' .. WALK) end
function metatable.__concat(a, b) return tostring(a) .. tostring(b) end
ffi.metatype(Handle, metatable)
anchor[KEY] = handle

return handle
