-- Rows on raw arrays: mn_resolve and mn_execute, without a tensor, give the layouts and bits that the door gave. Each
-- row's samples are called once through the door while a recording is on; what it noted is then run on plain memory.
local metann = require 'metann'
local binding = require 'metann.binding'
local rows = require 'tests.support.rows'
local handle = binding.handle
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx

local POISON, SCRATCH = 0x5a, 2 ^ 18
local SEED = 11

local kept = {} -- what C points to
local function keep(object)
  kept[#kept + 1] = object
  return object
end

--- Memory at a multiple of 64, filled with a byte.
local function memory(bytes, fill)
  local room = ffi.new('char[?]', bytes + 128)
  ffi.fill(room, bytes + 128, fill)
  keep(room)
  local address = tonumber(ffi.cast('uintptr_t', room))
  return room + (64 - address % 64) % 64
end

local ITEM = {} -- the bytes of an element, by a dtype's number
for code = 0, C.MN_DTYPE_COUNT - 1 do
  local name = handle.dtype_names[code]
  ITEM[code] = name:find '64' and 8 or name:find '32' and 4 or name:find '16' and 2 or 1
end

--- A dense tensor's array over a copy of its elements.
local function array_of(t)
  local from = handle.array(t)
  local n = tonumber(from.numel)
  local a = keep(ffi.new 'mn_array')
  a.data, a.numel, a.ndim, a.dtype, a.contiguous = memory(n * ITEM[from.dtype] + 1, POISON), n, from.ndim, from.dtype, 1
  for d = 0, from.ndim - 1 do a.size[d], a.stride[d] = from.size[d], from.stride[d] end
  assert(C.mn_tensor_read(ctx, t.p, a.data) == 0)
  return a
end

local function layout(a)
  local list = { a.dtype, a.ndim, tonumber(a.numel), a.contiguous }
  for d = 0, a.ndim - 1 do
    list[#list + 1] = tonumber(a.size[d])
    list[#list + 1] = tonumber(a.size[d]) > 1 and tonumber(a.stride[d]) or 'any'
  end
  return table.concat(list, ' ')
end

local function error_text(call) return ffi.string(call.error) end

--- Runs one noted row. known: arrays by id, to which its outputs are added.
local function run_row(row, known)
  local info = C.mn_op(row.op)
  local view = bit.band(info.flags, C.MN_F_VIEW) ~= 0 or ffi.string(info.name) == 'detach'
  local inputs = keep(ffi.new('const mn_array *[?]', row.n_in + 1))
  for i = 0, row.n_in - 1 do
    if row['in'][i].none == 0 then inputs[i] = assert(known[row['in'][i].tensor], 'an input that nobody made') end
  end
  local attrs = keep(ffi.new('mn_slot[?]', info.n_slots))
  ffi.copy(attrs, row.attrs, info.n_slots * ffi.sizeof 'mn_slot')
  local made, outputs = {}, keep(ffi.new 'mn_array *[4]')
  for k = 0, info.n_out - 1 do
    made[k] = keep(ffi.new 'mn_array')
    ffi.fill(made[k], ffi.sizeof 'mn_array', POISON)
    outputs[k] = made[k]
  end
  assert(C.mn_resolve(ctx, row.op, row.n_in, inputs, attrs, outputs) == 0, ffi.string(C.mn_error_message(ctx)))
  for k = 0, info.n_out - 1 do
    if not view then made[k].data = memory(tonumber(made[k].numel) * ITEM[made[k].dtype] + 1, POISON) end
    known[row.out[k].tensor] = made[k]
  end
  local arena = keep(ffi.new 'mn_arena')
  C.mn_arena_over(arena, memory(SCRATCH, POISON), SCRATCH)
  local call = keep(ffi.new 'mn_call')
  call['in'], call.out, call.n_in, call.n_out, call.attrs = inputs, outputs, row.n_in, info.n_out, attrs
  call.seed, call.counter = SEED, math.max(row.counter, 0)
  call.arena, call.device = arena, C.mn_context_device(ctx, 0)
  local before = handle.stats.live_bytes
  local failed = C.mn_execute(row.op, call)
  local after = handle.stats.live_bytes
  assert.equal(before, after)
  assert(failed == 0, error_text(call))
  return made
end

local function bytes_of(a) return ffi.string(a.data, tonumber(a.numel) * ITEM[a.dtype]) end
local function bytes_of_tensor(t) return bytes_of(array_of(t)) end

--- The row of a call that no recording holds, as the size of its result depends on data: such have whole numbers as
-- attributes, and no inputs that are cast.
local function row_of_call(op, tensors, attrs)
  local info = C.mn_op(binding.stub.rows[op].index)
  local slots, refs = keep(ffi.new('mn_slot[?]', info.n_slots)), keep(ffi.new('mn_ref[?]', #tensors + 1))
  ffi.copy(slots, info.defaults, info.n_slots * ffi.sizeof 'mn_slot')
  for i = 0, info.n_attrs - 1 do
    local attr = info.attrs[i]
    local given = attrs and attrs[ffi.string(attr.name)]
    if attr.kind == C.MN_ATTR_BASE then slots[attr.slot].i = 1 elseif given then slots[attr.slot].i = given end
  end
  for i = 1, #tensors do
    if tensors[i] then refs[i - 1].tensor = C.mn_tensor_id(tensors[i].p) else refs[i - 1].none = 1 end
  end
  local row = keep(ffi.new 'mn_row')
  row.op, row.n_in, row.n_out, row['in'], row.out, row.attrs = info.index, #tensors, 1, refs, refs + #tensors, slots
  row.counter = -1
  return row
end

--- Runs the rows of a call, noted while it was made: what the call gave, and what the last row did.
local function run_noted(op, tensors, attrs, known)
  assert(C.mn_record_begin(ctx) == 0)
  local fine, outputs = pcall(rows.call, op, tensors, attrs)
  local program = C.mn_record_end(ctx)
  if rows.has(binding.stub.rows[op], 'DATA_SHAPE') then
    assert(not fine and tostring(outputs):find("a recording can't hold a row", 1, true), outputs)
    C.mn_program_free(program)
    return rows.call(op, tensors, attrs), run_row(row_of_call(op, tensors, attrs), known)
  end
  assert(fine, outputs)
  local made
  for i = 0, C.mn_program_length(program) - 1 do made = run_row(C.mn_program_row(program, i), known) end
  C.mn_program_free(program)
  return outputs, made
end

local function check_sample(op, sample)
  local tensors, known = {}, {}
  for i = 1, #sample.inputs do
    tensors[i] = sample.inputs[i] and rows.tensor(sample.inputs[i])
    if tensors[i] then known[C.mn_tensor_id(tensors[i].p)] = array_of(tensors[i]) end
  end
  metann.manual_seed(SEED)
  local outputs, made = run_noted(op, tensors, sample.attrs, known)
  for k, t in ipairs(outputs) do
    local a = made[k - 1]
    assert.equal(layout(handle.array(t)), layout(a), op)
    if a.contiguous == 1 then assert.is_true(bytes_of_tensor(t) == bytes_of(a), op .. ': other bits') end
  end
end

describe('a row without tensors', function()
  it('has the layout and the bits that the door gives, for every sample of every row', function()
    local samples, n = rows.samples(), 0
    for _, op in ipairs(binding.stub.order) do
      for _, sample in ipairs(samples[op]) do
        if not sample.error then
          check_sample(op, sample)
          n = n + 1
          kept = {}
        end
      end
    end
    assert.is_true(n >= #binding.stub.order)
  end)
end)

describe('mn_resolve', function()
  local function number_of(name)
    for i = 0, C.mn_op_count() - 1 do
      if ffi.string(C.mn_op(i).name) == name then return i end
    end
  end
  local function refused(want, name, list, first)
    local op = number_of(name)
    local info, inputs = C.mn_op(op), ffi.new('const mn_array *[?]', #list + 1)
    for i, a in ipairs(list) do inputs[i - 1] = a or nil end
    local attrs, out = keep(ffi.new('mn_slot[?]', info.n_slots)), keep(ffi.new 'mn_array')
    ffi.copy(attrs, info.defaults, info.n_slots * ffi.sizeof 'mn_slot')
    if first then attrs[0].i = first end
    local outputs = ffi.new('mn_array *[1]', out)
    assert.equal(-1, C.mn_resolve(ctx, op, #list, inputs, attrs, outputs))
    assert.equal(want, ffi.string(C.mn_error_message(ctx)))
    C.mn_error_clear(ctx)
  end

  it('refuses what the door refuses, and what the door casts', function()
    local floats, doubles = array_of(metann.ones(2)), array_of(metann.ones(2, { dtype = 'float64' }))
    refused('add: input 1 must be cast to float64 first', 'add', { floats, doubles })
    refused('add: expected 2 inputs, got 1', 'add', { floats })
    refused('add: input 2 is absent', 'add', { false, false })
    refused('linear: input 2 is absent', 'linear', { floats, false, false })
    refused('cat: input 2 is absent', 'cat', { floats, false })
    refused("tril: 'diagonal' must be a number below 2^60, got " .. tostring(2LL ^ 62):gsub('LL', ''), 'tril', { floats },
      2LL ^ 62)
  end)
end)

describe('mn_execute', function()
  it('says what fails in the call, not in the context', function()
    local call = keep(ffi.new 'mn_call')
    call.device = C.mn_context_device(ctx, 0)
    assert.equal(-1, C.mn_execute(-1, call))
    assert.equal('no op has the number -1', error_text(call))
    assert.equal(C.MN_OK, C.mn_error_code(ctx))
  end)

  it('needs no more scratch memory than it is given', function()
    local t = metann.rand(2, 3, 8, 8)
    local known = { [C.mn_tensor_id(t.p)] = array_of(t) }
    local w = metann.rand(4, 3, 3, 3)
    known[C.mn_tensor_id(w.p)] = array_of(w)
    C.mn_record_begin(ctx)
    rows.call('conv2d', { t, w, false }, {})
    local program = C.mn_record_end(ctx)
    SCRATCH = 0
    local fine, said = pcall(run_row, C.mn_program_row(program, 0), known)
    SCRATCH = 2 ^ 22
    C.mn_program_free(program)
    assert.is_false(fine)
    assert.is_truthy(tostring(said):find('no scratch memory is left', 1, true))
    assert.equal(C.MN_OK, C.mn_error_code(ctx))
  end)
end)
