-- Tangent rules: the Jacobian-vector product of every differentiable row, by the samples of the op spec, against the one
-- by two gradients; along all inputs, along each alone, and of the next order.
local metann = require 'metann'
local binding = require 'metann.binding'
local forward = require 'metann.autograd.forward'
local rows = require 'tests.support.rows'
local S = require 'tests.samples.support'
local table_rows, order = binding.stub.rows, binding.stub.order
local samples = require('tests.support.samples').load(table_rows)

local state = S.seed
local function draw()
  state = (state % 2147483646 + 1) * 48271 % 2147483647
  return 2 * state / 2147483647 - 1
end

local function random_like(t)
  local data = {}
  for i = 1, t:numel() do data[i] = draw() end
  return rows.tensor { size = t.shape, data = data, dtype = 'float64' }:to(t.device)
end

--- The sample's inputs, and which of them are differentiated: all float64 ones.
local function inputs_of(sample)
  local list, wanted = {}, {}
  for i = 1, #sample.inputs do
    local d = sample.inputs[i]
    list[i] = d and (rows.tensor(d)) or false
    if d and d.dtype == 'float64' then wanted[#wanted + 1] = i end
  end
  return list, wanted
end

local function is_differentiable(op, sample)
  if sample.error or sample.order == 0 or rows.has(table_rows[op], 'NODIFF') then return false end
  local inputs, wanted = inputs_of(sample)
  return #wanted > 0 and rows.call(op, inputs, sample.attrs)[1].dtype == 'float64'
end

--- A sample as a function of the inputs that are differentiated, with these and tangents for them.
local function case_of(op, sample)
  local inputs, wanted = inputs_of(sample)
  local case = { primals = {}, tangents = {}, wanted = wanted }
  for k, i in ipairs(wanted) do case.primals[k], case.tangents[k] = inputs[i], random_like(inputs[i]) end
  function case.fn(...)
    local given = { unpack(inputs, 1, #sample.inputs) }
    for k, i in ipairs(wanted) do given[i] = select(k, ...) end
    metann.manual_seed(17)
    local outputs = rows.call(op, given, sample.attrs)
    return rows.has(table_rows[op], 'FIRST') and { outputs[1] } or outputs
  end
  return case
end

local function leaves_of(list)
  local leaves = {}
  for i, t in ipairs(list) do leaves[i] = t:detach():clone():requires_grad_(true) end
  return leaves
end

--- Tangents by two gradients: the first is linear in its cotangents u.
local function by_gradients(fn, leaves, tangents, create_graph)
  local outputs = fn(unpack(leaves))
  local u, with, from, results = {}, {}, {}, {}
  for k, y in ipairs(outputs) do
    u[k] = metann.zeros_like(y):requires_grad_(true)
    if y.requires_grad then with[#with + 1], from[#from + 1] = u[k], y end
  end
  local grads = #from > 0 and metann.grad(from, leaves, with, { create_graph = true, allow_unused = true }) or {}
  local reached, along = {}, {}
  for i in ipairs(leaves) do
    local g = grads[i]
    if g and g.requires_grad then reached[#reached + 1], along[#along + 1] = g, tangents[i] end
  end
  local pushed = #reached > 0
    and metann.grad(reached, u, along, { create_graph = create_graph, allow_unused = true }) or {}
  for k, y in ipairs(outputs) do results[k] = pushed[k] or metann.zeros_like(y) end
  return results
end

local function compare(got, want, tolerance, what)
  assert(#got == #want, what .. ': another number of outputs')
  for k = 1, #want do
    local a, b = rows.read(got[k]), rows.read(want[k])
    local largest = 1
    for _, v in ipairs(b.data) do
      if math.abs(v) > largest and math.abs(v) < math.huge then largest = math.abs(v) end
    end
    rows.compare(a, b, tolerance, tolerance * largest, ('%s, output %d'):format(what, k))
  end
end

local function check(case, what)
  local fn, primals, tangents = case.fn, case.primals, case.tangents
  local values, got = metann.func.jvp(fn, primals, tangents)
  compare(got, by_gradients(fn, leaves_of(primals), tangents, false), 1e-9, what)
  compare(values, fn(unpack(primals)), 0, what .. ', value')
  for k = 1, #primals > 1 and #primals or 0 do
    local one, rest = {}, {}
    for j, t in ipairs(tangents) do
      one[j] = j == k and t
      rest[j] = j == k and t or metann.zeros_like(t)
    end
    local _, alone = metann.func.jvp(fn, primals, one)
    local want = by_gradients(fn, leaves_of(primals), rest, false)
    compare(alone, want, 1e-9, what .. (', along input %d alone'):format(case.wanted[k]))
  end
end

--- Tangents have gradients, as tangent rules are made of ops: those of a sum with random weights.
local function check_second(case, what)
  local weights = {}
  local function gradient(tangents_of)
    local leaves, sum = leaves_of(case.primals), nil
    for k, t in ipairs(tangents_of(leaves)) do
      weights[k] = weights[k] or random_like(t)
      local term = (t * weights[k]):sum()
      sum = sum and sum + term or term
    end
    local grads = sum.requires_grad and metann.grad(sum, leaves, { allow_unused = true }) or {}
    for i, leaf in ipairs(leaves) do grads[i] = grads[i] or metann.zeros_like(leaf) end
    return grads
  end
  local got = gradient(function(leaves) return (select(2, metann.func.jvp(case.fn, leaves, case.tangents))) end)
  local want = gradient(function(leaves) return by_gradients(case.fn, leaves, case.tangents, true) end)
  compare(got, want, 1e-8, what .. ', gradients of the tangents')
end

-- That jvp goes forward, not by gradients itself.
local push, gave_up = forward.push, false
function forward.push(...)
  local list = push(...)
  gave_up = gave_up or not list
  return list
end

describe('the tangent rule of', function()
  for _, op in ipairs(order) do
    if not rows.has(table_rows[op], 'NODIFF') then
      it(op, function()
        local before, tested = rows.live(), 0
        for n, sample in ipairs(samples[op]) do
          if is_differentiable(op, sample) then
            local what, case = ('sample %d of %s'):format(n, op), case_of(op, sample)
            check(case, what)
            if sample.order ~= 1 then check_second(case, what) end
            tested = tested + 1
          end
        end
        assert(tested > 0, op .. ': no sample has been tested')
        assert.is_false(gave_up)
        assert.equal(before, rows.live())
      end)
    end
  end
end)
