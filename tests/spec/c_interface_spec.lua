-- The C interface as a host in C uses it: what is wrong is an error of the context, never a crash. By FFI, past the
-- checks that the Lua functions make.
local handle = require('metann.binding').handle
local metann = require 'metann'
local of_row = require 'tests.support.slots'
local ffi, C, ctx, NONE = handle.ffi, handle.C, handle.ctx, handle.NONE
local row_of, slots_of = of_row.row_of, of_row.of

local function message()
  local text = ffi.string(C.mn_error_message(ctx))
  C.mn_error_clear(ctx)
  return text
end

local function inputs_of(list)
  local inputs = ffi.new('mn_tensor *[?]', #list + 1)
  for i, t in ipairs(list) do inputs[i - 1] = t and t.p or NONE end
  return inputs
end

local function refused(want, name, list, set)
  local op, info = row_of(name)
  local out = ffi.new 'mn_tensor *[4]'
  assert.equal(-1, C.mn_apply(ctx, op, #list, inputs_of(list), slots_of(info, set), out), name)
  assert.equal(want, message())
  assert.is_true(out[0] == nil)
end

describe('attributes', function()
  local FAR = 2LL ^ 62

  it('of each kind are checked at the door', function()
    local t = metann.zeros(3, 3)
    local lists = "'size' must be a list of at most 8 numbers, or -1 of them where it is left out, got "
    refused('full: ' .. lists .. '9', 'full', {}, { size = { n = 9 }, value = 1 })
    refused('expand: ' .. lists .. '1000000', 'expand', { t }, { size = { n = 1000000 } })
    refused('view: ' .. lists .. '-2', 'view', { t }, { size = { n = -2 } })
    refused("sum: 'dim' must be a list of at most 8 numbers, or -1 of them where it is left out, got 9", 'sum', { t },
      { dim = { n = 9 } })
    refused("full: 'dtype' must be a dtype, or -1 for the default, got 9", 'full', {}, { size = { 1 }, value = 1, dtype = 9 })
    refused("cast: 'dtype' must be a dtype, or -1 for the default, got -2", 'cast', { t }, { dtype = -2 })
    refused("sum: 'keepdim' must be 0 or 1, got 2", 'sum', { t }, { keepdim = 2 })
    refused("gelu: 'approximate' must be none|tanh, got 2", 'gelu', { t }, { approximate = 2 })
    refused("nll_loss: 'reduction' must be none|mean|sum, got -1", 'nll_loss', { t, t, false }, { reduction = -1 })
    refused("diagonal: 'offset' must be a number below 2^60, got " .. tostring(FAR):gsub('LL', ''), 'diagonal', { t },
      { offset = FAR })
    refused("argmax: 'index_base' must be a number below 2^60, got 9223372036854775807", 'argmax', { t },
      { index_base = 9223372036854775807LL })
    refused("select: 'index' must be a number below 2^60, got -4611686018427387904", 'select', { t },
      { dim = 0, index = -FAR })
    refused("roll: 'shifts' must be a list of numbers below 2^60, got 4611686018427387904", 'roll', { t },
      { shifts = { FAR }, dims = { 0 } })
  end)

  it('that are all at their ends make no row crash', function()
    local t = metann.rand(2, 2)
    local ENDS = { -2LL ^ 60 + 1, 2LL ^ 60 - 1, -1, 0, 1, 1000 }
    local sizes = { -1, 0, 1, 2, 8 }
    local limit = metann.memory().limit_bytes
    metann.set_memory_limit(metann.memory().live_bytes + 1e7)
    for op = 0, C.mn_op_count() - 1 do
      local info, out = C.mn_op(op), ffi.new 'mn_tensor *[4]'
      for round = 1, 24 do
        local slots = slots_of(info, {})
        for i = 0, info.n_attrs - 1 do
          local a = info.attrs[i]
          local v = ENDS[(round * (i + 3) + i) % #ENDS + 1]
          if a.kind == C.MN_ATTR_LIST or a.kind == C.MN_ATTR_DIMS or a.kind == C.MN_ATTR_PAIR then
            slots[a.slot].i = sizes[round % #sizes + 1]
            for k = 1, 8 do slots[a.slot + k].i = ENDS[(round + k * (i + 1)) % #ENDS + 1] end
          elseif a.kind == C.MN_ATTR_NUM then
            slots[a.slot].f = round % 3
          else
            slots[a.slot].i = v
          end
        end
        local n = math.max(info.n_in, 1)
        local list = {}
        for i = 1, info.n_in == 0 and 0 or n do list[i] = t end
        if C.mn_apply(ctx, op, #list, inputs_of(list), slots, out) == 0 then
          for k = 0, info.n_out - 1 do C.mn_tensor_release(out[k]) end
        end
        C.mn_error_clear(ctx)
      end
    end
    metann.set_memory_limit(limit)
    -- sizes and offsets that only tensors without elements can have
    assert.same({ 0, 9, 2 ^ 59 }, metann.zeros(0):view(0, 9, 2 ^ 59).shape)
    assert.equal(0, metann.zeros(3, 40):t():diagonal(2 ^ 59):numel())
    assert.equal(0, metann.zeros(3, 40):t():diagonal(-2 ^ 59):numel())
  end)
end)

describe('in place', function()
  it('needs a target', function()
    for _, name in ipairs{ 'full', 'eye', 'rand' } do
      local op, info = row_of(name)
      local slots = slots_of(info, { size = { 2 }, value = 1, n = 2 })
      assert.equal(-1, C.mn_apply_inplace(ctx, op, 0, nil, slots))
      assert.equal(name .. '_: expected a tensor', message())
    end
    local op = row_of 'add'
    assert.equal(-1, C.mn_apply_inplace(ctx, op, 0, nil, nil))
    assert.equal('add: expected 2 inputs, got 0', message())
  end)
end)

describe('another context', function()
  it('has tensors that this one refuses', function()
    local other = C.mn_context_new()
    local sizes, data = ffi.new('int64_t[1]', 2), ffi.new('float[2]', 1, 2)
    local foreign = C.mn_tensor_from_data(other, C.MN_FLOAT32, 1, sizes, data)
    local t = metann.ones(2, { requires_grad = true })
    assert.equal(-1, C.mn_tensor_set_grad(ctx, t.p, foreign))
    assert.equal('grad: the gradient belongs to another context', message())
    assert.is_nil(t.grad)
    local function list(p) return ffi.new('mn_tensor *[1]', p) end
    local loss = (t * t):sum()
    assert.is_true(C.mn_walk_new(ctx, 1, list(loss.p), list(NONE), 1, list(foreign), 0, 0) == nil)
    assert.equal('grad: input 1 belongs to another context', message())
    assert.is_true(C.mn_walk_new(ctx, 1, list(foreign), list(NONE), 1, list(t.p), 0, 0) == nil)
    assert.equal('backward: output 1 or its gradient belongs to another context', message())
    assert.is_true(C.mn_walk_new(ctx, 1, list(loss.p), list(foreign), 1, list(t.p), 0, 0) == nil)
    assert.equal('backward: output 1 or its gradient belongs to another context', message())
    C.mn_tensor_release(foreign)
    C.mn_context_release(other)
    loss:backward()
    assert.same({ 2, 2 }, t.grad:to_table())
  end)
end)

describe('lines of pointwise rows', function()
  local N = 37
  local element = {
    float32 = function() return (metann.randn(N) * 2) end,
    float64 = function() return (metann.randn(N, { dtype = 'float64' }) * 2) end,
    int64 = function() return metann.randint(1, 9, { N }) end,
    int32 = function() return metann.randint(1, 9, { N }):to 'int32' end,
    uint8 = function() return metann.randint(1, 9, { N }):to 'uint8' end,
    bool = function() return metann.randint(0, 2, { N }):to 'bool' end,
  }
  local function array(p) return ffi.cast('const mn_array *', p) end
  local WIDTH = { [0] = 4, 8, 8, 4, 1, 1, 2, 2 } -- of each dtype
  local function bytes(a, data) return ffi.string(data or a.data, tonumber(a.numel) * WIDTH[a.dtype]) end

  --- What the row gives, and what its line gives for the same elements; nil where it has no line for the dtype.
  -- `absent`: the input, counted from 1, in whose place the attribute `value` stands.
  local function both(name, dtype, set, absent)
    local op, info = row_of(name)
    local slots, line = slots_of(info, set), ffi.new 'mn_line'
    local code = handle.dtypes[dtype]
    if C.mn_cpu_line(op, slots, code, absent and absent - 1 or -1, line) ~= 0 then return nil end
    local list, ptr, step = {}, ffi.new 'char *[5]', ffi.new('int64_t[5]')
    local number = absent and metann.full({ 1 }, set.value, { dtype = dtype })
    for i = 1, info.n_in do
      list[i] = i ~= absent and (name == 'where' and i == 1 and element.bool() or element[dtype]())
      local t = list[i] or number
      ptr[i], step[i] = ffi.cast('char *', array(t.p).data), list[i] and #bytes(array(t.p)) / N or 0
    end
    local out = ffi.new 'mn_tensor *[4]'
    assert(C.mn_apply(ctx, op, info.n_in, inputs_of(list), slots, out) == 0, message())
    local got = array(out[0])
    local want = bytes(got)
    local room = ffi.new('double[?]', N)
    ptr[0] = ffi.cast('char *', room)
    step[0] = #want / N
    assert(line.n_in <= info.n_in)
    line.loop(ptr, step, N, line.number)
    local gave = bytes(got, room)
    C.mn_tensor_release(out[0])
    return want, gave
  end

  local function compare(name, dtype, set, absent)
    local want, gave = both(name, dtype, set, absent)
    assert(want == gave, ('%s of %s: the line gives other bits than the row'):format(name, dtype))
    return want ~= nil
  end

  local NEEDED = { polygamma = { n = 2 } } -- attributes without a default
  local COPIES = { cast = true, clone = true, transfer = true } -- of whole arrays, without a loop over elements
  it('are found, and give the bits of their rows', function()
    local samples = dofile('tests/samples/pointwise.lua')(require 'tests.samples.support')
    for name in pairs(samples) do
      local found = 0
      for dtype in pairs(element) do
        if compare(name, dtype, NEEDED[name] or {}) then found = found + 1 end
      end
      if COPIES[name] then assert.equal(0, found, name) else assert.is_true(found >= 2, name) end
    end
    local op, info = row_of 'sum'
    assert.equal(-1, C.mn_cpu_line(op, info.defaults, 0, -1, ffi.new 'mn_line'))
  end)

  it('depend on attributes and on numbers in the place of inputs', function()
    for _, case in ipairs{
      { 'add', { alpha = 3 } }, { 'sub', { alpha = 2 } }, { 'sub', { value = 2 }, 1 }, { 'mul', { value = 3 }, 2 },
      { 'pow', { value = 2 }, 2 }, { 'pow', { value = 3 }, 2 }, { 'pow', { value = 2 }, 1 },
      { 'fmod', { value = 2 }, 2 },
      { 'clamp', { min = 2, max = 3 } }, { 'clamp_gate', { min = 2, max = 3 } }, { 'gate', { slope = 2 } },
    } do
      for _, dtype in ipairs{ 'float32', 'float64', 'int64', 'int32', 'uint8' } do
        assert.is_true(compare(case[1], dtype, case[2], case[3]))
      end
    end
    for _, case in ipairs{
      { 'pow', { value = 0.5 }, 2 }, { 'pow', { value = -1 }, 2 }, { 'div', { value = 3 }, 1 },
      { 'gelu', { approximate = 1 } },
      { 'softplus', { beta = 2, threshold = 1 } }, { 'leaky_relu', { negative_slope = 0.5 } }, { 'elu', { alpha = 2 } },
    } do
      assert.is_true(compare(case[1], 'float32', case[2], case[3]))
      assert.is_true(compare(case[1], 'float64', case[2], case[3]))
    end
  end)
end)
