-- What the op spec is made of: tensors from descriptions in any layout, calling a row, comparing, derivatives.
-- A description is one of tests/samples/support.lua's.
local binding = require 'metann.binding'
local live = require 'tests.support.live'
local scratch = require 'tests.support.scratch'
local S = require 'tests.samples.support'
local handle, ops = binding.handle, binding.stub.ops
local C, ctx = handle.C, handle.ctx

local rows = {}

local function count(size)
  local n = 1
  for _, s in ipairs(size) do n = n * s end
  return n
end
rows.count = count

--- The description with other fields.
function rows.with(description, fields)
  local copy = {}
  for k, v in pairs(description) do copy[k] = v end
  for k, v in pairs(fields) do copy[k] = v end
  return copy
end

--- The samples of all rows: lists by name.
function rows.samples()
  local samples = {}
  local _, listing = scratch.run 'ls tests/samples'
  for file in listing:gmatch '[%w_]+%.lua' do
    if file ~= 'support.lua' then
      for op, list in pairs(dofile('tests/samples/' .. file)(S)) do samples[op] = list end
    end
  end
  return samples
end

-- ---- tensors ----

local function dense(size, data, dtype)
  local code = assert(handle.dtypes[dtype], dtype)
  local buffer = handle.buffer(code, math.max(#data, 1))
  if not buffer then -- float16 and bfloat16 have no C type
    return ops.cast(dense(size, data, 'float32'), { dtype = dtype })
  end
  for i = 1, #data do buffer[i - 1] = data[i] end
  return handle.from_data(code, size, buffer)
end

local function permuted_data(d, dims)
  local size, stride, n = {}, {}, 1
  for k = #d.size, 1, -1 do
    stride[k] = n
    n = n * d.size[k]
  end
  for k, dim in ipairs(dims) do size[k] = d.size[dim] end
  local data = {}
  for flat = 0, #d.data - 1 do
    local from, rest = 1, flat
    for k = #size, 1, -1 do
      from = from + rest % size[k] * stride[dims[k]]
      rest = math.floor(rest / size[k])
    end
    data[flat + 1] = d.data[from]
  end
  return size, data
end

-- Each makes a tensor with the description's values, in storage that is laid out otherwise; nil where that can't be.
local layouts = {}

function layouts.transposed(d)
  if #d.size < 2 then return nil end
  local dims = {}
  for k = 1, #d.size do dims[k] = #d.size + 1 - k end
  local size, data = permuted_data(d, dims)
  return ops.permute(dense(size, data, d.dtype), { dims = dims })
end

--- Every second element of a storage twice as large, whose other elements are NaN (or the largest integer that fits).
function layouts.stepped(d)
  local n = #d.size
  if n == 0 or #d.data == 0 then return nil end
  local size, data, last = {}, {}, d.size[n]
  for k = 1, n do size[k] = d.size[k] end
  size[n] = 2 * last + 1
  local junk = (d.dtype:find 'float' and 0 / 0) or (d.dtype == 'bool' and 1) or 101
  for flat = 0, #d.data / last - 1 do
    for j = 1, 2 * last + 1 do
      data[#data + 1] = j % 2 == 0 and d.data[flat * last + j / 2] or junk
    end
  end
  return ops.slice(dense(size, data, d.dtype), { dim = n, start = 2, length = last, step = 2 })
end

--- A stretched dim: needs values that are equal along it, which rows.constant_along gives.
function layouts.expanded(d)
  local k = d.constant
  if not k then return nil end
  local size = {}
  for i = 1, #d.size do size[i] = d.size[i] end
  size[k] = 1
  local inner = 1
  for i = k + 1, #d.size do inner = inner * d.size[i] end
  local data = {}
  for flat = 0, #d.data - 1 do
    if math.floor(flat / inner) % d.size[k] == 0 then data[#data + 1] = d.data[flat + 1] end
  end
  return ops.expand(dense(size, data, d.dtype), { size = d.size })
end

--- The description with values made equal along its first dim that is longer than 1; itself where there is none.
function rows.constant_along(d)
  for k, s in ipairs(d.size) do
    if s > 1 and #d.data > 0 then
      local inner, data = 1, {}
      for i = k + 1, #d.size do inner = inner * d.size[i] end
      for flat = 0, #d.data - 1 do
        local own = math.floor(flat / inner) % s
        data[flat + 1] = d.data[flat - own * inner + 1]
      end
      return rows.with(d, { data = data, constant = k })
    end
  end
  return d
end

--- A tensor of a description; layout one of 'transposed', 'stepped', 'expanded', or nil for dense.
-- @return the tensor, and whether the layout could be had
function rows.tensor(d, layout)
  local t = layout and layouts[layout](d)
  if t then return t, true end
  return dense(d.size, d.data, d.dtype), false
end

function rows.requires_grad(t)
  if C.mn_tensor_set_requires_grad(ctx, t.p, 1) ~= 0 then handle.fail(t) end
  return t
end

--- A tensor as {size, data, dtype} with Lua numbers.
function rows.read(t)
  local a = handle.array(t)
  local size = {}
  for d = 1, a.ndim do size[d] = tonumber(a.size[d - 1]) end
  local dtype = handle.dtype_names[a.dtype]
  local source = t
  if dtype:find '16' then source = ops.cast(t, { dtype = 'float32' }) end
  local buffer, n = handle.read(source)
  local data = {}
  for i = 1, n do data[i] = tonumber(buffer[i - 1]) end
  return { size = size, data = data, dtype = dtype }
end

-- ---- calls ----

--- Whether a row of binding.stub.rows has a flag, named as in metann.h without MN_F_.
function rows.has(row, flag) return bit.band(row.flags, tonumber(C['MN_F_' .. flag])) ~= 0 end

function rows.limit_memory(bytes) C.mn_set_memory_limit(ctx, bytes) end

--- Calls a row's function.
-- @param name the row's, with '_' at its end for the in-place function
-- @param inputs tensors, numbers or false
-- @param attrs by name; 'value' goes in the place of a missing input where the row takes a number there
-- @return list of outputs
function rows.call(name, inputs, attrs)
  local row = binding.stub.rows[name:match '^(.-)_?$'] or binding.stub.rows[name]
  local named, any = {}, false
  for k, v in pairs(attrs or {}) do
    if not (k == 'value' and row.value_slot) then named[k], any = v, true end
  end
  if row.inputs[1] and row.inputs[1].variadic then
    return { ops[name](inputs, any and named or nil) }
  end
  local arguments, n = {}, #row.inputs
  for i = 1, n do
    arguments[i] = inputs[i]
    if row.value_slot and not inputs[i] then arguments[i] = attrs.value end
  end
  if any then
    n = n + 1
    arguments[n] = named
  end
  return { ops[name](unpack(arguments, 1, n)) }
end

-- ---- comparing ----

local function size_text(size) return '(' .. table.concat(size, ', ') .. ')' end

local function same_number(got, want, rtol, atol)
  if got == want then return true end
  if want ~= want then return got ~= got end
  return math.abs(got - want) <= atol + rtol * math.abs(want)
end

--- Error unless two arrays have the same size and nearly the same numbers; integers and booleans, exactly the same.
function rows.compare(got, want, rtol, atol, what)
  if size_text(got.size) ~= size_text(want.size) then
    error(('%s: size %s, expected %s'):format(what, size_text(got.size), size_text(want.size)), 0)
  end
  if got.dtype and not got.dtype:find 'float' then rtol, atol = 0, 0 end
  for i = 1, #want.data do
    if not same_number(got.data[i], want.data[i], rtol, atol) then
      error(('%s: element %d is %.17g, expected %.17g (rtol %g, atol %g)'):format(what, i, got.data[i], want.data[i],
        rtol, atol), 0)
    end
  end
end

--- The bytes of a tensor's elements: for comparisons bit for bit.
rows.bytes = require('metann.binding.bytes').of_tensor

-- ---- leaks ----

--- Live tensors, storages, nodes and bytes of the context, as a text: after all that could go has gone. Lists of the
-- context's own, which grow and stay, are no leak.
function rows.live()
  local now = live()
  return ('%d tensors, %d storages, %d nodes, %d bytes'):format(now.tensors, now.storages, now.nodes,
    handle.stats.live_bytes - handle.stats.list_bytes)
end

return rows
