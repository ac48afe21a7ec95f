--- Makes one Lua function per row of the op table, from what the core says about the row, at its first use.
-- A stub is straight-line code specialised to its row: type checks, attributes written to a frame of the row's own, one
-- C call that fills the handles made for it. Nothing loops over arguments, so that traces stay short.
--
-- A row's frame is taken by the call that uses it (the upvalue F is nil meanwhile) and put back at its end. So a call of
-- the same row out of a finalizer or a debug hook, between any two of its instructions, makes a frame of its own, and so
-- does the next call after an error. (Such calls end before the outer one goes on, so taking needs no lock.)
--
-- Arguments: the row's inputs, then its attributes by position; then one table with any of them by name. Dims and
-- positions count from 1, negative ones from the end.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local ffi = require 'ffi'
local handle = require 'metann.binding.handle'
local devices = require 'metann.binding.devices'
local errors = require 'metann.binding.errors'
local raise, describe = errors.raise, errors.describe
local C, ctx = handle.C, handle.ctx

local stub = {}

local F = {}
for _, name in ipairs{
  'VIEW', 'NODIFF', 'FIRST', 'BROADCAST', 'PROMOTE', 'FLOAT', 'SCALAR', 'INPLACE', 'RANDOM', 'DATA_SHAPE', 'VARIADIC',
  'VALUES',
} do
  F[name] = tonumber(C['MN_F_' .. name])
end
local KIND = {}
for _, name in ipairs{ 'INT', 'NUM', 'BOOL', 'ENUM', 'DTYPE', 'LIST', 'DIM', 'DIMS', 'INDEX', 'BASE', 'PAIR', 'DEVICE' } do
  KIND[tonumber(C['MN_ATTR_' .. name])] = name
end
local IS_LIST = { LIST = true, DIMS = true, PAIR = true } -- kinds of several slots
local REQUIRED = -0x8000000000000000LL -- MN_REQUIRED
local PLAIN = {} -- behind a stub's arguments: all is in its place already

-- ---- checks that stubs call: each returns the value for the slot or raises ----
local check = {}

-- Sizes, dims and positions are far smaller than this; sums and negations of such numbers don't overflow.
local LIMIT = 2 ^ 60

local function not_an_integer(x, op, name)
  raise("%s: '%s' must be an integer%s, got %s", op, name, type(x) == 'number' and x % 1 == 0 and ' below 2^60' or '',
    describe(x))
end

function check.int(x, op, name)
  if type(x) ~= 'number' then
    if handle.is_int64(x) and tonumber(x) < LIMIT and tonumber(x) > -LIMIT then return x end
    not_an_integer(x, op, name)
  end
  if x % 1 ~= 0 or x >= LIMIT or x <= -LIMIT then not_an_integer(x, op, name) end
  return x
end

function check.num(x, op, name)
  if type(x) == 'number' then return x end
  if handle.is_int64(x) then return handle.to_number(x, op, name) end
  return raise("%s: '%s' must be a number, got %s", op, name, describe(x))
end

function check.bool(x, op, name)
  if type(x) ~= 'boolean' then raise("%s: '%s' must be true or false, got %s", op, name, describe(x)) end
  return x and 1 or 0
end

function check.dim(x, op, name)
  if type(x) ~= 'number' or x % 1 ~= 0 or x >= LIMIT or x <= -LIMIT then not_an_integer(x, op, name) end
  if x > 0 then return x - 1 end
  if x == 0 then raise("%s: '%s' is 0, but dims count from 1 (-1 is the last)", op, name) end
  return x
end

function check.index(x, op, name)
  if type(x) ~= 'number' or x % 1 ~= 0 or x >= LIMIT or x <= -LIMIT then not_an_integer(x, op, name) end
  if x > 0 then return x - 1 end
  if x == 0 then raise("%s: '%s' is 0, but indices count from 1 (-1 is the last)", op, name) end
  return x
end

function check.dtype(x, op, name)
  local code = handle.dtypes[x]
  if not code then raise("%s: '%s' must be a dtype such as 'float32', got %s", op, name, describe(x)) end
  return code
end

function check.device(x, op, name)
  local number, reason = devices.number(x)
  if not number then
    local why = type(x) == 'string' and ': ' .. reason or ''
    raise("%s: '%s' must be a device such as 'cpu', got %s%s", op, name, describe(x), why)
  end
  return number
end

function check.enum(x, choices, op, name)
  local value = choices[x]
  if not value then
    local names = {}
    for choice, i in pairs(choices) do names[i + 1] = choice end
    raise("%s: '%s' must be one of %s, got %s", op, name, table.concat(names, ', '), describe(x))
  end
  return value
end

--- Writes a list of up to 8 integers to B[at...]: a table, or a number for a list of one. Unrolled: a loop here would
-- split the caller's trace.
local function make_list(element)
  return function(B, at, x, op, name)
    if type(x) == 'number' then
      B[at].i = 1
      B[at + 1].i = element(x, op, name)
      return
    end
    if type(x) ~= 'table' then raise("%s: '%s' must be a list of integers, got %s", op, name, describe(x)) end
    local n = #x
    if n > 8 then raise("%s: '%s' has %d entries, more than 8", op, name, n) end
    B[at].i = n
    if n == 0 then
      if next(x) ~= nil then raise("%s: '%s' must be a list of integers, got a table by name", op, name) end
      return
    end
    B[at + 1].i = element(x[1], op, name)
    if n == 1 then return end
    B[at + 2].i = element(x[2], op, name)
    if n == 2 then return end
    B[at + 3].i = element(x[3], op, name)
    if n == 3 then return end
    B[at + 4].i = element(x[4], op, name)
    if n == 4 then return end
    B[at + 5].i = element(x[5], op, name)
    if n == 5 then return end
    B[at + 6].i = element(x[6], op, name)
    if n == 6 then return end
    B[at + 7].i = element(x[7], op, name)
    if n == 7 then return end
    B[at + 8].i = element(x[8], op, name)
  end
end
check.list = make_list(check.int)
check.dims = make_list(check.dim)

--- The sides of a plane: one number stands for both.
function check.pair(B, at, x, op, name)
  if type(x) ~= 'number' then
    check.list(B, at, x, op, name)
    return
  end
  local v = check.int(x, op, name)
  B[at].i = 2
  B[at + 1].i = v
  B[at + 2].i = v
end

function check.missing(op, name) raise("%s: '%s' must be given", op, name) end
function check.doubled(op, name) raise("%s: '%s' is given twice, by position and by name", op, name) end
function check.tensor(x, op, name) raise("%s: '%s' must be a tensor, got %s", op, name, describe(x)) end

--- The first input of a method is missing most often because of a dot in place of the colon.
function check.first(x, op, name)
  if x ~= nil then check.tensor(x, op, name) end
  raise("%s: '%s' must be a tensor, got nil (a method is called with a colon: t:%s())", op, name, op)
end

--- The number that stands in a tensor's place.
function check.scalar(x, op, name)
  if type(x) == 'number' then return x end
  if type(x) == 'boolean' then return x and 1 or 0 end
  if handle.is_int64(x) then return handle.to_number(x, op, name) end
  return raise("%s: '%s' must be a tensor or a number, got %s", op, name, describe(x))
end

function check.options(op, options, known, names)
  -- pairs would stop the compiler, next only makes it step out for a moment
  local key = next(options)
  while key ~= nil do
    if not known[key] then
      raise("%s: unknown option '%s'%s", op, tostring(key), errors.suggestion(key, names))
    end
    key = next(options, key)
  end
end

--- True for a table by name, as opposed to a list.
function check.is_named(x)
  if type(x) ~= 'table' or x[1] ~= nil then return false end
  return next(x) ~= nil
end

--- True for a list that has names as well. A layer or another object may show an entry 1 that it doesn't hold.
function check.is_mixed(x)
  if type(x) ~= 'table' or x[1] == nil then return false end
  local n = #x
  return n > 0 and next(x, n) ~= nil
end

-- ---- rows ----

--- A row of the table as Lua data, by name.
-- @field inputs list of {name, optional, variadic}
-- @field attrs list of {name, kind, slot, choices, required}; without those of kind BASE
local rows, order = {}, {}

local function parse_inputs(text)
  local inputs = {}
  for name, mark in text:gmatch('([%w_]+)([?.]*)') do
    inputs[#inputs + 1] = { name = name, optional = mark == '?', variadic = mark == '...' }
  end
  return inputs
end

local function parse_choices(text)
  local choices, value = {}, 0
  for name in text:gmatch('[^|]+') do
    choices[name], value = value, value + 1
  end
  return choices
end

local function parse_row(info)
  local row = {
    name = ffi.string(info.name), index = info.index, n_in = info.n_in, n_out = info.n_out, flags = info.flags,
    n_slots = info.n_slots, defaults = info.defaults, attrs = {}, bases = {},
  }
  row.inputs = parse_inputs(info.inputs ~= nil and ffi.string(info.inputs) or '')
  for i = 0, info.n_attrs - 1 do
    local a = info.attrs[i]
    local kind, default = KIND[a.kind], info.defaults[a.slot]
    if kind == 'BASE' then
      row.bases[#row.bases + 1] = a.slot
    else
      local required = default.i == REQUIRED
      if kind == 'NUM' then required = default.f ~= default.f end
      row.attrs[#row.attrs + 1] = {
        name = ffi.string(a.name), kind = kind, slot = a.slot, required = required,
        choices = kind == 'ENUM' and parse_choices(ffi.string(a.choices)) or nil,
      }
    end
  end
  function row.has(flag) return bit.band(row.flags, F[flag]) ~= 0 end
  if row.has('SCALAR') then
    -- the number's slot is filled from an input's place
    for i, a in ipairs(row.attrs) do
      if a.name == 'value' then row.value_slot = table.remove(row.attrs, i).slot break end
    end
  end
  return row
end

for i = 0, C.mn_op_count() - 1 do
  local row = parse_row(C.mn_op(i))
  rows[row.name] = row
  order[i + 1] = row.name
end
stub.rows, stub.order = rows, order

-- ---- code ----

local HEAD = [[
local C, ctx, Handle, istype, fresh, again, fail, NONE, check, new_frame, D, known, names, choices, by_name, PLAIN = ...
local int, num, bool, dim, index, dtype = check.int, check.num, check.bool, check.dim, check.index, check.dtype
local device, enum, list, dims, pair = check.device, check.enum, check.list, check.dims, check.pair
local missing, doubled, options_ok = check.missing, check.doubled, check.options
local tensor, scalar, first = check.tensor, check.scalar, check.first
local is_named, is_mixed = check.is_named, check.is_mixed
local F, run = new_frame()
]]

-- Takes the frame; see the top of this file.
local TAKE = 'b = F if b == nil then b = new_frame() end F = nil'

local function emitter()
  local lines = { HEAD }
  return lines, function(text, ...)
    lines[#lines + 1] = select('#', ...) > 0 and text:format(...) or text
  end
end

--- Code that writes one attribute, held in the local x<i>, to the buffer.
local function emit_attr(emit, row, i, a)
  local x, op = 'x' .. i, row.name
  if a.required then
    emit('if %s == nil then missing(%q, %q) end', x, op, a.name)
  elseif IS_LIST[a.kind] then
    emit('if %s == nil then', x)
    local n = tonumber(row.defaults[a.slot].i)
    for k = 0, math.max(n, 0) do emit('B[%d].i = D[%d].i', a.slot + k, a.slot + k) end
    emit('else')
  else
    local field = a.kind == 'NUM' and 'f' or 'i'
    emit('if %s == nil then B[%d].%s = D[%d].%s else', x, a.slot, field, a.slot, field)
  end
  if IS_LIST[a.kind] then
    emit('%s(B, %d, %s, %q, %q)', a.kind:lower(), a.slot, x, op, a.name)
  elseif a.kind == 'ENUM' then
    emit('B[%d].i = enum(%s, choices[%d], %q, %q)', a.slot, x, i, op, a.name)
  else
    emit('B[%d].%s = %s(%s, %q, %q)', a.slot, a.kind == 'NUM' and 'f' or 'i', a.kind:lower(), x, op, a.name)
  end
  if not a.required then emit('end') end
end

--- True where the sizes may also be given one by one: view(t, 2, 3).
local function takes_numbers(row)
  local a = row.attrs[1]
  return #row.attrs == 1 and IS_LIST[a.kind] and (a.required or a.kind == 'DIMS')
    and not row.value_slot
end

--- Code that takes a table by name, which must come last, apart into the parameters' locals.
local function emit_options(emit, row, params, first)
  local last = #params
  if first > last then return end
  emit('local o if plain == nil then')
  local behind = ''
  for k = last, first, -1 do
    local p = params[k]
    -- where a list may stand, only a table with names is the options table
    emit(p.list and 'if is_named(%s)%s then o = %s %s = nil end' or 'if type(%s) == "table"%s then o = %s %s = nil end',
      p.var, behind, p.var, p.var)
    behind = behind .. (' and %s == nil'):format(p.var)
  end
  emit('end if o then options_ok(%q, o, known, names) local v', row.name)
  for _, p in ipairs(params) do
    emit('v = o[%q] if v ~= nil then if %s ~= nil then doubled(%q, %q) end %s = v end', p.name, p.var, row.name, p.name,
      p.var)
  end
  emit('end')
end

--- Code for what is seldom: a table by name in place of an input, one with a list and names, too many arguments. They
-- are put into their places apart, and the function is called again.
local function emit_by_name(emit, row, params, vars, public)
  local tests = {}
  for k, p in ipairs(params) do
    if not p.list and k < params.first then
      tests[#tests + 1] = ('type(%s) == "table"'):format(p.var)
    elseif p.list and public then
      tests[#tests + 1] = ('is_mixed(%s)'):format(p.var)
    end
  end
  if takes_numbers(row) then tests[#tests + 1] = 'x2 ~= nil and type(x1) ~= "number"' end
  tests[#tests + 1] = 'extra ~= nil'
  emit('if plain ~= PLAIN and (%s or plain ~= nil) then', table.concat(tests, ' or '))
  emit('return by_name(run, %d, %s, extra, plain) end', takes_numbers(row) and #params + 7 or #params, vars)
end

--- Code that sets p<i> to the pointers of the inputs; returns their expressions.
local function emit_inputs(emit, row)
  local pointers = {}
  for i, input in ipairs(row.inputs) do
    local a, op = 'a' .. i, row.name
    if row.value_slot then
      emit('local p%d if istype(Handle, %s) then p%d = %s.p else', i, a, i, a)
      if i == 1 then emit('if a1 == nil then first(a1, %q, %q) end', op, input.name) end
      emit('p%d = NONE B[%d].f = scalar(%s, %q, %q) end', i, row.value_slot, a, op, input.name)
      pointers[i] = 'p' .. i
    elseif input.optional then
      emit('local p%d if istype(Handle, %s) then p%d = %s.p elseif %s == nil or %s == false then p%d = NONE '
        .. 'else tensor(%s, %q, %q) end', i, a, i, a, a, a, i, a, op, input.name)
      pointers[i] = 'p' .. i
    else
      emit('if not istype(Handle, %s) then %s(%s, %q, %q) end', a, i == 1 and 'first' or 'tensor', a, op, input.name)
      pointers[i] = a .. '.p'
    end
  end
  if row.value_slot then
    emit('if p1 == NONE and p2 == NONE then first(a1, %q, %q) end', row.name, row.inputs[1].name)
  end
  return pointers
end

local function join(list) return #list > 0 and ', ' .. table.concat(list, ', ') or '' end

--- Code of the call itself, with a second try, and of the results. `frame`: 'always', 'maybe' or nil: whether b holds one.
local function emit_call(emit, row, pointers, inplace, attrs, frame)
  local names, made = {}, {}
  for i = 1, #row.inputs do names[i] = 'a' .. i end
  local call
  if frame == 'always' then
    for i, p in ipairs(pointers) do emit('b.inputs[%d] = %s', i - 1, p) end
  end
  if inplace then
    call = ('C.mn_apply_inplace(ctx, %d, %d, b.inputs, %s)'):format(row.index, #pointers, attrs)
    made[1] = 'a1'
  else
    for k = 1, row.n_out do
      made[k] = 'h' .. k
      emit('local h%d = fresh()', k)
      if frame == 'always' then emit('b.out[%d] = h%d', k - 1, k) end
    end
    call = frame == 'always'
      and ('C.mn_make(ctx, %d, %d, b.inputs, %s, b.out)'):format(row.index, #pointers, attrs)
      or ('C.mn_make%d(ctx, %d%s, %s, h1)'):format(#pointers, row.index, join(pointers), attrs)
  end
  emit('if %s ~= 0 and (not again() or %s ~= 0) then fail(%s) end', call, call, table.concat(names, ', '))
  if frame then emit(frame == 'always' and 'F = b' or 'if b then F = b end') end
  emit('return %s', table.concat(made, ', '))
end

--- All parameters in order; `first`: the first that isn't a required input.
local function parameters(row)
  local params = { first = 1 }
  for i, input in ipairs(row.inputs) do
    params[i] = { var = 'a' .. i, name = input.name }
    if not input.optional then params.first = i + 1 end
  end
  for i, a in ipairs(row.attrs) do
    params[#params + 1] = { var = 'x' .. i, name = a.name, list = IS_LIST[a.kind] or false }
  end
  return params
end

local function has_required(row)
  for _, a in ipairs(row.attrs) do
    if a.required then return true end
  end
  return false
end

--- Code for rows that take a list of numbers one by one.
local function emit_numbers(emit, row)
  local a = row.attrs[1]
  local element = a.kind == 'DIMS' and 'dim' or 'int'
  for k = 1, 8 do
    emit('if x%d ~= nil then B[%d].i = %s(x%d, %q, %q) B[%d].i = %d', k, a.slot + k, element, k, row.name, a.name,
      a.slot, k)
  end
  emit(('end '):rep(8))
end

--- Code that sets B to the attributes: D, the defaults, or the frame's with all of them written. `taken`: b is a frame.
local function emit_attrs(emit, row, numbers, taken)
  local take = (taken and '' or TAKE .. ' ') .. 'B = b.at'
  local function write()
    emit(take)
    for i, a in ipairs(row.attrs) do emit_attr(emit, row, i, a) end
  end
  if numbers then
    emit('if type(x1) == "number" and x2 ~= nil then %s', take)
    emit_numbers(emit, row)
    emit('else')
  end
  if has_required(row) then
    write()
  else
    local tests = {}
    for i = 1, #row.attrs do tests[i] = ('x%d ~= nil'):format(i) end
    if row.value_slot then
      for i = 1, #row.inputs do tests[#tests + 1] = ('not istype(Handle, a%d)'):format(i) end
    end
    if #tests > 0 then
      emit('if %s then', table.concat(tests, ' or '))
      write()
      emit('end')
    end
  end
  if numbers then emit('end') end
end

local function source_of(row, inplace, public)
  local lines, emit = emitter()
  local params = parameters(row)
  local vars = {}
  for i, p in ipairs(params) do vars[i] = p.var end
  local numbers = takes_numbers(row)
  if numbers then vars[#vars + 1] = 'x2, x3, x4, x5, x6, x7, x8' end
  vars = table.concat(vars, ', ')
  emit('run = function(%s%sextra, plain)', vars, #params > 0 and ', ' or '')
  local attrs = (#row.attrs > 0 or #row.bases > 0 or row.value_slot) and 'B' or 'nil'
  local always = inplace or row.n_out > 1 or #row.inputs > 3
  if #params > 0 then emit_by_name(emit, row, params, vars, public) end
  if numbers then emit('if x2 == nil then') end
  emit_options(emit, row, params, params.first)
  if numbers then emit('end') end
  emit('local B, b = D')
  if always then emit(TAKE) end
  emit_attrs(emit, row, numbers, always)
  local pointers = emit_inputs(emit, row)
  emit_call(emit, row, pointers, inplace, attrs, always and 'always' or attrs == 'B' and 'maybe' or nil)
  emit('end return run')
  return table.concat(lines, '\n')
end

--- Names that the options table may hold.
local function known_names(row)
  local known, names = {}, {}
  for i, p in ipairs(parameters(row)) do
    names[i], known[p.name] = p.name, true
  end
  return known, names
end

-- ---- rows that take a list of tensors ----

--- Code of a function that returns the attributes of such a row and the frame that they are in, nil for the defaults.
local function variadic_source(row)
  local lines, emit = emitter()
  local params, vars = parameters(row), {}
  params[1].var = 'tensors'
  for i = 2, #params do vars[#vars + 1] = params[i].var end
  local all = table.concat(vars, ', ')
  emit('return function(plain, tensors%s)', #vars > 0 and ', ' .. all or '')
  emit_options(emit, row, params, 2)
  emit('local B, b = D')
  emit_attrs(emit, row, false, false)
  emit('return B, b end, function(b) F = b end')
  return table.concat(lines, '\n')
end

local list_type = ffi.typeof('struct { int32_t capacity; mn_handle *out[1]; mn_tensor *inputs[?]; }')
local function new_list(n)
  local list = list_type(n)
  list.capacity = n
  return list
end

--- The function of such a row; the list may have false for gaps where the row allows them. As their number is open, this
-- one loops. It takes its room for pointers as stubs take their frames.
local function variadic_function(row, inplace, attributes, put_back, by_name, public)
  local ready, op, name, n_attrs = new_list(16), row.index, row.name, #row.attrs
  assert(n_attrs <= 2)
  local is_tensor, NONE, is_mixed = handle.is_tensor, handle.NONE, check.is_mixed
  local function call(list, n, B)
    if inplace then return C.mn_apply_inplace(ctx, op, n, list.inputs, B) end
    return C.mn_make(ctx, op, n, list.inputs, B, list.out)
  end
  local function fill(list, tensors)
    for i = 1, #tensors do
      local t = tensors[i]
      if is_tensor(t) then
        list.inputs[i - 1] = t.p
      elseif t == false then
        list.inputs[i - 1] = NONE
      else
        raise('%s: entry %d of the list must be a tensor, got %s', name, i, describe(t))
      end
    end
  end
  local function run(tensors, x1, x2, extra, plain)
    if plain ~= PLAIN and (type(tensors) ~= 'table' or tensors[1] == nil or public and is_mixed(tensors)
      or x1 ~= nil and n_attrs == 0 or x2 ~= nil and n_attrs < 2 or extra ~= nil or plain ~= nil) then
      return by_name(run, 3, tensors, x1, x2, extra, plain)
    end
    if type(tensors) ~= 'table' then raise('%s: expected a list of tensors, got %s', name, describe(tensors)) end
    local n, list = #tensors, ready
    local B, b = attributes(plain, tensors, x1, x2)
    if list == nil or n > list.capacity then list = new_list(math.max(16, 2 * n)) end
    ready = nil
    fill(list, tensors)
    local h = tensors[1]
    if not inplace then
      h = handle.fresh()
      list.out[0] = h
    end
    if call(list, n, B) ~= 0 and (not handle.again() or call(list, n, B) ~= 0) then handle.fail_list(tensors) end
    if b then put_back(b) end
    ready = list
    return h
  end
  return run
end

-- ---- functions ----

-- stub.arguments: metann.arguments puts itself here.

--- Puts values given by name into their places. `run` is called with all of them by position.
local function resolver(row, what)
  local signature
  return function(run, n, ...)
    local arguments = stub.arguments
    if not signature then
      local list, parameters_of = {}, parameters(row)
      for i, p in ipairs(parameters_of) do
        list[i] = { p.name, p.list and arguments.kinds.any_list or nil, optional = true }
      end
      if takes_numbers(row) then list[#list].rest = true end
      if row.inputs[1] and row.inputs[1].variadic then list[1][2] = arguments.kinds.any_list end
      signature = arguments.signature(what, list)
    end
    local values = arguments.positions(signature, { ... }, select('#', ...))
    values[n + 2] = PLAIN
    return run(unpack(values, 1, n + 2))
  end
end

local function compile(row, inplace, public)
  local n, name = row.n_slots, row.name .. (inplace and '_' or '')
  local frame_type = ffi.typeof('struct { mn_tensor *inputs[8]; mn_handle *out[4]; mn_slot at[?]; }')
  local D = ffi.new('mn_slot[?]', n)
  for i = 0, n - 1 do D[i] = row.defaults[i] end
  for _, slot in ipairs(row.bases) do D[slot].i = 1 end
  local function new_frame()
    local frame = frame_type(n)
    ffi.copy(frame.at, D, n * ffi.sizeof('mn_slot'))
    return frame
  end
  local choices = {}
  for i, a in ipairs(row.attrs) do choices[i] = a.choices or false end
  local known, names = known_names(row)
  local variadic = row.inputs[1] and row.inputs[1].variadic
  local source = variadic and variadic_source(row) or source_of(row, inplace, public)
  local chunk = assert(loadstring(source, ('@%sbinding/op %s'):format(errors.root, name)))
  local by_name = resolver(row, name)
  local fn, put_back = chunk(C, ctx, handle.Handle, ffi.istype, handle.fresh, handle.again, handle.fail, handle.NONE,
    check, new_frame, D, known, names, choices, by_name, PLAIN)
  if variadic then fn = variadic_function(row, inplace, fn, put_back, by_name, public) end
  errors.inner_name(row.name)
  errors.name(fn, name)
  return fn
end

--- The function of a row, or, for a name with '_' at its end, its in-place variant; nil where there is none.
local function make(name, public)
  local row = rows[name]
  if row then return compile(row, false, public) end
  local base = name:match('^(.*)_$')
  row = base and rows[base]
  if row and row.has('INPLACE') then return compile(row, true, public) end
  return nil
end

local function table_of(public)
  return setmetatable({}, {
    __index = function(functions, name)
      local fn = type(name) == 'string' and make(name, public) or nil
      if fn then rawset(functions, name, fn) end
      return fn
    end,
  })
end

--- All stubs, by name, made as they are asked for; nil for a name that is no row. In `public`, for users, a list may
-- have names as well, which costs a look at every list.
stub.ops, stub.public = table_of(false), table_of(true)

return stub
