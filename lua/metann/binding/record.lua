--- Recording: the rows that pass the core's door while a function runs, and running one of them again.
-- What a program is made of; see core/engine/recording.c.
local handle = require 'metann.binding.handle'
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx
local devices = require 'metann.binding.devices'
local errors = require 'metann.binding.errors'
local raise = errors.raise

local record = {}

local function reference(ref)
  if ref.none ~= 0 then return false end
  local shape, stride = {}, {}
  for d = 1, ref.array.ndim do
    shape[d], stride[d] = tonumber(ref.array.size[d - 1]), tonumber(ref.array.stride[d - 1])
  end
  return {
    tensor = ref.tensor, storage = ref.storage, offset = tonumber(ref.offset), view = ref.view ~= 0,
    dtype = handle.dtype_names[ref.array.dtype], device = ref.array.device, shape = shape, stride = stride,
  }
end

local function references(refs, n)
  local list = {}
  for i = 1, n do list[i] = reference(refs[i - 1]) end
  return list
end

-- What isn't a row of the op table.
local KINDS = {
  [tonumber(C.MN_ROW_FUNCTION)] = 'function', [tonumber(C.MN_ROW_CONSTANT)] = 'constant', [tonumber(C.MN_ROW_GRAD)] = 'grad',
}

local function row_of(program, i)
  local row = C.mn_program_row(program, i - 1)
  return {
    op = KINDS[row.op] or ffi.string(C.mn_op(row.op).name),
    inplace = row.inplace ~= 0, inputs = references(row['in'], row.n_in),
    outputs = references(row.out, row.n_out), row = row, program = program,
    counter = row.counter >= 0 and row.counter or nil,
  }
end

--- Tensors that were there before the recording and that its rows take or write, one for each storage.
local function bound_of(program)
  local list = {}
  for i = 1, C.mn_program_bound(program) do
    list[i] = handle.call(C.mn_program_bound_tensor, program, i - 1)
  end
  return list
end

--- Runs fn(...) and notes every row that passes the core's door.
-- A row is a table: op (its name), inplace, inputs and outputs (lists of {tensor=id, storage=id, offset, view, dtype,
-- device (its number), shape, stride}, false for an absent input); an id names the same tensor, or storage, wherever it appears.
-- Rows that no op made: 'constant', a tensor made from Lua numbers (or, in place, written with them), with the line in
-- `where`; 'grad', by which the .grad of input 1 becomes input 2 (false: is cleared); and 'function', see record.apply.
-- Numbers of what a row computes can't be read in fn: that is an error.
-- @return the list of rows, in whose field `bound` are the tensors of before that rows take or write; then what fn
--   returned
function record.run(fn, ...)
  if C.mn_record_begin(ctx) ~= 0 then handle.fail() end
  local lines = {}
  handle.on_constant = function() lines[C.mn_record_length(ctx)] = errors.where() end
  local results = { pcall(fn, ...) }
  handle.on_constant = nil
  local program = ffi.gc(C.mn_record_end(ctx), C.mn_program_free)
  if not results[1] then error(results[2], 0) end
  local rows = { bound = bound_of(program) }
  for i = 1, C.mn_program_length(program) do
    rows[i] = row_of(program, i)
    rows[i].where = lines[i]
  end
  return rows, unpack(results, 2, table.maxn(results))
end

--- The tensor of a constant row, or its input, written.
local function apply_constant(row, inputs)
  local ref, values = row.outputs[1], ffi.cast('const void *', row.row.values)
  if not row.inplace then
    return { devices.on(ref.device, handle.from_data, handle.dtypes[ref.dtype], ref.shape, values) }
  end
  handle.write(inputs[1], values)
  return { inputs[1] }
end

local function apply_grad(inputs)
  if C.mn_tensor_set_grad(ctx, inputs[1].p, inputs[2] and inputs[2].p or C.mn_none()) ~= 0 then handle.fail_list(inputs) end
  return {}
end

--- Sends a recorded row through the door again. The outputs of a Function ('function') are its inputs; a constant is
-- made, or written, from its values; a .grad is set.
-- @param row one of record.run's
-- @param inputs a list of tensors, false for an absent one; of an in-place row the first is written
-- @param random the state of the random numbers when the run began, {seed, offset}: a row that draws takes its numbers
--   from its place after that
-- @return the outputs, as a list (of an in-place row, the first input)
function record.apply(row, inputs, random)
  local n = #row.inputs
  if row.op == 'constant' then return apply_constant(row, inputs) end
  if row.op == 'grad' then return apply_grad(inputs) end
  if row.op == 'function' then
    if C.mn_grad_enabled(ctx) ~= 0 then
      raise('record.apply: the derivative of a Function is not recorded; use no_grad')
    end
    return inputs
  end
  local raw, out = ffi.new('mn_tensor *[?]', n + 1), ffi.new('mn_tensor *[4]')
  if random and row.counter then C.mn_rng_set(ctx, random[1], random[2] + row.counter) end
  for i = 1, n do raw[i - 1] = inputs[i] and inputs[i].p or C.mn_none() end
  if row.inplace then
    if C.mn_apply_inplace(ctx, row.row.op, n, raw, row.row.attrs) ~= 0 then handle.fail_list(inputs) end
    return { inputs[1] }
  end
  if C.mn_apply(ctx, row.row.op, n, raw, row.row.attrs, out) ~= 0 then handle.fail_list(inputs) end
  local outputs = {}
  for k = 1, #row.outputs do outputs[k] = handle.wrap(out[k - 1]) end
  return outputs
end

return record
