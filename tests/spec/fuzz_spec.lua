-- Every tensor function called with garbage: wrong types, NaN, huge and negative numbers, wrong counts, tables, tensors of
-- any dtype, shape and layout, released ones. Each call returns or raises an error of metann's at the caller's line;
-- nothing crashes, and nothing stays behind. METANN_TEST_SEED repeats a run, METANN_FUZZ_CALLS sets its length.
local metann = require 'metann'
local binding = require 'metann.binding'
local rows = require 'tests.support.rows'

local SEED = tonumber(os.getenv 'METANN_TEST_SEED') or os.time() % 1000000
local CALLS = tonumber(os.getenv 'METANN_FUZZ_CALLS') or 25 -- of each function

local state = SEED % 2147483646 + 1
--- A whole number from 1 to n, by the generator of Park and Miller.
local function draw(n)
  state = state * 48271 % 2147483647
  return state % n + 1
end
local function pick(list) return list[draw(#list)] end

local released
metann.scope(function() released = metann.ones(2, 2) end)

local DTYPES = { 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16' }
local SIZES = {
  {}, { 0 }, { 1 }, { 3 }, { 2, 2 }, { 2, 3 }, { 0, 3 }, { 3, 1 }, { 2, 3, 4 }, { 1, 2, 4, 4 }, { 2, 2, 3, 3 },
  { 1, 1, 1, 1, 1, 1, 1, 2 }, { 2, 1, 2, 3, 2 },
}

local function random_tensor()
  local dtype, size = pick(DTYPES), pick(SIZES)
  local t = metann.rand(size, { dtype = 'float64' }) * draw(5) - draw(3) + 1
  if dtype == 'uint8' then t = t:abs() end
  t = t:to(dtype)
  if #size >= 2 and draw(3) == 1 then t = t:transpose(1, 2) end
  if dtype:find 'float%d?[24]' and draw(3) == 1 then
    t = t:detach():requires_grad_()
    if draw(2) == 1 then t = t * 2 end
  end
  return t
end

local NUMBERS = {
  -1, 0, 1, 2, 3, 4, -2, 0.5, -3, 1e-300, 1e9, -1e9, 2 ^ 31, 2 ^ 53, -2 ^ 62, 2 ^ 63, 1e300, 0 / 0, 1 / 0, -1 / 0,
}
local NAMES = {
  'dim', 'keepdim', 'value', 'size', 'stride', 'padding', 'mode', 'dtype', 'reduction', 'k', 'index_base', 'p', 'x', 'eps',
  'return_indices', 'groups', 'output_size', 'min', 'max', 'alpha', 'descending', 'requires_grad',
}
local STRINGS = { 'x', '', 'float32', 'none', 'mean', 'reflect', 'same', 'ij,jk->ik', 'nearest', 'dim' }

local garbage

local function random_table()
  local t = {}
  for i = 1, draw(4) - 1 do t[i] = garbage(true) end
  if draw(3) == 1 then t[pick(NAMES)] = garbage(true) end
  return t
end

local kinds = {
  random_tensor, random_tensor, random_tensor, random_tensor, function() return pick(NUMBERS) end,
  function() return draw(4) end, function() return -draw(4) end, random_table,
  function() return { draw(4), draw(4) } end, function() return { [pick(NAMES)] = garbage(true) } end,
  function() return { random_tensor(), random_tensor() } end, function() return pick(STRINGS) end,
  function() return draw(2) == 1 end, function() return nil end, function() return released end,
  function() return print end, function() return 2LL end, function() return -1LL end, function() return io.stdout end,
}

function garbage(inside)
  local value = pick(kinds)()
  if inside and type(value) == 'table' then return draw(4) end
  return value
end

-- Not on tensors, or not meant to return to the same state.
local LEFT_OUT = { manual_seed = true }

local function functions()
  local names, of = {}, {}
  local function add(name, fn)
    if not of[name] and not LEFT_OUT[name] and type(fn) == 'function' then
      of[name] = fn
      names[#names + 1] = name
    end
  end
  -- what is not in a table of functions; the first argument is mostly a tensor
  add('reading by index', function(t, k) return metann.is_tensor(t) and t[k] end)
  add('writing by index', function(t, k, v) if metann.is_tensor(t) then t[k] = v end end)
  add('tostring', function(t) return tostring(t) end)
  for name, fn in pairs(binding.handle.methods) do add('t:' .. name, fn) end
  for _, name in ipairs(binding.stub.order) do
    add(name, metann.ops[name])
    if metann.ops[name .. '_'] then add(name .. '_', metann.ops[name .. '_']) end
  end
  for _, part in ipairs{ 'create', 'pointwise', 'reduce', 'linalg', 'einsum', 'shape', 'index', 'conv', 'pool',
    'interpolate', 'inplace', 'random', 'matrix' } do
    for name, fn in pairs(require('metann.compose.' .. part)) do add(name, fn) end
  end
  table.sort(names)
  return names, of
end

local function describe_all(arguments, n)
  local parts = {}
  for i = 1, n do
    local v = arguments[i]
    if metann.is_tensor(v) then
      parts[i] = rawequal(v, released) and 'released' or ('%s(%s)'):format(v.dtype, table.concat(v.shape, 'x'))
    elseif type(v) == 'table' then
      local inner = {}
      for k, x in pairs(v) do inner[#inner + 1] = ('%s=%s'):format(tostring(k), metann.is_tensor(x) and 'tensor' or tostring(x)) end
      parts[i] = '{' .. table.concat(inner, ', ') .. '}'
    else
      parts[i] = tostring(v)
    end
  end
  return table.concat(parts, ', ')
end

--- A call with garbage; the error and the arguments where it isn't a clean one.
local function one_call(fn)
  local n, arguments = draw(5) - 1, {}
  for i = 1, n do arguments[i] = garbage() end
  -- mostly something to work on
  if n > 0 and draw(4) > 1 then arguments[1] = random_tensor() end
  local ok, message = pcall(fn, unpack(arguments, 1, n))
  if ok then return true end
  if type(message) == 'string' and message:find '^tests/spec/fuzz_spec%.lua:%d+: %S' then return false end
  return nil, ('(%s): %s'):format(describe_all(arguments, n), tostring(message))
end

describe('garbage, seed ' .. SEED, function()
  local names, of = functions()
  local succeeded, refused, before = 0, 0, nil

  setup(function()
    print('fuzz seed ' .. SEED)
    rows.limit_memory(5e7)
    before = rows.live()
  end)

  for _, name in ipairs(names) do
    it('to ' .. name, function()
      local bad = {}
      for _ = 1, CALLS do
        local ok, message = one_call(of[name])
        if ok == nil then bad[#bad + 1] = name .. message end
        if ok then succeeded = succeeded + 1 elseif ok == false then refused = refused + 1 end
      end
      assert(#bad == 0, ('seed %d\n  %s'):format(SEED, table.concat(bad, '\n  ')))
    end)
  end

  it('leaves nothing behind', function()
    assert.equal(before, rows.live())
    local total = #names * CALLS
    assert.is_true(succeeded + refused == total and refused > total / 4 and succeeded > total / 50)
  end)
end)
