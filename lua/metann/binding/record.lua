--- Recording: the rows that pass the core's door while a function runs, and running one of them again.
-- What a program is made of; see core/engine/recording.c.
local handle = require 'metann.binding.handle'
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx
local raise = require('metann.binding.errors').raise

local record = {}

local function reference(ref)
  if ref.none ~= 0 then return false end
  local shape, stride = {}, {}
  for d = 1, ref.array.ndim do
    shape[d], stride[d] = tonumber(ref.array.size[d - 1]), tonumber(ref.array.stride[d - 1])
  end
  return {
    tensor = ref.tensor, storage = ref.storage, offset = tonumber(ref.offset), view = ref.view ~= 0,
    dtype = handle.dtype_names[ref.array.dtype], shape = shape, stride = stride,
  }
end

local function references(refs, n)
  local list = {}
  for i = 1, n do list[i] = reference(refs[i - 1]) end
  return list
end

--- Runs fn(...) and notes every row that passes the core's door.
-- A row is a table: op (its name), inplace, inputs and outputs (lists of {tensor=id, storage=id, offset, view, dtype,
-- shape, stride}, false for an absent input); an id names the same tensor, or storage, wherever it appears.
-- @return the list of rows, then what fn returned
function record.run(fn, ...)
  if C.mn_record_begin(ctx) ~= 0 then handle.fail() end
  local results = { pcall(fn, ...) }
  local program = ffi.gc(C.mn_record_end(ctx), C.mn_program_free)
  if not results[1] then error(results[2], 0) end
  local rows = {}
  for i = 1, C.mn_program_length(program) do
    local row = C.mn_program_row(program, i - 1)
    rows[i] = {
      op = row.op < 0 and 'function' or ffi.string(C.mn_op(row.op).name),
      inplace = row.inplace ~= 0, inputs = references(row['in'], row.n_in),
      outputs = references(row.out, row.n_out), row = row, program = program,
      counter = row.counter >= 0 and row.counter or nil,
    }
  end
  return rows, unpack(results, 2, table.maxn(results))
end

--- Sends a recorded row through the door again. The outputs of a Function ('function') are its inputs.
-- @param row one of record.run's
-- @param inputs a list of tensors, false for an absent one; of an in-place row the first is written
-- @param random the state of the random numbers when the run began, {seed, offset}: a row that draws takes its numbers
--   from its place after that
-- @return the outputs, as a list (of an in-place row, the first input)
function record.apply(row, inputs, random)
  local n = #row.inputs
  if row.row.op < 0 then
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
