--- Makes one Lua function per row of the op table, from what the core says about the row, at its first use.
-- A stub is straight-line code specialised to its row: type checks, attributes written to a buffer of the row's own,
-- one C call, one handle. Nothing loops over arguments, so that traces stay short. C never calls Lua, so a row's
-- buffers can't be in use twice.
--
-- Arguments: the row's inputs, then its attributes by position; or, anywhere after the required inputs, one table of
-- attributes (and optional inputs) by name. Dims and positions count from 1, negative ones from the end.
local traversal = require 'metann.binding.traversal'
local next, pairs = traversal.next, traversal.pairs
local ffi = require 'ffi'
local handle = require 'metann.binding.handle'
local errors = require 'metann.binding.errors'
local raise, describe = errors.raise, errors.describe
local C, ctx = handle.C, handle.ctx

local stub = {}

local F = {}
for _, name in ipairs{
  'VIEW', 'NODIFF', 'FIRST', 'BROADCAST', 'PROMOTE', 'FLOAT', 'SCALAR', 'INPLACE', 'RANDOM', 'DATA_SHAPE', 'VARIADIC',
} do
  F[name] = tonumber(C['MN_F_' .. name])
end
local KIND = {}
for _, name in ipairs{ 'INT', 'NUM', 'BOOL', 'ENUM', 'DTYPE', 'LIST', 'DIM', 'DIMS', 'INDEX', 'BASE' } do
  KIND[tonumber(C['MN_ATTR_' .. name])] = name
end
local REQUIRED = -0x8000000000000000LL -- MN_REQUIRED

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

function check.enum(x, choices, op, name)
  local value = choices[x]
  if not value then
    local names = {}
    for choice, i in pairs(choices) do names[i + 1] = choice end
    raise("%s: '%s' must be one of %s, got %s", op, name, table.concat(names, ', '), describe(x))
  end
  return value
end

--- Writes a list of up to 8 integers to B[at...]: a table, or a number for `times` times itself. Unrolled: a loop here
-- would split the caller's trace.
local function make_list(element)
  return function(B, at, x, op, name, times)
    if type(x) == 'number' then
      B[at].i = times
      local v = element(x, op, name)
      B[at + 1].i = v
      if times == 2 then B[at + 2].i = v end
      return
    end
    if type(x) ~= 'table' then raise("%s: '%s' must be a list of integers, got %s", op, name, describe(x)) end
    local n = #x
    if n > 8 then raise("%s: '%s' has %d entries, more than 8", op, name, n) end
    B[at].i = n
    if n == 0 then return end
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

function check.missing(op, name) raise("%s: '%s' must be given", op, name) end
function check.doubled(op, name) raise("%s: '%s' is given twice, by position and by name", op, name) end
function check.tensor(x, op, name) raise("%s: '%s' must be a tensor, got %s", op, name, describe(x)) end

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
local C, ctx, Handle, istype, wrap, again, fail, NONE, check, B, D, IN, OUT, known, names, choices = ...
local int, num, bool, dim, index, dtype = check.int, check.num, check.bool, check.dim, check.index, check.dtype
local enum, list, dims, missing, doubled = check.enum, check.list, check.dims, check.missing, check.doubled
local tensor, scalar, options_ok, is_named = check.tensor, check.scalar, check.options, check.is_named
]]

local function emitter()
  local lines = { HEAD }
  return lines, function(text, ...)
    lines[#lines + 1] = select('#', ...) > 0 and text:format(...) or text
  end
end

-- One number for a list: in rows of planes it stands for both sides.
local function times(row) return row.name:find('2d', 1, true) and 2 or 1 end

--- Code that writes one attribute, held in the local x<i>, to the buffer.
local function emit_attr(emit, row, i, a)
  local x, op = 'x' .. i, row.name
  if a.required then
    emit('if %s == nil then missing(%q, %q) end', x, op, a.name)
  elseif a.kind == 'LIST' or a.kind == 'DIMS' then
    emit('if %s == nil then', x)
    local n = tonumber(row.defaults[a.slot].i)
    for k = 0, math.max(n, 0) do emit('B[%d].i = D[%d].i', a.slot + k, a.slot + k) end
    emit('else')
  else
    local field = a.kind == 'NUM' and 'f' or 'i'
    emit('if %s == nil then B[%d].%s = D[%d].%s else', x, a.slot, field, a.slot, field)
  end
  if a.kind == 'LIST' or a.kind == 'DIMS' then
    emit('%s(B, %d, %s, %q, %q, %d)', a.kind:lower(), a.slot, x, op, a.name, times(row))
  elseif a.kind == 'ENUM' then
    emit('B[%d].i = enum(%s, choices[%d], %q, %q)', a.slot, x, i, op, a.name)
  else
    emit('B[%d].%s = %s(%s, %q, %q)', a.slot, a.kind == 'NUM' and 'f' or 'i', a.kind:lower(), x, op, a.name)
  end
  if not a.required then emit('end') end
end

--- Code that takes a table by name apart into the parameters' locals.
local function emit_options(emit, row, params, first)
  local last = #params
  if first > last then return end
  emit('local o')
  for k = first, last do
    local p = params[k]
    -- where a list may stand, only a table with names is the options table
    if p.listlike then
      emit('if is_named(%s) then o = %s %s = nil end', p.var, p.var, p.var)
    else
      emit('if type(%s) == "table" then o = %s %s = nil end', p.var, p.var, p.var)
    end
  end
  emit('if o then options_ok(%q, o, known, names) local v', row.name)
  for k = first, last do
    local p = params[k]
    if p.name then
      emit('v = o[%q] if v ~= nil then if %s ~= nil then doubled(%q, %q) end %s = v end', p.name, p.var, row.name,
        p.name, p.var)
    end
  end
  emit('end')
end

--- Code that sets p<i> to the pointers of the inputs; returns their expressions.
local function emit_inputs(emit, row)
  local pointers = {}
  for i, input in ipairs(row.inputs) do
    local a, op = 'a' .. i, row.name
    if row.value_slot then
      emit('local p%d if istype(Handle, %s) then p%d = %s.p else p%d = NONE B[%d].f = scalar(%s, %q, %q) end', i, a,
        i, a, i, row.value_slot, a, op, input.name)
      pointers[i] = 'p' .. i
    elseif input.optional then
      emit('local p%d if istype(Handle, %s) then p%d = %s.p elseif %s == nil or %s == false then p%d = NONE '
        .. 'else tensor(%s, %q, %q) end', i, a, i, a, a, a, i, a, op, input.name)
      pointers[i] = 'p' .. i
    else
      emit('if not istype(Handle, %s) then tensor(%s, %q, %q) end', a, a, op, input.name)
      pointers[i] = a .. '.p'
    end
  end
  if row.value_slot then
    emit('if p1 == NONE and p2 == NONE then tensor(a1, %q, %q) end', row.name, row.inputs[1].name)
  end
  return pointers
end

local function join(list) return #list > 0 and ', ' .. table.concat(list, ', ') or '' end

--- Code of the call itself, with a second try, and of the results.
local function emit_call(emit, row, pointers, inplace, attrs)
  local names = {}
  for i = 1, #row.inputs do names[i] = 'a' .. i end
  local blame = 'fail(' .. table.concat(names, ', ') .. ')'
  if inplace or row.n_out > 1 or #pointers > 3 then
    for i, p in ipairs(pointers) do emit('IN[%d] = %s', i - 1, p) end
    local call = inplace and ('C.mn_apply_inplace(ctx, %d, %d, IN, %s)'):format(row.index, #pointers, attrs)
      or ('C.mn_apply(ctx, %d, %d, IN, %s, OUT)'):format(row.index, #pointers, attrs)
    emit('if %s ~= 0 and (not again() or %s ~= 0) then %s end', call, call, blame)
    if inplace then return emit('return a1') end
    local raw, wrapped = {}, {}
    for k = 1, row.n_out do
      raw[k] = ('OUT[%d]'):format(k - 1)
      wrapped[k] = ('wrap(r%d)'):format(k)
    end
    emit('local r1, r2, r3, r4 = %s', table.concat(raw, ', '))
    emit('return %s', table.concat(wrapped, ', '))
  else
    local call = ('C.mn_apply%d(ctx, %d%s, %s)'):format(#pointers, row.index, join(pointers), attrs)
    emit('local r = %s', call)
    emit('if r == nil then if again() then r = %s end if r == nil then %s end end', call, blame)
    emit('return wrap(r)')
  end
end

--- The parameters after the required inputs, in order: what may be given by name.
local function parameters(row)
  local params, required = {}, 0
  for i, input in ipairs(row.inputs) do
    params[i] = { var = 'a' .. i, name = input.name, optional = input.optional }
    if not input.optional then required = i end
  end
  for i, a in ipairs(row.attrs) do
    params[#params + 1] = { var = 'x' .. i, name = a.name, listlike = a.kind == 'LIST' or a.kind == 'DIMS' }
  end
  params[#params + 1] = { var = 'o_last' }
  return params, required + 1
end

local function has_required(row)
  for _, a in ipairs(row.attrs) do
    if a.required then return true end
  end
  return false
end

--- True where the sizes may also be given one by one: view(t, 2, 3).
local function takes_numbers(row)
  local a = row.attrs[1]
  return #row.attrs == 1 and (a.kind == 'LIST' or a.kind == 'DIMS') and (a.required or a.kind == 'DIMS')
    and not row.value_slot
end

--- Code for rows that take a list of numbers one by one.
local function emit_numbers(emit, row)
  local a = row.attrs[1]
  local element = a.kind == 'DIMS' and 'dim' or 'int'
  emit('if type(x1) == "number" and x2 ~= nil then B[%d].i = 1', row.n_slots)
  for k = 1, 8 do
    emit('if x%d ~= nil then B[%d].i = %s(x%d, %q, %q) B[%d].i = %d', k, a.slot + k, element, k, row.name, a.name,
      a.slot, k)
  end
  emit(('end '):rep(8) .. 'else')
end

--- Code that writes all attributes; where none need be given, the buffer's last slot says whether it still holds the
-- defaults, and then nothing is written. It is set before the first write, as a check may raise between two.
local function emit_attrs(emit, row)
  if #row.attrs == 0 then return end
  local function write()
    for i, a in ipairs(row.attrs) do emit_attr(emit, row, i, a) end
  end
  if has_required(row) then return write() end
  local tests = {}
  for i = 1, #row.attrs do tests[i] = 'x' .. i .. ' == nil' end
  emit('if %s then if B[%d].i ~= 0 then', table.concat(tests, ' and '), row.n_slots)
  write()
  emit('B[%d].i = 0 end else B[%d].i = 1', row.n_slots, row.n_slots)
  write()
  emit('end')
end

local function source_of(row, inplace)
  local lines, emit = emitter()
  local params, first = parameters(row)
  local vars = {}
  for i, p in ipairs(params) do vars[i] = p.var end
  local numbers = takes_numbers(row)
  if numbers then vars[#vars] = 'x2, x3, x4, x5, x6, x7, x8' params[#params].var = 'x2' end
  emit('return function(%s)', table.concat(vars, ', '))
  local attrs = (#row.attrs > 0 or #row.bases > 0 or row.value_slot) and 'B' or 'nil'
  if numbers then emit_numbers(emit, row) end
  emit_options(emit, row, params, first)
  emit_attrs(emit, row)
  if numbers then emit('end') end
  local pointers = emit_inputs(emit, row)
  emit_call(emit, row, pointers, inplace, attrs)
  emit('end')
  return table.concat(lines, '\n')
end

--- Names that the options table may hold: attributes and optional inputs.
local function known_names(row)
  local known, names = {}, {}
  for _, input in ipairs(row.inputs) do
    if input.optional then names[#names + 1] = input.name end
  end
  for _, a in ipairs(row.attrs) do names[#names + 1] = a.name end
  for _, name in ipairs(names) do known[name] = true end
  return known, names
end

--- Code of a function that writes the attributes of a row that takes a list of tensors.
local function variadic_source(row)
  local lines, emit = emitter()
  local params, vars = {}, {}
  for i, a in ipairs(row.attrs) do
    params[i] = { var = 'x' .. i, name = a.name, listlike = a.kind == 'LIST' or a.kind == 'DIMS' }
  end
  params[#params + 1] = { var = 'o_last' }
  for i, p in ipairs(params) do vars[i] = p.var end
  emit('return function(%s)', table.concat(vars, ', '))
  emit_options(emit, row, params, 1)
  for i, a in ipairs(row.attrs) do emit_attr(emit, row, i, a) end
  emit('end')
  return table.concat(lines, '\n')
end

--- The function of a row that takes a list of tensors, which may have false for gaps where the row allows them. As their
-- number is open, this one loops.
local function variadic_function(row, inplace, B, write_attrs)
  local capacity, IN, OUT = 16, ffi.new('mn_tensor *[16]'), ffi.new('mn_tensor *[4]')
  local op, name, is_tensor, NONE = row.index, row.name, handle.is_tensor, handle.NONE
  local function run(n)
    if inplace then return C.mn_apply_inplace(ctx, op, n, IN, B) end
    return C.mn_apply(ctx, op, n, IN, B, OUT)
  end
  return function(tensors, ...)
    if type(tensors) ~= 'table' then raise('%s: expected a list of tensors, got %s', name, describe(tensors)) end
    local n = #tensors
    write_attrs(...)
    if n > capacity then
      capacity = 2 * n
      IN = ffi.new('mn_tensor *[?]', capacity)
    end
    for i = 1, n do
      local t = tensors[i]
      if is_tensor(t) then
        IN[i - 1] = t.p
      elseif t == false then
        IN[i - 1] = NONE
      else
        raise('%s: entry %d of the list must be a tensor, got %s', name, i, describe(t))
      end
    end
    if run(n) ~= 0 and (not handle.again() or run(n) ~= 0) then handle.fail_list(tensors) end
    if inplace then return tensors[1] end
    return handle.wrap(OUT[0])
  end
end

local function compile(row, inplace)
  local n = row.n_slots
  -- one slot more than the row has: 1 while attributes differ from their defaults
  local B, D = ffi.new('mn_slot[?]', n + 1), ffi.new('mn_slot[?]', n + 1)
  for i = 0, n - 1 do B[i], D[i] = row.defaults[i], row.defaults[i] end
  for _, slot in ipairs(row.bases) do B[slot].i, D[slot].i = 1, 1 end
  B[n].i = has_required(row) and 1 or 0
  local choices = {}
  for i, a in ipairs(row.attrs) do choices[i] = a.choices or false end
  local known, names = known_names(row)
  local variadic = row.inputs[1] and row.inputs[1].variadic
  local source = variadic and variadic_source(row) or source_of(row, inplace)
  local chunk = assert(loadstring(source, ('@%sbinding/op %s%s'):format(errors.root, row.name, inplace and '_' or '')))
  local fn = chunk(C, ctx, handle.Handle, ffi.istype, handle.wrap, handle.again, handle.fail, handle.NONE, check, B, D,
    ffi.new('mn_tensor *[8]'), ffi.new('mn_tensor *[4]'), known, names, choices)
  fn = variadic and variadic_function(row, inplace, B, fn) or fn
  errors.name(fn, row.name .. (inplace and '_' or ''))
  return fn
end

--- The function of a row, or, for a name with '_' at its end, its in-place variant; nil where there is none.
function stub.make(name)
  local row = rows[name]
  if row then return compile(row, false) end
  local base = name:match('^(.*)_$')
  row = base and rows[base]
  if row and row.has('INPLACE') then return compile(row, true) end
  return nil
end

--- All stubs, by name, made as they are asked for; nil for a name that is no row.
stub.ops = setmetatable({}, {
  __index = function(ops, name)
    local fn = type(name) == 'string' and stub.make(name) or nil
    if fn then rawset(ops, name, fn) end
    return fn
  end,
})

return stub
