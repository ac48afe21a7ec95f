--- What the recurrent layers share: the cells' formulas, parameters, walking along time and layers.
-- Gates stand in PyTorch's order (LSTM i f g o, GRU r z n); all weights are uniform within 1 / sqrt(hidden_size).
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local fresh = require 'metann.nn.shared.fresh'
local packed = require 'metann.nn.shared.packed'
local support = require 'metann.support'
local kinds, ops, raise = options.kinds, support.ops, support.raise
local add, mul, sub, linear, sigmoid, tanh, slice = ops.add, ops.mul, ops.sub, ops.linear, ops.sigmoid, ops.tanh,
  ops.slice

local recurrent = {}

local function gate(t, k, width) return slice(t, 2, (k - 1) * width + 1, width) end

-- A step takes what the input adds to the gates (N, gates * hidden), the state h (and c), the weights on h, and those
-- that project h if there are any; it returns the new h (and c).
local steps = {}

function steps.tanh(gx, h, _, weight, bias) return tanh(add(gx, linear(h, weight, bias))) end

function steps.relu(gx, h, _, weight, bias) return ops.relu(add(gx, linear(h, weight, bias))) end

--- Hochreiter and Schmidhuber 1997, with forget gates (Gers et al. 2000) and, where asked for, a projection of h (Sak
-- et al. 2014).
function steps.lstm(gx, h, c, weight, bias, projection)
  local width = support.size(c, 2)
  local gates = add(gx, linear(h, weight, bias))
  local keep, write = sigmoid(gate(gates, 2, width)), sigmoid(gate(gates, 1, width))
  c = add(mul(keep, c), mul(write, tanh(gate(gates, 3, width))))
  h = mul(sigmoid(gate(gates, 4, width)), tanh(c))
  if projection then h = linear(h, projection) end
  return h, c
end

--- Cho et al. 2014; the reset gate acts after the product with the weights, as in PyTorch.
function steps.gru(gx, h, _, weight, bias)
  local width = support.size(h, 2)
  local gh = linear(h, weight, bias)
  local reset = sigmoid(add(gate(gx, 1, width), gate(gh, 1, width)))
  local update = sigmoid(add(gate(gx, 2, width), gate(gh, 2, width)))
  local new = tanh(add(gate(gx, 3, width), mul(reset, gate(gh, 3, width))))
  return add(new, mul(update, sub(h, new)))
end

local GATES = { tanh = 1, relu = 1, lstm = 4, gru = 3 }

-- projected: the width of h where it is projected, 0 for none
local function add_weights(self, suffix, inputs, hidden, gates, bias, projected)
  local bound, width = 1 / math.sqrt(hidden), projected > 0 and projected or hidden
  self:register_parameter('weight_ih' .. suffix, fresh.uniform({ gates * hidden, inputs }, bound))
  self:register_parameter('weight_hh' .. suffix, fresh.uniform({ gates * hidden, width }, bound))
  self:register_parameter('bias_ih' .. suffix, bias and fresh.uniform({ gates * hidden }, bound) or nil)
  self:register_parameter('bias_hh' .. suffix, bias and fresh.uniform({ gates * hidden }, bound) or nil)
  if projected > 0 then
    self:register_parameter('weight_hr' .. suffix, fresh.uniform({ projected, hidden }, bound))
  end
end

local function zeros(x, shape) return support.full(x, shape, 0) end

--- The two parts of a state: h, and c of an LSTM, which comes as a list {h, c}.
local function parts_of(name, state, has_cell)
  if state == nil then return nil, nil end
  if has_cell then
    if type(state) ~= 'table' or not support.is_tensor(state[1]) or not support.is_tensor(state[2]) then
      raise("%s: the state must be a list {h, c} of tensors, got %s", name, support.describe(state))
    end
    return state[1], state[2]
  end
  if not support.is_tensor(state) then
    raise('%s: the state must be a tensor, got %s', name, support.describe(state))
  end
  return state, nil
end

local function check_size(name, what, t, shape)
  local fits = support.ndim(t) == #shape
  for d = 1, fits and #shape or 0 do fits = fits and support.size(t, d) == shape[d] end
  if not fits then
    raise("%s: '%s' must have size %s, got %s", name, what, support.tuple(shape), support.shape_text(t))
  end
end

-- ---- cells ----

--- Makes a class of one step. Called as cell(x, h), or cell(x, {h, c}) which returns h, c.
-- @param name of the class
-- @param kind nil where the option `nonlinearity` says which
function recurrent.cell(name, kind)
  local of = class.new(name, Module)
  local parameters = {
    { 'input_size', kinds.count }, { 'hidden_size', kinds.count }, { 'bias', kinds.boolean, true },
  }
  if not kind then parameters[4] = { 'nonlinearity', kinds.choice('tanh', 'relu'), 'tanh' } end
  local read = options.layer_reader(name, parameters)

  function of:init(...)
    local o = read(...)
    self.input_size, self.hidden_size = o.input_size, o.hidden_size
    self.kind = kind or o.nonlinearity
    add_weights(self, '', o.input_size, o.hidden_size, GATES[self.kind], o.bias, 0)
    options.place(self, o)
  end

  function of:forward(x, state, more)
    if more ~= nil then support.too_many(name, 2) end
    local n = support.is_tensor(x) and support.ndim(x) or 0
    if (n ~= 1 and n ~= 2) or support.size(x, -1) ~= self.input_size then
      raise("%s: 'input' must be a tensor of size (N, %d) or (%d,), got %s", name, self.input_size, self.input_size,
        support.describe(x))
    end
    local h, c = parts_of(name, state, kind == 'lstm')
    local alone = n == 1
    if alone then
      x, h, c = ops.unsqueeze(x, 1), h and ops.unsqueeze(h, 1), c and ops.unsqueeze(c, 1)
    end
    local shape = { support.size(x, 1), self.hidden_size }
    h = h or zeros(x, shape)
    check_size(name, 'h', h, shape)
    if kind == 'lstm' then
      c = c or zeros(x, shape)
      check_size(name, 'c', c, shape)
    end
    h, c = steps[self.kind](linear(x, self.weight_ih, self.bias_ih), h, c, self.weight_hh, self.bias_hh)
    if alone then h, c = ops.squeeze(h, 1), c and ops.squeeze(c, 1) end
    if c then return h, c end
    return h
  end

  function of:extra_repr()
    local text = self.input_size .. ', ' .. self.hidden_size
    if self.bias_ih == nil then text = text .. ', bias=false' end
    if self.kind == 'relu' then text = text .. ', nonlinearity=relu' end
    return text
  end
  return of
end

-- ---- layers ----

--- Rows from `first` to `last` of h, and of c if there is one.
local function rows(h, c, first, last)
  return slice(h, 1, first, last - first + 1), c and slice(c, 1, first, last - first + 1)
end

local function both(h, c, more_h, more_c) return ops.cat({ h, more_h }, 1), c and ops.cat({ c, more_c }, 1) end

--- The steps of a packed sequence, which has sizes[t] rows at time t, never more than before. Forwards, the rows that end
-- are put by; backwards, those that begin come in with their first state.
-- @return the list of h by time; the last states, of all rows
local function run_packed(run, gx, h, c, sizes, backwards)
  local ends, list, first = {}, {}, {}
  ends[0] = 0
  for t = 1, #sizes do ends[t] = ends[t - 1] + sizes[t] end
  first.h, first.c = h, c
  local done_h, done_c, count = nil, nil, backwards and sizes[#sizes] or sizes[1]
  h, c = rows(h, c, 1, count)
  for i = 1, #sizes do
    local t = backwards and #sizes + 1 - i or i
    if sizes[t] > count then
      h, c = both(h, c, rows(first.h, first.c, count + 1, sizes[t]))
    elseif sizes[t] < count then
      local ended_h, ended_c = rows(h, c, sizes[t] + 1, count)
      if done_h then ended_h, ended_c = both(ended_h, ended_c, done_h, done_c) end
      done_h, done_c = ended_h, ended_c
      h, c = rows(h, c, 1, sizes[t])
    end
    count = sizes[t]
    h, c = run(slice(gx, 1, ends[t - 1] + 1, count), h, c)
    list[t] = h
  end
  if done_h then h, c = both(h, c, done_h, done_c) end
  return list, h, c
end

--- One layer in one direction: x (L, N, inputs), h and c (N, hidden). Returns the list of h by time, the last state.
-- @param sizes of a packed sequence, of which x is the data; nil for others
local function run_direction(self, x, h, c, suffix, backwards, sizes)
  local step = steps[self.kind]
  local weight, bias, projection = self['weight_hh' .. suffix], self['bias_hh' .. suffix], self['weight_hr' .. suffix]
  local gx = linear(x, self['weight_ih' .. suffix], self['bias_ih' .. suffix])
  if sizes then
    return run_packed(function(now, h_, c_) return step(now, h_, c_, weight, bias, projection) end, gx, h, c, sizes, backwards)
  end
  local length, list = support.size(x, 1), {}
  for i = 1, length do
    local t = backwards and length + 1 - i or i
    h, c = step(ops.select(gx, 1, t), h, c, weight, bias, projection)
    list[t] = h
  end
  return list, h, c
end

local function stack(list)
  local parts = {}
  for i, t in ipairs(list) do parts[i] = ops.unsqueeze(t, 1) end
  return ops.cat(parts, 1)
end

--- All layers: x (L, N, inputs), h and c (layers * directions, N, hidden); with sizes x is a packed sequence's data.
local function run_layers(self, x, h, c, sizes)
  local last_h, last_c, k = {}, {}, 0
  for layer = 0, self.num_layers - 1 do
    local outputs = {}
    for direction = 1, self.bidirectional and 2 or 1 do
      k = k + 1
      local suffix = '_l' .. layer .. (direction == 2 and '_reverse' or '')
      local list, hk, ck = run_direction(self, x, ops.select(h, 1, k), c and ops.select(c, 1, k), suffix,
        direction == 2, sizes)
      outputs[direction], last_h[k], last_c[k] = sizes and ops.cat(list, 1) or stack(list), hk, ck
    end
    x = outputs[2] and ops.cat(outputs, sizes and 2 or 3) or outputs[1]
    if self.dropout > 0 and self.training and layer < self.num_layers - 1 then x = (ops.dropout(x, self.dropout)) end
  end
  return x, stack(last_h), c and stack(last_c)
end

local function layer_repr(self)
  local parts = { tostring(self.input_size), tostring(self.hidden_size) }
  if self.proj_size > 0 then parts[#parts + 1] = 'proj_size=' .. self.proj_size end
  if self.num_layers > 1 then parts[#parts + 1] = 'num_layers=' .. self.num_layers end
  if self.bias_ih_l0 == nil then parts[#parts + 1] = 'bias=false' end
  if self.batch_first then parts[#parts + 1] = 'batch_first=true' end
  if self.dropout > 0 then parts[#parts + 1] = 'dropout=' .. self.dropout end
  if self.bidirectional then parts[#parts + 1] = 'bidirectional=true' end
  return table.concat(parts, ', ')
end

local function check_input(name, self, x)
  local n = support.is_tensor(x) and support.ndim(x) or 0
  if (n ~= 2 and n ~= 3) or support.size(x, -1) ~= self.input_size then
    raise("%s: 'input' must be a tensor of size %s or (L, %d), got %s", name,
      (self.batch_first and '(N, L, %d)' or '(L, N, %d)'):format(self.input_size), self.input_size,
      support.describe(x))
  end
  if support.size(x, n == 3 and self.batch_first and 2 or 1) == 0 then
    raise("%s: the length of 'input' must be at least 1, got size %s", name, support.shape_text(x))
  end
  return n == 2
end

--- The state to start from n sequences, checked: zeros where none is given.
local function start(name, self, x, n, state, alone)
  local h, c = parts_of(name, state, self.kind == 'lstm')
  if alone then h, c = h and ops.unsqueeze(h, 2), c and ops.unsqueeze(c, 2) end
  local shape = { self.num_layers * (self.bidirectional and 2 or 1), n,
    self.proj_size > 0 and self.proj_size or self.hidden_size }
  h = h or zeros(x, shape)
  check_size(name, 'h', h, shape)
  if self.kind ~= 'lstm' then return h, nil end
  shape[3] = self.hidden_size
  c = c or zeros(x, shape)
  check_size(name, 'c', c, shape)
  return h, c
end

--- What a layer makes of a packed sequence: one, and the last state, with the sequences in the order that they came in.
local function forward_packed(name, self, sequence, state)
  local data, sizes = sequence.data, sequence._sizes
  if support.ndim(data) ~= 2 or support.size(data, 2) ~= self.input_size or #sizes == 0 then
    raise("%s: the data of a packed sequence must have size (elements, %d), got %s", name, self.input_size,
      support.describe(data))
  end
  local h, c = start(name, self, data, sizes[1], state, false)
  local sorted, unsorted = sequence.sorted_indices, sequence.unsorted_indices
  local y
  y, h, c = run_layers(self, data, packed.reordered(h, sorted), packed.reordered(c, sorted), sizes)
  h, c = packed.reordered(h, unsorted), packed.reordered(c, unsorted)
  if c then return sequence:with(y), { h, c } end
  return sequence:with(y), h
end

local function define_forward(of, name)
  --- @param x (L, N, input_size), with batch_first (N, L, input_size), or (L, input_size); or a PackedSequence
  -- @param state (layers * directions, N, hidden_size), of an LSTM a list {h, c} of these, h of width proj_size where
  -- there is one; zeros when left out
  -- @return the last layer's outputs, (L, N, directions * width of h) or as the input; the last state, as `state`
  function of:forward(x, state, more)
    if more ~= nil then support.too_many(name, 2) end
    if packed.is(x) then return forward_packed(name, self, x, state) end
    local alone = check_input(name, self, x)
    if alone then x = ops.unsqueeze(x, 2) elseif self.batch_first then x = ops.transpose(x, 1, 2) end
    local h, c = start(name, self, x, support.size(x, 2), state, alone)
    x, h, c = run_layers(self, x, h, c)
    if alone then
      x, h, c = ops.squeeze(x, 2), ops.squeeze(h, 2), c and ops.squeeze(c, 2)
    elseif self.batch_first then
      x = ops.transpose(x, 1, 2)
    end
    if c then return x, { h, c } end
    return x, h
  end
end

-- More layers than any net has: each is a handful of tensors, which would fill the memory one by one.
local MOST_LAYERS = 65536

--- Makes a class of layers over time.
-- @param name of the class
-- @param kind nil where the option `nonlinearity` says which
function recurrent.layer(name, kind)
  local of = class.new(name, Module)
  local parameters = {
    { 'input_size', kinds.count }, { 'hidden_size', kinds.count }, { 'num_layers', kinds.count_to(MOST_LAYERS), 1 },
    { 'bias', kinds.boolean, true }, { 'batch_first', kinds.boolean, false }, { 'dropout', kinds.probability, 0 },
    { 'bidirectional', kinds.boolean, false },
  }
  if not kind then table.insert(parameters, 4, { 'nonlinearity', kinds.choice('tanh', 'relu'), 'tanh' }) end
  if kind == 'lstm' then parameters[8] = { 'proj_size', kinds.whole, 0 } end
  local read = options.layer_reader(name, parameters)

  function of:init(...)
    local o = read(...)
    self.input_size, self.hidden_size, self.num_layers = o.input_size, o.hidden_size, o.num_layers
    self.batch_first, self.dropout, self.bidirectional = o.batch_first, o.dropout, o.bidirectional
    self.kind, self.proj_size = kind or o.nonlinearity, o.proj_size or 0
    if self.proj_size >= o.hidden_size then
      raise("%s: 'proj_size' (%d) must be below 'hidden_size' (%d)", name, self.proj_size, o.hidden_size)
    end
    local directions, width = o.bidirectional and 2 or 1, self.proj_size > 0 and self.proj_size or o.hidden_size
    for layer = 0, o.num_layers - 1 do
      local inputs = layer == 0 and o.input_size or width * directions
      for direction = 1, directions do
        add_weights(self, '_l' .. layer .. (direction == 2 and '_reverse' or ''), inputs, o.hidden_size,
          GATES[self.kind], o.bias, self.proj_size)
      end
    end
    options.place(self, o)
  end

  define_forward(of, name)
  of.extra_repr = layer_repr
  return of
end

return recurrent
