--- Tensors from and to raw bytes: row-major elements in the machine's order, as files hold them.
local handle = require 'metann.binding.handle'
local ffi = handle.ffi

local bytes = {}

-- Bytes per element by dtype name.
bytes.width = {
  float32 = 4, float64 = 8, int64 = 8, int32 = 4, uint8 = 1, bool = 1, float16 = 2, bfloat16 = 2,
}

-- Files are little-endian; a machine of the other order would need every element turned round.
bytes.little_endian = ffi.abi 'le'

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

--- The elements of a tensor of any layout as a string.
function bytes.of_tensor(t)
  local length = t:numel() * bytes.width[t.dtype]
  local buffer = ffi.new('uint8_t[?]', math.max(length, 1))
  if handle.C.mn_tensor_read(handle.ctx, t.p, buffer) ~= 0 then handle.fail(t) end
  return ffi.string(buffer, length)
end

return bytes
