--- Tensors from and to raw bytes: row-major elements in the machine's order, as files hold them.
local devices = require 'metann.binding.devices'
local handle = require 'metann.binding.handle'
local ffi = handle.ffi

local bytes = {}

-- Bytes per element by dtype name.
bytes.width = require('metann.binding.dtypes').width

-- Files are little-endian; a machine of the other order would need every element turned round.
bytes.little_endian = ffi.abi 'le'

local sizes_of = handle.sizes_of

local function count(sizes)
  local n = 1
  for i = 1, #sizes do n = n * sizes[i] end
  return n
end

--- A tensor from a string or cdata array with exactly the elements that `sizes` (a list) asks for.
function bytes.to_tensor(dtype, sizes, data)
  if type(data) == 'string' and #data ~= count(sizes) * bytes.width[dtype] then
    error(('%d bytes for %d elements of %s'):format(#data, count(sizes), dtype), 2)
  end
  return handle.from_data(handle.dtypes[dtype], sizes, ffi.cast('const void *', data))
end

--- A tensor whose elements the caller writes at once: the tensor, a pointer to them, and how many bytes they take.
function bytes.new_tensor(dtype, sizes)
  local t = devices.on(0, handle.empty, handle.dtypes[dtype], sizes)
  return t, ffi.cast('uint8_t *', handle.array(t).data), count(sizes) * bytes.width[dtype]
end

--- A float64 tensor whose elements the caller writes at once: the tensor, and a pointer to its numbers. It becomes a
-- tensor made from Lua numbers, which a recording sees, by bytes.numbers(t) afterwards.
function bytes.new_numbers(sizes)
  local t, pointer = bytes.new_tensor('float64', sizes)
  return t, ffi.cast('double *', pointer)
end

--- What was made by new_numbers and has its numbers by now.
function bytes.numbers(t)
  if not handle.is_recording() then return t end
  local a, sizes = handle.array(t), {}
  for d = 1, a.ndim do sizes[d] = tonumber(a.size[d - 1]) end
  return devices.on(0, handle.from_data, a.dtype, sizes, a.data), t -- named so that it lives until here
end

--- The elements of a tensor where they lie, or a copy in the host's memory where that is elsewhere.
-- @return a dense tensor, t itself or a copy; a pointer to its elements, good for as long as that tensor lives, which the
-- caller sees to by naming it once more afterwards; how many bytes
function bytes.dense(t)
  local dense, a = t, handle.array(t)
  handle.check_readable(t)
  if a.contiguous == 0 or a.device ~= 0 then
    local sizes = {}
    for d = 1, a.ndim do sizes[d] = tonumber(a.size[d - 1]) end
    dense = devices.on(0, handle.empty, a.dtype, sizes)
    if handle.C.mn_tensor_read(handle.ctx, t.p, handle.array(dense).data) ~= 0 then handle.fail(t) end
    a = handle.array(dense)
  end
  return dense, ffi.cast('const uint8_t *', a.data), tonumber(a.numel) * bytes.width[handle.dtype_names[a.dtype]]
end

--- Calls use(pointer, n) with a tensor's elements and how many bytes they are.
function bytes.with_elements(t, use)
  local dense, pointer, n = bytes.dense(t)
  use(pointer, n)
  handle.array(dense) -- so that it lives until here
end

--- The elements of a tensor of any layout as a string.
function bytes.of_tensor(t)
  local text
  bytes.with_elements(t, function(pointer, n) text = ffi.string(pointer, n) end)
  return text
end

--- True when all bytes of a dense bool tensor are 0 or 1, as they must be.
function bytes.are_bools(t)
  local good = true
  bytes.with_elements(t, function(pointer, n)
    for i = 0, n - 1 do
      if pointer[i] > 1 then good = false end
    end
  end)
  return good
end

--- A tensor made in the host's memory on the device of a name, or on the one that tensors are made on: itself or a copy.
function bytes.placed(t, device)
  local number = devices.number(device or devices.default())
  if handle.array(t).device == number then return t end
  return (require('metann.binding.stub').ops.transfer(t, devices.name(number)))
end

-- ---- tensors on a file's pages ----

--- Maps all of a file of posix.open; the file may be closed then.
function bytes.map(file)
  local map = handle.C.mn_map_new(handle.ctx, file.fd, file.size)
  if map == nil then handle.fail() end
  return ffi.gc(map, handle.C.mn_map_release)
end

--- A tensor whose elements are those at an offset of a map; nil where they don't lie on a multiple of their width.
function bytes.mapped(map, offset, dtype, sizes)
  if offset % bytes.width[dtype] ~= 0 then return nil end
  return handle.call(handle.C.mn_tensor_mapped, handle.ctx, map, offset, handle.dtypes[dtype], #sizes,
    sizes_of('mapped', sizes))
end

-- ---- tensors that share a storage ----

--- Where a tensor's elements lie: {storage (a number that stands for it), address (of the first, in bytes), span (how
-- many elements from the first to the last), sizes, strides, dense}.
function bytes.layout(t)
  local a = handle.array(t)
  local layout = {
    storage = handle.C.mn_storage_id(t.p), address = tonumber(ffi.cast('intptr_t', a.data)), sizes = {}, strides = {},
    dense = a.contiguous ~= 0, span = a.numel > 0 and 1 or 0,
  }
  for d = 1, a.ndim do
    local size, stride = tonumber(a.size[d - 1]), tonumber(a.stride[d - 1])
    layout.sizes[d], layout.strides[d] = size, stride
    if layout.span > 0 then layout.span = layout.span + (size - 1) * stride end
  end
  return layout
end

--- A flat tensor with a copy of the n elements that begin `before` elements in front of t's first: a stretch of t's
-- storage, which the caller knows from layouts.
function bytes.stretch(t, before, n)
  local a = handle.array(t)
  local dtype = handle.dtype_names[a.dtype]
  local copy, pointer = bytes.new_tensor(dtype, { n })
  if handle.C.mn_tensor_stretch(handle.ctx, t.p, before, n, pointer) ~= 0 then handle.fail(t) end
  return copy
end

--- A tensor on the storage of a dense one, at an offset and with strides in elements; all are checked against it.
function bytes.strided(t, sizes, strides, offset)
  return handle.call(handle.C.mn_tensor_strided, handle.ctx, t.p, #sizes, sizes_of('strided', sizes),
    sizes_of('strided', strides), offset)
end

--- n bytes as a string, from `fill(pointer)`, which puts them there and returns true; or nil and its message.
function bytes.string_of(n, fill)
  local t, pointer = bytes.new_tensor('uint8', { n }) -- memory that the limit counts
  local ok, message = fill(pointer)
  if not ok then return nil, message end
  return ffi.string(pointer, n), nil, t -- t is named so that it lives until here
end

--- Turns the bytes of n elements of a width round, in place: the other byte order.
function bytes.reverse_elements(pointer, n, width)
  local last = width - 1
  for i = 0, (n - 1) * width, width do
    for j = 0, (last - 1) / 2 do
      local a, b = i + j, i + last - j
      pointer[a], pointer[b] = pointer[b], pointer[a]
    end
  end
end

-- Integers that metann has no dtype for, and the dtype that holds each of their values.
local NARROW = {
  int8 = { 1, 'int8_t', 'int32' }, int16 = { 2, 'int16_t', 'int32' }, uint16 = { 2, 'uint16_t', 'int32' },
  uint32 = { 4, 'uint32_t', 'int64' },
}
local TARGETS = { int32 = ffi.typeof 'int32_t *', int64 = ffi.typeof 'int64_t *' }

--- How to read an integer type that metann lacks: {bytes an element, dtype that it becomes}; nil for other types.
function bytes.narrow(kind)
  local row = NARROW[kind]
  return row and { width = row[1], dtype = row[3] }
end

--- A tensor of the wider dtype from elements of an integer type that metann lacks.
-- @param kind 'int8', 'int16', 'uint16' or 'uint32'
-- @param sizes list
-- @param fill function(pointer, n bytes) that puts the elements there and returns true; or nil and a message
-- @return the tensor; or nil and fill's message
function bytes.widened(kind, sizes, fill)
  local row, n = NARROW[kind], count(sizes)
  local narrow, raw = bytes.new_tensor('uint8', { n * row[1] }) -- memory that the limit counts
  local ok, message = fill(raw, n * row[1])
  if not ok then return nil, message end
  local t, pointer = bytes.new_tensor(row[3], sizes)
  local from, to = ffi.cast(row[2] .. ' *', raw), ffi.cast(TARGETS[row[3]], pointer)
  for i = 0, n - 1 do to[i] = from[i] end
  return t, narrow -- which is named so that it lives until here
end

return bytes
