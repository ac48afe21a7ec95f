--- What the compositions share: reading sizes and arguments. Internal.
local devices = require 'metann.binding.devices'
local binding = require 'metann.binding'
local facts = require 'metann.binding.facts'
local dtypes = require 'metann.binding.dtypes'
local handle, errors = binding.handle, binding.errors
local array, is_tensor = handle.array, handle.is_tensor
local raise, describe = errors.raise, errors.describe

local common = {
  raw = binding.stub.ops, handle = handle, is_tensor = is_tensor, array = array, raise = raise, describe = describe,
  is_int64 = handle.is_int64, is_recording = handle.is_recording,
  ndim = facts.ndim, numel = facts.numel, side = facts.side, sizes = facts.sizes, same_size = facts.same_size,
  is_contiguous = facts.is_contiguous, dtype = facts.dtype, is_float = facts.is_float, is_whole = facts.is_whole,
}

--- Raises unless t is a tensor.
function common.tensor(t, op, name)
  if not is_tensor(t) then raise("%s: '%s' must be a tensor, got %s", op, name, describe(t)) end
  return t
end

--- A list of numbers as sizes print: (5, 100), and (5,) for one entry.
function common.tuple(list)
  if #list == 1 then return ('(%s,)'):format(tostring(list[1])) end
  local parts = {}
  for i = 1, #list do parts[i] = tostring(list[i]) end
  return '(' .. table.concat(parts, ', ') .. ')'
end

local SHAPE = { __tostring = common.tuple }

--- The sizes, as a fresh table, which prints as (5, 100).
function common.shape(t) return setmetatable(common.sizes(t), SHAPE) end

--- Two tensors as views of the size to which both broadcast: for what reduces a dim that one of them may have as 1, or
-- lack.
function common.broadcast(op, a, b)
  local x, y = array(common.tensor(a, op, 'input')), array(common.tensor(b, op, 'other'))
  local n, shape, same = math.max(x.ndim, y.ndim), {}, x.ndim == y.ndim
  for d = 1, n do
    local i, j = d - 1 - n + x.ndim, d - 1 - n + y.ndim
    local p, q = i >= 0 and tonumber(x.size[i]) or 1, j >= 0 and tonumber(y.size[j]) or 1
    if p ~= q then
      same = false
      if p ~= 1 and q ~= 1 then
        raise("%s: sizes don't broadcast, %s and %s", op, common.tuple(common.shape(a)), common.tuple(common.shape(b)))
      end
    end
    shape[d] = p == 1 and q or p
  end
  if same then return a, b end
  return common.raw.expand(a, shape), common.raw.expand(b, shape)
end

--- Makes a dim positive (from 1), or raises. Of a 0-dim tensor, 1 and -1 are allowed.
function common.dim(d, ndim, op, name)
  name = name or 'dim'
  if type(d) ~= 'number' or d % 1 ~= 0 then raise("%s: '%s' must be an integer, got %s", op, name, describe(d)) end
  if d == 0 then raise("%s: '%s' is 0, but dims count from 1 (-1 is the last)", op, name) end
  local n = ndim == 0 and 1 or ndim
  if d > n or d < -n then raise("%s: '%s' is %d, but there are %d dims", op, name, d, ndim) end
  return d < 0 and d + n + 1 or d
end

--- Size of dim d, checked; a 0-dim tensor has one of 1.
function common.size(t, d, op)
  local a = array(t)
  d = common.dim(d, a.ndim, op or 'size')
  if a.ndim == 0 then return 1 end
  return tonumber(a.size[d - 1])
end

function common.integer(x, op, name, least)
  if handle.is_int64(x) then x = handle.to_number(x, op, name) end
  if type(x) ~= 'number' or x % 1 ~= 0 then raise("%s: '%s' must be an integer, got %s", op, name, describe(x)) end
  if least and x < least then raise("%s: '%s' must be at least %d, got %d", op, name, least, x) end
  return x
end

--- ", did you mean 'float32'?" or a list of all.
function common.dtype_suggestion(name) return errors.suggestion(name, dtypes.all) end

function common.default_dtype() return handle.dtype_names[handle.C.mn_default_dtype(handle.ctx)] end

-- How many parts a dim may be cut in where some have no elements.
local MOST_PARTS = 1000000

--- Raises where a dim of `size` elements is to be cut in more parts than anybody can use.
function common.check_parts(op, name, parts, size)
  if parts > math.max(size, MOST_PARTS) then
    raise("%s: '%s' must be at most %d for a dim of %d elements, got %g", op, name, MOST_PARTS, size, parts)
  end
end

--- t, or of integers and bools its numbers in the default dtype.
function common.as_float(t)
  if common.is_float(t) then return t end
  return (common.raw.cast(t, common.default_dtype()))
end

--- The dtype of a result of t and other: the higher category (bool, integers, floats); within one the wider, where a
-- 0-dim tensor doesn't widen others.
local function common_dtype(t, other)
  local a, b = common.dtype(t), common.dtype(other)
  if a == b then return a end
  local category, rank = dtypes.category, dtypes.rank
  if category[a] ~= category[b] then return category[a] > category[b] and a or b end
  local x, y = common.ndim(t) == 0, common.ndim(other) == 0
  if x ~= y then return x and b or a end
  if rank[a] == rank[b] then return 'float32' end -- float16 and bfloat16
  return rank[a] > rank[b] and a or b
end

--- The tensors (up to three, the later ones may be nil) in their common dtype.
function common.promoted(a, b, c)
  local like = a
  for i = 1, 2 do
    local t = i == 1 and b or i == 2 and c
    if t then
      local dtype = common_dtype(like, t)
      if dtype == common.dtype(t) and dtype ~= common.dtype(like) then like = t end
      if dtype ~= common.dtype(like) then like = common.raw.cast(like, dtype) end
    end
  end
  local dtype = common.dtype(like)
  local function cast(t) return t and common.dtype(t) ~= dtype and common.raw.cast(t, dtype) or t end
  return cast(a), cast(b), cast(c)
end

--- A 0-dim tensor of a number, of the dtype of `like` (a tensor) or the default one. A tensor passes.
function common.scalar(x, like, op, name)
  if is_tensor(x) then return x end
  if type(x) == 'boolean' then x = x and 1 or 0 end
  if handle.is_int64(x) then x = handle.to_number(x, op, name) end
  if type(x) ~= 'number' then
    raise("%s: '%s' must be a tensor or a number, got %s", op or '?', name or 'value', describe(x))
  end
  local dtype = like and common.dtype(like) or nil
  if dtypes.integers[dtype] and x % 1 ~= 0 then
    raise("%s: %s doesn't fit a tensor of %s, use :float() first", op or '?', tostring(x), dtype)
  end
  return common.beside(like, common.raw.full, {}, x, dtype)
end

--- What make(...) gives, made on the device of t (or the default one, without t).
function common.beside(t, make, ...)
  if not t then return make(...) end
  return devices.on(handle.array(t).device, make, ...)
end

--- t where `fine` (a bool tensor) is true, elsewhere NaN. For checks that read numbers, while a recording is on: those that
-- it computes can't be read, and to skip the check would let every replay compute something of numbers that are an error
-- outside. In rows the check is part of the program, and changes no bit of what is right. It can't raise, as no row fails
-- on such values; NaN is what it can say.
function common.nan_unless(fine, t) return (common.raw.where(fine, t, common.raw.mul(common.raw.detach(t), 0 / 0))) end

local function pass(...) return ... end

--- What does the same as fn, but is a function of its own: errors name the one that was called. (It stays on the stack.)
function common.another(fn)
  return function(...) return pass(fn(...)) end
end

--- An int64 tensor of a list of Lua integers, on the default device.
function common.indices(list)
  local data = handle.buffer(handle.dtypes.int64, math.max(#list, 1))
  for i = 1, #list do data[i - 1] = list[i] end
  return handle.from_data(handle.dtypes.int64, { #list }, data)
end

return common
