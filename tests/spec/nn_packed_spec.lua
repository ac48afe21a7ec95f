-- Packed sequences: padding and packing there and back, and recurrent layers, against each sequence run alone.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local record = require 'metann.binding.record'
local rows_of = require 'tests.support.rows'
require 'tests.support.guarded'
local nn = metann.nn
local message, close = checks.message, checks.close
local rnn = nn.utils.rnn
local f64 = { dtype = 'float64' }

local function sequence(length, width) return metann.randn(length, width or 3, f64) end
local function numbers(t) return t:to_table() end

describe('padding', function()
  local a, b = sequence(2), sequence(4)

  it('fills up at the end or the beginning, and is undone', function()
    local padded = rnn.pad_sequence({ a, b }, { padding_value = 7 })
    assert.same({ 4, 2, 3 }, padded.shape)
    close(padded:select(2, 1), metann.cat({ a, metann.full({ 2, 3 }, 7, f64) }, 1))
    close(padded:select(2, 2), b)
    close(rnn.pad_sequence({ a, b }, true), rnn.pad_sequence({ a, b }):transpose(1, 2))
    close(rnn.pad_sequence({ a, b }, { padding_side = 'left' }):select(2, 1), metann.cat({ metann.zeros(2, 3, f64), a }, 1))
    local back = rnn.unpad_sequence(padded, { 2, 4 })
    close(back[1], a)
    close(back[2], b)
    assert.matches('pad_sequence: the list is empty', message(rnn.pad_sequence, {}))
  end)
end)

describe('packing', function()
  local list = { sequence(2), sequence(4), sequence(1), sequence(4) }

  it('puts the elements of each step beside each other, the longest sequence first', function()
    local packed = rnn.pack_sequence(list, false)
    assert.same({ 4, 3, 2, 2 }, numbers(packed.batch_sizes))
    assert.same({ 2, 4, 1, 3 }, numbers(packed.sorted_indices))
    assert.same({ 3, 1, 4, 2 }, numbers(packed.unsorted_indices))
    close(packed.data:narrow(1, 1, 4), metann.stack{ list[2][1], list[4][1], list[1][1], list[3][1] })
    close(packed.data:narrow(1, 5, 3), metann.stack{ list[2][2], list[4][2], list[1][2] })
    local sorted = rnn.pack_sequence{ list[2], list[1], list[3] }
    assert.is_nil(sorted.sorted_indices)
    assert.matches('^PackedSequence%(data=float64 tensor of size %(7, 3%), steps=4%)$', tostring(sorted))
    assert.equal('float32', sorted:float().data.dtype)
  end)

  it('is undone, in the order in which the sequences came', function()
    for _, batch_first in ipairs{ false, true } do
      local padded = rnn.pad_sequence(list, batch_first)
      local packed = rnn.pack_padded_sequence(padded, metann.tensor({ 2, 4, 1, 4 }, { dtype = 'int64' }),
        { batch_first = batch_first, enforce_sorted = false })
      local back, lengths = rnn.pad_packed_sequence(packed, batch_first)
      close(back, padded)
      assert.same({ 2, 4, 1, 4 }, numbers(lengths))
      local longer = rnn.pad_packed_sequence(packed, { batch_first = batch_first, padding_value = -1, total_length = 6 })
      assert.equal(6, longer:size(batch_first and 2 or 1))
      assert.equal(-3 * (4 + 2 + 5 + 2), (longer:clamp(-1, -1) * longer:eq(-1)):sum():item())
    end
    for i, t in ipairs(rnn.unpack_sequence(rnn.pack_sequence(list, false))) do close(t, list[i]) end
    local made = rnn.PackedSequence(metann.randn(3, 2), { 2, 1 })
    assert.same({ 2, 2, 2 }, (rnn.pad_packed_sequence(made)).shape)
  end)

  it('refuses lengths that are none', function()
    local padded = rnn.pad_sequence(list)
    assert.matches("pack_padded_sequence: 'lengths' must not increase", message(rnn.pack_padded_sequence, padded, { 2, 4, 1, 4 }))
    assert.matches("'lengths' must have 4 numbers, one for each sequence, got 2", message(rnn.pack_padded_sequence, padded, { 4, 2 }))
    assert.matches("'lengths' must be from 1 to 4, got 0", message(rnn.pack_padded_sequence, padded, { 4, 4, 2, 0 }))
    assert.matches("'total_length' must be at least 4", message(rnn.pad_packed_sequence, rnn.pack_sequence(list, false),
      { total_length = 3 }))
    assert.matches("'sequence' must be a PackedSequence, got tensor", message(rnn.pad_packed_sequence, padded))
    assert.matches("'data' must have 3 elements", message(rnn.PackedSequence, metann.ones(2, 2), { 2, 1 }))
    assert.matches("'batch_sizes' must not increase", message(rnn.PackedSequence, metann.ones(3, 2), { 1, 2 }))
  end)
end)

describe('packed through', function()
  local list = { sequence(2), sequence(4), sequence(1), sequence(4) }
  for _, case in ipairs{
    { 'RNN', {} }, { 'GRU', { num_layers = 2, bidirectional = true } }, { 'LSTM', { bidirectional = true } },
    { 'LSTM', { num_layers = 2, bidirectional = true, proj_size = 1 } },
  } do
    local name, o = case[1], case[2]
    o.dtype = 'float64'
    it(name .. ' is each sequence alone', function()
      local net = nn[name](3, 2, o)
      local k = (o.num_layers or 1) * (o.bidirectional and 2 or 1)
      local h, c = metann.randn(k, 4, o.proj_size or 2, f64), metann.randn(k, 4, 2, f64)
      for _, state in ipairs{ false, name == 'LSTM' and { h, c } or h } do
        local y, last = net(rnn.pack_sequence(list, false), state or nil)
        local padded = rnn.pad_packed_sequence(y)
        for i, t in ipairs(list) do
          local own = state and (name == 'LSTM' and { h:select(2, i), c:select(2, i) } or h:select(2, i)) or nil
          local want, end_state = net(t, own)
          close(padded:select(2, i):narrow(1, 1, t:size(1)), want)
          if name == 'LSTM' then
            close(last[1]:select(2, i), end_state[1])
            close(last[2]:select(2, i), end_state[2])
          else
            close(last:select(2, i), end_state)
          end
        end
      end
    end)
  end

  it('has derivatives of every order, by data and by weights through a view', function()
    local net = nn.GRU(2, 2, { bidirectional = true, dtype = 'float64' })
    local proto, leaves = metann.ProtoModule(net), { sequence(2, 2):requires_grad_(true), sequence(3, 2):requires_grad_(true) }
    for p in net:parameters() do leaves[#leaves + 1] = p:detach():clone():requires_grad_(true) end
    assert.is_true(metann.gradcheck(function(a, b, ...)
      local y, h = proto:functional{ ... }(rnn.pack_sequence({ a, b }, false))
      return y.data, h
    end, leaves, { order = 2 }))
  end)

  local function run(net, a, b)
    local y, last = net(rnn.pack_sequence({ a, b }, false))
    local padded, lengths = rnn.pad_packed_sequence(y)
    return padded, last[1], lengths
  end

  it('run where their data lie, and come back there when they are moved', function()
    local net, a, b = nn.LSTM(2, 3, { bidirectional = true }), metann.randn(2, 2), metann.randn(4, 2)
    local want, want_last = run(net, a, b)
    local moved = rnn.pack_sequence({ a, b }, false):to 'guarded:1'
    assert.equal('guarded:1', moved.sorted_indices.device)
    local far = net:deepcopy():to 'guarded:1'
    local got, last, lengths = run(far, a:to 'guarded:1', b:to 'guarded:1')
    assert.equal('guarded:1', got.device)
    assert.equal('guarded:1', last.device)
    assert.equal(rows_of.bytes(want), rows_of.bytes(got))
    assert.equal(rows_of.bytes(want_last), rows_of.bytes(last))
    assert.equal(rows_of.bytes(want), rows_of.bytes((rnn.pad_packed_sequence((far(moved))))))
    assert.same({ 2, 4 }, numbers(lengths))
  end)

  it('can be recorded', function()
    local net, a, b = nn.LSTM(2, 3), metann.randn(2, 2), metann.randn(4, 2)
    local want, _, got = run(net, a, b), nil, nil
    record.run(function()
      got = run(net, a * 1, b * 1)
      got:sum():backward()
    end)
    assert.equal(rows_of.bytes(want), rows_of.bytes(got))
  end)

  it('refuses other widths and states', function()
    local net = nn.LSTM(2, 2)
    assert.matches("LSTM: the data of a packed sequence must have size %(elements, 2%)", message(net, rnn.pack_sequence(list, false)))
    local fits = rnn.pack_sequence{ metann.ones(3, 2), metann.ones(1, 2) }
    assert.matches("LSTM: 'h' must have size %(1, 2, 2%)", message(net, fits, { metann.ones(1, 1, 2), metann.ones(1, 1, 2) }))
  end)
end)
