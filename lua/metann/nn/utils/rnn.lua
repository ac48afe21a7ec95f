--- nn.utils.rnn: sequences of different lengths, padded to one or packed without padding.
local arguments = require 'metann.arguments'
local packed = require 'metann.nn.shared.packed'
local support = require 'metann.support'
local define, kinds, ops, raise, size = arguments.define, arguments.kinds, support.ops, support.raise, support.size

local rnn = {}

local LENGTHS = { 'lengths', kinds.either(kinds.tensor, kinds.integers) }
local BATCH_FIRST, PADDING = { 'batch_first', kinds.boolean, false }, { 'padding_value', kinds.number, 0 }
local ENFORCE = { 'enforce_sorted', kinds.boolean, true }
local SEQUENCE = { 'sequence', function(v) return packed.is(v) and v or nil, 'a PackedSequence' end }
local SEQUENCES = { 'sequences', kinds.tensors }

--- Numbers as a list: of a tensor, which is read, or as given.
local function numbers_of(what, given)
  if not support.is_tensor(given) then return { unpack(given) } end
  if support.is_float(given) or support.ndim(given) ~= 1 then
    raise("%s: 'lengths' must be whole numbers in one dim, got %s", what, support.describe(given))
  end
  local list = {}
  for i = 1, size(given, 1) do list[i] = ops.select(given, 1, i):item() end
  return list
end

-- ---- padding ----

--- A list of tensors (L, ...) of different lengths as one, (longest, N, ...), or (N, longest, ...).
-- @function pad_sequence
rnn.pad_sequence = define('pad_sequence', {
  SEQUENCES, BATCH_FIRST, PADDING, { 'padding_side', kinds.choice('right', 'left'), 'right' },
}, function(sequences, batch_first, value, side)
  local longest, dim, wide = 0, batch_first and 1 or 2, {}
  if #sequences == 0 then raise('pad_sequence: the list is empty') end
  for i, t in ipairs(sequences) do
    if support.ndim(t) == 0 then raise('pad_sequence: entry %d must have a dim of time, got a 0-dim tensor', i) end
    longest = math.max(longest, size(t, 1))
  end
  for i, t in ipairs(sequences) do
    local before, after, missing = {}, {}, longest - size(t, 1)
    for d = 1, support.ndim(t) do before[d], after[d] = 0, 0 end
    if side == 'left' then before[1] = missing else after[1] = missing end
    wide[i] = ops.unsqueeze(missing > 0 and ops.pad(t, before, after, value) or t, dim)
  end
  return (ops.cat(wide, dim))
end)

--- The sequences of a padded tensor, a list of tensors (L, ...).
-- @function unpad_sequence
rnn.unpad_sequence = define('unpad_sequence', {
  { 'padded_sequences', kinds.tensor }, LENGTHS, BATCH_FIRST,
}, function(padded, lengths, batch_first)
  local list = {}
  for i, length in ipairs(numbers_of('unpad_sequence', lengths)) do
    list[i] = ops.slice(ops.select(padded, batch_first and 1 or 2, i), 1, 1, length)
  end
  return list
end)

-- ---- packing ----

--- The order of sequences by length, the longest first, or nil where they stand in it.
local function order_of(lengths)
  local order, sorted = {}, true
  for i = 1, #lengths do
    order[i] = i
    sorted = sorted and (i == 1 or lengths[i] <= lengths[i - 1])
  end
  if sorted then return nil end
  table.sort(order, function(a, b) return lengths[a] > lengths[b] or lengths[a] == lengths[b] and a < b end)
  return order
end

local function inverse(order)
  local list = {}
  for i, from in ipairs(order) do list[from] = i end
  return list
end

local function check_lengths(lengths, steps, n)
  if #lengths ~= n or n == 0 then
    raise("pack_padded_sequence: 'lengths' must have %d numbers, one for each sequence, got %d", math.max(n, 1), #lengths)
  end
  for _, length in ipairs(lengths) do
    if length < 1 or length > steps then
      raise("pack_padded_sequence: 'lengths' must be from 1 to %d, got %d", steps, length)
    end
  end
end

--- How many of the sequences each step has.
local function sizes_of(lengths)
  local sizes = {}
  for _, length in ipairs(lengths) do
    for t = 1, length do sizes[t] = (sizes[t] or 0) + 1 end
  end
  return sizes
end

--- A padded tensor (T, N, ...), or (N, T, ...), without its padding, as recurrent layers take it.
-- @function pack_padded_sequence
-- @param input the tensor
-- @param lengths of the sequences, a list or a tensor
-- @param[opt=false] batch_first
-- @param[opt=true] enforce_sorted false: the sequences needn't be ordered by length
rnn.pack_padded_sequence = define('pack_padded_sequence', {
  { 'input', kinds.tensor }, LENGTHS, BATCH_FIRST, ENFORCE,
}, function(x, given, batch_first, enforce_sorted)
  if support.ndim(x) < 2 then raise("pack_padded_sequence: 'input' must have time and batch, got %s", support.describe(x)) end
  local n, steps = size(x, batch_first and 1 or 2), size(x, batch_first and 2 or 1)
  local lengths = numbers_of('pack_padded_sequence', given)
  check_lengths(lengths, steps, n)
  local order = order_of(lengths)
  if order and enforce_sorted then
    raise("pack_padded_sequence: 'lengths' must not increase, the longest comes first, unless enforce_sorted is false")
  end
  local sizes, places = sizes_of(lengths), {}
  for t = 1, #sizes do
    for k = 1, sizes[t] do
      local i = order and order[k] or k
      places[#places + 1] = batch_first and (i - 1) * steps + t or (t - 1) * n + i
    end
  end
  local shape = { n * steps }
  for d = 3, support.ndim(x) do shape[d - 1] = size(x, d) end
  local data = ops.index_select(support.reshape(x, shape), packed.numbers(places, x), 1)
  return packed.new(data, sizes, nil, order and packed.numbers(order, x), order and packed.numbers(inverse(order), x))
end)

--- A list of tensors (L, ...) of different lengths, packed.
-- @function pack_sequence
rnn.pack_sequence = define('pack_sequence', { SEQUENCES, ENFORCE }, function(sequences, enforce_sorted)
  local lengths = {}
  for i, t in ipairs(sequences) do lengths[i] = support.ndim(t) > 0 and size(t, 1) or 0 end
  return rnn.pack_padded_sequence(rnn.pad_sequence(sequences), lengths, false, enforce_sorted)
end)

--- For each sequence, in the order that they are in the packed one, its length; where each goes back to.
local function lengths_and_places(sequence)
  local lengths, places = {}, {}
  for k = 1, sequence._sizes[1] or 0 do
    lengths[k] = 0
    places[k] = sequence.sorted_indices and ops.select(sequence.sorted_indices, 1, k):item() or k
  end
  for _, count in ipairs(sequence._sizes) do
    for k = 1, count do lengths[k] = lengths[k] + 1 end
  end
  return lengths, places
end

--- The padded tensor (T, N, ...), or (N, T, ...), of a packed sequence; the lengths, an int64 tensor.
-- @function pad_packed_sequence
-- @param sequence from pack_padded_sequence, or what a recurrent layer made of it
-- @param[opt=false] batch_first
-- @param[opt=0] padding_value
-- @param[opt] total_length how many steps there are to be, at least the longest
rnn.pad_packed_sequence = define('pad_packed_sequence', {
  SEQUENCE, BATCH_FIRST, PADDING, { 'total_length', kinds.count, optional = true },
}, function(sequence, batch_first, value, total_length)
  local data, sizes = sequence.data, sequence._sizes
  local steps = total_length or #sizes
  if steps < #sizes then
    raise("pad_packed_sequence: 'total_length' must be at least %d, the longest sequence, got %d", #sizes, steps)
  end
  local lengths, places = lengths_and_places(sequence)
  local n, count, from, first = #lengths, size(data, 1), {}, 0
  -- what is no element is read from a row of padding behind the data
  for i = 1, n * steps do from[i] = count + 1 end
  for t, now in ipairs(sizes) do
    for k = 1, now do
      from[batch_first and (places[k] - 1) * steps + t or (t - 1) * n + places[k]] = first + k
    end
    first = first + now
  end
  local row, shape, unsorted = support.shape(data), batch_first and { n, steps } or { steps, n }, {}
  for d = 2, #row do shape[d + 1] = row[d] end
  row[1] = 1
  for k = 1, n do unsorted[places[k]] = lengths[k] end
  local all = ops.cat({ data, support.full(data, row, value) }, 1)
  return support.reshape(ops.index_select(all, packed.numbers(from, data), 1), shape), packed.numbers(unsorted)
end)

--- The sequences of a packed one, a list of tensors (L, ...).
-- @function unpack_sequence
rnn.unpack_sequence = define('unpack_sequence', {
  { 'packed_sequences', SEQUENCE[2] },
}, function(sequence)
  local padded, lengths = rnn.pad_packed_sequence(sequence)
  return rnn.unpad_sequence(padded, lengths)
end)

--- A packed sequence of its parts: data (elements, ...), batch_sizes (a tensor or a list), and the order of the sequences.
-- @function PackedSequence
rnn.PackedSequence = define('PackedSequence', {
  { 'data', kinds.tensor }, { 'batch_sizes', LENGTHS[2] }, { 'sorted_indices', kinds.tensor, optional = true },
  { 'unsorted_indices', kinds.tensor, optional = true },
}, function(data, batch_sizes, sorted, unsorted)
  local sizes, total = numbers_of('PackedSequence', batch_sizes), 0
  for t, now in ipairs(sizes) do
    total = total + now
    if now < 1 or t > 1 and now > sizes[t - 1] then raise("PackedSequence: 'batch_sizes' must not increase, and be at least 1") end
  end
  if support.ndim(data) == 0 or size(data, 1) ~= total then
    raise("PackedSequence: 'data' must have %d elements, as 'batch_sizes' says, got size %s", total, support.shape_text(data))
  end
  if sorted and not unsorted then unsorted = support.functions.argsort(sorted) end
  return packed.new(data, sizes, support.is_tensor(batch_sizes) and batch_sizes or nil, sorted, unsorted)
end)

return rnn
