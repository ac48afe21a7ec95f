-- What samples are written with: descriptions of inputs, and naive arrays for the references in plain Lua.
--
-- A description and a naive array are the same thing: {size = {2, 3}, data = {row-major numbers}, dtype = 'float64'}.
-- A description may have grad = false, to stay out of gradient checks. The numbers are drawn from one seed,
-- METANN_TEST_SEED or the one below, which the op spec prints with a failure.
local S = {}

S.seed = tonumber(os.getenv 'METANN_TEST_SEED') or 20260101
local state = S.seed % 2147483647 + 1

--- Next number of the generator of Park and Miller ("Random number generators: good ones are hard to find", 1988),
-- in (0, 1).
local function uniform()
  state = state * 48271 % 2147483647
  return state / 2147483647
end

local function normal() return math.sqrt(-2 * math.log(uniform())) * math.cos(2 * math.pi * uniform()) end

local function count(size)
  local n = 1
  for _, s in ipairs(size) do n = n * s end
  return n
end

local function filled(size, dtype, draw)
  local a = { size = size, data = {}, dtype = dtype }
  for i = 1, count(size) do a.data[i] = draw(i) end
  return a
end

--- float64 normals.
function S.randn(size) return filled(size, 'float64', normal) end

--- float64 numbers between low and high.
function S.uniform(size, low, high)
  return filled(size, 'float64', function() return low + (high - low) * uniform() end)
end

--- float64 numbers that keep away from each other and from 0, in random order, for functions with kinks and ties:
-- about -1.5 to 1.5 however many there are.
function S.distinct(size)
  local n = count(size)
  local a = filled(size, 'float64', function(i) return (i - 0.5 - n / 2 + (i - 0.5 == n / 2 and 0.25 or 0)) * 3 / n end)
  for i = n, 2, -1 do
    local j = math.floor(uniform() * i) + 1
    a.data[i], a.data[j] = a.data[j], a.data[i]
  end
  return a
end

--- int64 numbers 1 to n.
function S.index(size, n)
  return filled(size, 'int64', function() return math.floor(uniform() * n) + 1 end)
end

--- Given numbers (or booleans, which count as 1 and 0); dtype float64 if not said.
function S.values(size, data, dtype)
  assert(count(size) == #data, "S.values: the numbers don't fit the size")
  return filled(size, dtype or 'float64', function(i)
    if type(data[i]) == 'boolean' then return data[i] and 1 or 0 end
    return data[i]
  end)
end

--- A description that stays out of gradient checks: it stands where the function jumps.
function S.fixed(d)
  d.grad = false
  return d
end

--- A naive array: of flat row-major data, of one number repeated, or of zeros.
function S.array(size, data)
  if type(data) == 'table' then return { size = size, data = data } end
  return filled(size, nil, function() return data or 0 end)
end

local function strides(size)
  local stride, n = {}, 1
  for d = #size, 1, -1 do
    stride[d] = n
    n = n * size[d]
  end
  return stride
end

--- Calls fn(index) for every 1-based index list of a size, in row-major order. The list is a fresh one each time.
function S.each(size, fn)
  for flat = 0, count(size) - 1 do
    local index, rest = {}, flat
    for d = #size, 1, -1 do
      index[d] = rest % size[d] + 1
      rest = math.floor(rest / size[d])
    end
    fn(index)
  end
end

local function flat(a, index)
  local stride, n = strides(a.size), 1
  for d = 1, #a.size do
    assert(index[d] >= 1 and index[d] <= a.size[d], 'index out of range')
    n = n + (index[d] - 1) * stride[d]
  end
  return n
end

function S.at(a, index) return a.data[flat(a, index)] end
function S.set(a, index, v) a.data[flat(a, index)] = v end

--- fn of every element.
function S.map(a, fn)
  return filled(a.size, nil, function(i) return fn(a.data[i]) end)
end

local function broadcast_size(a, b)
  local n, size = math.max(#a.size, #b.size), {}
  for d = 1, n do
    local x, y = a.size[d - n + #a.size] or 1, b.size[d - n + #b.size] or 1
    assert(x == y or x == 1 or y == 1, "sizes don't broadcast")
    size[d] = x == 1 and y or x
  end
  return size
end

local function stretched(a, index)
  local own, shift = {}, #index - #a.size
  for d = 1, #a.size do own[d] = a.size[d] == 1 and 1 or index[d + shift] end
  return S.at(a, own)
end

--- fn of every pair of elements, the arrays broadcast against each other. A number stands for a 0-dim array.
function S.zip(a, b, fn)
  if type(a) == 'number' then a = S.array({}, { a }) end
  if type(b) == 'number' then b = S.array({}, { b }) end
  local result = S.array(broadcast_size(a, b), {})
  S.each(result.size, function(index)
    result.data[#result.data + 1] = fn(stretched(a, index), stretched(b, index))
  end)
  return result
end

return S
