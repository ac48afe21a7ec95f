-- The C interface as a host in C uses it: what is wrong is an error of the context, never a crash. By FFI, past the
-- checks that the Lua functions make.
local handle = require('metann.binding').handle
local metann = require 'metann'
local ffi, C, ctx, NONE = handle.ffi, handle.C, handle.ctx, handle.NONE

--- The number of a row, and its description.
local function row_of(name)
  for i = 0, C.mn_op_count() - 1 do
    if ffi.string(C.mn_op(i).name) == name then return i, C.mn_op(i) end
  end
  error('no row ' .. name)
end

--- Slots with a row's defaults, and what `set` gives by attribute: a number, or a list with its length as `n`.
local function slots_of(info, set)
  local slots = ffi.new('mn_slot[?]', info.n_slots)
  ffi.copy(slots, info.defaults, info.n_slots * ffi.sizeof 'mn_slot')
  for i = 0, info.n_attrs - 1 do
    local a = info.attrs[i]
    local value = set[ffi.string(a.name)]
    local at = slots + a.slot
    if type(value) == 'table' then
      at[0].i = value.n or #value
      for k, v in ipairs(value) do at[k].i = v end
    elseif value ~= nil then
      if a.kind == C.MN_ATTR_NUM then at[0].f = value else at[0].i = value end
    end
  end
  return slots
end

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
